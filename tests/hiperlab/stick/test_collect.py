"""Sessions come home from a stick: whole, once, never over another, and finished where their recorder died."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hiperiso.trace.show import TraceFile
from hiperlab.stick.collect import Collected, collect, plan_collect
from hiperlab.stick.data import FolderData
from hiperlab.stick.image import open_data_of

NAME = "debian_20260702T011452Z"
ANALYSIS = {
    "boot_result": "success", "boot_stage_final": "login", "failure_domain": "none", "reached_login": 1,
    "kernel_panic_count": 0, "error_count": 0, "has_serial": 1, "has_trace": 0, "boot_duration_ms": 10,
    "graphics_drivers": "", "graphics_resolution": "",
}  # fmt: skip


def manifest(name: str, **more: Any) -> dict[str, Any]:
    return {
        "session_id": name, "status": "started", "iso_path": "/ISOs/debian.iso", "iso_basename": "debian.iso",
        "log_dir": f"/hiperiso/logs/{name}", "start_time_utc": "2026-07-02T01:14:52Z", "kvm": "available",
        "trace_level": "standard", "guest_ram_mb": 2048, "guest_cpus": 2,
    } | more  # fmt: skip


FINAL = {
    "status": "complete", "result": "success", "end_time_utc": "2026-07-02T01:15:52Z", "qemu_exit_code": 0,
    "report_available": 1,
    "host": {"kernel_version": "Linux version 6.6", "cpu_model": "x", "cpu_logical_cores": 8, "total_ram_mb": 1,
             "virt_supported": True},
    "analysis": ANALYSIS,
    "hw_inventory": {"available": False, "files": "", "has_timing": False, "has_network_pcap": False},
}  # fmt: skip

SERIAL = b"[    0.000000] Linux version 6.1.0 (x)\r\n[    1.0] Run /init as init process\r\ndebian login: "


def session(root: Path, name: str = NAME, *, complete: bool = True, serial: bytes = SERIAL) -> Path:
    path = root / "hiperiso" / "logs" / name
    (path / "hw").mkdir(parents=True)
    (path / "session.json").write_text(json.dumps(manifest(name, **(FINAL if complete else {}))))
    status = {"session_id": name, "status": "complete" if complete else "running", "stage": "launching_qemu",
              "timestamp_utc": "2026-07-02T01:14:53Z"}  # fmt: skip
    (path / "status.json").write_text(json.dumps(status))
    (path / "env.txt").write_text("[host]\nkernel_version: Linux version 6.6.1\ncpu_logical_cores: 4\n")
    (path / "serial.log").write_bytes(serial)
    (path / "hw" / "host_cpuinfo.txt").write_text("cpu")
    if complete:
        (path / "report.json").write_text("{}")
        (path / "SESSION_COMPLETE").write_text("complete success\n")
    return path


def bring(stick: Path, log_root: Path) -> list[Collected]:
    with open_data_of(stick) as data:
        return list(collect(data, plan_collect(data), log_root, source="test"))


def index_lines(log_root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (log_root / "index.jsonl").read_text().splitlines()]


def test_a_session_comes_home_and_is_judged_again(tmp_path: Path) -> None:
    stick, logs = tmp_path / "stick", tmp_path / "logs"
    original = session(stick)
    (found,) = bring(stick, logs)
    assert (found.session_id, found.path, found.already, found.recovered) == (NAME, logs / NAME, False, False)
    assert found.problems == ()
    home = logs / NAME
    final = json.loads((home / "session.json").read_text())
    assert (final["log_dir"], final["result"], final["analysis"]["boot_stage_final"]) == (
        str(home),
        "success",
        "login",
    )
    for name in ("serial.log", "env.txt", "hw/host_cpuinfo.txt"):
        assert (home / name).read_bytes() == (original / name).read_bytes()
    report = json.loads((home / "report.json").read_text())
    assert report["analysis"]["boot_stage_final"] == "login"
    assert [line["session_id"] for line in index_lines(logs)] == [NAME]
    assert (original / "report.json").read_text() == "{}", "the stick is not changed"


def test_the_log_directory_of_one_iso_is_searched_too(tmp_path: Path) -> None:
    stick, logs = tmp_path / "stick", tmp_path / "logs"
    original = session(stick)
    nested = stick / "hiperiso/logs/debian"
    nested.mkdir()
    original.rename(nested / NAME)
    (stick / "hiperiso/logs/empty").mkdir()
    with open_data_of(stick) as data:
        assert plan_collect(data).passed_over == ("empty",)
    (found,) = bring(stick, logs)
    assert (found.session_id, found.path, found.problems) == (NAME, logs / NAME, ())
    assert (logs / NAME / "serial.log").read_bytes() == SERIAL
    assert [line["session_id"] for line in index_lines(logs)] == [NAME]
    assert bring(stick, logs)[0].already


def test_a_new_verdict_reaches_manifest_index_and_failure_text(tmp_path: Path) -> None:
    stick, logs = tmp_path / "stick", tmp_path / "logs"
    session(stick, serial=b"[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n")
    assert bring(stick, logs)[0].problems == ()
    final = json.loads((logs / NAME / "session.json").read_text())
    assert (final["result"], index_lines(logs)[0]["result"]) == ("failure", "failure")
    assert NAME in (logs / NAME / "FAILURE.txt").read_text()


def test_a_trace_for_which_the_stick_had_no_time_is_made_here(tmp_path: Path) -> None:
    path = session(tmp_path / "stick")
    (path / "session.json").write_text(json.dumps(manifest(NAME, **FINAL, trace_bin="deferred")))
    (path / "trace.formats").write_text(
        "# wall clock ahead by 0.000000 s\n"
        'serial_write(uint16_t addr, uint8_t value) "write addr 0x%02x val 0x%02x"\n'
    )
    (path / "trace.log").write_text(
        "".join(f"7@170000000{n}.500000:serial_write write addr 0x00 val 0x4{n}\n" for n in range(9))
    )
    (one,) = bring(tmp_path / "stick", tmp_path / "logs")
    assert one.path and not one.problems
    assert TraceFile(one.path / "trace.bin").summary().records == 9
    assert json.loads((one.path / "session.json").read_text())["trace_bin"] == "made"
    assert json.loads((one.path / "report.json").read_text())["trace"]["devices"][0]["writes"] == 9


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    stick, logs = tmp_path / "stick", tmp_path / "logs"
    session(stick)
    bring(stick, logs)
    (found,) = bring(stick, logs)
    assert (found.already, found.problems) == (True, ())
    assert sorted(path.name for path in logs.iterdir() if path.is_dir()) == [NAME]
    assert len(index_lines(logs)) == 1


def test_another_session_of_the_same_name_is_kept_beside(tmp_path: Path) -> None:
    one, two, logs = tmp_path / "one", tmp_path / "two", tmp_path / "logs"
    session(one)
    session(two, serial=b"Kernel panic - not syncing: other\n")
    bring(one, logs)
    (found,) = bring(two, logs)
    assert found.path == logs / "debian-2_20260702T011452Z"
    assert found.problems == ()
    assert json.loads((found.path / "session.json").read_text())["session_id"] == found.path.name
    assert (logs / NAME / "serial.log").read_bytes() == SERIAL
    assert bring(two, logs)[0].already and bring(one, logs)[0].already
    assert len(index_lines(logs)) == 2


def test_a_local_session_of_the_same_name_is_not_touched(tmp_path: Path) -> None:
    stick, logs = tmp_path / "stick", tmp_path / "logs"
    session(stick)
    (logs / NAME).mkdir(parents=True)
    (logs / NAME / "session.json").write_text("mine")
    (found,) = bring(stick, logs)
    assert found.path is not None and found.path.name == "debian-2_20260702T011452Z"
    assert (logs / NAME / "session.json").read_text() == "mine"


def test_a_session_that_was_cut_off_is_finalized_here(tmp_path: Path) -> None:
    stick, logs = tmp_path / "stick", tmp_path / "logs"
    original = session(stick, complete=False)
    (found,) = bring(stick, logs)
    assert found.recovered and found.problems == ()
    final = json.loads((logs / NAME / "session.json").read_text())
    assert (final["status"], final["fault"]) == ("failed", "harness")
    assert final["host"]["kernel_version"] == "Linux version 6.6.1", "the host it ran on, not this one"
    assert (logs / NAME / "SESSION_COMPLETE").exists()
    assert not (original / "SESSION_COMPLETE").exists()
    assert len(index_lines(logs)) == 1
    assert bring(stick, logs)[0].already


@pytest.mark.parametrize("name", ["session.json", "status.json"])
def test_what_is_not_as_the_contract_says_is_reported(tmp_path: Path, name: str) -> None:
    stick, logs = tmp_path / "stick", tmp_path / "logs"
    (session(stick) / name).write_text('{"session_id": 7}')
    (found,) = bring(stick, logs)
    assert found.path is not None and any(name in problem for problem in found.problems)
    (session(stick, "other_20260702T011452Z") / "env.txt").unlink()
    assert any("env.txt is missing" in problem for problem in bring(stick, logs)[1].problems)


def test_what_is_not_a_session_is_passed_over(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    session(stick)
    for name in ("notes", "x y_20260702T011452Z", "..._20260702T011452Z x"):
        (stick / "hiperiso" / "logs" / name).mkdir()
    (stick / "hiperiso" / "logs" / "index.jsonl").write_text("{}\n")
    plan = plan_collect(FolderData(stick))
    assert list(plan.sessions) == [NAME]
    assert len(plan.passed_over) == 3


def test_leftovers_of_a_collect_that_was_cut_off_are_cleared(tmp_path: Path) -> None:
    stick, logs = tmp_path / "stick", tmp_path / "logs"
    session(stick)
    (logs / f".collect-{NAME}").mkdir(parents=True)
    (logs / f".collect-{NAME}" / "serial.log").write_text("half")
    assert bring(stick, logs)[0].path == logs / NAME
    assert not list(logs.glob(".collect-*"))


def test_from_an_image(stick: Path, tmp_path: Path) -> None:
    folder, logs = tmp_path / "folder", tmp_path / "logs"
    session(folder)
    session(folder, "b_20260702T011452Z", complete=False)
    with open_data_of(stick, writable=True) as data:
        for path in sorted(folder.rglob("*")):
            name = f"/{path.relative_to(folder)}"
            if path.is_dir():
                data.make_folders(name)
            else:
                data.add(name, [path.read_bytes()], path.stat().st_size)
    assert [(item.session_id, item.problems) for item in bring(stick, logs)] == [
        ("b_20260702T011452Z", ()),
        (NAME, ()),
    ]
    assert (logs / NAME / "serial.log").read_bytes() == SERIAL
