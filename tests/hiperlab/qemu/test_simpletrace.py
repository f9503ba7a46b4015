"""A real trace of a million records, read as QEMU's own script reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.contract import files
from hiperiso.contract.words import TraceLevel
from hiperiso.machine.qemu import find_qemu, trace_events
from hiperiso.trace.binary import make_binary
from hiperiso.trace.formats import declarations_file, write_formats
from hiperiso.trace.show import TraceFile, shown_trace
from hiperiso.trace.tiers import tier_events, write_event_list
from hiperlab.qemu.source import fetch_source, installed_version
from waiting import DEADLINE_S, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.boots]
RECORDS = 1_000_000
LINE_BYTES = 60  # no line of the full tier is shorter on the average
FIRMWARE = Path("/usr/share/qemu/OVMF.fd")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """UEFI firmware that finds nothing to boot, at the full tier, until the trace is long enough."""
    folder = tmp_path_factory.mktemp("session")
    qemu, log = find_qemu(), folder / files.TRACE_LOG
    write_event_list(folder / files.TRACE_EVENTS, TraceLevel.FULL, trace_events(qemu))
    write_formats(folder / files.TRACE_FORMATS, qemu, tier_events(TraceLevel.FULL), 0.0)
    machine = [
        "-machine",
        "q35",
        "-accel",
        "tcg",
        "-m",
        "256",
        "-display",
        "none",
        "-net",
        "none",
        "-serial",
        "null",
    ]
    trace = ["-trace", f"events={folder / files.TRACE_EVENTS}", "-D", str(log), "-msg", "timestamp=on"]
    process = subprocess.Popen([str(qemu), *machine, "-monitor", "none", "-bios", str(FIRMWARE), *trace])
    try:
        wait_until(
            lambda: log.exists() and log.stat().st_size > 2 * RECORDS * LINE_BYTES,
            "the trace does not grow",
            deadline_s=3 * DEADLINE_S,
        )
    finally:
        process.kill()
        process.wait()
    return folder


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """QEMU's own scripts, from its source package."""
    folder = tmp_path_factory.mktemp("source")
    with (folder / "log").open("wb") as log:
        return fetch_source(folder, installed_version(), log) / "scripts"


def test_the_text_is_that_of_qemus_own_script(session: Path, scripts: Path, tmp_path: Path) -> None:
    assert make_binary(session, budget_s=float("inf")) is False
    declarations = declarations_file(find_qemu())
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    with theirs.open("wb") as out:
        argv = [
            sys.executable,
            str(scripts / "simpletrace.py"),
            str(declarations),
            str(session / files.TRACE_BIN),
        ]
        subprocess.run(argv, stdout=out, check=True, timeout=3 * DEADLINE_S)
    trace = TraceFile(session / files.TRACE_BIN)
    with ours.open("wb") as out:
        out.writelines(shown_trace(trace, "text"))
    assert trace.reader.lost == 0
    assert sum(total.records for total in trace.reader.totals().values()) >= RECORDS
    assert ours.read_bytes() == theirs.read_bytes()


def test_the_text_trace_has_the_same_columns(session: Path) -> None:
    make_binary(session, budget_s=float("inf"))
    binary, text = TraceFile(session / files.TRACE_BIN), TraceFile(session / files.TRACE_LOG)
    binary_rows = ((r.event, r.t_ns, r.pid, r.form, r.values) for r, _ in binary.records())
    text_rows = ((r.event, r.t_ns, r.pid, r.form, r.values) for r, _ in text.records())
    assert all(one == other for one, other in zip(binary_rows, text_rows, strict=True))
