"""The descriptors of a UDF volume: its sequence, name and extent.

Layout: ECMA-167 part 3: an anchor (sector 256, the last one, or 256 before that) points to the volume descriptor
sequence, which holds the primary volume descriptor (tag 1), partition descriptors (5) and the logical volume
descriptor (6).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from hiperiso.iso.reader import SECTOR_BYTES, ImageReader

PRIMARY, ANCHOR, PARTITION, LOGICAL_VOLUME, TERMINATOR = 1, 2, 5, 6, 8
"""Tag identifiers."""

_ANCHOR_SECTOR: Final = 256
_MAX_SEQUENCE: Final = 64

SMALLEST_BYTES: Final = (_ANCHOR_SECTOR + 1) * SECTOR_BYTES
"""No volume ends before its anchor."""


@dataclass(frozen=True)
class Sequence:
    """A volume descriptor sequence: the location of its anchor, its own, and its sectors up to the terminator."""

    anchor: int
    start: int
    count: int
    sectors: tuple[bytes, ...]


@dataclass(frozen=True)
class UdfVolume:
    """A UDF volume.

    Attributes:
        name: the logical volume identifier, else the volume identifier; empty where absent.
        end_bytes: where its last partition ends; 0 when unknown.
    """

    name: str
    end_bytes: int


def read_volume(reader: ImageReader) -> UdfVolume | None:
    """The UDF volume of an image, or None where no anchor leads to its descriptors. Raises `LimitReached`."""
    sequence = read_sequence(reader)
    if sequence is None:
        return None
    names: dict[int, str] = {}
    end_bytes = 0
    for sector in sequence.sectors:
        kind = tag(sector)
        if kind == PRIMARY:
            names[1] = _dstring(sector[24:56])
        elif kind == LOGICAL_VOLUME:
            names[0] = _dstring(sector[84:212])
        elif kind == PARTITION:
            first, count = struct.unpack_from("<II", sector, 188)
            end_bytes = max(end_bytes, (first + count) * SECTOR_BYTES)
    return UdfVolume(next((names[key] for key in sorted(names) if names[key]), ""), end_bytes)


def read_sequence(reader: ImageReader) -> Sequence | None:
    """The sequence that the first good anchor points to. Raises `LimitReached`."""
    last = reader.size_bytes // SECTOR_BYTES - 1
    for number in (_ANCHOR_SECTOR, last, last - _ANCHOR_SECTOR):
        anchor = reader.sector(number) if number > 0 else b""
        if tag(anchor) != ANCHOR:
            continue
        length_bytes, start = struct.unpack_from("<II", anchor, 16)
        count = min(length_bytes // SECTOR_BYTES, _MAX_SEQUENCE)
        found: list[bytes] = []
        for at in range(start, start + count):
            sector = reader.sector(at)
            if tag(sector) in (None, TERMINATOR):
                break
            found.append(sector)
        if found:
            return Sequence(number, start, count, tuple(found))
    return None


def tag(sector: bytes) -> int | None:
    """The descriptor's tag identifier, or None when the tag's checksum is wrong."""
    if len(sector) < SECTOR_BYTES or (sum(sector[:16]) - sector[4]) & 0xFF != sector[4]:
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
