"""The README's quick commands run.

A fenced block of the language ``console`` right below the line ``<!-- quick -->`` holds commands that end within
seconds and boot nothing. Its lines that start with ``$ hiperiso`` are run here, in an empty folder.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from waiting import DEADLINE_S

from .repo import ROOT

QUICK_BLOCK = re.compile(r"^<!-- quick -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def quick_commands(text: str) -> list[str]:
    lines = [line for block in QUICK_BLOCK.findall(text) for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if re.match(r"\$ hiperiso(-log)?( |$)", line)]


def test_the_blocks_are_found() -> None:
    quick = "<!-- quick -->\n```console\n$ hiperiso --help\nUsage: ...\n$ ls\n```\n"
    text = quick + "\n```console\n$ hiperiso boot a.iso\n```\n"
    assert quick_commands(text) == ["hiperiso --help"]


def test_the_quick_commands_of_the_readme_run(tmp_path: Path) -> None:
    commands = quick_commands((ROOT / "README.md").read_text())
    assert commands, "README.md has no quick commands"
    home = {
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands:
        done = subprocess.run(
            shlex.split(command, comments=True),
            cwd=tmp_path,
            env={**os.environ, **home, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
