"""The last part of a trace, from two files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperiso.contract import files
from hiperiso.trace.reader import TraceReader
from hiperiso.trace.ring import join_ring, older_part

from .trace_files import FORMATS, Made

MADE = Made()
NAMES = MADE.header + b"".join(MADE.mapping(number, name.encode()) for number, name in enumerate(FORMATS))


def test_two_binary_parts_are_one_trace(tmp_path: Path) -> None:
    trace = tmp_path / files.TRACE_BIN
    older_part(trace).write_bytes(NAMES + MADE.event(2, 1_000))
    trace.write_bytes(NAMES + MADE.event(2, 2_000))
    assert join_ring(trace)
    assert not older_part(trace).exists()
    (batch, *more) = TraceReader(FORMATS).feed(trace.read_bytes())
    records = [record for one in (batch, *more) for record in one.records()]
    assert [(record.event, record.t_ns) for record in records] == [("nothing", 1_000), ("nothing", 2_000)]
    assert not join_ring(trace)


def test_two_text_parts_are_one_trace(tmp_path: Path) -> None:
    trace = tmp_path / files.TRACE_LOG
    older_part(trace).write_bytes(b"7@1.000000:nothing \n")
    trace.write_bytes(b"7@2.000000:nothing \n")
    assert join_ring(trace)
    assert trace.read_bytes() == b"7@1.000000:nothing \n7@2.000000:nothing \n"


@pytest.mark.parametrize("left", ["older", "next"])
def test_what_a_killed_recorder_left_is_the_trace(tmp_path: Path, left: str) -> None:
    trace = tmp_path / files.TRACE_LOG
    trace.with_name(f"{trace.name}.{left}").write_bytes(b"7@1.000000:nothing \n")
    join_ring(trace)
    assert trace.read_bytes() == b"7@1.000000:nothing \n"
    assert [path.name for path in tmp_path.iterdir()] == [trace.name]
