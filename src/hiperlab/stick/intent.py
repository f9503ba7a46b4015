"""The intent to create a stick: one sector where its data partition will begin, written before anything else.

It is there until that partition is wiped, when the partition table names the file system. So a ``create`` that died
before there was a table is recognised, and completed by ``update``.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Final

import msgspec

from hiperlab.stick.layout import ALIGNMENT_SECTORS, SECTOR_BYTES

_OFFSET_BYTES: Final = ALIGNMENT_SECTORS * SECTOR_BYTES
_MAGIC: Final = b"hiperiso stick create: "


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be created. ``seed`` is that of the unique ids; empty for random ones."""

    filesystem: str
    size_bytes: int
    seed: str = ""


def write_intent(file: BinaryIO, intent: Intent) -> None:
    """Write it to a disk or image, which may be empty, and sync."""
    sector = _MAGIC + msgspec.json.encode(intent)
    if len(sector) > SECTOR_BYTES:  # a very long seed
        sector = _MAGIC + msgspec.json.encode(msgspec.structs.replace(intent, seed=""))
    file.seek(_OFFSET_BYTES)
    file.write(sector.ljust(SECTOR_BYTES, b"\0"))
    file.flush()
    os.fsync(file.fileno())


def read_intent(file: BinaryIO) -> Intent | None:
    """The intent on a disk or image; None if there is none."""
    file.seek(_OFFSET_BYTES)
    sector = file.read(SECTOR_BYTES)
    if not sector.startswith(_MAGIC):
        return None
    try:
        return msgspec.json.decode(sector.removeprefix(_MAGIC).rstrip(b"\0"), type=Intent)
    except msgspec.DecodeError:
        return None
