"""Commands whose reader has left: they work to their end, and exit as they would have."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from integration.conftest import command, environment
from waiting import DEADLINE_S


def piped(script: str) -> tuple[list[str], str]:
    """What the last of a pipe printed, and standard error of all; the exit code of the first is its last line."""
    done = subprocess.run(
        ["bash", "-c", f"{script}; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment(),
        check=False,
    )
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("reader", ["head -1", "true", "cat > /dev/null"])
def test_a_verdict_is_kept_for_every_reader(reader: str, tmp_path: object) -> None:
    (missing, stderr) = piped(f"{' '.join(command('config', 'check', '/dev/null'))} | {reader}")
    assert missing[-1] == "2", stderr
    (listed, stderr) = piped(f"{' '.join(command('samples', 'list'))} | {reader}")
    assert (listed[-1], stderr) == ("0", "")


def test_a_full_disk_is_not_a_reader_that_left() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(command('config', 'schema'))} > /dev/full"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment(),
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[0] == "hiperiso: cannot write the output: no space left"
    assert not {"Traceback", "internal error", "Exception ignored"} & set(done.stderr.split("\n"))
    assert len(done.stderr.splitlines()) == 2  # with the hint


STORED = Path(__file__).parents[2] / "hiperiso/contract/stored_0_1/ipxe_20261126T201621Z"
CORPUS = Path(__file__).parents[2] / "hiperiso/analysis/corpus"


def shell(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment(**variables),
        check=False,
    )


LOG = [sys.executable, "-c", "import sys, hiperiso.start; sys.exit(hiperiso.start.log())"]


def test_a_verdict_is_kept_where_standard_output_is_closed(tmp_path: Path) -> None:
    session = tmp_path / "s"
    shutil.copytree(CORPUS / "no-root", session)
    for program in (command("log"), LOG):
        words = shlex.join([*program, "analyze", str(session)])
        for closed in (">&-", ">&- <&-", "| head -1 >/dev/null", ">&- 2>&-"):
            done = shell(f"{words} {closed}; echo ${{PIPESTATUS[0]}}")
            assert done.stdout.strip() == "1", (program, closed, done.stderr)
            assert "error" not in done.stderr
        done = shell(f"{words} --no-exit-code >&-; echo $?")
        assert done.stdout.strip() == "0", done.stderr
    assert not any(b"Failure at" in path.read_bytes() for path in session.glob("*.jsonl"))


def test_the_log_program_says_what_was_meant() -> None:
    done = shell(f"{shlex.join([*LOG, 'analyse', 'x'])}")
    assert done.returncode == 2
    assert "did you mean analyze?" in done.stderr


def test_an_interrupted_import_of_the_log_program_ends_silently() -> None:
    code = (
        "import os, signal, sys, hiperiso.start\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'hiperiso.analysis.cli': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "hiperiso.start.log()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def write_started(path: Path) -> Path:
    """A session as a killed recorder leaves it."""
    path.mkdir()
    manifest = json.loads((STORED / "session.json").read_text())
    started = {
        name: value for name, value in manifest.items() if name not in ("analysis", "result", "end_time_utc")
    }
    (path / "session.json").write_text(json.dumps(started | {"session_id": path.name, "status": "started"}))
    (path / "owner.lock").touch()
    return path


UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


def test_what_may_not_be_written_is_one_clear_line(tmp_path: Path) -> None:
    """A home, a cache, sessions that are read-only: root is no exception without its privilege."""
    home, session = tmp_path / "home", tmp_path / "logs" / "no-root_20260701T000000Z"
    home.mkdir(mode=0o555)
    shutil.copytree(CORPUS / "no-root", session)
    (session / "SESSION_COMPLETE").touch()
    orphan = write_started(session.parent / "demo_20260702T000000Z")
    for path in (*orphan.iterdir(), orphan):
        path.chmod(0o555)
    for path in (*session.iterdir(), session, session.parent):
        path.chmod(0o555)
    try:
        for words, said in (
            (["payload", "build"], "Permission denied"),
            (["samples", "build", "login-serial"], "Permission denied"),
            (["log", "analyze", session], f"the report cannot be written into {session}"),
            (["rm", session], "cannot be removed"),
            (["boot", __file__, "-q"], "cannot write to the log root"),
        ):
            script = shlex.join([*UNPRIVILEGED, *command(*words)])
            done = shell(script, HOME=str(home))
            assert done.returncode in (2, 4), done.stderr
            assert said in done.stderr
            assert "internal error" not in done.stderr and "Traceback" not in done.stderr
        done = shell(shlex.join([*UNPRIVILEGED, *command("list", "--log-root", session.parent)]))
        assert "cannot be finalized here" in done.stdout and "the session runs" not in done.stdout
    finally:
        for path in (session.parent, session, orphan, home):
            path.chmod(0o755)
