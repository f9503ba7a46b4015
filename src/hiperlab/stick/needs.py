"""What this machine needs for sticks: the lines of ``hiperiso doctor`` about creating, filling and building them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from hiperiso.errors import HarnessFault
from hiperiso.machine.capabilities import Check, CheckState
from hiperiso.packages import install_hint
from hiperlab.run import has_tool
from hiperlab.stick.grub import BIOS_MODULES, EFI_MODULES, FONT, SHIM, SIGNED_GRUB
from hiperlab.stick.ntfs.library import LIBRARY


class Need(NamedTuple):
    """What one purpose needs: the name of the check, what does not work without, program -> package."""

    name: str
    purpose: str
    programs: dict[str, str]


STICK: Final = "stick"
PAYLOAD: Final = "payload"
_ON_FILESYSTEM: Final = {"ext4": "stick on ext4", "ntfs": "stick on NTFS"}
"""The names of checks."""

NEEDS: Final = (
    Need(
        STICK,
        "hiperiso stick create, update and verify",
        {
            "sgdisk": "gdisk",
            "mkfs.vfat": "dosfstools",
            "fsck.fat": "dosfstools",
            "mcopy": "mtools",
            "mmd": "mtools",
            "grub-mkimage": "grub-common",
        },
    ),
    Need(
        _ON_FILESYSTEM["ext4"],
        "sticks with --filesystem ext4",
        {"mke2fs": "e2fsprogs", "debugfs": "e2fsprogs"},
    ),
    Need(_ON_FILESYSTEM["ntfs"], "sticks with --filesystem ntfs", {"mkntfs": "ntfs-3g", LIBRARY: "ntfs-3g"}),
    Need(PAYLOAD, "hiperiso payload build", {"mksquashfs": "squashfs-tools", "ldd": "libc-bin"}),
)
_LOADERS: Final = (EFI_MODULES, BIOS_MODULES, FONT, SHIM, SIGNED_GRUB)


def is_there(name: str) -> bool:
    """Whether a program, or the library of that name, can be used."""
    if ".so" not in name:
        return has_tool(name)
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def stick_checks(root: Path = Path("/"), there: Callable[[str], bool] = is_there) -> list[Check]:
    """A check for each purpose. None is needed for ``hiperiso boot``: what is missing is a warning.

    Args:
        root: the root of the installed system.
        there: whether a program or library can be used.
    """
    return [*(_check(need, there) for need in NEEDS), _loaders_check(root, there)]


def check_programs(*names: str, what: str, there: Callable[[str], bool] = is_there) -> None:
    """Whether this machine has what these checks look for.

    Args:
        names: of checks, as doctor lists them.
        what: what is to be done, in words.
        there: whether a program or library can be used.

    Raises:
        HarnessFault: a program or library is missing.
    """
    programs = {
        program: package for need in NEEDS if need.name in names for program, package in need.programs.items()
    }
    if lacking := _lacking(programs, there):
        raise HarnessFault(
            f"{what} needs what is not installed: {', '.join(lacking)}",
            hint=install_hint(*dict.fromkeys(lacking.values())),
        )


def on_filesystem(filesystem: str) -> str:
    """The check for sticks with that file system."""
    return _ON_FILESYSTEM.get(filesystem, STICK)


def _lacking(programs: dict[str, str], there: Callable[[str], bool]) -> dict[str, str]:
    return {program: package for program, package in programs.items() if not there(program)}


def _check(need: Need, there: Callable[[str], bool]) -> Check:
    lacking = _lacking(need.programs, there)
    if not lacking:
        return Check(name=need.name, state=CheckState.OK, detail=", ".join(need.programs))
    detail = f"{', '.join(lacking)} not installed; needed for {need.purpose}"
    fix = install_hint(*dict.fromkeys(lacking.values()))
    return Check(name=need.name, state=CheckState.WARN, detail=detail, fix=fix)


def _loaders_check(root: Path, there: Callable[[str], bool]) -> Check:
    """Boot loaders that are not installed are taken from downloaded packages."""
    name = "boot loaders"
    lacking = [asset.package for asset in _LOADERS if not any((root / path).exists() for path in asset.paths)]
    if not lacking:
        return Check(name=name, state=CheckState.OK, detail="shim, signed GRUB, and GRUB's modules")
    missing = ", ".join(lacking)
    if there("apt-get") and there("dpkg-deb"):
        return Check(
            name=name, state=CheckState.OK, detail=f"{missing} not installed: stick create downloads them"
        )
    detail = f"{missing} not installed; needed for hiperiso stick create"
    return Check(name=name, state=CheckState.WARN, detail=detail, fix=install_hint(*lacking))
