"""The location of the files of a UDF volume.

Layouts: ECMA-167 parts 3 (volume descriptors) and 4 (file set, file identifiers, file entries); UDF 2.60, 2.2.10
(metadata partition). Sectors of 2048 bytes, as every optical medium has them.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from hiperiso.contract.disk import Place
from hiperiso.iso.contents import HOLE, RANK_DIRECTORY, RANK_FILE, RANK_STRUCTURE, Contents, Extent
from hiperiso.iso.reader import SECTOR_BYTES, ImageReader
from hiperiso.iso.udf_volume import LOGICAL_VOLUME, PARTITION, Sequence, read_sequence, tag

_FILE_SET, _FILE_IDENTIFIER, _FILE_ENTRY, _EXTENDED_FILE_ENTRY = 256, 257, 261, 266
_DIRECTORY, _DELETED, _PARENT = 0x02, 0x04, 0x08
_MAX_EXTENTS: Final = 4096
_MAX_DIRECTORY_BYTES: Final = 8 << 20
_MAX_DEPTH: Final = 64
_MAX_LINK_BYTES: Final = 4096
_SYMBOLIC_LINK: Final = 12


class _Recorded(NamedTuple):
    """Contiguous sectors of a file; sector -1 for unrecorded ones, which are zeros."""

    sector: int
    size_bytes: int


class _Icb(NamedTuple):
    """The location of a file entry: its sector, and the partition number that its short descriptors refer to."""

    sector: int
    partition: int


class _Entry(NamedTuple):
    """A file entry: length of its data, its location, or the data itself where it is embedded in the entry.

    ``embedded_at``: offset of embedded data within the entry's sector.
    """

    size_bytes: int
    extents: list[_Recorded]
    embedded: bytes | None
    embedded_at: int
    is_link: bool


class _Partition:
    """Block numbers of one partition map to sectors of the reader."""

    def __init__(self, start: int, extents: list[_Recorded] | None = None) -> None:
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


def walk(reader: ImageReader, contents: Contents) -> bool:
    """Add every directory and file of the UDF volume to `contents`; False where there is none.

    Raises:
        LimitReached: the medium is too large or crafted to be endless; what was found is in the contents.
    """
    sequence = read_sequence(reader)
    if sequence is None:
        return False
    _claim_descriptors(contents, sequence)
    partitions, file_set = _logical_volume(reader, sequence.sectors)
    sector = reader.sector(file_set.sector) if file_set else b""
    if tag(sector) != _FILE_SET:
        return False
    root = _resolve(partitions, sector[400:416])
    if root is None:
        return False
    queue = deque([(root, contents.add_root("udf"), 0)])
    seen = {root.sector}
    while queue:
        icb, node, depth = queue.popleft()
        contents.claim(node, icb.sector, 1, RANK_DIRECTORY)
        entry = _entry(reader, partitions, icb)
        if entry is None:
            continue
        for extent in entry.extents:
            contents.claim(node, extent.sector, _count(extent.size_bytes), RANK_DIRECTORY)
        for name, is_directory, child_icb in _children(partitions, _data(reader, entry)):
            if child_icb.sector in seen:
                continue
            seen.add(child_icb.sector)
            if not is_directory:
                child_entry = _entry(reader, partitions, child_icb)
                if child_entry:
                    file = _add_file(contents, node, name, child_icb, child_entry)
                    if child_entry.is_link:
                        contents.links[file] = _link_text(_data(reader, child_entry)[:_MAX_LINK_BYTES])
            elif depth < _MAX_DEPTH:
                child = contents.add(node, name, Place.DIRECTORY, lba=child_icb.sector)
                queue.append((child_icb, child, depth + 1))
    return True


def _add_file(contents: Contents, parent: int, name: str, icb: _Icb, entry: _Entry) -> int:
    lba = next((extent.sector for extent in entry.extents if extent.sector >= 0), icb.sector)
    node = contents.add(parent, name, Place.FILE, size_bytes=entry.size_bytes, lba=lba)
    contents.claim(node, icb.sector, 1, RANK_DIRECTORY if entry.embedded is None else RANK_FILE)
    for extent in entry.extents:
        contents.claim(node, extent.sector, _count(extent.size_bytes), RANK_FILE)
    contents.extents[node] = _placed(icb, entry)
    contents.records[node] = [icb.sector * SECTOR_BYTES]
    return node


def _placed(icb: _Icb, entry: _Entry) -> list[Extent]:
    """Where the bytes of a file are on the image."""
    if entry.embedded is not None:
        return [Extent(icb.sector * SECTOR_BYTES + entry.embedded_at, len(entry.embedded))]
    return [
        Extent(HOLE if extent.sector < 0 else extent.sector * SECTOR_BYTES, extent.size_bytes)
        for extent in entry.extents
    ]


def _link_text(components: bytes) -> str:
    """The target of a symbolic link, from its path components (ECMA-167 4/14.16)."""
    parts: list[str] = []
    at = 0
    while at + 4 <= len(components):
        kind, length = components[at], components[at + 1]
        name = components[at + 4 : at + 4 + length]
        at += 4 + length
        if kind in (1, 2):  # the root
            parts = [""]
        else:
            parts.append({3: "..", 4: "."}.get(kind) or _name(name))
    return "/".join(parts) if parts != [""] else "/"


# ── volume ──


def _claim_descriptors(contents: Contents, sequence: Sequence) -> None:
    node = contents.add(-1, "[UDF descriptors]", Place.STRUCTURE, lba=sequence.anchor)
    contents.claim(node, sequence.anchor, 1, RANK_STRUCTURE)
    contents.claim(node, sequence.start, sequence.count, RANK_STRUCTURE)


def _logical_volume(reader: ImageReader, sequence: tuple[bytes, ...]) -> tuple[list[_Partition], _Icb | None]:
    """The partitions by reference number, and where the file set descriptor is."""
    starts: dict[int, int] = {}
    volume = b""
    for sector in sequence:
        if tag(sector) == PARTITION:
            starts[int.from_bytes(sector[22:24], "little")] = int.from_bytes(sector[188:192], "little")
        elif tag(sector) == LOGICAL_VOLUME:
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
        partitions.append(_partition(reader, record, starts, partitions))
    return partitions, _resolve(partitions, volume[248:264])


def _partition(
    reader: ImageReader, record: bytes, starts: dict[int, int], before: list[_Partition]
) -> _Partition:
    physical = record[0] == 1 or len(record) < 48
    number = int.from_bytes(record[4:6] if physical else record[38:40], "little")
    start = starts.get(number, next(iter(starts.values())))
    if physical or not record[5:].startswith(b"*UDF Metadata Partition"):
        return _Partition(start)
    location = int.from_bytes(record[40:44], "little")
    entry = _entry(reader, [*before, _Partition(start)], _Icb(start + location, len(before)))
    return _Partition(start, entry.extents if entry else [])


def _resolve(partitions: list[_Partition], long_ad: bytes) -> _Icb | None:
    """The target of a long allocation descriptor."""
    if len(long_ad) < 10:
        return None
    block, reference = struct.unpack_from("<IH", long_ad, 4)
    sector = partitions[reference].sector(block) if reference < len(partitions) else None
    return None if sector is None else _Icb(sector, reference)


# ── files ──


def _entry(reader: ImageReader, partitions: list[_Partition], icb: _Icb) -> _Entry | None:
    sector = reader.sector(icb.sector)
    entry_tag = tag(sector)
    if entry_tag not in (_FILE_ENTRY, _EXTENDED_FILE_ENTRY):
        return None
    lengths = 168 if entry_tag == _FILE_ENTRY else 208
    size_bytes: int = struct.unpack_from("<Q", sector, 56)[0]
    attributes, descriptors = struct.unpack_from("<II", sector, lengths)
    begin = lengths + 8 + attributes
    area = sector[begin : begin + descriptors]
    is_link = sector[27] == _SYMBOLIC_LINK
    kind = sector[34] & 0x07
    if kind == 3:
        return _Entry(size_bytes, [], area[: min(size_bytes, len(area))], begin, is_link)
    short = icb.partition if kind == 0 else None
    extents = list(_extents(reader, partitions, area, short))
    return _Entry(size_bytes, extents, None, 0, is_link)


def _extents(
    reader: ImageReader, partitions: list[_Partition], area: bytes, short: int | None
) -> Iterator[_Recorded]:
    """The recorded extents; an allocation descriptor of type 3 continues the list elsewhere.

    `short` is the partition of short descriptors, which do not contain it; None for long ones.
    """
    step = 16 if short is None else 8
    at = found = 0
    while at + step <= len(area) and found < _MAX_EXTENTS:
        reader.spend(step)
        raw, block = struct.unpack_from("<II", area, at)
        size_bytes, kind = raw & 0x3FFFFFFF, raw >> 30
        reference = struct.unpack_from("<H", area, at + 8)[0] if short is None else short
        at += step
        sector = partitions[reference].sector(block) if reference < len(partitions) else None
        if size_bytes == 0:
            return
        found += 1
        if kind in (1, 2):
            yield _Recorded(-1, size_bytes)
        elif sector is None:
            continue
        elif kind == 3:
            following = reader.read(sector * SECTOR_BYTES, min(size_bytes, SECTOR_BYTES))
            length = int.from_bytes(following[20:24], "little")  # past the tag: ECMA-167 4/14.5
            area, at = following[24 : 24 + length], 0
        elif kind == 0:
            yield _Recorded(sector, size_bytes)


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


def _data(reader: ImageReader, entry: _Entry) -> bytes:
    if entry.embedded is not None:
        return entry.embedded
    data = bytearray()
    left = min(entry.size_bytes, _MAX_DIRECTORY_BYTES)
    for extent in entry.extents:
        if left <= 0:
            break
        piece = reader.read(extent.sector * SECTOR_BYTES, min(extent.size_bytes, left))
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
