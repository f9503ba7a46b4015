"""Ctrl-C, kill -9 and crowds: no session is lost, none is torn."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from hiperlab.samples.store import build_sample
from integration.conftest import command, environment
from integration.contract_reader import check_started, read_index, read_json, read_session
from waiting import DEADLINE_S, wait_until


class Start(Protocol):
    def __call__(self, iso: Path, root: Path, *options: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a boot. What a failed test left running ends with it."""
    with ExitStack() as running:

        def begin(iso: Path, root: Path, *options: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                command("boot", iso, "--json", "--log-root", root, "--ram", "256", *options),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
            )
            running.callback(end, process)
            return process

        yield begin


def end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)


def wait_for(pattern: str, word: str, root: Path) -> Path:
    found: list[Path] = []

    def is_there() -> bool:
        found.extend(path.parent for path in root.glob(pattern) if word in path.read_text(errors="replace"))
        return bool(found)

    wait_until(is_there, f"no {pattern} with {word!r}")
    return found[0]


def list_sessions(root: Path) -> list[dict[str, str]]:
    done = subprocess.run(
        command("list", "--json", "--log-root", root),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    value: list[dict[str, str]] = json.loads(done.stdout)
    return value


def qemus_of(session: Path) -> list[str]:
    found = subprocess.run(
        ["pgrep", "-f", f"^[^ ]*qemu-system[^ ]* .*{session}/"], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


@pytest.mark.boots
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_end_finalizes_as_incomplete(start: Start, number: signal.Signals, tmp_path: Path) -> None:
    process = start(build_sample("hang"), tmp_path)
    session = wait_for("*/status.json", '"running"', tmp_path)
    check_started(read_json(session / "session.json"))
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 3, stderr
    assert "Traceback" not in stderr
    manifest = read_session(session)
    assert json.loads(stdout) == manifest
    assert (manifest["result"], manifest["end_reason"]) == ("incomplete", "interrupted")
    assert qemus_of(session) == []


DELAYS_S = (0, 0.01, 0.05, 0.1, 0.3, 0.6, 1.0, 1.5)
"""After the session's directory is there. Any moment is right; on another machine they are other ones."""


@pytest.mark.boots
def test_kill_9_at_any_moment_is_recovered(start: Start, tmp_path: Path) -> None:
    iso = build_sample("not-bootable")
    for delay_s in DELAYS_S:
        before = len(sessions(tmp_path))
        process = start(iso, tmp_path)
        wait_until(lambda n=before: len(sessions(tmp_path)) > n, "no session", poll_s=0.005)  # type: ignore[misc]
        time.sleep(delay_s)  # passes: the recorder is killed at some moment, whichever that is
        process.kill()
        process.communicate(timeout=DEADLINE_S)
        for path in tmp_path.glob("*/*.json"):
            json.loads(path.read_bytes())  # never torn, however the recorder died

    def all_are_finished() -> bool:
        list_sessions(tmp_path)
        return all((path / "SESSION_COMPLETE").exists() for path in sessions(tmp_path))

    wait_until(all_are_finished, "sessions are left as they were", poll_s=0.2)
    assert len(sessions(tmp_path)) == len(DELAYS_S)
    for session in sessions(tmp_path):
        manifest = read_session_of_any_age(session)
        wait_until(lambda session=session: qemus_of(session) == [], f"QEMU of {session} goes on")  # type: ignore[misc]
        if manifest["status"] == "failed":
            assert (manifest["fault"], manifest["end_reason"]) == ("harness", "killed")
            assert manifest["result"] in ("incomplete", "failure")


def read_session_of_any_age(session: Path) -> dict[str, object]:
    """A recorder killed before it wrote its first file leaves no sizes to check."""
    manifest = read_json(session / "session.json")
    if manifest["guest_ram_mb"] == 0:
        assert manifest["status"] == "failed"
        assert isinstance(manifest, dict)
        return manifest
    return read_session(session)


def sessions(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()]


@pytest.mark.boots
def test_a_killed_qemu_is_our_fault_not_the_guests(start: Start, tmp_path: Path) -> None:
    process = start(build_sample("hang"), tmp_path)
    session = wait_for("*/status.json", '"running"', tmp_path)
    (pid,) = qemus_of(session)
    subprocess.run(["kill", "-9", pid], check=True)
    stdout, stderr = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 4
    assert "SIGKILL" in stderr
    manifest = read_session(session)
    assert (manifest["status"], manifest["fault"], manifest["qemu_exit_code"]) == ("failed", "harness", -9)
    assert manifest["result"] != "failure"
    assert stdout


@pytest.mark.boots
def test_a_running_session_is_let_be(start: Start, tmp_path: Path) -> None:
    process = start(build_sample("hang"), tmp_path)
    session = wait_for("*/status.json", '"running"', tmp_path)
    (listed,) = list_sessions(tmp_path)
    assert listed["status"] == "started"
    assert not (session / "SESSION_COMPLETE").exists()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)


@pytest.mark.boots
def test_ten_boots_at_once(start: Start, tmp_path: Path) -> None:
    iso = build_sample("not-bootable")
    processes = [start(iso, tmp_path, "--ram", "128") for _ in range(10)]
    for process in processes:
        _, stderr = process.communicate(timeout=2 * DEADLINE_S)
        assert process.returncode == 1, stderr
    assert len(sessions(tmp_path)) == 10
    assert len(read_index(tmp_path)) == 10
    for session in sessions(tmp_path):
        assert read_session(session)["end_reason"] == "no_bootable_device"
