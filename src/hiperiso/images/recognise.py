"""Detects the type of a file. Only its first sectors, its last one and its headers are read."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.contract.hardware import DiskFormat, ImageKind
from hiperiso.errors import IsoError
from hiperiso.images.diskhead import disk_info
from hiperiso.images.formats import disk_format
from hiperiso.iso.inspect import IsoInfo, inspect_image, open_image
from hiperiso.iso.reader import ImageReader, LimitReached

_DEADLINE_S: Final = 20.0
_LINUX_AT: Final = 0x202
_PE_X86_64: Final = 0x8664
_EFI_APPLICATION: Final = 10
_MACHINES: Final = {0x14C: "32-bit x86", 0xAA64: "64-bit ARM", 0x1C2: "32-bit ARM", 0x5064: "RISC-V"}


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """The type of a file.

    Attributes:
        kind: the detected type.
        reason: how it was detected.
        info: the facts in its first sectors; for an image with a format (qcow2, ...) only its size.
        format: of a disk image.
    """

    kind: ImageKind
    reason: str
    info: IsoInfo
    format: DiskFormat = DiskFormat.RAW

    @property
    def text(self) -> str:
        """In one line."""
        name = _NAMES[self.kind]
        named = f"{name} ({_FORMAT_NAMES[self.format]})" if self.kind is ImageKind.DISK else name
        return f"taken for {named}: {self.reason}"


_NAMES: Final = {
    ImageKind.ISO: "an ISO",
    ImageKind.DISK: "a disk image",
    ImageKind.EFI: "an EFI program",
    ImageKind.KERNEL: "a Linux kernel",
    ImageKind.DIRECTORY: "a directory",
}
_FORMAT_NAMES: Final = {
    DiskFormat.RAW: "raw",
    DiskFormat.QCOW2: "qcow2",
    DiskFormat.VHD: "VHD",
    DiskFormat.VHDX: "VHDX",
    DiskFormat.VMDK: "VMDK",
}


def recognise(path: Path) -> Recognised:
    """The type of the file or block device at `path`; a directory is not read here.

    Raises:
        IsoError: it is missing, unreadable, empty, depends on other files, or is not bootable.
    """
    descriptor = open_image(path)
    try:
        return _recognise(path, descriptor)
    except LimitReached:
        raise IsoError(
            f"the file cannot be read: {path} (its first sectors take longer than {_DEADLINE_S:g} s)",
            hint="check the drive that it is on",
        ) from None
    finally:
        os.close(descriptor)


def _recognise(path: Path, descriptor: int) -> Recognised:
    reader = ImageReader(descriptor, deadline_s=_DEADLINE_S)
    form, reason = disk_format(path, reader)
    if form not in (DiskFormat.RAW, DiskFormat.VHD):
        return Recognised(kind=ImageKind.DISK, reason=reason, info=disk_info(path, reader, b""), format=form)
    head = reader.read(0, 1 << 15)
    try:
        info = inspect_image(path, descriptor)
        return Recognised(kind=ImageKind.ISO, reason=_iso_reason(info), info=info)
    except IsoError as error:
        refused = error
    if form is DiskFormat.VHD:
        fixed = not head.startswith(b"conectix")  # a dynamic one has its footer in front, too
        info = disk_info(path, reader, head if fixed else b"")
        return Recognised(kind=ImageKind.DISK, reason=reason, info=info, format=form)
    if head[510:512] == b"\x55\xaa" and head[_LINUX_AT : _LINUX_AT + 4] == b"HdrS":
        info = disk_info(path, reader, b"")
        return Recognised(kind=ImageKind.KERNEL, reason="it has the header of a Linux boot image", info=info)
    if head.startswith(b"MZ") and _check_efi(path, reader, head):
        info = disk_info(path, reader, b"")
        return Recognised(kind=ImageKind.EFI, reason="it is a PE program for x86-64 UEFI", info=info)
    if head[510:512] == b"\x55\xaa" or head[512:520] == b"EFI PART":
        info = disk_info(path, reader, head)
        return Recognised(kind=ImageKind.DISK, reason=_disk_reason(info), info=info)
    raise refused


def _iso_reason(info: IsoInfo) -> str:
    systems = [name for name, there in (("ISO 9660", info.iso9660), ("UDF", info.udf)) if there]
    return f"it has volume descriptors of {' and '.join(systems)}"


def _disk_reason(info: IsoInfo) -> str:
    return "it has a GUID partition table" if info.gpt else "its first sector ends as a boot sector does"


def _check_efi(path: Path, reader: ImageReader, head: bytes) -> bool:
    """Whether it is an EFI application for x86-64; False for another program with the same start.

    Raises:
        IsoError: it is one for another processor.
    """
    at = struct.unpack_from("<I", head, 0x3C)[0] if len(head) >= 0x40 else 0
    header = reader.read(at, 0x60)
    if len(header) < 0x60 or not header.startswith(b"PE\0\0"):
        return False
    machine, subsystem = struct.unpack_from("<H", header, 4)[0], struct.unpack_from("<H", header, 0x5C)[0]
    if subsystem != _EFI_APPLICATION:
        return False
    if machine != _PE_X86_64:
        name = _MACHINES.get(machine, f"machine type {machine:#x}")
        raise IsoError(
            f"an EFI program for another processor ({name}): {path}", hint="only x86-64 guests are booted"
        )
    return True
