"""The UDF side of a replaced file: its file entry, and the size of partition and volume.

Layouts: ECMA-167 3/7.2 (tags, CRC), 3/10.5 (partition), 3/10.10 (integrity), 4/14.9, 4/14.17 (file entries), 4/14.14.2
(long allocation descriptors).
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator
from typing import Final

from hiperiso.errors import UsageError
from hiperiso.iso.changes import Changes
from hiperiso.iso.image import IsoImage
from hiperiso.iso.reader import SECTOR_BYTES
from hiperiso.iso.udf_volume import ANCHOR, LOGICAL_VOLUME, PARTITION, read_sequence, tag

_FILE_ENTRY, _EXTENDED_FILE_ENTRY, _INTEGRITY = 261, 266, 9
_MAX_EXTENT_BYTES: Final = (1 << 30) - SECTOR_BYTES
_LONG: Final = 1  # type of allocation descriptors
_ANCHORS: Final = (256,)


def point(image: IsoImage, changes: Changes, entry_bytes: int, begin: int, size_bytes: int) -> None:
    """Let the file entry at `entry_bytes` describe a file of that size from sector `begin` on.

    Raises:
        UsageError: the entry has no room for it.
    """
    sector = bytearray(changes.read(image.descriptor, entry_bytes, SECTOR_BYTES))
    kind = int.from_bytes(sector[:2], "little")
    extended = kind == _EXTENDED_FILE_ENTRY
    lengths = 208 if extended else 168
    (attributes,) = struct.unpack_from("<I", sector, lengths)
    reference, first = _partition(image)
    area = b"".join(_descriptors(begin - first, size_bytes, reference))
    at = lengths + 8 + attributes
    if kind not in (_FILE_ENTRY, _EXTENDED_FILE_ENTRY) or at + len(area) > SECTOR_BYTES:
        raise UsageError("conf_replace: the UDF entry of the file has no room for the new one")
    struct.pack_into("<Q", sector, 56, size_bytes)
    if extended:
        struct.pack_into("<Q", sector, 64, size_bytes)
    struct.pack_into("<Q", sector, 72 if extended else 64, -(-size_bytes // SECTOR_BYTES))
    struct.pack_into("<I", sector, lengths + 4, len(area))
    sector[34] = sector[34] & ~0x07 | _LONG
    sector[at:] = area + bytes(SECTOR_BYTES - at - len(area))
    struct.pack_into("<H", sector, 10, at + len(area) - 16)
    changes.write(image.descriptor, entry_bytes, _tagged(bytes(sector)))


def grow(image: IsoImage, changes: Changes) -> None:
    """Let partition and volume reach to the end of the changed image, in every copy of the descriptors.

    A further anchor follows: readers look for it in the last sector, too.
    """
    reader = image.reader()
    sequence = read_sequence(reader)
    if sequence is None:
        return
    for at in _sequence_sectors(image):
        sector = bytearray(changes.read(image.descriptor, at * SECTOR_BYTES, SECTOR_BYTES))
        kind = tag(bytes(sector))
        if kind == PARTITION:
            first, count = struct.unpack_from("<II", sector, 188)
            struct.pack_into("<I", sector, 192, max(count, changes.end - first))
            changes.write(image.descriptor, at * SECTOR_BYTES, _tagged(bytes(sector)))
        elif kind == LOGICAL_VOLUME:
            _grow_integrity(image, changes, int.from_bytes(sector[436:440], "little"))
    anchor = bytearray(reader.sector(sequence.anchor))
    anchor[12:16] = changes.end.to_bytes(4, "little")
    changes.write(image.descriptor, changes.end * SECTOR_BYTES, _tagged(bytes(anchor)))


def _descriptors(block: int, size_bytes: int, reference: int) -> Iterator[bytes]:
    """Long allocation descriptors of contiguous blocks."""
    while size_bytes > 0:
        part = min(size_bytes, _MAX_EXTENT_BYTES)
        yield struct.pack("<IIH6x", part, block, reference)
        block += part // SECTOR_BYTES
        size_bytes -= part


def _partition(image: IsoImage) -> tuple[int, int]:
    """The reference number of the first partition map of type 1, and where that partition begins."""
    sequence = read_sequence(image.reader())
    sectors = sequence.sectors if sequence else ()
    starts = {
        int.from_bytes(sector[22:24], "little"): int.from_bytes(sector[188:192], "little")
        for sector in sectors
        if tag(sector) == PARTITION
    }
    for sector in sectors:
        if tag(sector) != LOGICAL_VOLUME:
            continue
        length, count = struct.unpack_from("<II", sector, 264)
        table, at = sector[440 : 440 + length], 0
        for reference in range(count):
            if table[at : at + 1] == b"\1":
                return reference, starts[int.from_bytes(table[at + 4 : at + 6], "little")]
            at += table[at + 1] if at + 1 < len(table) and table[at + 1] else len(table)
    raise UsageError("conf_replace: the UDF volume has no plain partition")


def _sequence_sectors(image: IsoImage) -> Iterator[int]:
    """The sectors of the main and the reserve volume descriptor sequence."""
    last = image.info.size_bytes // SECTOR_BYTES - 1
    reader = image.reader()
    seen: set[int] = set()
    for number in (*_ANCHORS, last, last - 256):
        anchor = reader.sector(number) if number > 0 else b""
        if tag(anchor) != ANCHOR:
            continue
        for length, start in (struct.unpack_from("<II", anchor, 16), struct.unpack_from("<II", anchor, 24)):
            for sector in range(start, start + min(length // SECTOR_BYTES, 64)):
                if sector not in seen:
                    seen.add(sector)
                    yield sector


def _grow_integrity(image: IsoImage, changes: Changes, at: int) -> None:
    """The sizes in the logical volume integrity descriptor."""
    sector = bytearray(changes.read(image.descriptor, at * SECTOR_BYTES, SECTOR_BYTES))
    if tag(bytes(sector)) != _INTEGRITY:
        return
    (count,) = struct.unpack_from("<I", sector, 72)
    reference, first = _partition(image)
    field = 80 + 4 * count + 4 * reference
    if field + 4 <= SECTOR_BYTES:
        (size,) = struct.unpack_from("<I", sector, field)
        struct.pack_into("<I", sector, field, max(size, changes.end - first))
        changes.write(image.descriptor, at * SECTOR_BYTES, _tagged(bytes(sector)))


def _tagged(sector: bytes) -> bytes:
    """The descriptor with the CRC and the checksum of its tag made anew."""
    out = bytearray(sector)
    length = int.from_bytes(out[10:12], "little")
    struct.pack_into("<H", out, 8, binascii.crc_hqx(bytes(out[16 : 16 + length]), 0))
    out[4] = (sum(out[:16]) - out[4]) & 0xFF
    return bytes(out)
