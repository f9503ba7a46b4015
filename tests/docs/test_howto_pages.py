"""The how-to pages: their commands run as they stand there, and their pictures are of these commands."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.pages import DOCS, PICTURE, commands_of, run_commands
from integration.conftest import environment
from integration.test_interruptions import qemus_of
from waiting import DEADLINE_S, wait_until

RECORDED = DOCS.parent / "tests" / "hiperiso" / "contract" / "stored_0_1" / "ipxe_20261126T201621Z"
PAGES = {
    name: (DOCS / f"{name}.md").read_text()
    for name in ("json", "log-root", "share", "kernel-arguments", "secure-boot", "vnc", "rescue-stick")
}
OF_RECORDINGS = ("json", "log-root", "share")
MAX_PICTURE_BYTES = 60_000
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where commands run, with a recorded session in its log root."""
    shutil.copytree(RECORDED, tmp_path / "logs" / RECORDED.name)
    return tmp_path


def one(pattern: str, page: str) -> str:
    (found,) = re.findall(pattern, page, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.mark.parametrize("name", PAGES)
def test_a_picture_shows_commands_of_its_page(name: str) -> None:
    page = PAGES[name]
    (picture,) = PICTURE.findall(page)
    assert picture == f"pictures/{name}.svg"
    data = (DOCS / picture).read_bytes()
    assert len(data) < MAX_PICTURE_BYTES
    assert re.findall(rb'https?://[^"\s<]+', data) == [b"http://www.w3.org/2000/svg"]  # it loads nothing
    texts = ["".join(text.itertext()) for text in ElementTree.fromstring(data).iter(f"{_SVG}text")]
    shown = [" ".join(text.split()) for text in texts if text.startswith("$")]
    commands = re.findall(r"^\$ (.*?)(?: *# exit code \d)?$", page, re.MULTILINE)
    assert shown and {text.removeprefix("$ ") for text in shown} <= set(commands)
    assert len(texts) > len(shown)  # and what they print


@pytest.mark.parametrize("name", OF_RECORDINGS)
def test_the_commands_about_recordings(folder: Path, name: str) -> None:
    (folder / "causes.py").write_text(one(r"^```python\n(.*?)^```$", PAGES["json"]))
    assert len(commands_of(PAGES[name])) >= 3
    run_commands(PAGES[name], folder)
    if name == "share":
        assert (folder / "other" / RECORDED.name / "session.json").is_file()
        assert b"<!doctype html>" in (folder / "boot.html").read_bytes()[:20]
    assert (folder / "logs" / RECORDED.name).exists() is (name != "log-root")


def test_the_program_of_the_page_prints_the_cause(folder: Path) -> None:
    code = one(r"^```python\n(.*?)^```$", PAGES["json"])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(
            PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin", HIPERISO_LOG_DIR=str(folder / "logs")
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"ipxe\.iso +failure +bootloader +iPXE found no network .*\n", done.stdout)


@pytest.mark.slow
@pytest.mark.boots
@pytest.mark.parametrize("name", ["kernel-arguments", "secure-boot"])
def test_the_commands_that_boot(tmp_path: Path, name: str) -> None:
    run_commands(PAGES[name], tmp_path)


@pytest.mark.slow
@pytest.mark.boots
def test_the_guest_of_the_page_is_served_by_vnc_after_its_verdict(tmp_path: Path) -> None:
    run_commands(PAGES["vnc"], tmp_path)
    command = shlex.split(one(r"^<!-- kept -->\n```console\n\$ (.*?)\n```$", PAGES["vnc"]))
    said, logs = tmp_path / "said", tmp_path / "logs"
    with said.open("w") as out:
        boot = subprocess.Popen(
            [sys.executable, "-m", "hiperlab.cli.main", *command[1:]],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment(HIPERISO_LOG_DIR=str(logs), HIPERISO_ACCEL="tcg"),
        )
    try:
        wait_until(lambda: "Ctrl-C" in said.read_text() or boot.poll() is not None, said.read_text)
        address = re.search(r"VNC at (127\.0\.0\.1):(\d+)", said.read_text())
        assert address, said.read_text()
        with socket.create_connection((address[1], int(address[2])), timeout=DEADLINE_S) as viewer:
            assert viewer.recv(12).startswith(b"RFB 003.")
        boot.send_signal(signal.SIGINT)
        assert boot.wait(DEADLINE_S) == 0, said.read_text()
    finally:
        boot.kill()
    (session,) = logs.glob("login-serial_*")
    assert qemus_of(session) == []


@pytest.mark.slow
@pytest.mark.boots
def test_the_commands_about_a_rescue_stick(tmp_path: Path) -> None:
    """All but the boot of the stick, which tests/hiperlab/stick/whole has with these options."""
    run_commands(PAGES["rescue-stick"], tmp_path)
