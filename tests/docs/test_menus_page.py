"""The commands of docs/menus.md run as they stand there, and end as the page says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.contract.settings import ROWS
from hiperlab.series.purpose import Purpose
from integration.conftest import environment
from waiting import DEADLINE_S

PAGE = (Path(__file__).parents[2] / "docs" / "menus.md").read_text()
BLOCK = re.compile(r"^<!-- run -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, int]]:
    lines = [line.removeprefix("$ ") for block in BLOCK.findall(PAGE) for line in block.splitlines()]
    codes = [re.search(r"# exit code (\d)$", line) for line in lines]
    return [(line, int(code[1]) if code else 0) for line, code in zip(lines, codes, strict=True)]


def test_the_page_names_every_purpose_and_real_options() -> None:
    assert [purpose for purpose in Purpose if not re.search(rf"^\|.*\b{purpose}\b", PAGE, re.MULTILINE)] == []
    known = {row.flag for row in ROWS.values()} | {
        "--matrix",
        "--jobs",
        "--junit",
        "--json",
        "--find-min",
        "--out",
    }
    assert set(re.findall(r"(?<=[\s`])--[a-z-]+", PAGE)) <= known
    assert len(commands()) >= 10
    assert (Path(__file__).parents[2] / "docs" / "pictures" / "menu-waits.png").is_file()


@pytest.mark.slow
@pytest.mark.boots
def test_the_commands_run_and_end_as_the_page_says(tmp_path: Path) -> None:
    variables = environment(
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        HIPERISO_LOG_DIR=str(tmp_path / "logs"),
        HIPERISO_GUEST_RAM="512",
        HIPERISO_ACCEL="tcg",
    )
    for command, code in commands():
        done = subprocess.run(
            shlex.split(command, comments=True),
            cwd=tmp_path,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=12 * DEADLINE_S,
        )
        assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
    assert "<testsuite " in (tmp_path / "boots.xml").read_text()
