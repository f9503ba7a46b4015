"""What ends a session is written by one writer: at the end, after a crash, and when it comes from a stick."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import LifecycleStage, SessionStatus
from hiperiso.session.closing import judge_again, write_failure
from hiperiso.session.index import add_to_index, stands_in_index
from hiperiso.session.record import SessionRecord, rename_record
from hiperiso.session.recovery import KILLED, recover_orphans, recover_session
from integration.contract_reader import read_index, read_session

OLD = Path(__file__).parents[1] / "contract" / "stored_0_1" / "ipxe_20261126T201621Z"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / OLD.name)
    return tmp_path / OLD.name


def record_of(path: Path) -> SessionRecord:
    record = SessionRecord.of(StoredSession(path))
    assert record is not None
    return record


def document(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((path / "session.json").read_bytes())
    return value


def killed(path: Path) -> None:
    """As a recorder that is killed while its guest runs leaves a session."""
    start = {
        key: document(path)[key]
        for key in ("session_id", "iso_path", "iso_basename", "start_time_utc", "kvm")
    }
    start |= {"status": "started", "log_dir": str(path), "trace_level": "standard"}
    (path / "session.json").write_text(json.dumps(start | {"guest_ram_mb": 2048, "guest_cpus": 2}))
    status = json.loads((path / "status.json").read_bytes()) | {
        "status": "running",
        "stage": "launching_qemu",
    }
    del status["qemu_exit_code"]
    (path / "status.json").write_text(json.dumps(status))
    for name in (
        "SESSION_COMPLETE",
        "FAILURE.txt",
        "report.json",
        "report.txt",
        "analysis.meta",
        "timing.json",
    ):
        (path / name).unlink()
    events = (path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (path / "events.jsonl").write_bytes(b"".join(events[:50]) + events[50][:20])
    (path / "owner.lock").touch()


def test_a_session_of_0_1_that_was_killed_is_finalized(stored: Path) -> None:
    killed(stored)
    (found,) = recover_orphans(stored.parent)
    assert (found.path, found.error) == (stored, "")
    manifest = read_session(stored)
    assert (manifest["status"], manifest["end_reason"], manifest["fault_detail"]) == (
        "failed",
        "killed",
        KILLED,
    )
    assert manifest["host"]["total_ram_mb"] == 24576, "the machine that recorded it, not this one"
    lines = (stored / "events.jsonl").read_bytes().splitlines()
    assert len(lines) == 52 and [json.loads(line)["n"] for line in lines] == list(range(52))
    assert recover_orphans(stored.parent) == [] and len(read_index(stored.parent)) == 1


def test_a_second_end_changes_nothing(stored: Path) -> None:
    killed(stored)
    recover_session(stored)
    before = {path.name: path.read_bytes() for path in stored.iterdir() if path.is_file()}
    (stored / "SESSION_COMPLETE").unlink()  # as if killed between the index line and the sentinel
    assert recover_session(stored, at_once=True) is not None
    after = {path.name: path.read_bytes() for path in stored.iterdir() if path.is_file()}
    assert {name for name in before if before[name] != after.get(name)} <= {"status.json"}
    assert len(read_index(stored.parent)) == 1


def test_a_name_that_is_not_text_is_written_everywhere(stored: Path) -> None:
    record = record_of(stored)
    record.note(iso_path=os.fsdecode(b"/ISOs/caf\xe9.iso"))
    record.write()
    write_failure(stored, record.manifest)
    assert add_to_index(stored, record.manifest) == ""
    assert "caf\\udce9" in (stored / "FAILURE.txt").read_text()
    assert read_index(stored.parent)[0]["iso_path"] == document(stored)["iso_path"] == "/ISOs/caf\\udce9.iso"


def test_a_verdict_that_changes_reaches_manifest_and_failure_text(stored: Path) -> None:
    changed = document(stored) | {"result": "success", "of_another_tool": [1]}
    changed["analysis"]["boot_result"] = "success"
    (stored / "session.json").write_text(json.dumps(changed))
    (stored / "FAILURE.txt").write_text("of an older verdict\n")
    assert judge_again(record_of(stored)) == ""
    assert document(stored)["result"] == "failure" and document(stored)["of_another_tool"] == [1]
    assert "iPXE found no network device" in (stored / "FAILURE.txt").read_text()
    (stored / "FAILURE.txt").write_text("kept where the verdict is the same\n")
    assert judge_again(record_of(stored)) == ""
    assert (stored / "FAILURE.txt").read_text() == "kept where the verdict is the same\n"


def test_a_manifest_that_lacks_what_the_index_needs_gets_no_line(stored: Path) -> None:
    partial = {key: value for key, value in document(stored).items() if key not in ("result", "analysis")}
    (stored / "session.json").write_text(json.dumps(partial))
    problem = add_to_index(stored, record_of(stored).manifest)
    assert "lacks result" in problem and "boot_stage_final" in problem
    assert not (stored.parent / "index.jsonl").exists()


def test_a_line_of_a_large_index_is_found_wherever_it_stands(tmp_path: Path) -> None:
    filler = "x" * 500
    lines = [f'{{"session_id":"s{n}_20260101T000000Z","iso_path":"{filler}"}}\n' for n in range(6000)]
    lines[1000] = lines[1000].replace('":"s1000', '": "s1000')  # as another tool spaces it
    (tmp_path / "index.jsonl").write_text("".join(lines))
    for n in (0, 1000, 1876, 1877, 3000, 5999):
        assert stands_in_index(tmp_path, f"s{n}_20260101T000000Z")
    for name in ("s6000_20260101T000000Z", "s1_20260101T000000", filler):
        assert not stands_in_index(tmp_path, name)
    assert not stands_in_index(tmp_path / "gone", "s1_20260101T000000Z")


def test_a_line_across_two_reads_is_found(tmp_path: Path) -> None:
    for before in range((1 << 20) - 60, (1 << 20) + 2):
        tail = b"y" * before
        (tmp_path / "index.jsonl").write_bytes(b'{"session_id":"a_20260101T000000Z"}\n' + tail)
        assert stands_in_index(tmp_path, "a_20260101T000000Z")


def test_status_and_manifest_have_one_writer(tmp_path: Path) -> None:
    stored = StoredSession(OLD)
    assert stored.manifest is not None
    record = SessionRecord(tmp_path, stored.manifest)
    record.begin()
    record.note(accel="kvm")
    record.reach(LifecycleStage.LAUNCHING_QEMU)
    record.run()
    status = json.loads((tmp_path / "status.json").read_bytes())
    assert (status["status"], status["stage"]) == (SessionStatus.RUNNING, LifecycleStage.LAUNCHING_QEMU)
    assert document(tmp_path)["accel"] == "tcg", "facts are stored with the next write"
    assert record.write() and document(tmp_path)["accel"] == "kvm"
    assert not record.write(), "nothing is written where nothing has changed"


def test_a_session_gets_another_name(stored: Path) -> None:
    other = stored.with_name("ipxe-2_20261126T201621Z")
    rename_record(StoredSession(stored), other)
    for name in ("session.json", "status.json", "timing.json"):
        assert json.loads((stored / name).read_bytes())["session_id"] == other.name
    assert document(stored)["log_dir"] == str(other)


def test_a_kept_guest_whose_recorder_was_killed_keeps_its_verdict(stored: Path) -> None:
    before = document(stored)
    (stored / "SESSION_COMPLETE").unlink()
    (stored / "owner.lock").touch()
    (stored / "session.json").write_text(json.dumps(before | {"status": "running"}))
    assert [found.error for found in recover_orphans(stored.parent)] == [""]
    after = document(stored)
    assert after["status"] == "complete"
    assert after["analysis"] == before["analysis"]
    assert (stored / "SESSION_COMPLETE").read_text() == f"complete {before['result']}\n"
