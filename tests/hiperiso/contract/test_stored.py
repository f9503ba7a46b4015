"""The one reader of session directories: what 0.1 stored, and what a broken disk or a hostile hand leaves."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiperiso.analysis.html import render_html
from hiperiso.analysis.replay import analyze_dir
from hiperiso.contract.stored import MAX_EVENT_BYTES, MAX_JSON_BYTES, StoredSession, sessions_in
from hiperiso.contract.words import BootResult, EndReason, LifecycleStage, Source
from property_tests import examples

OLD_ROOT = Path(__file__).parent / "stored_0_1"
OLD = OLD_ROOT / "ipxe_20261126T201621Z"
NAME = "demo_20260101T000000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / NAME).mkdir()
    return tmp_path / NAME


def event(n: int, text: str = "x") -> bytes:
    return json.dumps({"n": n, "t": 1, "source": "serial", "kind": "line", "text": text}).encode() + b"\n"


def test_a_session_of_0_1_is_read_whole() -> None:
    (session,) = sessions_in(OLD_ROOT)
    assert session.exists and session.complete and session.session_id == OLD.name
    assert session.manifest is not None and session.manifest.hiperiso_version == "0.1.0"
    assert session.manifest.end_reason is EndReason.NO_BOOTABLE_DEVICE
    assert session.status is not None and session.status.stage is LifecycleStage.SESSION_COMPLETE
    assert session.report is not None and session.report.analysis == session.manifest.analysis
    assert session.disk is not None and session.disk.requests > 0
    assert session.environment["config"]["timeout_s"] == "8.0"
    assert [phase for phase, _ in session.marks][-1] == "session_end"
    events = list(session.recording())
    assert [entry.n for entry in events] == list(range(len(events))) and len(events) > 100
    assert {"plan", "started"} <= {entry.kind for entry in session.head}
    assert session.problems == ()


def test_a_session_of_0_1_is_judged_and_shown_as_it_was() -> None:
    stored = StoredSession(OLD).report
    assert stored is not None
    again = analyze_dir(OLD)
    assert (again.analysis.boot_result, again.end_reason) == (
        BootResult.FAILURE,
        EndReason.NO_BOOTABLE_DEVICE,
    )
    assert (again.analysis.cause, again.analysis.boot_stage_final) == (
        stored.analysis.cause,
        stored.analysis.boot_stage_final,
    )
    assert "iPXE found no network device" in render_html(OLD)


def test_a_torn_end_is_not_a_problem_and_a_damaged_line_is_one(path: Path) -> None:
    (path / "events.jsonl").write_bytes(event(0) + event(1) + b'{"n": 2, "t"')
    session = StoredSession(path)
    assert [entry.n for entry in session.events()] == [0, 1] and session.problems == ()
    (path / "events.jsonl").write_bytes(event(0) + b"{broken\n" + event(2))
    assert [entry.n for entry in session.events()] == [0, 2]
    assert list(map(str, session.problems)) == ["events.jsonl: lines that are not events were skipped"]


def test_what_follows_in_a_line_that_is_too_long_is_not_an_event(path: Path) -> None:
    long = b"x" * (MAX_EVENT_BYTES - 1) + b"y" + event(7)
    (path / "events.jsonl").write_bytes(event(0) + long + event(1))
    assert [entry.n for entry in StoredSession(path).events()] == [0, 1]


def test_the_end_of_a_log_is_found_backwards(path: Path) -> None:
    assert StoredSession(path).log_end().size_bytes == 0
    body = b"".join(event(n, "x" * 1000) for n in range(20_000))
    (path / "events.jsonl").write_bytes(body + b"not an event\n" + b'{"torn')
    end = StoredSession(path).log_end()
    assert end.last is not None and end.last.n == 19_999
    assert end.size_bytes == len(body) + len(b"not an event\n")


def test_serial_stands_in_where_there_are_no_events(path: Path) -> None:
    (path / "serial.log").write_bytes(b"one\r\ntwo")
    events = list(StoredSession(path).recording())
    assert [(entry.kind, entry.text) for entry in events] == [
        ("line", "one"),
        ("partial", "two"),
        ("line", "two"),
    ]
    assert {entry.source for entry in events} == {Source.SERIAL}


def test_nothing_is_read_through_a_link_or_from_a_device(path: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"session_id": "stolen"}')
    (path / "session.json").symlink_to(tmp_path / "secret")
    (path / "serial.log").symlink_to(tmp_path / "secret")
    os.mkfifo(path / "events.jsonl")
    (path / "screen").symlink_to(tmp_path)
    session = StoredSession(path)
    assert session.document == {} and session.manifest is None
    assert list(session.recording()) == [] and session.log_end().size_bytes == 0
    assert session.read("screen/secret", 100) == b"" and session.read("../secret", 100) == b""
    assert session.read(str(tmp_path / "secret"), 100) == b""
    assert set(map(str, session.problems)) == {
        "session.json: is a symbolic link",
        "serial.log: is a symbolic link",
        "events.jsonl: is not a regular file",
        "screen/secret: is behind a symbolic link",
    }


def test_a_huge_file_is_not_taken_into_memory(path: Path) -> None:
    for name in ("session.json", "env.txt", "timing.dat", "tasks.json"):
        with (path / name).open("wb") as file:
            file.truncate(8 << 30)
    session = StoredSession(path)
    tracemalloc.start()
    assert session.document == {} and session.environment == {} and session.marks == []
    assert session.tasks == []
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 8 * MAX_JSON_BYTES
    assert "session.json: is larger than 16 MB" in map(str, session.problems)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"not json", b"\xff\xfe", b"[" * 100_000, b'"x"'])
def test_a_document_that_is_none_is_named(path: Path, content: bytes) -> None:
    (path / "session.json").write_bytes(content)
    session = StoredSession(path)
    assert session.manifest is None and session.document == {}
    assert {str(problem).partition(":")[0] for problem in session.problems} == {"session.json"}


def test_keys_of_a_later_version_stay_readable(tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / OLD.name)
    document = json.loads((OLD / "session.json").read_text()) | {"of_the_future": {"a": 1}}
    (tmp_path / OLD.name / "session.json").write_text(json.dumps(document))
    session = StoredSession(tmp_path / OLD.name)
    assert session.manifest is not None and session.document["of_the_future"] == {"a": 1}


@given(st.lists(st.binary(max_size=200), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))
def test_any_bytes_are_read_without_an_exception(path: Path, rows: list[bytes]) -> None:
    names = (
        "session.json",
        "status.json",
        "events.jsonl",
        "serial.log",
        "timing.dat",
        "env.txt",
        "tasks.json",
    )
    for name in names:
        (path / name).write_bytes(b"\n".join(rows))
    session = StoredSession(path)
    list(session.recording())
    list(session.serial())
    session.log_end()
    assert isinstance(session.document, dict) and isinstance(session.environment, dict)
    assert (session.manifest, session.status, session.disk, session.report) == (None, None, None, None)
    assert session.marks is not None and session.tasks is not None and session.head is not None
