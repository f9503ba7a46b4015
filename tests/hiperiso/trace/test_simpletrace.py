"""Binary traces: files made by hand after the description of the format, and bytes of every kind."""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.contract import files
from hiperiso.errors import UsageError
from hiperiso.observe.disk.trace import TraceReads
from hiperiso.trace.formats import parse_formats, read_formats, write_formats
from hiperiso.trace.show import told_trace
from hiperiso.trace.simpletrace import SimpleTraceReader, TraceError
from hiperiso.trace.text import TraceText, text_of_trace

READ = (
    "ide_atapi_cmd_read(void *s, const char *method, int lba, int nb_sectors) "
    '"IDEState: %p; read %s: LBA=%d nb_sectors=%d"'
)
BLOCK = (
    "blk_co_preadv(void *blk, void *bs, int64_t offset, int64_t bytes, int flags) "
    '"blk %p bs %p offset %"PRId64" bytes %" PRId64 " flags 0x%x"'
)
FORMATS = parse_formats([READ, BLOCK])
HEADER = struct.pack("<QQQ", 2**64 - 1, 0xF2B177CB0AA429B4, 4)


def mapping(number: int, name: bytes) -> bytes:
    return struct.pack("<QQI", 0, number, len(name)) + name


def event(number: int, t_ns: int, *arguments: int | bytes, pid: int = 7) -> bytes:
    data = b"".join(
        struct.pack("<I", len(value)) + value
        if isinstance(value, bytes)
        else struct.pack("<Q", value % 2**64)
        for value in arguments
    )
    return struct.pack("<QQQII", 1, number, t_ns, 24 + len(data), pid) + data


TRACE = (
    HEADER
    + mapping(3, b"ide_atapi_cmd_read")
    + event(3, 1_500_000_000, 0x55AA, b"dma", 16, 1)
    + event(2**64 - 2, 1_600_000_000, 12)
    + event(3, 2_000_001_000, 0, b"pio", -1, 2)
    + event(9, 2_000_002_000, 5)
)


def test_records_mappings_and_losses() -> None:
    reader = SimpleTraceReader()
    records = reader.feed(TRACE)
    assert [(r.name, r.t_ns, r.pid) for r in records] == [
        ("ide_atapi_cmd_read", 1_500_000_000, 7),
        ("ide_atapi_cmd_read", 2_000_001_000, 7),
        ("event_9", 2_000_002_000, 7),
    ]
    assert (reader.dropped, reader.torn_bytes) == (12, 0)
    assert FORMATS["ide_atapi_cmd_read"].values(records[1].arguments) == [0, "pio", -1, 2]


def test_a_binary_trace_reads_as_the_text_one_would() -> None:
    text = TraceText(FORMATS, wall_ahead_s=100.0)
    assert text.feed(TRACE).decode().splitlines() == [
        "7@101.500000:ide_atapi_cmd_read IDEState: 0x55aa; read dma: LBA=16 nb_sectors=1",
        "7@102.000001:ide_atapi_cmd_read IDEState: (nil); read pio: LBA=-1 nb_sectors=2",
        "7@102.000002:event_9 ",
    ]
    (read,) = TraceReads().feed(TraceText(FORMATS).feed(TRACE))[:1]
    assert (read.t_wall_s, read.lba, read.sectors) == (1.5, 16, 1)


@given(st.lists(st.integers(0, len(TRACE)), max_size=6))
def test_pieces_of_any_size_give_the_same(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(TRACE)]
    reader = SimpleTraceReader()
    records = [r for a, b in pairwise(ends) for r in reader.feed(TRACE[a:b])]
    assert records == SimpleTraceReader().feed(TRACE)


@given(st.integers(0, len(TRACE)))
def test_a_torn_end_waits(cut: int) -> None:
    reader = SimpleTraceReader()
    whole = SimpleTraceReader().feed(TRACE)
    found = reader.feed(TRACE[:cut])
    assert found == whole[: len(found)]
    assert found + reader.feed(TRACE[cut:]) == whole


@given(st.binary(max_size=300), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_hostile_bytes_raise_the_documented_error_at_most(junk: bytes, number: int, length: int) -> None:
    for data in (
        junk,
        HEADER + junk,
        HEADER + struct.pack("<QQI", 0, number, length) + junk,
        HEADER + mapping(1, b"ide_atapi_cmd_read") + struct.pack("<QQQII", 1, 1, number, length, 0) + junk,
        TRACE + junk,
    ):
        try:
            TraceText(FORMATS).feed(data)
        except TraceError:
            continue


@given(st.text(max_size=200), st.binary(max_size=64))
def test_hostile_declarations_are_passed_over(line: str, data: bytes) -> None:
    for known in parse_formats([line, f"x({line}) {line}", f'y(int a, char *b) "{line}"']).values():
        known.text(data)


def test_other_files_and_versions_are_named() -> None:
    with pytest.raises(TraceError, match="not a binary trace"):
        SimpleTraceReader().feed(b"1@2.3:x\n")
    with pytest.raises(TraceError, match="version 3"):
        SimpleTraceReader().feed(HEADER[:16] + struct.pack("<Q", 3))
    with pytest.raises(TraceError, match="kind 5"):
        SimpleTraceReader().feed(HEADER + struct.pack("<Q", 5))


def test_declarations_are_kept_beside_the_trace(tmp_path: Path) -> None:
    qemu = tmp_path / "qemu"
    qemu.touch()
    (tmp_path / "trace-events-all").write_text(f'# comment\n{READ}\n\ndisable vcpu {BLOCK}\nother(void) ""\n')
    kept = tmp_path / files.TRACE_FORMATS
    write_formats(kept, qemu, {"ide_atapi_cmd_read", "blk_co_preadv"}, 12.25)
    formats, ahead_s = read_formats(kept)
    assert set(formats) == {"ide_atapi_cmd_read", "blk_co_preadv"} and ahead_s == 12.25
    assert read_formats(tmp_path / "none") == ({}, None)
    trace = tmp_path / files.TRACE_BIN
    assert text_of_trace(trace)(TRACE).startswith(b"7@13.750000:ide_atapi_cmd_read IDEState: 0x55aa;")
    assert text_of_trace(tmp_path / files.TRACE_LOG)(b"line\n") == b"line\n"


def test_a_trace_is_told_in_three_forms(tmp_path: Path) -> None:
    trace = tmp_path / files.TRACE_BIN
    trace.write_bytes(TRACE)
    (tmp_path / files.TRACE_FORMATS).write_text(f"# wall clock ahead by 100.000000 s\n{READ}\n")
    rows = [json.loads(line) for line in told_trace(trace, "json")]
    assert rows[0] == {
        "t": 101.5,
        "event": "ide_atapi_cmd_read",
        "pid": 7,
        "text": "IDEState: 0x55aa; read dma: LBA=16 nb_sectors=1",
        "args": {"s": 0x55AA, "method": "dma", "lba": 16, "nb_sectors": 1},
    }
    assert rows[-1]["text"] == "12 records lost"
    table = list(told_trace(trace, "csv"))
    assert table[0] == "t,event,pid,text" and len(table) == 1 + len(rows)
    log = tmp_path / files.TRACE_LOG
    log.write_text("\n".join(told_trace(trace, "text")) + "\nno record\n")
    assert next(json.loads(line)["text"] for line in told_trace(log, "json")) == rows[0]["text"]
    trace.write_bytes(TRACE + struct.pack("<Q", 5))
    told = told_trace(trace, "json")
    assert [json.loads(next(told)) for _ in rows] == rows
    with pytest.raises(TraceError, match="damaged"):
        next(told)
    with pytest.raises(UsageError, match="cannot read"):
        list(told_trace(tmp_path / "none", "text"))
