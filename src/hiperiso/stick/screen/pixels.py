"""Paints the pixels of a guest's picture into a framebuffer. Pure: works on any buffer.

A picture smaller than the screen is magnified by the largest integer factor that fits; a larger one is
reduced by omitting rows and columns; the border around it is black. No code here runs per pixel except for
reduced pictures: rows are copied, and magnified by strided copies.
"""

from __future__ import annotations

import functools
import operator
import struct
from dataclasses import dataclass
from typing import Final, Literal

_FORMATS: Final[dict[int, Literal["H", "I"]]] = {2: "H", 4: "I"}


@dataclass(frozen=True)
class PixelFormat:
    """The pixel format, in little-endian order: bytes, and for each colour its lowest bit and the number of bits."""

    size_bytes: int
    red: tuple[int, int]
    green: tuple[int, int]
    blue: tuple[int, int]

    @property
    def depth_bits(self) -> int:
        """The significant bits."""
        return self.red[1] + self.green[1] + self.blue[1]


XRGB: Final = PixelFormat(4, (16, 8), (8, 8), (0, 8))
"""Bytes blue, green, red, unused: the format of nearly every framebuffer."""


@dataclass(frozen=True)
class Surface:
    """A framebuffer: its size, the distance of its rows, and its pixels (2, 3 or 4 bytes each)."""

    width_px: int
    height_px: int
    stride_bytes: int
    format: PixelFormat

    @property
    def size_bytes(self) -> int:
        """The size from the first byte to the last."""
        return self.stride_bytes * self.height_px

    @property
    def source(self) -> PixelFormat:
        """The format of the pixels that `Painter` takes: the same colours, never in 3 bytes."""
        form = self.format
        return form if form.size_bytes != 3 else PixelFormat(4, form.red, form.green, form.blue)


@dataclass(frozen=True)
class Band:
    """Rows of a picture: `height_px` rows of `width_px` pixels from (`x_px`, `y_px`), row after row in `data`."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    data: bytes


@dataclass(frozen=True)
class Placement:
    """The position of a picture of one size on a surface.

    Attributes:
        left_px: black columns on the left.
        top_px: black rows above.
        width_px: width on the surface.
        height_px: height on the surface.
        factor: 1 or more: magnification; 0: the picture is reduced.
    """

    left_px: int
    top_px: int
    width_px: int
    height_px: int
    factor: int


def place(width_px: int, height_px: int, surface: Surface) -> Placement:
    """The position of a picture of that size on `surface`: centred, as large as its proportions allow."""
    factor = min(surface.width_px // width_px, surface.height_px // height_px)
    if factor:
        shown = (width_px * factor, height_px * factor)
    elif surface.width_px * height_px <= surface.height_px * width_px:
        shown = (surface.width_px, max(1, height_px * surface.width_px // width_px))
    else:
        shown = (max(1, width_px * surface.height_px // height_px), surface.height_px)
    left_px, top_px = (surface.width_px - shown[0]) // 2, (surface.height_px - shown[1]) // 2
    return Placement(left_px, top_px, *shown, factor)


class Painter:
    """Paints the pictures of one guest into one buffer."""

    def __init__(self, buffer: memoryview, surface: Surface) -> None:
        """Paint into `buffer`, writable and at least ``surface.size_bytes`` long. It is never read."""
        self._buffer = buffer
        self._surface = surface
        self._size_px = (1, 1)
        self._place = place(1, 1, surface)

    def resize(self, width_px: int, height_px: int) -> None:
        """Change the size of the picture: the surface is black until it is painted."""
        self._size_px = (width_px, height_px)
        self._place = place(width_px, height_px, self._surface)
        self.clear()

    def clear(self) -> None:
        """Make everything black."""
        row = bytes(self._surface.width_px * self._surface.format.size_bytes)
        for y_px in range(self._surface.height_px):
            self._put(0, y_px, row)

    def paint(self, band: Band) -> None:
        """Paint a part of the picture, in ``surface.source`` pixels and within its size."""
        if self._place.factor == 1 and self._whole(band):
            start = (self._place.top_px + band.y_px) * self._surface.stride_bytes
            self._buffer[start : start + len(band.data)] = band.data
        elif self._place.factor:
            self._magnify(band, self._place.factor)
        else:
            self._shrink(band)

    def _whole(self, band: Band) -> bool:
        """Whether the band has the same bytes in the buffer."""
        size_bytes = self._surface.format.size_bytes
        return (
            size_bytes == self._surface.source.size_bytes
            and band.width_px == self._surface.width_px
            and band.width_px * size_bytes == self._surface.stride_bytes
        )

    def _magnify(self, band: Band, factor: int) -> None:
        left_px = self._place.left_px + band.x_px * factor
        top_px = self._place.top_px + band.y_px * factor
        for at, row in enumerate(self._rows(band)):
            wide = self._stored(row if factor == 1 else self._widened(row, factor))
            for y_px in range(top_px + at * factor, top_px + (at + 1) * factor):
                self._put(left_px, y_px, wide)

    def _shrink(self, band: Band) -> None:
        (width_px, height_px), here = self._size_px, self._place
        columns = _kept(width_px, here.width_px, band.x_px, band.width_px)
        lines = _kept(height_px, here.height_px, band.y_px, band.height_px)
        if not columns or not lines:
            return
        pick = operator.itemgetter(*(x_px - band.x_px for _, x_px in columns))
        form = _FORMATS[self._surface.source.size_bytes]
        rows = self._rows(band)
        for y_px, from_px in lines:
            picked = pick(rows[from_px - band.y_px].cast(form))
            pixels = picked if isinstance(picked, tuple) else (picked,)
            narrow = struct.pack(f"{len(pixels)}{form}", *pixels)
            self._put(here.left_px + columns[0][0], here.top_px + y_px, self._stored(memoryview(narrow)))

    def _rows(self, band: Band) -> list[memoryview]:
        length = band.width_px * self._surface.source.size_bytes
        view = memoryview(band.data)
        return [view[start : start + length] for start in range(0, len(band.data), length)] if length else []

    def _widened(self, row: memoryview, factor: int) -> memoryview:
        form = _FORMATS[self._surface.source.size_bytes]
        wide = memoryview(bytearray(len(row) * factor))
        pixels, target = row.cast(form), wide.cast(form)
        for offset in range(factor):
            target[offset::factor] = pixels
        return wide

    def _stored(self, row: memoryview) -> memoryview | bytearray:
        """A row in the format of the framebuffer: differs only for pixels of 3 bytes."""
        if self._surface.format.size_bytes != 3:
            return row
        packed = bytearray(len(row) // 4 * 3)
        for at in range(3):
            packed[at::3] = row[at::4]
        return packed

    def _put(self, x_px: int, y_px: int, row: memoryview | bytearray | bytes) -> None:
        start = y_px * self._surface.stride_bytes + x_px * self._surface.format.size_bytes
        self._buffer[start : start + len(row)] = row


@functools.lru_cache(maxsize=64)
def _kept(size_px: int, shown_px: int, start_px: int, count_px: int) -> list[tuple[int, int]]:
    """For a line of `size_px` pixels shown as `shown_px`: (target, source) for each pixel of a part of it."""
    first = -(-start_px * shown_px // size_px)
    last = -(-(start_px + count_px) * shown_px // size_px)
    return [(at, at * size_px // shown_px) for at in range(first, last)]
