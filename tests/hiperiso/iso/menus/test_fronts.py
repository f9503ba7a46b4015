"""How menus come up, read from configurations of each loader."""

from __future__ import annotations

import pytest

from hiperiso.iso.menus.entries import Front
from hiperiso.iso.menus.fronts import limine_front, refind_front, systemd_boot_front
from hiperiso.iso.menus.syslinux import read_syslinux_menu
from medium_trees import MakeTree

LABELS = "label live\n menu label ^Live\n linux /vmlinuz\nlabel text\n menu label Text\n linux /vmlinuz\n"


@pytest.mark.parametrize(
    ("head", "front"),
    [
        ("ui vesamenu.c32\n", Front(("Live", "Text"), 0, None, False, False)),
        ("default vesamenu.c32\ntimeout 0\n", Front(("Live", "Text"), 0, None, False, False)),
        ("ui menu.c32\ntimeout 300\nontimeout text\n", Front(("Live", "Text"), 0, 30.0, True, False)),
        ("ui menu.c32\ntimeout 300\nontimeout live\n", Front(("Live", "Text"), 0, 30.0, False, False)),
        ("ui menu.c32\ndefault text\n", Front(("Live", "Text"), 1, None, False, False)),
        ("menu hidden\nui menu.c32\n", Front(("Live", "Text"), 0, None, False, False, hidden=True)),
        ("prompt 1\ndefault live\n", Front(("live", "text"), 0, None, False, True)),
        ("default live\n", Front(("Live", "Text"), 0, 0.0, False, False)),
    ],
)
def test_syslinux(make_tree: MakeTree, head: str, front: Front) -> None:
    assert read_syslinux_menu("/isolinux.cfg", make_tree({"/isolinux.cfg": head + LABELS})).front == front


def test_a_submenu_of_syslinux_is_one_row(make_tree: MakeTree) -> None:
    text = (
        "ui menu.c32\nmenu begin advanced\n menu title Advanced options\n"
        "label expert\n menu label Expert\n linux /vmlinuz\nmenu end\n" + LABELS
    )
    menu = read_syslinux_menu("/isolinux.cfg", make_tree({"/isolinux.cfg": text}))
    assert menu.front.titles == ("Advanced options", "Live", "Text")
    assert [entry.title for entry in menu.entries] == ["Expert", "Live", "Text"]


def test_entries_of_syslinux_that_ask_for_a_password(make_tree: MakeTree) -> None:
    text = f"ui menu.c32\nmenu master passwd x\n{LABELS}menu passwd\n"
    assert read_syslinux_menu("/isolinux.cfg", make_tree({"/isolinux.cfg": text})).front.guarded == {"Text"}


def test_hidden_rows_and_separators_are_not_shown(make_tree: MakeTree) -> None:
    text = f"ui menu.c32\n{LABELS}label speech\n menu hide\n linux /vmlinuz\nlabel -\n menu separator\n"
    assert read_syslinux_menu("/isolinux.cfg", make_tree({"/isolinux.cfg": text})).front.titles == (
        "Live",
        "Text",
    )


@pytest.mark.parametrize(
    ("text", "timeout_s"), [("timeout menu-force", None), ("timeout 5", 5.0), ("", 0.0), ("timeout x", 0.0)]
)
def test_systemd_boot(make_tree: MakeTree, text: str, timeout_s: float | None) -> None:
    front = systemd_boot_front(make_tree({"/loader/loader.conf": text}))
    assert front is not None
    assert front.timeout_s == timeout_s
    assert systemd_boot_front(make_tree({})) is None


@pytest.mark.parametrize(
    ("text", "timeout_s"), [("timeout 0", None), ("timeout -1", 0.0), ("", 20.0), ("timeout 7 # s", 7.0)]
)
def test_refind(make_tree: MakeTree, text: str, timeout_s: float | None) -> None:
    found = refind_front(make_tree({"/EFI/BOOT/refind.conf": text}))
    assert found is not None
    assert found[1].timeout_s == timeout_s
    assert refind_front(make_tree({})) is None


@pytest.mark.parametrize(
    ("text", "timeout_s", "titles"),
    [
        ("timeout: no\n/Demo Linux\n    protocol: linux\n", None, ("Demo Linux",)),
        ("TIMEOUT=10\n:Demo Linux\nPROTOCOL=linux\n", 10.0, ("Demo Linux",)),
        ("/+More\n//Below\n", 5.0, ("More",)),
    ],
)
def test_limine(make_tree: MakeTree, text: str, timeout_s: float | None, titles: tuple[str, ...]) -> None:
    found = limine_front(make_tree({"/boot/limine.conf": text}))
    assert found is not None
    assert (found[1].timeout_s, found[1].titles) == (timeout_s, titles)
    assert limine_front(make_tree({})) is None
