"""The file system of a data partition, and its implementation."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from hiperiso.errors import HarnessFault
from hiperlab.stick.data import DataPartition
from hiperlab.stick.exfat.data import ExfatData
from hiperlab.stick.ext4 import Ext4Data
from hiperlab.stick.ntfs.data import NtfsData


def detect_filesystem(file: BinaryIO, offset_bytes: int) -> str:
    """``exfat``, ``ntfs``, ``ext4`` or ``""``, by the magic numbers."""
    file.seek(offset_bytes)
    head = file.read(2048)
    if head[3:11] == b"EXFAT   ":
        return "exfat"
    if head[3:11] == b"NTFS    ":
        return "ntfs"
    return "ext4" if head[1080:1082] == b"\x53\xef" else ""


def open_data(path: Path, file: BinaryIO, offset_bytes: int) -> DataPartition:
    """The data partition at `offset_bytes` of the image or device `path`, which is open as `file`.

    Raises:
        HarnessFault: there is no file system, or it is damaged.
    """
    kind = detect_filesystem(file, offset_bytes)
    if kind == "exfat":
        return ExfatData(file, offset_bytes)
    if kind == "ext4":
        return Ext4Data(path, offset_bytes)
    if kind == "ntfs":
        return NtfsData(file, offset_bytes)
    raise HarnessFault(
        "the data partition has no file system", hint="hiperiso stick verify shows what is broken"
    )
