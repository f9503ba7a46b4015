"""A guest that is left running: its verdict is there, the guest is reachable, and ends when the user says so."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from hiperlab.samples.store import build_sample
from integration.conftest import command, environment
from integration.contract_reader import read_session
from integration.test_interruptions import qemus_of
from waiting import DEADLINE_S, wait_until


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), capture_output=True, text=True, timeout=DEADLINE_S, env=environment(), check=False
    )


@pytest.mark.boots
def test_a_guest_that_is_kept(tmp_path: Path) -> None:
    said = tmp_path / "said"
    iso = build_sample("missing-kernel-serial")
    options = ("--log-root", tmp_path / "logs", "--ram", "256", "--display", "vnc", "--keep", "--json")
    with said.open("w") as errors, (tmp_path / "out").open("w") as out:
        boot = subprocess.Popen(
            command("boot", iso, *options),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            env=environment(),
        )
    try:
        wait_until(lambda: "Ctrl-C" in said.read_text() or boot.poll() is not None, said.read_text)
        manifest = json.loads((tmp_path / "out").read_text())
        session = Path(manifest["log_dir"])
        assert (manifest["status"], manifest["result"]) == ("running", "failure")
        assert json.loads((session / "session.json").read_text()) == manifest
        assert json.loads((session / "status.json").read_text())["status"] == "running"
        assert (session / "report.html").exists() and (session / "FAILURE.txt").exists()
        assert not (session / "SESSION_COMPLETE").exists()
        assert run("follow", session).returncode == 1  # the verdict's
        assert "still runs" in run("rm", session).stderr
        log = session / "serial.log"
        _press_enter(said.read_text(), log)
        assert re.search(r"VNC at 127\.0\.0\.1:59\d\d", said.read_text())
        assert f"VNC at {manifest['vnc']}" in said.read_text()
        boot.send_signal(signal.SIGINT)
        assert boot.wait(DEADLINE_S) == 1, said.read_text()
    finally:
        boot.kill()
    ended = read_session(session)
    assert (ended["status"], ended["analysis"]) == ("complete", manifest["analysis"])
    assert (tmp_path / "out").read_text().count('"session_id"') == 1  # printed once
    assert qemus_of(session) == []


def _press_enter(said: str, log: Path) -> None:
    """At the guest's serial port: GRUB waits for a key there, and shows its menu again."""
    before = log.stat().st_size
    found = re.search(r"UNIX-CONNECT:(\S+\.serial)", said)
    assert found, said
    with socket.socket(socket.AF_UNIX) as port:
        port.connect(found[1])
        port.sendall(b"\r")
        wait_until(lambda: log.stat().st_size > before, "the guest did not react")
        port.settimeout(DEADLINE_S)
        assert port.recv(4096)
