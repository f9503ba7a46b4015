"""The commands of docs/usb-boot.md are run, each with the exit code that stands behind it (0 without one)."""

from __future__ import annotations

import lzma
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from hiperlab.samples import build_sample
from integration.conftest import command, environment
from waiting import DEADLINE_S

PAGE = Path(__file__).parents[2] / "docs" / "usb-boot.md"
COMMAND = re.compile(r"^\$ hiperiso ([^#\n]*)(?:# exit (\d))?$", re.MULTILINE)


@pytest.mark.slow
@pytest.mark.boots
def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    shutil.copy(build_sample("login-serial"), tmp_path / "my.iso")
    (tmp_path / "disk.img.xz").write_bytes(lzma.compress((tmp_path / "my.iso").read_bytes(), preset=0))
    (tmp_path / "tree").mkdir()
    argv: list[str | Path] = [
        "xorriso",
        "-as",
        "mkisofs",
        "-quiet",
        "-o",
        tmp_path / "cd.iso",
        tmp_path / "tree",
    ]
    subprocess.run(argv, check=True, capture_output=True)
    commands = COMMAND.findall(PAGE.read_text())
    assert len(commands) >= 4
    places = {"HIPERISO_LOG_DIR": str(tmp_path / "logs"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for words, code in commands:
        done = subprocess.run(
            command(*shlex.split(words)),
            cwd=tmp_path,
            env=environment(**places),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=5 * DEADLINE_S,
        )
        assert done.returncode == int(code or 0), f"{words}: {done.stderr}"
