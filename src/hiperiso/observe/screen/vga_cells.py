"""A picture as cells of a text mode: which cells look the same, and how."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple

from hiperiso.observe.screen.ppm import Picture, is_plain

_COLUMNS: Final = {9: (80, 132, 40), 8: (80, 132), 16: (40,)}  # by cell width
_CELL_HEIGHTS_PX: Final = (16, 8, 14, 12, 10, 15, 18, 20, 11, 13, 9, 24, 32)
_ROWS: Final = range(12, 101)
_MAX_GEOMETRIES: Final = 4
_CACHED_ROWS: Final = 256
_MAX_COLOURS_SEEN: Final = 64  # 16 at a time, with palette changes


class Geometry(NamedTuple):
    """A text mode: the grid and its cells in pixels."""

    columns: int
    rows: int
    cell_width_px: int
    cell_height_px: int


def geometries(width_px: int, height_px: int) -> tuple[Geometry, ...]:
    """Return the text modes that give a picture of this size, most likely first."""
    found = [
        Geometry(width_px // cell_width, height_px // cell_height, cell_width, cell_height)
        for cell_height in _CELL_HEIGHTS_PX
        for cell_width, columns in _COLUMNS.items()
        if width_px % cell_width == 0
        and height_px % cell_height == 0
        and width_px // cell_width in columns
        and height_px // cell_height in _ROWS
    ]
    return tuple(found[:_MAX_GEOMETRIES])


@dataclass(frozen=True)
class Looks:
    """The appearance of one distinct cell: its colours, most frequent first (one colour: no ink), and its shape.

    ``shape`` has a byte per pixel: whether it has the colour of the cell's first pixel.
    """

    colours: tuple[bytes, ...]
    shape: bytes

    @property
    def is_plain(self) -> bool:
        """Whether the cell has no ink."""
        return len(self.colours) == 1


@dataclass(frozen=True)
class Cells:
    """The cells of a picture, row by row, as indexes of distinct appearances."""

    ids: tuple[int, ...]
    looks: list[Looks]


class CellReader:
    """Cuts pictures into cells and numbers the distinct ones; rows seen before cost a comparison."""

    def __init__(self) -> None:
        self._geometry: Geometry | None = None
        self._forget()

    def read(self, picture: Picture, geometry: Geometry) -> Cells | None:
        """Return the cells, or None when a cell has more than two colours or all together more than 16."""
        if geometry != self._geometry or len(self._rows) > _CACHED_ROWS:
            self._geometry = geometry
            self._forget()
        stripe_bytes = picture.width_px * 3 * geometry.cell_height_px
        ids: list[int] = []
        for start in range(0, len(picture.rgb), stripe_bytes):
            stripe = picture.rgb[start : start + stripe_bytes]
            row = self._rows.get(stripe)
            if row is None:
                row = self._rows[stripe] = self._read_row(stripe, geometry)
            if row is _NOT_TEXT:
                return None
            ids += row
        return Cells(tuple(ids), self._looks)

    def _forget(self) -> None:
        self._rows: dict[bytes, tuple[int, ...]] = {}
        self._ids: dict[bytes, int] = {}
        self._looks: list[Looks] = []
        self._colours: set[bytes] = set()

    def _read_row(self, stripe: bytes, geometry: Geometry) -> tuple[int, ...]:
        width = geometry.cell_width_px * 3
        pitch = geometry.columns * width
        starts = range(0, len(stripe), pitch)
        row = []
        for left in range(0, pitch, width):
            pixels = b"".join([stripe[y + left : y + left + width] for y in starts])
            number = self._ids.get(pixels)
            if number is None:
                looks = _looks_of(pixels)
                self._colours.update(looks.colours)
                if len(looks.colours) > 2 or len(self._colours) > _MAX_COLOURS_SEEN:
                    return _NOT_TEXT
                number = self._ids[pixels] = len(self._looks)
                self._looks.append(looks)
            row.append(number)
        return tuple(row)


_NOT_TEXT: Final[tuple[int, ...]] = (-1,)


def _looks_of(pixels: bytes) -> Looks:
    if is_plain(pixels):
        return Looks((pixels[:3],), b"")
    points = list(zip(pixels[0::3], pixels[1::3], pixels[2::3], strict=True))
    colours = tuple(bytes(colour) for colour, _count in Counter(points).most_common())
    return Looks(colours, bytes([point == points[0] for point in points]))
