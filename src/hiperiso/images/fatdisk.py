"""A FAT disk with a directory, or an EFI program: bootable by UEFI, and readable by any system.

Created for each boot with mkfs.vfat and mcopy: QEMU's own (``fat:``) is FAT16 of at most 504 MB, shows concurrent
changes as damage, and is documented as experimental.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from hiperiso.errors import HarnessFault, IsoError, UsageError
from hiperiso.tools import run_tool

_MAX_FILES: Final = 100_000
_MAX_FILE_BYTES: Final = (4 << 30) - 1
_MAX_BYTES: Final = 32 << 30
_SPARE_MB: Final = 16
_SMALLEST_MB: Final = 40
_TOOL_TIMEOUT_S: Final = 1800.0
_LABEL: Final = "HIPERISO"
_CLUSTER_BYTES: Final = 32 << 10
"""The largest that mkfs.vfat chooses by itself: a file takes at most so much more than its size."""

DEFAULT_PROGRAM: Final = ("EFI", "BOOT", "BOOTX64.EFI")
"""The default boot path of firmware for a disk without a boot entry. Source: UEFI 2.10, 3.5.1.1."""


def write_directory_disk(directory: Path, image: Path) -> None:
    """Write the content of `directory` to the new FAT disk `image`.

    Raises:
        UsageError: it is too large for FAT, or has links out of it.
        HarnessFault: the tools are missing or fail, or there is not enough space.
    """
    size_bytes = _measure(directory)
    _make(image, size_bytes)
    names = sorted(os.fspath(path) for path in directory.iterdir())
    if names:
        _mtools("mcopy", "-s", "-Q", "-i", os.fspath(image), *names, "::/")


def write_program_disk(program: Path, image: Path) -> None:
    """Write an EFI program to the new FAT disk `image`, where firmware starts it.

    Raises:
        HarnessFault: the tools are missing or fail, or there is not enough space.
    """
    _make(image, program.stat().st_size + _CLUSTER_BYTES)
    *folders, name = DEFAULT_PROGRAM
    for depth in range(1, len(folders) + 1):
        _mtools("mmd", "-i", os.fspath(image), "::/" + "/".join(folders[:depth]))
    _mtools("mcopy", "-Q", "-i", os.fspath(image), os.fspath(program), "::/" + "/".join([*folders, name]))


def default_program(directory: Path) -> Path | None:
    """The program in `directory` that firmware starts; case is ignored."""
    for name in DEFAULT_PROGRAM:
        try:
            found = [path for path in directory.iterdir() if path.name.casefold() == name.casefold()]
        except OSError:
            return None
        if not found:
            return None
        directory = found[0]
    return directory


def _measure(directory: Path) -> int:
    """Bytes that the files take on the disk, at most."""
    root = directory.resolve()
    total, count = 0, 0
    for folder, folders, names in os.walk(directory, onerror=_unreadable):
        for name in (*folders, *names):
            path = Path(folder, name)
            count += 1
            total += _CLUSTER_BYTES
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise UsageError(
                    f"a link out of the directory: {path}", hint="copy what it names, or remove it"
                )
            if path.is_symlink() and path.is_dir():
                raise UsageError(f"a link to a directory, which FAT does not support: {path}", hint="copy it")
            if name in folders:
                continue
            if not path.is_file():
                raise UsageError(f"neither a file nor a directory: {path}", hint="remove it")
            size = path.stat().st_size
            if size > _MAX_FILE_BYTES:
                raise UsageError(f"a file of 4 GB or more, which FAT does not support: {path}")
            total += size
        if count > _MAX_FILES or total > _MAX_BYTES:
            raise UsageError(
                f"more than {_MAX_FILES} files or {_MAX_BYTES >> 30} GB for a FAT disk: {directory}",
                hint="make a disk image of it",
            )
    return total


def _unreadable(error: OSError) -> None:
    raise IsoError(f"the directory cannot be read: {error.filename} ({error.strerror})")


def _make(image: Path, size_bytes: int) -> None:
    size_mb = max(_SMALLEST_MB, (size_bytes + size_bytes // 64 >> 20) + _SPARE_MB)
    free_mb = shutil.disk_usage(image.parent).free >> 20
    if size_mb > free_mb:
        raise HarnessFault(
            f"not enough space for a FAT disk of {size_mb} MB in {image.parent}: {free_mb} MB are free"
        )
    argv = ["mkfs.vfat", "-C", "-n", _LABEL, os.fspath(image), str(size_mb << 10)]
    run_tool(argv, package="dosfstools", timeout_s=_TOOL_TIMEOUT_S)


def _mtools(*argv: str) -> None:
    environment = {"MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
    run_tool(argv, package="mtools", timeout_s=_TOOL_TIMEOUT_S, environment=environment)
