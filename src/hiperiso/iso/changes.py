"""Changes over an image whose file is never written: sectors with other content, and files in place of sectors.

::

    image    |---------------------------------------------|
    pieces        |== a file ==|                            |==== a larger file ====|
    sectors     #   #                          ##             #
    seen     |--#---#==========|---------------##-----------|=#=====================|
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hiperiso.iso.reader import SECTOR_BYTES


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the host from sector `start` on; the rest of its last sector is zeros."""

    start: int
    file: Path
    size_bytes: int

    @property
    def sectors(self) -> int:
        """How many sectors it covers."""
        return -(-self.size_bytes // SECTOR_BYTES)


class Changes:
    """All changes of one image.

    Args:
        image_bytes: the size of its file.

    Attributes:
        pieces: files in place of sectors.
        sectors: sector number -> its content, also over pieces.
        taken: directory records that were taken out of their sector: offset on the image -> length.
    """

    def __init__(self, image_bytes: int) -> None:
        self._image_bytes = image_bytes
        self.pieces: list[Piece] = []
        self.sectors: dict[int, bytes] = {}
        self.taken: dict[int, int] = {}

    @property
    def end(self) -> int:
        """The first sector past everything."""
        ends = (piece.start + piece.sectors for piece in self.pieces)
        return max([-(-self._image_bytes // SECTOR_BYTES), *ends, *(number + 1 for number in self.sectors)])

    @property
    def size_bytes(self) -> int:
        """The size of the changed image: whole sectors."""
        return self.end * SECTOR_BYTES

    def read(self, image: int, offset_bytes: int, size_bytes: int) -> bytes:
        """Bytes of the changed image; less at its end.

        Args:
            image: a descriptor of the image.
            offset_bytes: where to begin.
            size_bytes: how many.

        Raises:
            OSError: the image, or a file in it, cannot be read.
        """
        end = min(offset_bytes + size_bytes, self.size_bytes)
        if end <= offset_bytes:
            return b""
        data = bytearray(os.pread(image, end - offset_bytes, offset_bytes))
        data += bytes(end - offset_bytes - len(data))
        for piece in self.pieces:
            start = piece.start * SECTOR_BYTES
            low, high = max(offset_bytes, start), min(end, start + piece.sectors * SECTOR_BYTES)
            if low < high:
                data[low - offset_bytes : high - offset_bytes] = _of_file(piece, low - start, high - low)
        for number in range(offset_bytes // SECTOR_BYTES, -(-end // SECTOR_BYTES)):
            if (content := self.sectors.get(number)) is not None:
                at = number * SECTOR_BYTES
                low, high = max(offset_bytes, at), min(end, at + SECTOR_BYTES)
                data[low - offset_bytes : high - offset_bytes] = content[low - at : high - at]
        return bytes(data)

    def write(self, image: int, offset_bytes: int, data: bytes) -> None:
        """Change bytes. Raises OSError: the sectors around them cannot be read."""
        first, end = offset_bytes // SECTOR_BYTES, -(-(offset_bytes + len(data)) // SECTOR_BYTES)
        whole = bytearray(self.read(image, first * SECTOR_BYTES, (end - first) * SECTOR_BYTES))
        at = offset_bytes - first * SECTOR_BYTES
        whole[at : at + len(data)] = data
        for number in range(first, end):
            begin = (number - first) * SECTOR_BYTES
            self.sectors[number] = bytes(whole[begin : begin + SECTOR_BYTES])

    def changed(self, unit_sectors: int) -> Iterator[int]:
        """The numbers of the units of that many sectors that differ from the image, ascending."""
        units = {number // unit_sectors for number in self.sectors}
        for piece in self.pieces:
            units.update(
                range(piece.start // unit_sectors, -(-(piece.start + piece.sectors) // unit_sectors))
            )
        yield from sorted(units)


def _of_file(piece: Piece, offset_bytes: int, size_bytes: int) -> bytes:
    descriptor = os.open(piece.file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, max(0, min(size_bytes, piece.size_bytes - offset_bytes)), offset_bytes)
    finally:
        os.close(descriptor)
    return data + bytes(size_bytes - len(data))
