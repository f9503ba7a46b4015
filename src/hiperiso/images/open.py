"""Prepares the user's file for QEMU: unpacks and recognises it, and creates a disk if needed."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from hiperiso.contract.hardware import DiskFormat, ImageKind
from hiperiso.errors import IsoError
from hiperiso.images.compression import Progress, compression
from hiperiso.images.diskhead import disk_info
from hiperiso.images.recognise import Recognised, recognise
from hiperiso.iso.image import IsoImage
from hiperiso.iso.inspect import IsoInfo
from hiperiso.iso.reader import ImageReader
from hiperiso.tools import run_tool

FAT_DISK: Final = "medium.img"
"""The disk created from a directory or a program, in the session directory while the guest runs."""

_HEAD_BYTES: Final = 64 << 10
_TOOL_TIMEOUT_S: Final = 60.0


class OpenedImage(msgspec.Struct, frozen=True, kw_only=True):
    """What QEMU gets.

    Attributes:
        recognised: the detected type of the file.
        image: the file that QEMU opens; for a kernel the kernel itself.
        notes: what was done with the file, for the reader of the session.
    """

    recognised: Recognised
    image: IsoImage
    notes: tuple[str, ...] = ()


def open_named(
    path: Path, directory: Path, stack: ExitStack, progress: Progress, *, with_kernel: bool = False
) -> OpenedImage:
    """Open the file or directory at `path` for a boot.

    Args:
        path: absolute.
        directory: of the session, for created files; `stack` removes them.
        stack: closes and removes everything when the boot has ended.
        progress: called periodically while an image is unpacked.
        with_kernel: a kernel is started beside it, so that nothing on it has to boot.

    Raises:
        IsoError: it is missing, unreadable, damaged, depends on other files or is not bootable.
        UsageError: not enough space for it.
        HarnessFault: a program that is needed is missing or fails.
    """
    if path.is_dir():
        return _open_directory(path, directory, stack, with_kernel=with_kernel)
    notes: tuple[str, ...] = ()
    file = path
    if suffix := compression(path):
        from hiperiso.images.unpack import unpack  # decoders, which most boots do not need

        file = unpack(path, suffix, stack, progress)
        notes = (f"{path.name} was unpacked to {file}",)
        if inner := compression(file):
            raise IsoError(
                f"the compressed image holds another compressed one ({inner}): {path}", hint="unpack it"
            )
    found = recognise(file)
    if found.kind is ImageKind.EFI:
        disk = _temporary(directory, stack)
        from hiperiso.images.fatdisk import write_program_disk

        write_program_disk(file, disk)
        return OpenedImage(recognised=_of_disk(found, disk), image=_opened(found, disk, stack), notes=notes)
    if found.format is not DiskFormat.RAW:
        found = replace(found, info=_info_inside(found, file, directory))
    image = stack.enter_context(IsoImage(file, info=found.info))
    return OpenedImage(recognised=found, image=image, notes=notes)


def _open_directory(path: Path, directory: Path, stack: ExitStack, *, with_kernel: bool) -> OpenedImage:
    from hiperiso.images.fatdisk import default_program, write_directory_disk

    program = default_program(path)
    if program is None and not with_kernel:
        raise IsoError(
            f"the directory has no program that firmware starts (EFI/BOOT/BOOTX64.EFI): {path}",
            hint="name the .iso file inside it, put the program there, or give a --kernel",
        )
    disk = _temporary(directory, stack)
    write_directory_disk(path, disk)
    reason = (
        "it is one, with EFI/BOOT/BOOTX64.EFI" if program else "it is one, for the kernel that is started"
    )
    descriptor = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        info = disk_info(disk, ImageReader(descriptor), b"")
    finally:
        os.close(descriptor)
    found = Recognised(kind=ImageKind.DIRECTORY, reason=reason, info=info)
    found = _of_disk(found, disk)
    return OpenedImage(recognised=found, image=_opened(found, disk, stack))


def _temporary(directory: Path, stack: ExitStack) -> Path:
    disk = directory / FAT_DISK
    stack.callback(disk.unlink, missing_ok=True)
    return disk


def _of_disk(found: Recognised, disk: Path) -> Recognised:
    """The same with the created FAT disk instead of its source."""
    from dataclasses import replace as changed

    info = changed(found.info, path=disk, size_bytes=disk.stat().st_size, esp=True)
    return replace(found, info=info)


def _opened(found: Recognised, disk: Path, stack: ExitStack) -> IsoImage:
    return stack.enter_context(IsoImage(disk, info=_of_disk(found, disk).info))


def _info_inside(found: Recognised, file: Path, directory: Path) -> IsoInfo:
    """The facts in the first sectors of the disk in an image with a format (qcow2, ...)."""
    head = directory / f"{FAT_DISK}.head"
    source = ["-U", "-f", found.format.value, "-O", "raw", f"bs={_HEAD_BYTES}", "count=1"]
    try:
        argv = ["qemu-img", "dd", *source, f"if={file}", f"of={head}"]
        run_tool(argv, package="qemu-utils", timeout_s=_TOOL_TIMEOUT_S)
        descriptor = os.open(head, os.O_RDONLY | os.O_CLOEXEC)
        try:
            reader = ImageReader(descriptor)
            return disk_info(file, reader, reader.read(0, _HEAD_BYTES))
        finally:
            os.close(descriptor)
    finally:
        head.unlink(missing_ok=True)
