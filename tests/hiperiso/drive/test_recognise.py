"""Real menus, and real screens that stand still and are none: each is taken for what it is.

pictures/README.md names the programs that drew them.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from hiperiso.contract.menupolicy import parse_menu
from hiperiso.drive.actions import Press, Stands
from hiperiso.drive.hands import MenuHands
from hiperiso.drive.look import Look
from hiperiso.drive.recognise import Menu, MenuConfig, recognise
from hiperiso.drive.signs import MenuKind, Refusal
from hiperiso.observe.screen.fonts import FontSet
from hiperiso.observe.screen.glyphs import GlyphReader
from hiperiso.observe.screen.ppm import Picture
from hiperiso.observe.screen.vga_text import VgaTextDecoder

from .screens import text_look

PICTURES = Path(__file__).parent / "pictures"
LIVE = ("Live system (amd64)", "Live system (amd64 fail-safe mode)", "Advanced options ...")
WAITS = MenuConfig("/boot/grub/grub.cfg", MenuKind.GRUB, LIVE, 0, None)
COUNTS = MenuConfig("/boot/grub/grub.cfg", MenuKind.GRUB, LIVE, 0, 10.0)

MENUS: dict[str, tuple[MenuKind, tuple[str, ...], int | None, int | None]] = {
    "grub-text-bios": (MenuKind.GRUB, LIVE, 0, None),
    "grub-text-uefi": (MenuKind.GRUB, LIVE, 0, None),
    "grub-gfxterm": (MenuKind.GRUB, LIVE, 0, None),
    "grub-counting": (MenuKind.GRUB, LIVE, 0, 15),
    "isolinux-prompt": (MenuKind.PROMPT, (), None, None),
    "isolinux-menu": (MenuKind.SYSLINUX, ("Live system", "Live system (fail-safe)"), 0, None),
    "isolinux-vesamenu": (MenuKind.SYSLINUX, (), None, None),
    "isolinux-speech": (MenuKind.SYSLINUX, (), None, 15),
    "systemd-boot": (
        MenuKind.SYSTEMD_BOOT,
        ("Demo Linux 2", "Demo Linux 1", "Reboot Into Firmware Interface"),
        0,
        None,
    ),
    "refind-text": (
        MenuKind.REFIND,
        (
            *("Boot Demo from 13 MiB FAT volume", "Reboot to EFI Internal Shell", "About rEFInd"),
            *(
                "Manage Hidden Tags Menu",
                "Shut Down Computer",
                "Reboot Computer",
                "Reboot to Computer Setup Utility",
            ),
        ),
        0,
        None,
    ),
}
UNREAD = ("grub-theme", "grub-live-build", "isolinux-vesamenu-picture", "refind")
STARTED = "grub-live-build-started"
"""What GRUB leaves on the screen when a silent kernel starts: from this picture alone it may be a menu."""

REFUSED = {
    "grub-shell-bios": Refusal.SHELL,
    "grub-shell-uefi": Refusal.SHELL,
    "uefi-shell": Refusal.SHELL,
    "seabios-no-device": Refusal.FIRMWARE,
    "memtest": Refusal.MEMORY_TEST,
    "ipxe-no-network": Refusal.FIRMWARE,
    "initramfs-shell": Refusal.SHELL,
    "login": Refusal.SYSTEM,
    "panic": Refusal.SYSTEM,
}
NOTHING = ("grub-script-reads",)


@cache
def fonts() -> FontSet:
    return FontSet()


@cache
def look(name: str) -> Look:
    reader = GlyphReader(fonts())
    with Image.open(PICTURES / f"{name}.png") as image:
        picture = Picture(image.width, image.height, image.convert("RGB").tobytes())
    memory = PICTURES / f"{name}.vga.z"
    if memory.exists():
        return Look(
            0.0, picture, VgaTextDecoder(fonts()).decode(picture, zlib.decompress(memory.read_bytes()))
        )
    return Look(0.0, picture, reader.read(picture))


@pytest.mark.parametrize("name", MENUS)
def test_a_menu_is_recognised_by_its_text(name: str) -> None:
    found = recognise(look(name), loader_runs=False)
    assert isinstance(found, Menu)
    assert (found.kind, found.entries, found.chosen, found.counting_s) == MENUS[name]
    assert found.seen_by == "text"


def test_a_menu_in_other_languages_is_recognised() -> None:
    found = recognise(look("grub-other-languages"), loader_runs=False)
    assert isinstance(found, Menu)
    assert (found.kind, len(found.entries), found.chosen) == (MenuKind.GRUB, 3, 0)
    assert found.entries[2] == "Système de secours"


@pytest.mark.parametrize("name", UNREAD)
def test_a_menu_that_cannot_be_read_is_recognised_by_the_configuration_that_was_read(name: str) -> None:
    assert recognise(look(name), (), loader_runs=True) is None
    assert recognise(look(name), (WAITS,), loader_runs=False) is None
    assert recognise(look(name), (COUNTS,), loader_runs=True) is None
    found = recognise(look(name), (WAITS,), loader_runs=True)
    assert isinstance(found, Menu)
    assert (found.seen_by, found.entries, found.chosen) == ("configuration", LIVE, 0)


def test_what_a_menu_leaves_on_the_screen_gets_no_second_key() -> None:
    hands = MenuHands(parse_menu("auto"), (WAITS,))
    hands.read(WAITS.source, 0.5)
    done = []
    for second in range(34):
        shown = replace(look("grub-live-build" if second < 6 else STARTED), t=float(second))
        done += [(second, type(one)) for one in hands.look(shown)]
        if second == 6:
            hands.read("/live/a-name-that-is-not-in-the-configuration", 6.5)
    assert [(second < 6, what) for second, what in done] == [(True, Stands), (True, Press)]


@pytest.mark.parametrize("name", REFUSED)
def test_what_gets_no_key_is_refused_for_its_reason(name: str) -> None:
    for configs in ((), (WAITS,)):
        assert recognise(look(name), configs, loader_runs=True) is REFUSED[name]


def test_a_screen_that_stands_is_read_whatever_was_shown_before_it() -> None:
    reader, shell = GlyphReader(fonts()), look("uefi-shell")
    unreadable = look("refind").picture
    for picture in (unreadable, shell.picture, unreadable):
        reader.read(picture)
    read = [reader.read(shell.picture) for _poll in range(4)]
    assert (read[0], read[-1]) == (None, shell.screen)


@pytest.mark.parametrize("name", NOTHING)
def test_what_is_not_a_menu_is_nothing(name: str) -> None:
    for configs in ((), (WAITS,)):
        assert recognise(look(name), configs, loader_runs=True) is None


def test_every_stored_picture_is_judged() -> None:
    judged = {*MENUS, *UNREAD, *REFUSED, *NOTHING, "grub-other-languages", STARTED}
    assert {path.stem for path in PICTURES.glob("*.png")} == judged


def test_what_differs_between_two_looks_is_found_by_row() -> None:
    a, b = look("grub-text-bios"), look("grub-counting")
    assert a.rows_that_differ(a) == ()
    assert b.rows_that_differ(a) == tuple(
        row for row in range(25) if (row < len(a.rows) and a.rows[row]) != (row < len(b.rows) and b.rows[row])
    )


def test_entries_in_a_script_without_a_font_are_named_by_the_configuration() -> None:
    rows = [
        f"┌{'─' * 40}┐",
        "│*\ufffd\ufffd\ufffd",
        "│ \ufffd\ufffd",
        f"└{'─' * 40}┘",
        "   GNU GRUB  version 2.06",
    ]
    config = MenuConfig("/boot/grub/grub.cfg", MenuKind.GRUB, ("系统", "安装"))
    found = recognise(text_look(0.0, rows), (config,), loader_runs=True)
    assert isinstance(found, Menu)
    assert (found.entries, found.chosen) == (("系统", "安装"), 0)
