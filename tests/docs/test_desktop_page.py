"""The commands of docs/desktop.md and docs/silent.md run as they stand there, and end as the pages say."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pages import DOCS, PICTURE, commands_of, run_commands
from foreign_images import desktop_iso

PAGES = {name: (DOCS / name).read_text() for name in ("desktop.md", "silent.md")}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_commands_and_a_picture(name: str) -> None:
    assert len(commands_of(PAGES[name])) >= 5
    pictures = PICTURE.findall(PAGES[name])
    assert pictures
    assert all((DOCS / picture).is_file() for picture in pictures)


@pytest.mark.slow
@pytest.mark.boots
def test_the_commands_about_silent_isos(tmp_path: Path) -> None:
    run_commands(PAGES["silent.md"], tmp_path, HIPERISO_ACCEL="tcg", HIPERISO_GUEST_RAM="1024")


@pytest.mark.slow
@pytest.mark.boots
@pytest.mark.timeout(3600)  # many boots of a whole desktop
def test_the_commands_about_desktops(tmp_path: Path) -> None:
    for variant in ("desktop", "crash", "no-greeter"):
        (tmp_path / f"{variant}.iso").symlink_to(desktop_iso(variant))
    run_commands(PAGES["desktop.md"], tmp_path)
