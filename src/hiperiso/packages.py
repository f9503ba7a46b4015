"""QEMU's name, and installation hints for the distribution of this machine: the only place for them.

Packages have their Debian names here. The other columns are the equivalents elsewhere.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

QEMU: Final = "qemu-system-x86_64"
"""The program that runs guests."""

OS_RELEASE: Final = Path("/etc/os-release")
"""The distribution of this system. Source: os-release(5)."""


class _Names(NamedTuple):
    dnf: str
    pacman: str
    zypper: str


_COMMANDS: Final = {
    "apt": "apt install",
    "dnf": "dnf install",
    "pacman": "pacman -S",
    "zypper": "zypper install",
}
_FAMILIES: Final = {
    "debian": "apt",
    "ubuntu": "apt",
    "fedora": "dnf",
    "rhel": "dnf",
    "centos": "dnf",
    "arch": "pacman",
    "suse": "zypper",
    "opensuse": "zypper",
}
_ELSEWHERE: Final = {
    "busybox-static": _Names("busybox", "busybox", "busybox-static"),
    "gdisk": _Names("gdisk", "gptfdisk", "gptfdisk"),
    "grub-common": _Names("grub2-tools", "grub", "grub2"),
    "grub-efi-amd64-bin": _Names("grub2-efi-x64-modules", "grub", "grub2-x86_64-efi"),
    "grub-efi-amd64-signed": _Names("grub2-efi-x64", "grub", "grub2-x86_64-efi"),
    "grub-pc-bin": _Names("grub2-pc-modules", "grub", "grub2-i386-pc"),
    "isolinux": _Names("syslinux", "syslinux", "syslinux"),
    "libarchive-tools": _Names("bsdtar", "libarchive", "bsdtar"),
    "ovmf": _Names("edk2-ovmf", "edk2-ovmf", "qemu-ovmf-x86_64"),
    "python3": _Names("python3", "python", "python3"),
    "qemu-system-gui": _Names("qemu-ui-gtk", "qemu-ui-gtk", "qemu-ui-gtk"),
    "qemu-system-x86": _Names("qemu-system-x86", "qemu-system-x86", "qemu-x86"),
    "qemu-utils": _Names("qemu-img", "qemu-img", "qemu-tools"),
    "seabios": _Names("seabios-bin", "seabios", "qemu-seabios"),
    "shellcheck": _Names("ShellCheck", "shellcheck", "ShellCheck"),
    "squashfs-tools": _Names("squashfs-tools", "squashfs-tools", "squashfs"),
    "syslinux-common": _Names("syslinux", "syslinux", "syslinux"),
    "tesseract-ocr": _Names("tesseract", "tesseract", "tesseract-ocr"),
    "xorriso": _Names("xorriso", "libisoburn", "xorriso"),
}


def install_hint(*packages: str, os_release: Path = OS_RELEASE) -> str:
    """The command that installs packages (by their Debian names) here; for an unknown system one for each kind.

    >>> install_hint("xorriso", os_release=Path("/nowhere"))
    'apt install xorriso; dnf install xorriso; pacman -S libisoburn; zypper install xorriso'
    """
    manager = _manager(os_release)
    return "; ".join(_command(each, packages) for each in _COMMANDS if manager in ("", each))


def _command(manager: str, packages: tuple[str, ...]) -> str:
    if manager == "apt":
        names = packages
    else:
        names = tuple(getattr(_ELSEWHERE[name], manager) if name in _ELSEWHERE else name for name in packages)
    return f"{_COMMANDS[manager]} {' '.join(dict.fromkeys(names))}"


@cache
def _manager(os_release: Path) -> str:
    """``apt``, ``dnf``, ``pacman`` or ``zypper``; ``""`` for any other or unknown one."""
    try:
        text = os_release.read_text(errors="replace")
    except OSError:
        return ""
    values = dict(re.findall(r'^(ID|ID_LIKE)="?([^"\n]*)"?$', text, re.MULTILINE))
    for word in f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".lower().split():
        if manager := _FAMILIES.get(word.split("-")[0]):
            return manager
    return ""
