"""The entry of a boot menu that is started without the menu, and its kernel command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hiperiso.contract.menupolicy import MenuMode, MenuPolicy
from hiperiso.errors import UsageError
from hiperiso.iso.menus.entries import MAX_ARGUMENTS_CHARS, Menu, MenuEntry
from hiperiso.iso.menus.read import read_menus
from hiperiso.iso.tree import Tree

_ARGUMENT: Final = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_SHOWN: Final = 20


def choose_entry(tree: Tree, policy: MenuPolicy, *, efi: bool) -> MenuEntry:
    """The entry that `policy` chooses from the first menu of the medium whose kernels are there.

    Without a choice it is the one that the menu highlights; where that starts no Linux, the first that does.

    Raises:
        UsageError: there is no such entry, or the policy starts none.
    """
    if policy.mode in (MenuMode.WAIT, MenuMode.LIST):
        raise UsageError(
            f"--menu {policy} starts no entry, and --append and --remove start one without the menu",
            hint="choose an entry: --menu N, or --menu TEXT",
        )
    menu = next((menu for menu in _menus(tree, efi=efi) if _startable(menu, tree)), None)
    if menu is None:
        raise UsageError(
            "the medium's own configuration names no kernel to start",
            hint="--append and --remove need one: give it by --kernel and --initrd, or leave them out",
        )
    entries = _startable(menu, tree)
    if policy.mode is not MenuMode.CHOOSE:
        return _highlighted(menu, entries)
    return _named(menu, entries, policy.path[-1], in_submenu=len(policy.path) > 1)


def edit_arguments(arguments: str, *, append: str = "", remove: str = "") -> str:
    """The kernel command line without the arguments in `remove`, and with those in `append` behind it.

    An argument is removed by its full text, or by its name alone with every value: ``console`` takes ``console=tty0``.

    Raises:
        UsageError: it becomes longer than a kernel takes.
    """
    gone = set(_ARGUMENT.findall(remove))
    kept = [
        word
        for word in _ARGUMENT.findall(arguments)
        if word not in gone and word.partition("=")[0] not in gone
    ]
    line = " ".join([*kept, *_ARGUMENT.findall(append)])
    if len(line) > MAX_ARGUMENTS_CHARS:
        raise UsageError(
            f"the kernel command line has {len(line)} characters; a kernel takes {MAX_ARGUMENTS_CHARS}"
        )
    return line


def _menus(tree: Tree, *, efi: bool) -> list[Menu]:
    """Those that the firmware's boot loader shows first: ISOLINUX is what a BIOS starts where it is there."""
    menus = list(read_menus(tree, iso_path="", efi=efi))
    named = [menu for menu in menus if menu.source != "file names"]
    return sorted(named, key=lambda menu: _of_syslinux(menu) is efi)


def _of_syslinux(menu: Menu) -> bool:
    return menu.source.rpartition("/")[2].lower() in ("isolinux.cfg", "syslinux.cfg", "extlinux.conf")


def _startable(menu: Menu, tree: Tree) -> list[MenuEntry]:
    return [entry for entry in menu.entries if tree.find(entry.kernel) and all(map(tree.find, entry.initrds))]


def _highlighted(menu: Menu, entries: list[MenuEntry]) -> MenuEntry:
    titles = menu.front.titles
    wanted = titles[menu.front.chosen] if menu.front.chosen < len(titles) else None
    default = menu.entries[menu.default] if menu.default < len(menu.entries) else None
    found = next((entry for entry in entries if entry.title == wanted), None)
    return found or (default if default in entries else None) or entries[0]


def _named(menu: Menu, entries: list[MenuEntry], wanted: str, *, in_submenu: bool) -> MenuEntry:
    if wanted.isdigit() and not in_submenu and menu.front.titles:
        row = int(wanted) - 1
        title = menu.front.titles[row] if row < len(menu.front.titles) else ""
        found = next((entry for entry in entries if title and entry.title == title), None)
    elif wanted.isdigit() and not in_submenu:
        found = entries[int(wanted) - 1] if int(wanted) <= len(entries) else None
    else:
        found = _by_text(entries, wanted.casefold())
    if found is not None:
        return found
    names = ", ".join(repr(entry.title) for entry in entries[:_SHOWN])
    raise UsageError(f"{menu.source} has no entry {wanted!r} that starts Linux; it has: {names}")


def _by_text(entries: Iterable[MenuEntry], wanted: str) -> MenuEntry | None:
    titles = [(entry.title.casefold(), entry) for entry in entries]
    for fits in (str.__eq__, str.startswith, str.__contains__):
        for title, entry in titles:
            if fits(title, wanted):
                return entry
    return None
