"""Where the files of a UDF volume lie.

Layouts: ECMA-167 parts 3 (volume descriptors) and 4 (file set, file identifiers, file entries); UDF 2.60, 2.2.10
(metadata partition). Sectors of 2048 bytes, as every optical medium has them.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from hiperiso.contract.disk import Place
from hiperiso.iso.iso9660 import RANK_DIRECTORY, RANK_FILE, RANK_STRUCTURE
from hiperiso.iso.medium import SECTOR_BYTES, Catalogue, Medium

_ANCHOR, _PARTITION, _LOGICAL_VOLUME, _TERMINATOR = 2, 5, 6, 8
_FILE_SET, _FILE_IDENTIFIER, _FILE_ENTRY, _EXTENDED_FILE_ENTRY = 256, 257, 261, 266
_DIRECTORY, _DELETED, _PARENT = 0x02, 0x04, 0x08
_MAX_SEQUENCE: Final = 64
_MAX_EXTENTS: Final = 4096
_MAX_DIRECTORY_BYTES: Final = 8 << 20
_MAX_DEPTH: Final = 64


class _Extent(NamedTuple):
    sector: int
    size_bytes: int


class _Icb(NamedTuple):
    """Where a file entry lies: its sector, and the number of the partition that its short descriptors mean."""

    sector: int
    partition: int


class _Entry(NamedTuple):
    """A file entry: length of its data, where it lies, or the data itself where it is inside the entry."""

    size_bytes: int
    extents: list[_Extent]
    embedded: bytes | None


class _Partition:
    """Block numbers of one partition map to sectors of the medium."""

    def __init__(self, start: int, extents: list[_Extent] | None = None) -> None:
        self._start = start
        self._extents = extents

    def sector(self, block: int) -> int | None:
        if self._extents is None:
            return self._start + block
        for extent in self._extents:  # of the metadata file
            blocks = extent.size_bytes // SECTOR_BYTES
            if block < blocks:
                return extent.sector + block
            block -= blocks
        return None


def walk(medium: Medium, catalogue: Catalogue) -> bool:
    """Add every directory and file of the UDF volume to the catalogue; False where there is none.

    Raises:
        LimitReached: the medium is too large or made to be endless; what was found is in the catalogue.
    """
    sequence = _volume_descriptors(medium, catalogue)
    partitions, file_set = _logical_volume(medium, sequence)
    sector = medium.sector(file_set.sector) if file_set else b""
    if _tag(sector) != _FILE_SET:
        return False
    root = _resolve(partitions, sector[400:416])
    if root is None:
        return False
    queue = deque([(root, catalogue.add(-1, "", Place.DIRECTORY), 0)])
    seen = {root.sector}
    while queue:
        icb, node, depth = queue.popleft()
        catalogue.claim(node, icb.sector, 1, RANK_DIRECTORY)
        entry = _entry(medium, partitions, icb)
        if entry is None:
            continue
        for extent in entry.extents:
            catalogue.claim(node, extent.sector, _count(extent.size_bytes), RANK_DIRECTORY)
        for name, is_directory, child_icb in _children(partitions, _data(medium, entry)):
            if child_icb.sector in seen:
                continue
            seen.add(child_icb.sector)
            if not is_directory:
                _add_file(catalogue, node, name, child_icb, _entry(medium, partitions, child_icb))
            elif depth < _MAX_DEPTH:
                child = catalogue.add(node, name, Place.DIRECTORY, lba=child_icb.sector)
                queue.append((child_icb, child, depth + 1))
    return True


def _add_file(catalogue: Catalogue, parent: int, name: str, icb: _Icb, entry: _Entry | None) -> None:
    if entry is None:
        return
    lba = entry.extents[0].sector if entry.extents else icb.sector
    node = catalogue.add(parent, name, Place.FILE, size_bytes=entry.size_bytes, lba=lba)
    catalogue.claim(node, icb.sector, 1, RANK_DIRECTORY if entry.embedded is None else RANK_FILE)
    for extent in entry.extents:
        catalogue.claim(node, extent.sector, _count(extent.size_bytes), RANK_FILE)


# ── volume ──


def _volume_descriptors(medium: Medium, catalogue: Catalogue) -> list[bytes]:
    """The descriptors of the sequence that the first good anchor points to."""
    last = medium.size_bytes // SECTOR_BYTES - 1
    for number in (256, last, last - 256):
        anchor = medium.sector(number) if number > 0 else b""
        if _tag(anchor) != _ANCHOR:
            continue
        node = catalogue.add(-1, "[UDF descriptors]", Place.STRUCTURE, lba=number)
        catalogue.claim(node, number, 1, RANK_STRUCTURE)
        length_bytes, start = struct.unpack_from("<II", anchor, 16)
        count = min(length_bytes // SECTOR_BYTES, _MAX_SEQUENCE)
        catalogue.claim(node, start, count, RANK_STRUCTURE)
        found: list[bytes] = []
        for at in range(start, start + count):
            sector = medium.sector(at)
            if _tag(sector) in (None, _TERMINATOR):
                break
            found.append(sector)
        if found:
            return found
    return []


def _logical_volume(medium: Medium, sequence: list[bytes]) -> tuple[list[_Partition], _Icb | None]:
    """The partitions by reference number, and where the file set descriptor is."""
    starts: dict[int, int] = {}
    volume = b""
    for sector in sequence:
        if _tag(sector) == _PARTITION:
            starts[int.from_bytes(sector[22:24], "little")] = int.from_bytes(sector[188:192], "little")
        elif _tag(sector) == _LOGICAL_VOLUME:
            volume = sector
    if not volume or not starts:
        return [], None
    length, count = struct.unpack_from("<II", volume, 264)
    table = volume[440 : 440 + min(length, SECTOR_BYTES)]
    partitions: list[_Partition] = []
    at = 0
    while at + 6 <= len(table) and len(partitions) < min(count, 8) and table[at + 1] >= 6:
        record = table[at : at + table[at + 1]]
        at += table[at + 1]
        partitions.append(_partition(medium, record, starts, partitions))
    return partitions, _resolve(partitions, volume[248:264])


def _partition(medium: Medium, record: bytes, starts: dict[int, int], before: list[_Partition]) -> _Partition:
    physical = record[0] == 1 or len(record) < 48
    number = int.from_bytes(record[4:6] if physical else record[38:40], "little")
    start = starts.get(number, next(iter(starts.values())))
    if physical or not record[5:].startswith(b"*UDF Metadata Partition"):
        return _Partition(start)
    location = int.from_bytes(record[40:44], "little")
    entry = _entry(medium, [*before, _Partition(start)], _Icb(start + location, len(before)))
    return _Partition(start, entry.extents if entry else [])


def _resolve(partitions: list[_Partition], long_ad: bytes) -> _Icb | None:
    """What a long allocation descriptor points to."""
    if len(long_ad) < 10:
        return None
    block, reference = struct.unpack_from("<IH", long_ad, 4)
    sector = partitions[reference].sector(block) if reference < len(partitions) else None
    return None if sector is None else _Icb(sector, reference)


# ── files ──


def _entry(medium: Medium, partitions: list[_Partition], icb: _Icb) -> _Entry | None:
    sector = medium.sector(icb.sector)
    tag = _tag(sector)
    if tag not in (_FILE_ENTRY, _EXTENDED_FILE_ENTRY):
        return None
    lengths = 168 if tag == _FILE_ENTRY else 208
    size_bytes: int = struct.unpack_from("<Q", sector, 56)[0]
    attributes, descriptors = struct.unpack_from("<II", sector, lengths)
    begin = lengths + 8 + attributes
    area = sector[begin : begin + descriptors]
    kind = sector[34] & 0x07
    if kind == 3:
        return _Entry(size_bytes, [], area[: min(size_bytes, len(area))])
    short = icb.partition if kind == 0 else None
    return _Entry(size_bytes, list(_extents(medium, partitions, area, short)), None)


def _extents(
    medium: Medium, partitions: list[_Partition], area: bytes, short: int | None
) -> Iterator[_Extent]:
    """The recorded extents; an allocation descriptor of type 3 continues the list elsewhere.

    `short` is the partition of short descriptors, which do not name it; None where they are long ones.
    """
    step = 16 if short is None else 8
    at = found = 0
    while at + step <= len(area) and found < _MAX_EXTENTS:
        medium.spend(step)
        raw, block = struct.unpack_from("<II", area, at)
        size_bytes, kind = raw & 0x3FFFFFFF, raw >> 30
        reference = struct.unpack_from("<H", area, at + 8)[0] if short is None else short
        at += step
        sector = partitions[reference].sector(block) if reference < len(partitions) else None
        if size_bytes == 0:
            return
        found += 1
        if sector is None:
            continue
        if kind == 3:
            following = medium.read(sector * SECTOR_BYTES, min(size_bytes, SECTOR_BYTES))
            length = int.from_bytes(following[20:24], "little")  # behind the tag: ECMA-167 4/14.5
            area, at = following[24 : 24 + length], 0
        elif kind == 0:
            yield _Extent(sector, size_bytes)


def _children(partitions: list[_Partition], data: bytes) -> Iterator[tuple[str, bool, _Icb]]:
    """Name, whether it is a directory, and where its entry is, for each file identifier of a directory."""
    at = 0
    while at + 38 <= len(data):
        if int.from_bytes(data[at : at + 2], "little") != _FILE_IDENTIFIER:
            return
        flags, name_bytes = data[at + 18], data[at + 19]
        use_bytes = int.from_bytes(data[at + 36 : at + 38], "little")
        begin = at + 38 + use_bytes
        icb = _resolve(partitions, data[at + 20 : at + 36])
        if not flags & (_DELETED | _PARENT) and icb is not None:
            yield _name(data[begin : begin + name_bytes]), bool(flags & _DIRECTORY), icb
        at += (38 + use_bytes + name_bytes + 3) & ~3


def _data(medium: Medium, entry: _Entry) -> bytes:
    if entry.embedded is not None:
        return entry.embedded
    data = bytearray()
    left = min(entry.size_bytes, _MAX_DIRECTORY_BYTES)
    for extent in entry.extents:
        if left <= 0:
            break
        piece = medium.read(extent.sector * SECTOR_BYTES, min(extent.size_bytes, left))
        data += piece
        left -= len(piece)
        if not piece:
            break
    return bytes(data)


def _name(field: bytes) -> str:
    """OSTA compressed unicode: 8 or 16 bits a character."""
    encoding = "utf-16-be" if field[:1] == b"\x10" else "latin-1"
    return field[1:].decode(encoding, "replace").replace("/", "\ufffd")


def _count(size_bytes: int) -> int:
    return -(-size_bytes // SECTOR_BYTES)


def _tag(sector: bytes) -> int | None:
    """The descriptor's tag identifier, or None when the tag's checksum is wrong."""
    if len(sector) < SECTOR_BYTES or (sum(sector[:16]) - sector[4]) & 0xFF != sector[4]:
        return None
    return int.from_bytes(sector[:2], "little")
