"""Each row of the tables matches its example, not what looks like it, and no other row takes its example."""

from __future__ import annotations

import re

import pytest

from hiperiso.drive.recognise import refusal_of
from hiperiso.drive.signs import MENU_SIGNS, REFUSAL_SIGNS, MenuSign, RefusalSign, Sign

ROWS: tuple[Sign, ...] = (*MENU_SIGNS, *REFUSAL_SIGNS)


@pytest.mark.parametrize("sign", ROWS, ids=lambda sign: sign.example.strip()[:40])
def test_a_row_matches_its_example_and_not_what_looks_like_it(sign: Sign) -> None:
    pattern = re.compile(sign.pattern)
    assert pattern.search(sign.example.rstrip())
    assert not [row for row in sign.unlike if pattern.search(row)]


@pytest.mark.parametrize("sign", MENU_SIGNS, ids=lambda sign: sign.example.strip()[:40])
def test_the_example_of_a_menu_is_not_refused_and_is_of_one_kind(sign: MenuSign) -> None:
    assert refusal_of([sign.example]) is None
    assert {other.kind for other in MENU_SIGNS if re.search(other.pattern, sign.example)} == {sign.kind}


@pytest.mark.parametrize("sign", REFUSAL_SIGNS, ids=lambda sign: sign.example.strip()[:40])
def test_the_example_of_a_refusal_is_refused_for_its_reason(sign: RefusalSign) -> None:
    assert refusal_of(["", "some text above", sign.example, ""]) is sign.why


@pytest.mark.parametrize(
    "rows",
    [
        ["│ Memtest86+ (BIOS)  │", "│ Live system │"],
        ["Advanced options", "Password protected install", "Install"],
        ["Rescue shell", "Live"],
        ["UEFI Firmware Settings"],
        ["│ Debian GNU/Linux, with Linux 6.1 (recovery mode) │"],
    ],
)
def test_entries_of_menus_are_not_refused(rows: list[str]) -> None:
    assert refusal_of(rows) is None


@pytest.mark.parametrize(
    "row",
    [
        "root@archiso ~ #",
        "grub> ",
        "          grub> ",
        "     Shell> ",
        "sh-5.2# ",
        "/ # ",
        "~ # ls",
        "(initramfs) ",
        "Enter passphrase for hd0,msdos1 (1234): ",
        "Enter username: ",
        "Please enter passphrase for disk QEMU_HARDDISK (luks-1): ****",
        "Passwort:",
        "demo login: ",
    ],
)
def test_prompts_are_refused(row: str) -> None:
    assert refusal_of(["something", row]) is not None
