"""The commands of docs/recordings.md run, in their order, on a recorded session."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from waiting import DEADLINE_S

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests" / "hiperiso" / "contract" / "stored_0_1" / "ipxe_20261126T201621Z"
PAGE = ROOT / "docs" / "recordings.md"


def environment(folder: Path) -> dict[str, str]:
    logs = folder / "state" / "hiperiso" / "logs"
    shutil.copytree(RECORDED, logs / RECORDED.name)
    home = {
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    return {**os.environ, **home, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_the_commands_run_in_their_order(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^<!-- recorded -->\n```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    assert len(commands) == 10
    variables = environment(tmp_path)
    for command in commands:
        done = subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert (tmp_path / "other" / RECORDED.name / "session.json").is_file()
    assert b"<!doctype html>" in (tmp_path / "boot.html").read_bytes()[:20]
    assert not (tmp_path / "state" / "hiperiso" / "logs" / RECORDED.name).exists()


def test_the_program_of_the_page_prints_the_cause(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    manifest = json.loads((RECORDED / "session.json").read_text())
    assert done.stdout.split()[0] == manifest["iso_basename"]
    assert manifest["result"] in done.stdout
