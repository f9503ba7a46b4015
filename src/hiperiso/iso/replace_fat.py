"""A file inside an EFI boot image (FAT) replaced: in its clusters, with further ones where it has grown.

Source: Microsoft, *FAT: General Overview of On-Disk Format* 1.03.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from hiperiso.errors import UsageError
from hiperiso.iso.changes import Changes
from hiperiso.iso.fat import FatGeometry, chain, cluster_offset, geometry_of, locate
from hiperiso.iso.image import IsoImage

_END: Final = {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFFFFFF}


def replace(image: IsoImage, changes: Changes, start_bytes: int, path: str, content: bytes) -> int | None:
    """Replace the file at `path` of the file system that begins at `start_bytes`; returns its old size.

    Returns:
        None where there is no such file, or no FAT file system.

    Raises:
        UsageError: it has not enough free clusters.
    """
    fat = _Fat(image, changes, start_bytes)
    place = locate(fat.read, path)
    if fat.geometry is None or place is None:
        return None
    entry_bytes, first, old_bytes = place
    clusters = list(chain(fat.read, fat.geometry, first)) if first else []
    needed = -(-len(content) // fat.geometry.cluster_bytes)
    if needed > len(clusters):
        free = fat.free(needed - len(clusters))
        if len(clusters) + len(free) < needed:
            room = (len(clusters) + len(free)) * fat.geometry.cluster_bytes
            raise UsageError(
                f"conf_replace: {path} inside the EFI boot image has room for {room} bytes, not {len(content)}",
                hint="use a smaller file",
            )
        clusters += free
    kept, left = clusters[:needed], clusters[needed:]
    for number, cluster in enumerate(kept):
        at = number * fat.geometry.cluster_bytes
        piece = content[at : at + fat.geometry.cluster_bytes].ljust(fat.geometry.cluster_bytes, b"\0")
        fat.write(cluster_offset(fat.geometry, cluster), piece)
        fat.link(cluster, kept[number + 1] if number + 1 < needed else _END[fat.geometry.bits])
    for cluster in left:
        fat.link(cluster, 0)
    begin = kept[0] if kept else 0
    entry = bytearray(fat.read(entry_bytes, 32))
    struct.pack_into("<H", entry, 20, begin >> 16)
    struct.pack_into("<HI", entry, 26, begin & 0xFFFF, len(content))
    fat.write(entry_bytes, bytes(entry))
    return old_bytes


class _Fat:
    """A FAT file system of an image, read and written through the changes."""

    def __init__(self, image: IsoImage, changes: Changes, start_bytes: int) -> None:
        self._image, self._changes, self._start = image, changes, start_bytes
        self.geometry: FatGeometry | None = geometry_of(self.read(0, 512))

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        return self._changes.read(self._image.descriptor, self._start + offset_bytes, size_bytes)

    def write(self, offset_bytes: int, data: bytes) -> None:
        self._changes.write(self._image.descriptor, self._start + offset_bytes, data)

    def free(self, count: int) -> list[int]:
        """Up to that many free clusters."""
        found: list[int] = []
        for cluster, value in self._entries():
            if value == 0:
                found.append(cluster)
            if len(found) == count:
                break
        return found

    def _entries(self) -> Iterator[tuple[int, int]]:
        assert self.geometry is not None
        bits, count = self.geometry.bits, self.geometry.clusters + 2
        table = self.read(self.geometry.table, -(-count * bits // 8) + 1)
        for cluster in range(2, count):
            yield cluster, _value(table, bits, cluster)

    def link(self, cluster: int, value: int) -> None:
        """Set the entry of a cluster in every copy of the table."""
        geometry = self.geometry
        assert geometry is not None
        for copy in range(geometry.tables):
            table = geometry.table + copy * geometry.table_bytes
            if geometry.bits == 12:
                at = table + cluster * 3 // 2
                pair = int.from_bytes(self.read(at, 2), "little")
                pair = pair & 0x000F | value << 4 if cluster & 1 else pair & 0xF000 | value
                self.write(at, pair.to_bytes(2, "little"))
            else:
                width = geometry.bits // 8
                at = table + cluster * width
                kept = int.from_bytes(self.read(at, width), "little") & 0xF0000000 if width == 4 else 0
                self.write(at, (kept | value).to_bytes(width, "little"))


def _value(table: bytes, bits: int, cluster: int) -> int:
    if bits == 12:
        pair = int.from_bytes(table[cluster * 3 // 2 : cluster * 3 // 2 + 2], "little")
        return pair >> 4 if cluster & 1 else pair & 0xFFF
    width = bits // 8
    return int.from_bytes(table[cluster * width : (cluster + 1) * width], "little") & 0x0FFFFFFF
