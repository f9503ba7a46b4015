"""The commands of docs/menus.md run as they stand there, and end as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pages import DOCS, commands_of, run_commands
from hiperiso.contract.settings import ROWS
from hiperlab.series.purpose import Purpose

PAGE = (DOCS / "menus.md").read_text()


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
    assert len(commands_of(PAGE)) >= 10
    assert (DOCS / "pictures" / "menu-waits.png").is_file()


@pytest.mark.slow
@pytest.mark.boots
def test_the_commands_run_and_end_as_the_page_says(tmp_path: Path) -> None:
    run_commands(PAGE, tmp_path, HIPERISO_GUEST_RAM="512", HIPERISO_ACCEL="tcg")
    assert "<testsuite " in (tmp_path / "boots.xml").read_text()
