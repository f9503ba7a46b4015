"""The entries of a menu, from configuration and screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.contract.menupolicy import parse_menu
from hiperiso.drive.recognise import MenuConfig
from hiperiso.drive.signs import MenuKind
from hiperiso.iso.menus.entries import MenuRow
from hiperiso.iso.menus.grub import read_grub_menu
from hiperlab.series.entries import entries_of

CFG = """
menuentry 'Live system (amd64)' { linux /live/vmlinuz boot=live }
submenu 'Advanced options ...' {
  menuentry 'Text install' { linux /install/vmlinuz }
  submenu 'More' { menuentry 'Rescue' { linux /install/vmlinuz rescue/enable=true } }
}
menuentry 'UEFI Firmware Settings' { fwsetup }
menuentry 'Memory test' { linux16 /boot/memtest86+.bin }
"""


def config(text: str = CFG, source: str = "/boot/grub/grub.cfg") -> MenuConfig:
    menu = read_grub_menu(source, lambda path: text if path == source else "", lambda path: path == source)
    return MenuConfig(source=source, kind=MenuKind.GRUB, titles=menu.front.titles, rows=menu.rows)


def test_submenus_are_followed_and_the_screen_confirms() -> None:
    shown = ["*Live system (amd64)", "Advanced options ...", "UEFI Firmware Settings", "Boot from USB"]
    found = entries_of([config()], read=["/boot/grub/grub.cfg"], shown=shown)
    assert [(entry.choose, str(entry.purpose), entry.configured, entry.shown) for entry in found] == [
        ("Live system (amd64)", "live", True, True),
        ("Advanced options ...", "menu", True, True),
        ("Advanced options ...>Text install", "install", True, False),
        ("Advanced options ...>More", "menu", True, False),
        ("Advanced options ...>More>Rescue", "rescue", True, False),
        ("UEFI Firmware Settings", "firmware", True, True),
        ("Memory test", "memory test", True, False),
        ("Boot from USB", "unknown", False, True),
    ]


def test_the_configuration_that_was_read_counts() -> None:
    other = config("menuentry other { linux /x }", "/EFI/BOOT/grub.cfg")
    chosen = entries_of([config(), other], read=["/EFI/BOOT/grub.cfg"], shown=[])
    assert [entry.choose for entry in chosen] == ["other"]
    by_titles = entries_of([other, config()], read=[], shown=["Memory test"])
    assert "Memory test" in [entry.choose for entry in by_titles]
    assert len(by_titles) == 7


def test_titles_that_are_not_unique_text_are_chosen_by_number() -> None:
    rows = tuple(MenuRow(path=(title,)) for title in ("Same", "same", "7", "a > b", "list", "All"))
    menu = MenuConfig(source="/x", kind=MenuKind.GRUB, rows=rows)
    assert [entry.choose for entry in entries_of([menu], read=(), shown=())] == ["1", "2", "3", "4", "5", "6"]


def test_a_menu_that_only_the_screen_has() -> None:
    found = entries_of([], read=(), shown=["Sample Linux", "Reboot Into Firmware Interface", ""])
    assert [entry.choose for entry in found] == ["Sample Linux", "Reboot Into Firmware Interface"]


@given(st.lists(st.lists(st.text(max_size=20), min_size=1, max_size=3).map(tuple), max_size=12, unique=True))
def test_every_choice_is_one_that_the_setting_takes(paths: list[tuple[str, ...]]) -> None:
    complete = sorted({path[:depth] for path in paths for depth in range(1, len(path) + 1)})
    rows = tuple(MenuRow(path=path) for path in complete)
    menu = MenuConfig(source="/x", kind=MenuKind.GRUB, rows=rows)
    found = entries_of([menu], read=(), shown=())
    assert len({entry.choose for entry in found}) == len(rows)
    for entry, row in zip(found, rows, strict=True):
        assert len(parse_menu(entry.choose).path) == len(row.path)


@pytest.mark.parametrize(
    "text", ["", "}", "submenu x {", "menuentry", "submenu 'a' { submenu 'a' { submenu 'a' {"]
)
def test_broken_configurations_have_no_surprises(text: str) -> None:
    entries_of([config(text)], read=(), shown=())
