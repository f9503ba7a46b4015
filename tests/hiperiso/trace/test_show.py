"""What ``hiperiso-log trace`` prints."""

from __future__ import annotations

import csv
import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from commands import LOG_COMMANDS, run_command
from hiperiso.contract import files
from hiperiso.contract.eventdata import DiskData, StartData
from hiperiso.contract.events import IsoRead, KernelLine, QemuStarted
from hiperiso.errors import UsageError
from hiperiso.session.eventlog import EventLog
from hiperiso.trace.perfetto import shown_timeline
from hiperiso.trace.reader import TraceError
from hiperiso.trace.show import COLUMNS, Query, TraceFile, shown_summary, shown_trace
from hiperiso.trace.where import parse_condition

from .trace_files import DECLARATIONS, Made

TRACE = Made().trace()


@pytest.fixture
def session(tmp_path: Path) -> Path:
    (tmp_path / files.TRACE_BIN).write_bytes(TRACE)
    lines = "\n".join(DECLARATIONS)
    (tmp_path / files.TRACE_FORMATS).write_text(f"# wall clock ahead by 100.000000 s\n{lines}\n")
    return tmp_path


ALL = Query()


def shown(path: Path, form: str, query: Query = ALL) -> str:
    return b"".join(shown_trace(TraceFile(path, query), form)).decode()


def test_json_csv_and_text(session: Path) -> None:
    rows = [json.loads(line) for line in shown(session, "json").splitlines()]
    assert rows[0] == {
        "t": 101.5,
        "event": "ide_atapi_cmd_read",
        "pid": 7,
        "text": "IDEState: 0x55aa; read dma: LBA=16 nb_sectors=1",
        "args": {"s": 0x55AA, "method": "dma", "lba": 16, "nb_sectors": 1},
    }
    assert rows[1]["text"] == "12 records were lost" and "args" not in rows[-1]
    table = list(csv.reader(shown(session, "csv").splitlines()))
    assert tuple(table[0]) == COLUMNS and len(table) == 1 + len(rows)
    assert shown(session, "text").splitlines()[0].startswith("ide_atapi_cmd_read 0.000 pid=7 s=0x55aa ")


def check_timeline(document: dict[str, Any]) -> None:
    """What "Trace Event Format" demands of the kinds of rows that are used here."""
    assert document["displayTimeUnit"] in ("ms", "ns")
    named = {(row["pid"], row["tid"]) for row in document["traceEvents"] if row["name"] == "thread_name"}
    for row in document["traceEvents"]:
        assert isinstance(row["name"], str) and isinstance(row["pid"], int) and isinstance(row["tid"], int)
        match row["ph"]:
            case "M":
                assert row["name"] in ("process_name", "thread_name") and isinstance(row["args"]["name"], str)
            case "i":
                assert row["s"] in ("g", "p", "t") and isinstance(row["ts"], int | float)
                assert (row["pid"], row["tid"]) in named
            case "X":
                assert row["dur"] > 0 and isinstance(row["ts"], int | float)
                assert (row["pid"], row["tid"]) in named
            case "C":
                assert row["args"] and all(isinstance(value, int) for value in row["args"].values())
            case other:
                raise AssertionError(other)


def test_the_timeline_of_a_session_has_its_other_channels_on_the_same_clock(tmp_path: Path) -> None:
    began = 1_700_000_000.0
    log = EventLog(tmp_path)
    log.emit(QemuStarted(t=0.0, data=StartData(wall_s=began)))
    log.emit(KernelLine(t=1.25, text="Linux version 6.1.0"))
    log.emit(IsoRead(t=2.5, text="/boot/vmlinuz", data=DiskData(bytes=2048, first_s=2.0)))
    log.close()
    (tmp_path / files.SESSION_JSON).write_text("{}")
    (tmp_path / files.TRACE_FORMATS).write_text(
        'serial_write(uint16_t addr, uint8_t value) "write addr 0x%02x val 0x%02x"\n'
        "blk_co_preadv(void *blk, void *bs, int64_t offset, int64_t bytes, int flags) "
        '"blk %p bs %p offset %"PRId64" bytes %" PRId64 " flags 0x%x"\n'
    )
    (tmp_path / files.TRACE_LOG).write_text(
        f"7@{began + 3:.6f}:serial_write write addr 0x00 val 0x41\n"
        f"7@{began + 3.0005:.6f}:serial_write write addr 0x00 val 0x42\n"
        f"7@{began + 4:.6f}:blk_co_preadv blk 0x1 bs 0x2 offset 0 bytes 4096 flags 0x0\n"
        f"7@{began + 5:.6f}:serial_write write addr 0x00 val 0x43\n"
    )
    document = json.loads(b"".join(shown_timeline(TraceFile(tmp_path))))
    check_timeline(document)
    rows = document["traceEvents"]
    kernel = next(row for row in rows if row["name"] == "Linux version 6.1.0")
    assert kernel["ts"] == 1_250_000
    read = next(row for row in rows if row["name"] == "/boot/vmlinuz")
    assert (read["ts"], read["dur"], read["args"]["bytes"]) == (2_000_000, 500_000, 2048)
    slices = [row for row in rows if row["name"] == "8250 (COM1)"]
    assert [(row["ts"], row["dur"], row["args"]["writes"]) for row in slices] == [
        (3_000_000, 500, 2),
        (5_000_000, 1, 1),
    ]
    assert {(row["ts"], row["args"]["read"]) for row in rows if row["ph"] == "C"} == {
        (0, 0),
        (4e6, 4096),
        (5e6, 0),
    }
    assert min(row["ts"] for row in rows if row.get("cat") == "qemu") == 3_000_000


def test_a_timeline_follows_the_format_of_trace_events(session: Path) -> None:
    document = json.loads(b"".join(shown_timeline(TraceFile(session))))
    check_timeline(document)
    names = {
        (row["pid"], row["tid"]): row["args"]["name"] for row in document["traceEvents"] if row["ph"] == "M"
    }
    instants = [row for row in document["traceEvents"] if row["ph"] == "i"]
    assert len(instants) == 8 and len({row["tid"] for row in instants}) == 7
    assert all(names[row["pid"], row["tid"]] == row["name"] and row["s"] == "t" for row in instants)
    assert instants[0]["ts"] == 0 and instants[2]["ts"] == 500_001
    assert instants[2]["args"] == {"s": 0, "method": "pio", "lba": -1, "nb_sectors": 2}


def test_the_text_backend_gives_the_same_rows(session: Path) -> None:
    rows = [json.loads(line) for line in shown(session, "json").splitlines() if '"args"' in line]
    log = session / files.TRACE_LOG
    log.write_text(
        "".join(
            f"{r['pid']}@{r['t']:.6f}:{r['event']} {r['text']}\n" for r in rows if r["event"] != "dropped"
        )
    )
    again = [json.loads(line) for line in shown(log, "json").splitlines()]
    assert again == [row for row in rows if row["event"] != "dropped"]


def test_what_is_meant(session: Path) -> None:
    def events(query: Query) -> list[str]:
        return [json.loads(line)["event"] for line in shown(session, "json", query).splitlines()]

    assert events(Query(events=("ide*", "noth*"))) == ["ide_atapi_cmd_read", "ide_atapi_cmd_read", "nothing"]
    assert events(Query(until_s=0.1)) == ["ide_atapi_cmd_read", "dropped"]
    assert events(Query(since_s=0.6)) == ["named", "blk_co_preadv"]
    where = Query(where=parse_condition("lba < 0"))
    assert events(where) == ["ide_atapi_cmd_read"]
    assert shown(session, "text", where).startswith(
        "ide_atapi_cmd_read 0.000 pid=7 s=0x0 method=b'pio' lba=0xffff"
    )
    assert TraceFile(session, where).summary().records == 1


def test_the_text_is_the_same_with_a_condition_that_always_holds(session: Path) -> None:
    always = Query(where=parse_condition("pid >= 0 and not event == named"))
    rest = [line for line in shown(session, "text").splitlines() if not line.startswith("named")]
    assert [line.split()[2:] for line in shown(session, "text", always).splitlines()] == [
        line.split()[2:] for line in rest
    ]


def test_summary(session: Path) -> None:
    (session / files.TRACE_BIN).write_bytes(TRACE + TRACE[24:40])
    summary = TraceFile(session).summary()
    assert (summary.records, summary.lost, summary.torn_bytes, summary.other_lines) == (7, 12, 16, 0)
    assert (summary.events[0].event, summary.events[0].records) == ("ide_atapi_cmd_read", 2)
    assert summary.events[0].first_s == 0.0 and summary.events[0].last_s == 0.500001
    assert json.loads(b"".join(shown_summary(summary, "json")))["events"][0]["records"] == 2
    assert (
        b"".join(shown_summary(summary, "csv")).splitlines()[1] == b"ide_atapi_cmd_read,2,0.000000,0.500001"
    )
    assert b"7 records of 6 events, 12 lost\n" in b"".join(shown_summary(summary, "text"))


def test_damage_is_shown_after_what_is_before_it(session: Path) -> None:
    (session / files.TRACE_BIN).write_bytes(TRACE + struct.pack("<Q", 5))
    lines = shown_trace(TraceFile(session), "json")
    assert len([next(lines) for _ in range(8)]) == 8
    with pytest.raises(TraceError, match=f"byte {len(TRACE)}"):
        next(lines)


def test_declarations_that_are_named(session: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.bin"
    old.write_bytes(Made(3, ">").trace())
    named = tmp_path / "declarations"
    named.write_text("\n".join(DECLARATIONS))
    trace = TraceFile(old, formats=named)
    assert b"ide_atapi_cmd_read" in b"".join(shown_trace(trace, "text"))
    named.write_text("nothing of the kind")
    with pytest.raises(UsageError, match="holds no declarations"):
        TraceFile(old, formats=named)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        TraceFile(tmp_path / "none")
    with pytest.raises(UsageError, match=r"holds neither trace\.bin nor trace\.log"):
        TraceFile(tmp_path)
    (tmp_path / "file").write_text("x\n")
    with pytest.raises(UsageError, match="is not a trace"):
        shown(tmp_path / "file", "text")


def log(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return run_command("trace", *argv, module=LOG_COMMANDS)


def test_the_command(session: Path) -> None:
    done = log(session, "--event", "ide*", "--where", "lba == 16", "--format", "csv")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2
    assert "7 records of 6 events" in log(session, "--summary").stdout
    for argv, why in (
        (("--where", "lba ="), "--where: "),
        (("--output", "x"), "--output is for"),
    ):
        done = log(session, *argv)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1) and why in done.stderr
