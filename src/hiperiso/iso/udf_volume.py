"""Name and extent of a UDF volume, from its descriptors alone.

Layout: ECMA-167 part 3: the anchor in sector 256 points to the volume descriptor sequence, which holds the
primary volume descriptor (tag 1), partition descriptors (5) and the logical volume descriptor (6).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

_SECTOR_BYTES = 2048
_ANCHOR_SECTOR = 256
_MAX_SEQUENCE = 64

SMALLEST_BYTES = (_ANCHOR_SECTOR + 1) * _SECTOR_BYTES
"""No volume ends before its anchor."""


@dataclass(frozen=True)
class UdfVolume:
    """A UDF volume.

    Attributes:
        name: the logical volume identifier, else the volume identifier; empty where absent.
        end_bytes: where its last partition ends; 0 when unknown.
    """

    name: str
    end_bytes: int


def read_volume(file: BinaryIO) -> UdfVolume | None:
    """The UDF volume in `file`, or None where the anchor or the sequence cannot be followed."""
    anchor = _sector(file, _ANCHOR_SECTOR)
    if _tag(anchor) != 2:
        return None
    length_bytes, start = struct.unpack_from("<II", anchor, 16)
    names: dict[int, str] = {}
    end_bytes = 0
    for number in range(start, start + min(length_bytes // _SECTOR_BYTES, _MAX_SEQUENCE)):
        sector = _sector(file, number)
        tag = _tag(sector)
        if tag == 1:
            names[1] = _dstring(sector[24:56])
        elif tag == 6:
            names[0] = _dstring(sector[84:212])
        elif tag == 5:
            first, count = struct.unpack_from("<II", sector, 188)
            end_bytes = max(end_bytes, (first + count) * _SECTOR_BYTES)
        elif tag in (None, 8):  # unreadable, terminator
            break
    return UdfVolume(next((names[key] for key in sorted(names) if names[key]), ""), end_bytes)


def _sector(file: BinaryIO, number: int) -> bytes:
    file.seek(number * _SECTOR_BYTES)
    return file.read(_SECTOR_BYTES)


def _tag(sector: bytes) -> int | None:
    """The descriptor's tag identifier, or None when the tag's checksum is wrong."""
    if len(sector) < _SECTOR_BYTES or (sum(sector[:16]) - sector[4]) & 0xFF != sector[4]:
        return None
    return int.from_bytes(sector[:2], "little")


def _dstring(field: bytes) -> str:
    """OSTA compressed unicode: a leading 8 or 16 bits a character, the used length in the last byte."""
    used = field[1 : field[-1]] if field[-1] else b""
    if field[0] == 8:
        return used.decode("latin-1")
    if field[0] == 16:
        return used.decode("utf-16-be", errors="replace")
    return ""
