"""The files of a FAT file system inside an image: an EFI boot image of El Torito, an EFI system partition.

Read within limits and without a mount. Sources: Microsoft, *FAT: General Overview of On-Disk Format* 1.03 (boot sector,
cluster chains, directory entries, long names); UEFI 2.10, section 13.3 (what firmware must read).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from hiperiso.iso.reader import LimitReached
from hiperiso.iso.tree import Tree

Read = Callable[[int, int], bytes]
"""Takes an offset in the file system and a number of bytes; returns at most that many. May raise `LimitReached`."""

_ENTRY_BYTES: Final = 32
_LONG_NAME, _VOLUME, _DIRECTORY = 0x0F, 0x08, 0x10
_MAX_DEPTH: Final = 12
_MAX_FILES: Final = 20_000
_MAX_DIRECTORY_BYTES: Final = 2 << 20
_MAX_CHAIN: Final = 1 << 20
_SECTOR_SIZES: Final = (512, 1024, 2048, 4096)


@dataclass(frozen=True)
class FatGeometry:
    """Where things are, in bytes from the start of the file system; `tables` copies of the table of clusters."""

    bits: int
    table: int
    tables: int
    table_bytes: int
    root: int
    root_bytes: int
    root_cluster: int
    data: int
    cluster_bytes: int
    clusters: int


@dataclass(frozen=True)
class _File:
    """Where a file begins, and its size."""

    cluster: int
    size_bytes: int


class FatTree(Tree):
    """Files by path. Case is ignored where no file has the exact name, as firmware does."""

    def __init__(self, read: Read, geometry: FatGeometry, files: dict[str, _File]) -> None:
        super().__init__({path: file.size_bytes for path, file in files.items()}, {})
        self._bytes = read
        self._geometry = geometry
        self._places = files

    def _read(self, real: str, max_bytes: int, offset_bytes: int) -> bytes:
        file = self._places[real]
        wanted = min(max_bytes, file.size_bytes - offset_bytes)
        found = bytearray()
        size = self._geometry.cluster_bytes
        try:
            for number, cluster in enumerate(chain(self._bytes, self._geometry, file.cluster)):
                start = number * size
                if len(found) >= wanted:
                    break
                if start + size <= offset_bytes:
                    continue
                skip = max(0, offset_bytes - start)
                piece = self._bytes(cluster_offset(self._geometry, cluster) + skip, size - skip)
                found += piece
                if len(piece) < size - skip:
                    break
        except LimitReached:
            pass
        return bytes(found[: max(wanted, 0)])


def read_fat(read: Read) -> FatTree | None:
    """The files of the FAT12, FAT16 or FAT32 file system at offset 0; None where there is none."""
    try:
        geometry = geometry_of(read(0, 512))
        return None if geometry is None else FatTree(read, geometry, dict(_walk(read, geometry)))
    except LimitReached:
        return None


def geometry_of(boot: bytes) -> FatGeometry | None:
    """The layout that a boot sector describes; None where it is none of FAT."""
    if len(boot) < 512 or boot[510:512] != b"\x55\xaa":
        return None
    sector, per_cluster, reserved, tables, root_entries, small_total = struct.unpack_from("<HBHBHH", boot, 11)
    (small_table,) = struct.unpack_from("<H", boot, 22)
    large_total, large_table = struct.unpack_from("<II", boot, 32)
    total, table_sectors = small_total or large_total, small_table or large_table
    if sector not in _SECTOR_SIZES or per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128):
        return None
    if not (reserved and 0 < tables <= 4 and table_sectors and total):
        return None
    root = reserved + tables * table_sectors
    root_sectors = -(-root_entries * _ENTRY_BYTES // sector)
    clusters = (total - root - root_sectors) // per_cluster
    if clusters <= 0:
        return None
    bits = 12 if clusters < 4085 else 16 if clusters < 65525 else 32
    return FatGeometry(
        bits=bits,
        table=reserved * sector,
        tables=tables,
        table_bytes=table_sectors * sector,
        root=root * sector,
        root_bytes=root_entries * _ENTRY_BYTES,
        root_cluster=struct.unpack_from("<I", boot, 44)[0] if bits == 32 else 0,
        data=(root + root_sectors) * sector,
        cluster_bytes=per_cluster * sector,
        clusters=clusters,
    )


def _walk(read: Read, geometry: FatGeometry) -> Iterator[tuple[str, _File]]:
    todo = deque([("", geometry.root_cluster, 0)])
    seen: set[int] = set()
    left = _MAX_FILES
    while todo:
        folder, cluster, depth = todo.popleft()
        if cluster in seen:
            continue
        seen.add(cluster)
        for _, name, attributes, first, size_bytes in _entries(_directory(read, geometry, cluster)):
            left -= 1
            if left < 0:
                return
            path = f"{folder}/{name}"
            if attributes & _DIRECTORY:
                if depth < _MAX_DEPTH and first:
                    todo.append((path, first, depth + 1))
            else:
                yield path, _File(first, size_bytes)


def _directory(read: Read, geometry: FatGeometry, cluster: int) -> bytes:
    if not cluster:
        return read(geometry.root, min(geometry.root_bytes, _MAX_DIRECTORY_BYTES))
    found = bytearray()
    for number in chain(read, geometry, cluster):
        found += read(cluster_offset(geometry, number), geometry.cluster_bytes)
        if len(found) >= _MAX_DIRECTORY_BYTES:
            break
    return bytes(found)


def _entries(directory: bytes) -> Iterator[tuple[int, str, int, int, int]]:
    """Offset, name, attributes, first cluster and size of each entry."""
    long_name: list[bytes] = []
    for at in range(0, len(directory) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        entry = directory[at : at + _ENTRY_BYTES]
        if entry[0] == 0:
            return
        attributes = entry[11]
        if entry[0] == 0xE5:
            long_name = []
        elif attributes & 0x3F == _LONG_NAME:
            long_name = [
                entry[1:11] + entry[14:26] + entry[28:32],
                *(long_name if not entry[0] & 0x40 else []),
            ]
        else:
            name = _long(long_name) or _short(entry)
            long_name = []
            if attributes & _VOLUME or name in (".", "..") or "/" in name:
                continue
            high, low = struct.unpack_from("<H4xH", entry, 20)
            yield at, name, attributes, high << 16 | low, struct.unpack_from("<I", entry, 28)[0]


def _long(parts: list[bytes]) -> str:
    text = b"".join(parts).decode("utf-16-le", "replace")
    return text.partition("\0")[0].rstrip("\uffff")


def _short(entry: bytes) -> str:
    raw = (b"\xe5" + entry[1:11]) if entry[0] == 0x05 else entry[:11]
    name, extension = (part.decode("cp437").rstrip() for part in (raw[:8], raw[8:11]))
    lower = entry[12]
    name = name.lower() if lower & 0x08 else name
    extension = extension.lower() if lower & 0x10 else extension
    return f"{name}.{extension}" if extension else name


def chain(read: Read, geometry: FatGeometry, cluster: int) -> Iterator[int]:
    """The clusters of a file in their order; a circular chain is cut at the maximum length."""
    for _ in range(min(geometry.clusters, _MAX_CHAIN)):
        if not 2 <= cluster < geometry.clusters + 2:
            return
        yield cluster
        cluster = _next(read, geometry, cluster)


def _next(read: Read, geometry: FatGeometry, cluster: int) -> int:
    if geometry.bits == 12:
        pair = read(geometry.table + cluster * 3 // 2, 2)
        value = int.from_bytes(pair, "little")
        return (value >> 4 if cluster & 1 else value & 0xFFF) if len(pair) == 2 else 0
    width = geometry.bits // 8
    return int.from_bytes(read(geometry.table + cluster * width, width), "little") & 0x0FFFFFFF


def cluster_offset(geometry: FatGeometry, cluster: int) -> int:
    """Where a cluster begins."""
    return geometry.data + (cluster - 2) * geometry.cluster_bytes


def locate(read: Read, path: str) -> tuple[int, int, int] | None:
    """Where the directory entry of a file is, its first cluster, and its size in bytes; case is ignored.

    Returns:
        None where there is no such file, or no FAT file system.
    """
    geometry = geometry_of(read(0, 512))
    entry_bytes = -1
    cluster, parts = geometry.root_cluster if geometry else 0, [part for part in path.split("/") if part]
    for depth, part in enumerate(parts):
        if geometry is None:
            return None
        for offset, piece in _directory_pieces(read, geometry, cluster):
            found = _find(piece, part, directory=depth + 1 < len(parts))
            if found is not None:
                at, cluster, size_bytes = found
                entry_bytes = offset + at
                break
        else:
            return None
        if depth + 1 == len(parts):
            return entry_bytes, cluster, size_bytes
    return None


def _find(piece: bytes, name: str, *, directory: bool) -> tuple[int, int, int] | None:
    """Offset in the piece, first cluster and size of the entry of that name."""
    for at, found, attributes, first, size_bytes in _entries(piece):
        if found.casefold() == name.casefold() and bool(attributes & _DIRECTORY) is directory:
            return at, first, size_bytes
    return None


def _directory_pieces(read: Read, geometry: FatGeometry, cluster: int) -> Iterator[tuple[int, bytes]]:
    """A directory's offset and bytes: the root of FAT12 and FAT16 whole, others by clusters that follow each other."""
    if not cluster:
        yield geometry.root, read(geometry.root, min(geometry.root_bytes, _MAX_DIRECTORY_BYTES))
        return
    begin, count, last = 0, 0, -1
    for number in chain(read, geometry, cluster):
        if count and number == last + 1 and count * geometry.cluster_bytes < _MAX_DIRECTORY_BYTES:
            count += 1
        else:
            if count:
                yield begin, read(begin, count * geometry.cluster_bytes)
            begin, count = cluster_offset(geometry, number), 1
        last = number
    if count:
        yield begin, read(begin, count * geometry.cluster_bytes)
