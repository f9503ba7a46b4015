"""The look of the boot menu."""

from __future__ import annotations

import re
import struct

from hiperlab.debian.packages import Sources
from hiperlab.stick.grub import FONT
from hiperlab.stick.menu import MenuFacts, render_menu
from hiperlab.stick.menuconfig import parse_menu
from hiperlab.stick.theme import THEME_FILE, THEME_FOLDER, picture, theme_files


def test_everything_that_the_theme_names_is_there(sources: Sources) -> None:
    files = theme_files()
    text = files[THEME_FILE].decode("ascii")
    named = re.findall(r'(?:file|style|frame|thumb) = "([^"]+)"', text)
    assert sorted(named) == ["line.png", "rail_*.png", "select_*.png", "thumb_*.png"]
    assert {f"{THEME_FOLDER}/{name.replace('*', 'c')}" for name in named} <= set(files)
    fonts = set(re.findall(r'font(?: =|:) "([^"]+)"', text))
    assert [font.encode() + b"\0" in sources.find(FONT).read_bytes() for font in fonts] == [True]
    assert text.count("{") == text.count("}")


def test_pictures() -> None:
    for width_px in (1, 8):
        png = picture("#102030", width_px=width_px)
        assert png.startswith(b"\x89PNG\r\n\x1a\n") and png.endswith(b"IEND\xae\x42\x60\x82")
        assert struct.unpack(">II", png[16:24]) == (width_px, 1)


def test_the_menu_takes_it_unless_the_user_has_another() -> None:
    def rendered(theme: dict[str, str]) -> str:
        return render_menu(MenuFacts("x", parse_menu({"theme": theme})))

    ours = f"set theme=($hiperiso_esp)/{THEME_FILE}"
    assert ours in rendered({})
    with_another = rendered({"file": "/t/theme.txt"})
    assert with_another.index(ours) < with_another.index("set theme=\"($hiperiso_data)\"'/t/theme.txt'")
    assert "set theme" not in rendered({"display_mode": "CLI"})
