"""The commands of a page that are marked to be run, each with the exit code that stands behind it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from integration.conftest import environment
from waiting import DEADLINE_S

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^<!-- run -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"!\[[^]]+\]\((pictures/[^)]+)\)")


def commands_of(page: str) -> list[tuple[str, int]]:
    """Each command, and its exit code: 0 where none stands there."""
    lines = [line.removeprefix("$ ") for block in BLOCK.findall(page) for line in block.splitlines()]
    codes = [re.search(r"# exit code (\d)$", line) for line in lines]
    return [(line, int(code[1]) if code else 0) for line, code in zip(lines, codes, strict=True)]


def run_commands(page: str, folder: Path, **variables: str) -> None:
    """Run them in `folder`; the log root is there, too."""
    place = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HIPERISO_LOG_DIR": str(folder / "logs"),
    }
    for command, code in commands_of(page):
        done = subprocess.run(
            shlex.split(command, comments=True),
            cwd=folder,
            env=environment(**place, **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=20 * DEADLINE_S,
        )
        assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
