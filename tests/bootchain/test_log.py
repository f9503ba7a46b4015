"""The text log and ``chain.jsonl``."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bootchain.log import Log, _plain


def test_lines(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "sub" / "log"), str(tmp_path / "sub" / "chain.jsonl"))
    log.note("hello")
    log.note("evil \x1b[31m\nline")
    log.record("step", {"step": 'a"b\n', "code": None, "skipped": True, "try": 1, "remaining": ("x", "y")})
    log.record("finish", {"message": "\udcff", "duration_ms": 1.5})
    first, second = (tmp_path / "sub" / "log").read_text().splitlines()
    assert first.endswith("] bootchained: hello")
    assert second.endswith("] bootchained: evil \\x1b[31m\\nline")
    lines = [json.loads(line) for line in (tmp_path / "sub" / "chain.jsonl").read_text().splitlines()]
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    assert all(-1 <= uptime_s - line.pop("t") < 60 for line in lines)
    assert lines == [
        {
            "n": 0,
            "event": "step",
            "step": 'a"b\n',
            "code": None,
            "skipped": True,
            "try": 1,
            "remaining": ["x", "y"],
        },
        {"n": 1, "event": "finish", "message": "\udcff", "duration_ms": 1.5},
    ]


def test_logs_are_continued(tmp_path: Path) -> None:
    paths = str(tmp_path / "log"), str(tmp_path / "chain.jsonl")
    first = Log(*paths)
    first.record("start", {})
    second = Log(*paths, written=first.written)
    second.record("resume", {})
    second.note("x")
    assert [json.loads(line)["n"] for line in (tmp_path / "chain.jsonl").read_text().splitlines()] == [0, 1]


def test_numbers_go_on_after_a_crash(tmp_path: Path) -> None:
    chain = tmp_path / "chain.jsonl"
    chain.write_text('{"n": 0}\n{"n": 1, "torn')
    Log(str(tmp_path / "log"), str(chain)).record("start", {})
    assert json.loads(chain.read_text().splitlines()[-1])["n"] == 2


def test_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = Log(str(tmp_path / "file" / "log"), str(tmp_path / "file" / "chain.jsonl"))
    assert len(log.problems) == 2
    log.record("start", {})
    full = Log("/dev/full", "/dev/full")
    full.note("x")
    full.record("start", {})
    assert full.problems == []


@given(st.one_of(st.text(), st.none(), st.booleans(), st.integers(), st.lists(st.text())))
def test_values_are_json(value: str | int | list[str] | None) -> None:
    assert json.loads(_plain(value)) == value
