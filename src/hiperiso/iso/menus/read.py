"""The boot menus of a medium: GRUB's, syslinux's, systemd-boot's; and kernels without a menu.

Sources: the GRUB manual; doc/menu.txt and doc/syslinux.txt of syslinux; the Boot Loader Specification and
loader.conf(5); ``loopback.cfg`` as Super GRUB2 Disk describes it: a grub.cfg that is read with ``iso_path`` set to the
path of the ISO file, for starting the system from that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from hiperiso.iso.menus.entries import Menu, MenuEntry, MenuRow, joined
from hiperiso.iso.menus.grub import read_grub_menu
from hiperiso.iso.menus.syslinux import read_syslinux_menu
from hiperiso.iso.menus.texts import MAX_ENTRIES, absolute, pairs, text_of
from hiperiso.iso.tree import Tree

_MAX_CONFIGS: Final = 24

_GRUB_FOLDERS: Final = ("/boot/grub", "/boot/grub2", "/grub", "/grub2", "/EFI/BOOT")
_SYSLINUX_NAMES: Final = ("isolinux.cfg", "syslinux.cfg", "extlinux.conf")
_SYSLINUX_FOLDERS: Final = (
    *("/isolinux", "/boot/isolinux", "/syslinux", "/boot/syslinux", "", "/boot/x86_64/loader"),
)
_KERNEL_NAME: Final = re.compile(r"(?:vmlinuz|bzimage|linux|kernel)(?:$|[-._].*)", re.IGNORECASE)
_NO_KERNELS: Final = (".mod", ".lst", ".cfg", ".conf", ".txt", ".c32", ".sig")
"""Modules of GRUB are called linux.mod, and texts like their kernels."""

_INITRD_NAME: Final = re.compile(r"(?:initrd|initramfs|initrfs)(?:$|[-._].*)", re.IGNORECASE)


def read_menus(tree: Tree, *, iso_path: str, efi: bool) -> Iterator[Menu]:
    """Every menu of a medium that starts Linux, the most informative first; never raises for its content.

    Args:
        tree: the medium, mounted or not.
        iso_path: of the ISO on its partition, for menus that support starting from a file; empty where the
            medium itself is started, which never shows those.
        efi: whether this machine was started by UEFI.
    """
    variables = {"grub_platform": "efi" if efi else "pc", "grub_cpu": "x86_64" if efi else "i386"}
    names = ("loopback.cfg", "grub.cfg") if iso_path else ("grub.cfg",)
    usual = [f"{folder}/{name}" for name in names for folder in _GRUB_FOLDERS]
    for path in _configs(tree, usual, names):
        yield read_grub_menu(
            path,
            lambda name: text_of(tree, name),
            lambda name: bool(tree.find(name)),
            {**variables, "iso_path": iso_path},
        )
    usual = [f"{folder}/{name}" for folder in _SYSLINUX_FOLDERS for name in _SYSLINUX_NAMES]
    for path in _configs(tree, usual, _SYSLINUX_NAMES):
        yield read_syslinux_menu(path, tree)
    yield read_loader_entries(tree)
    yield kernels_by_name(tree)


def read_loader_entries(tree: Tree) -> Menu:
    """The entries of systemd-boot: Type #1 of the Boot Loader Specification."""
    folder = "/loader/entries"
    entries: list[MenuEntry] = []
    names: list[str] = []
    for path in tree.below(folder)[:MAX_ENTRIES]:
        if not path.lower().endswith(".conf"):
            continue
        found: dict[str, list[str]] = {}
        for key, value in pairs(text_of(tree, path)):
            found.setdefault(key, []).append(value)
        if "linux" in found:
            names.append(path.rpartition("/")[2])
            entries.append(
                MenuEntry(
                    title=found.get("title", [names[-1]])[-1],
                    kernel=absolute(found["linux"][-1], ""),
                    initrds=tuple(absolute(value, "") for value in found.get("initrd", [])),
                    arguments=joined(" ".join(found.get("options", [])).split(" ")),
                    source=path,
                )
            )
    wanted = dict(pairs(text_of(tree, "/loader/loader.conf"))).get("default", "")
    matching = [at for at, name in enumerate(names) if _glob_matches(name, wanted)]
    rows = tuple(MenuRow(path=(entry.title,), entry=entry) for entry in entries)
    return Menu(folder, tuple(entries), matching[0] if matching else 0, rows=rows)


def kernels_by_name(tree: Tree) -> Menu:
    """Kernels by file name, each with the initramfs beside it; their arguments are unknown."""
    entries: list[MenuEntry] = []
    for kernel in tree:
        folder, _, name = kernel.rpartition("/")
        if len(entries) >= MAX_ENTRIES:
            break
        if not _KERNEL_NAME.fullmatch(name) or name.lower().endswith(_NO_KERNELS):
            continue
        beside = [path for path in tree.below(folder) if _INITRD_NAME.fullmatch(path.rpartition("/")[2])]
        initrds = tuple(sorted(beside, key=lambda path: _likeness(name, path.rpartition("/")[2]))[:1])
        entries.append(
            MenuEntry(title=kernel, kernel=kernel, initrds=initrds, arguments="", source="file names")
        )
    return Menu("file names", tuple(entries))


def _configs(tree: Tree, usual: list[str], names: tuple[str, ...]) -> list[str]:
    """Configurations with these names: the usual places first, then any other file of that name."""
    found = [path for path in map(tree.find, usual) if path]
    found += [path for name in names for path in tree if path.rpartition("/")[2].lower() == name]
    return list(dict.fromkeys(found))[:_MAX_CONFIGS]


def _glob_matches(name: str, pattern: str) -> bool:
    """Few wildcards: a pattern with many would be slow."""
    if not pattern or pattern.count("*") > 4 or len(pattern) > 200:
        return False
    return fnmatchcase(name, pattern) or fnmatchcase(name.removesuffix(".conf"), pattern)


def _likeness(kernel: str, initrd: str) -> tuple[int, str]:
    """The one with the same suffix as the kernel comes first: vmlinuz-6.1 and initrd.img-6.1."""
    rest = re.sub(r"^[A-Za-z]+", "", kernel)
    return (0 if initrd.endswith(rest) else 1, initrd)
