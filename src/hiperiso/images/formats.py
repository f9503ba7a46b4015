"""The formats of disk images, from their own headers. The format is passed to QEMU, which never guesses it.

An image may name other files to take data from (a backing file, an extent, a parent). Opening it could
read any file of this machine for the guest: such an image is refused.

Layouts: QEMU's docs/interop/qcow2.txt; "Virtual Hard Disk Image Format Specification" (VHD); MS-VHDX; VMware's
"Virtual Disk Format 5.0" (VMDK), and the fields of each that QEMU's drivers read.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import UUID

from hiperiso.contract.hardware import DiskFormat
from hiperiso.errors import IsoError
from hiperiso.images.qcow2 import MAGIC as QCOW2
from hiperiso.images.qcow2 import names_other_files
from hiperiso.iso.reader import ImageReader

_SECTOR: Final = 512
_VHD: Final = b"conectix"
_VHD_TYPES: Final = {2: "fixed", 3: "dynamic", 4: "differencing"}
_VMDK: Final = b"KDMV"
_VMDK_TEXT: Final = b"# Disk DescriptorFile"
_VMDK_TEXT_BYTES: Final = 20 * _SECTOR
"""The part of the descriptor that QEMU reads, always from the second sector on."""

_VMDK_PARENT: Final = re.compile(rb"parentFileNameHint|parentCID\s*=\s*(?!f{8}\b)[0-9a-f]+", re.IGNORECASE)
_VHDX: Final = b"vhdxfile"
_VHDX_REGIONS: Final = 192 << 10
_VHDX_METADATA: Final = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_VHDX_PARAMETERS: Final = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_VHDX_PARENT: Final = UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
_ENTRY_BYTES: Final = 32
_MAX_ENTRIES: Final = 2047
_OTHERS: Final = (
    (b"<<< ", "VDI"),
    (b"COWD", "an old VMDK"),
    (b"QED\0", "QED"),
    (b"WithoutFreSpace", "Parallels"),
)


def disk_format(path: Path, reader: ImageReader) -> tuple[DiskFormat, str]:
    """The format of a disk image, and how it was detected; raw without another header.

    Raises:
        IsoError: the image depends on another file, is broken or of a format that is not supported.
    """
    head = reader.read(0, 1 << 16)
    for magic, check in _CHECKS:
        if head.startswith(magic):
            return check(path, reader, head)
    for magic, name in _OTHERS:
        if head.startswith(magic):
            raise IsoError(f"a disk image of a format that is not supported ({name}): {path}", hint=_CONVERT)
    foot = reader.read(reader.size_bytes - _SECTOR, _SECTOR)
    if foot.startswith(_VHD):
        return _vhd(path, reader, foot)
    return DiskFormat.RAW, "no header of another format"


_CONVERT: Final = "convert it to a standalone image: qemu-img convert -O qcow2 OLD NEW.qcow2"


def _refuse(path: Path, other: str) -> IsoError:
    return IsoError(f"the disk image depends on {other}: {path}", hint=_CONVERT)


def _broken(path: Path, name: str, what: str) -> IsoError:
    return IsoError(f"the {name} disk image is broken ({what}): {path}", hint="download or copy it again")


def _qcow2(path: Path, _reader: ImageReader, head: bytes) -> tuple[DiskFormat, str]:
    if len(head) < 104:
        raise _broken(path, "qcow2", "too short")
    version, encrypted = struct.unpack_from(">I", head, 4)[0], struct.unpack_from(">I", head, 32)[0]
    if version not in (2, 3):
        raise IsoError(f"a qcow image of version {version}, which is not supported: {path}", hint=_CONVERT)
    if encrypted:
        raise IsoError(f"the qcow2 disk image is encrypted: {path}", hint="decrypt it: qemu-img convert")
    if other := names_other_files(head):
        raise _refuse(path, other)
    return DiskFormat.QCOW2, "it begins with a qcow2 header"


def _vhd(path: Path, _reader: ImageReader, footer: bytes) -> tuple[DiskFormat, str]:
    kind = _VHD_TYPES.get(struct.unpack_from(">I", footer, 60)[0]) if len(footer) >= 64 else None
    if kind is None:
        raise _broken(path, "VHD", "its footer names no type")
    if kind == "differencing":
        raise _refuse(path, "a parent disk")
    return DiskFormat.VHD, f"it has the footer of a {kind} VHD"


def _vhdx(path: Path, reader: ImageReader, _head: bytes) -> tuple[DiskFormat, str]:
    at = _vhdx_metadata(reader)
    table = reader.read(at, 1 << 16) if at else b""
    if not table.startswith(b"metadata"):
        raise _broken(path, "VHDX", "it has no metadata")
    count = min(struct.unpack_from("<H", table, 10)[0], _MAX_ENTRIES)
    for number in range(1, count + 1):
        entry = table[number * _ENTRY_BYTES : (number + 1) * _ENTRY_BYTES]
        if len(entry) < _ENTRY_BYTES:
            break
        if entry.startswith(_VHDX_PARENT):
            raise _refuse(path, "a parent disk")
        if entry.startswith(_VHDX_PARAMETERS):
            parameters = reader.read(at + struct.unpack_from("<I", entry, 16)[0], 8)
            if len(parameters) < 8 or parameters[4] & 2:
                raise _refuse(path, "a parent disk")
    return DiskFormat.VHDX, "it begins with a VHDX identifier"


def _vhdx_metadata(reader: ImageReader) -> int:
    regions = reader.read(_VHDX_REGIONS, 1 << 16)
    if not regions.startswith(b"regi"):
        return 0
    for number in range(min(struct.unpack_from("<I", regions, 8)[0], _MAX_ENTRIES)):
        entry = regions[16 + number * _ENTRY_BYTES :][:_ENTRY_BYTES]
        if len(entry) == _ENTRY_BYTES and entry.startswith(_VHDX_METADATA):
            return int(struct.unpack_from("<Q", entry, 16)[0])
    return 0


def _vmdk(path: Path, reader: ImageReader, head: bytes) -> tuple[DiskFormat, str]:
    if len(head) < 64:
        raise _broken(path, "VMDK", "too short")
    capacity, _, text_at = struct.unpack_from("<QQQ", head, 12)
    if not capacity:  # the descriptor alone says then where the data is
        raise _refuse(path, "the extents that its descriptor names")
    for at in (_SECTOR, text_at * _SECTOR):
        if _VMDK_PARENT.search(reader.read(at, _VMDK_TEXT_BYTES)):
            raise _refuse(path, "a parent disk")
    return DiskFormat.VMDK, "it begins with the header of a sparse VMDK extent"


def _vmdk_text(path: Path, _reader: ImageReader, _head: bytes) -> tuple[DiskFormat, str]:
    raise _refuse(path, "the extents that it names (it is a VMDK descriptor)")


_Check = Callable[[Path, ImageReader, bytes], tuple[DiskFormat, str]]
_CHECKS: Final[tuple[tuple[bytes, _Check], ...]] = (
    (QCOW2, _qcow2),
    (_VHDX, _vhdx),
    (_VHD, _vhd),
    (_VMDK, _vmdk),
    (_VMDK_TEXT, _vmdk_text),
)
