"""trace.bin made of trace.log."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from hiperiso.contract import files
from hiperiso.trace.binary import make_binary
from hiperiso.trace.show import TraceFile, shown_trace

from .trace_files import BOTH, DECLARATIONS


@pytest.fixture
def session(tmp_path: Path) -> Path:
    lines = "\n".join(DECLARATIONS)
    (tmp_path / files.TRACE_FORMATS).write_text(f"# wall clock ahead by 0.000000 s\n{lines}\n")
    (tmp_path / files.TRACE_LOG).write_text(
        "7@1.500000:ide_atapi_cmd_read IDEState: 0x55aa; read dma: LBA=16 nb_sectors=1\n"
        "a warning\n7@1.600000:unheard of it\n7@2.500000:nothing \n"
    )
    return tmp_path


@BOTH
def test_both_files_say_the_same(session: Path, compiled: bool) -> None:
    assert make_binary(session, compiled=compiled) is False
    made = b"".join(shown_trace(TraceFile(session / files.TRACE_BIN), "json")).splitlines()
    text = b"".join(shown_trace(TraceFile(session / files.TRACE_LOG), "json")).splitlines()
    assert made[:2] == [text[0], text[2]]
    summary = TraceFile(session / files.TRACE_BIN).summary()
    assert (summary.records, summary.lost) == (2, 1)


def test_what_takes_too_long_is_deferred(session: Path) -> None:
    seconds = itertools.count(step=6.0)
    assert make_binary(session, clock=lambda: next(seconds)) is True
    assert not [path for path in session.iterdir() if path.name.endswith(("bin", "partial"))]
    assert make_binary(session) is False and (session / files.TRACE_BIN).is_file()


def test_nothing_is_made_of_nothing(session: Path) -> None:
    (session / files.TRACE_FORMATS).unlink()
    assert make_binary(session) is False
    (session / files.TRACE_LOG).unlink()
    assert make_binary(session) is False
    assert not list(session.iterdir())
