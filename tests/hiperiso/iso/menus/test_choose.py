"""The entry that is started without the menu, and its arguments."""

from __future__ import annotations

import pytest

from hiperiso.contract.menupolicy import parse_menu
from hiperiso.errors import UsageError
from hiperiso.iso.menus.choose import choose_entry, edit_arguments
from medium_trees import MakeTree, kernel

GRUB = """set default=1
menuentry 'First' {
  linux /boot/k one
  initrd /boot/i
}
submenu 'More' {
  menuentry 'Text install' {
    linux /boot/k text
  }
}
menuentry 'Broken' {
  linux /boot/none
}
menuentry 'Second' {
  linux /boot/k two quiet
}
"""
ISOLINUX = """default live
label live
  menu label Live system
  kernel /boot/k
  append three
"""
FILES: dict[str, bytes | str] = {
    "/boot/k": kernel(),
    "/boot/i": b"initrd",
    "/boot/grub/grub.cfg": GRUB,
    "/isolinux/isolinux.cfg": ISOLINUX,
}


@pytest.mark.parametrize(
    ("menu", "efi", "arguments"),
    [
        ("auto", False, "three"),
        ("auto", True, "text"),  # a submenu is highlighted: its first entry
        ("1", True, "one"),
        ("4", True, "two quiet"),
        ("second", True, "two quiet"),
        ("More>Text install", True, "text"),
        ("live", False, "three"),
    ],
)
def test_an_entry_is_chosen(make_tree: MakeTree, menu: str, efi: bool, arguments: str) -> None:
    assert choose_entry(make_tree(FILES), parse_menu(menu), efi=efi).arguments == arguments


@pytest.mark.parametrize(
    ("menu", "says"),
    [
        ("nothing", "it has: 'First'"),
        ("9", "no entry '9'"),
        ("wait", "starts no entry"),
        ("Broken", "no entry"),
    ],
)
def test_an_entry_that_is_not_there_lists_those_that_are(make_tree: MakeTree, menu: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        choose_entry(make_tree(FILES), parse_menu(menu), efi=True)


def test_a_medium_without_a_menu_names_no_kernel(make_tree: MakeTree) -> None:
    with pytest.raises(UsageError, match="names no kernel"):
        choose_entry(make_tree({"/readme": "x"}), parse_menu("auto"), efi=False)


@pytest.mark.parametrize(
    ("before", "append", "remove", "after"),
    [
        ("quiet splash a=1", "console=ttyS0", "quiet", "splash a=1 console=ttyS0"),
        ("console=tty0 console=ttyS1 b", "", "console", "b"),
        ("a=1 a=2", "", "a=1", "a=2"),
        ('x="1 2" y', 'z="3 4"', "y", 'x="1 2" z="3 4"'),
        ("", "a", "", "a"),
    ],
)
def test_arguments_are_added_and_removed(before: str, append: str, remove: str, after: str) -> None:
    assert edit_arguments(before, append=append, remove=remove) == after


def test_a_command_line_that_is_too_long_for_a_kernel() -> None:
    with pytest.raises(UsageError, match="a kernel takes"):
        edit_arguments("a" * 2000, append="b" * 100)
