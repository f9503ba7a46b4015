"""Whole boots of guests that say nothing on a serial port: what is seen inside of them all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hiperlab.debian.packages import Sources
from hiperlab.places import package_cache
from hiperlab.samples.iso import write_iso
from hiperlab.samples.model import Loader, Recipe
from waiting import DEADLINE_S

pytestmark = pytest.mark.boots

HIPERISO = [sys.executable, "-m", "hiperlab.cli.main"]
Record = Callable[..., "Session"]


class Session:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads((folder / "session.json").read_bytes())
        self.report: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
        lines = (folder / "events.jsonl").read_bytes().split(b"\n")
        self.events: list[dict[str, Any]] = [json.loads(line) for line in lines if line]

    @property
    def tasks(self) -> list[dict[str, Any]]:
        loaded: list[dict[str, Any]] = json.loads((self.folder / "tasks.json").read_bytes())
        return loaded

    def of(self, source: str, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if (event["source"], event["kind"]) == (source, kind)]

    def finding(self, kind: str) -> dict[str, Any]:
        (found,) = [finding for finding in self.report["findings"] if finding["kind"] == kind]
        return dict(found)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    def run(sample: str, *options: str) -> Session:
        built = subprocess.run(
            [*HIPERISO, "samples", "build", sample], capture_output=True, text=True, check=True
        )
        return boot(Path(built.stdout.strip()), tmp_path / "logs", *options)

    return run


def boot(iso: Path, log_root: Path, *options: str) -> Session:
    done = subprocess.run(
        [*HIPERISO, "boot", "--log-root", str(log_root), *options, str(iso)],
        capture_output=True,
        text=True,
        timeout=3 * DEADLINE_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    (folder,) = (path for path in log_root.iterdir() if path.is_dir())
    return Session(folder)


def test_a_silent_login(record: Record) -> None:
    """The expected text is on the screen alone; the processes that print it are seen in memory."""
    session = record("login-vga", "--expect-text", r"^sample login:")
    assert (session.folder / "serial.log").read_bytes() == b""
    assert (session.manifest["result"], session.manifest["end_reason"]) == ("success", "expected_text")
    assert session.manifest["analysis"]["boot_stage_final"] == "login"
    programs = {task["comm"]: task for task in session.tasks if not task["kernel_thread"]}
    assert programs["init"]["root_type"] == "rootfs"
    assert programs["getty"]["ppid"] == 1
    assert programs["getty"]["argv"][0] == "/sbin/getty"
    assert any(task["comm"] == "kthreadd" for task in session.tasks)
    started = session.of("process", "started")
    assert started[0]["data"]["pid"] == 1
    assert {event["data"]["comm"] for event in started} >= {"init", "getty"}
    cpu = {
        event["kind"]: event["data"]["recorder_cpu_s"]
        for event in session.events
        if "recorder_cpu_s" in event.get("data", {})
    }
    assert cpu["end"] - cpu["started"] < 0.25 * session.events[-1]["t"]


def test_a_silent_hang_is_distinguished_from_a_busy_one(record: Record) -> None:
    """Also: the expected text is looked for in the kernel's log, and was not there."""
    session = record("hang-silent", "--timeout", "12", "--expect-text", "this is never said")
    assert session.manifest["result"] == "incomplete"
    assert "the guest is idle: its vCPUs are halted in" in session.manifest["analysis"]["cause"]
    assert "last process sleep" in session.manifest["analysis"]["cause"]
    (evidence,) = session.finding("guest_idle")["evidence"]
    sample = session.events[evidence["event"]]
    assert (sample["source"], sample["kind"]) == ("qmp", "cpu")
    assert all(cpu["symbol"] for cpu in sample["data"]["cpus"])
    page = (session.folder / "report.html").read_text()
    assert "the guest is idle" in page
    assert "sleep 1000000000" in page


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (bytes([0xFA, 0xF4, 0xEB, 0xFD]), "stuck"),
        pytest.param(bytes([0xFB, 0xF4, 0xEB, 0xFD]), "timeout", marks=pytest.mark.slow),
    ],
    ids=["cli; hlt", "sti; hlt"],
)
def test_a_halt_is_the_end_where_nothing_can_wake_the_machine(
    tmp_path: Path, program: bytes, reason: str
) -> None:
    iso = tmp_path / "halt.iso"
    recipe = Recipe(Loader.BOOT_SECTOR, {"boot.bin": program.ljust(2048, b"\0")})
    (tmp_path / "scratch").mkdir()
    write_iso(recipe, Sources(cache=package_cache()), tmp_path / "scratch", iso)
    session = boot(
        iso, tmp_path / "logs", "--firmware", "bios", "--timeout", "6" if reason == "timeout" else "60"
    )
    assert session.manifest["end_reason"] == reason
    if reason == "stuck":
        assert session.manifest["result"] == "failure"
        assert "every vCPU is halted with interrupts off" in session.manifest["analysis"]["cause"]
        assert session.events[-1]["t"] < 60
    else:
        assert session.manifest["result"] == "incomplete"
        assert "the guest is idle" in session.manifest["analysis"]["cause"]
    assert not (session.folder / "tasks.json").exists()


@pytest.mark.slow
def test_the_processes_of_systemd(record: Record) -> None:
    session = record("systemd-login")
    names = {task["comm"] for task in session.tasks}
    assert {"systemd", "systemd-journal", "agetty"} <= names
    became = {
        event["data"]["comm"] for event in session.of("process", "started") + session.of("process", "became")
    }
    assert "agetty" in became


@pytest.mark.slow
def test_the_kernel_log_has_the_expected_text(record: Record) -> None:
    session = record("login-vga", "--expect-text", r"Run /init as init process")
    assert session.manifest["end_reason"] == "expected_text"
    assert (session.folder / "serial.log").read_bytes() == b""


@pytest.mark.slow
def test_the_processes_of_an_installer(record: Record) -> None:
    session = record("debian-installer-silent")
    assert session.manifest["analysis"]["boot_stage_final"] == "installer"
    names = {task["comm"] for task in session.tasks}
    assert names & {"main-menu", "debian-installe"}
