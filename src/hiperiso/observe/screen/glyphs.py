"""Text in graphics modes, read exactly by matching the bitmaps of console fonts. This is not OCR.

Firmware, boot loaders and framebuffer consoles draw characters from bitmap fonts into cells of a fixed grid. A cell of
two colours whose pixels are one of the known glyphs *is* that character. What has to be found out is the grid: cell
height and the offset of the first cell. Grids that are common or have fitted before are tried first, then the busiest
rows of the picture are searched at every offset.

A picture whose cells nearly all fit is a text screen. Otherwise only runs of letters are kept (a menu over a background
picture) and the result is marked partial; a picture without any is not text.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hiperiso.observe.screen.fonts import CELL_WIDTH_PX, EDK2_CELL_HEIGHT_PX, FontSet, Glyphs
from hiperiso.observe.screen.ppm import Picture
from hiperiso.observe.screen.text import UNKNOWN, TextScreen

_HEIGHTS_PX: Final = (16, EDK2_CELL_HEIGHT_PX)  # that are searched at every offset
_MIN_SIDE_PX: Final = 200
_CACHED_CELLS: Final = 50_000
_CACHED_ROWS: Final = 2_000
_BUSY_ZONES: Final = 4
_WHOLE_FRACTION: Final = 0.9  # of the cells with ink that fit: a text screen
_MIN_LETTERS: Final = 3
_MIN_CHANGES: Final = 8  # of colour along a scan line that crosses text
_MAX_COLOURS_TRIED: Final = 4


class Grid(NamedTuple):
    """Where the cells are: their size and the offset of the first, in pixels."""

    pitch_px: int
    height_px: int
    left_px: int
    top_px: int


class GlyphReader:
    """Reads the pictures of one guest; remembers grids, cells and rows, so that only what changed costs time.

    Args:
        fonts: the glyphs to look for; the default are those of this machine's VGA BIOS, GRUB and OVMF.
    """

    def __init__(self, fonts: FontSet | None = None) -> None:
        self._fonts = fonts or FontSet()
        self._grids: list[Grid] = []
        self._rows: dict[Grid, _RowReader] = {}
        self._last: tuple[Picture, TextScreen | None] | None = None

    def read(self, picture: Picture) -> TextScreen | None:
        """Return the text of ``picture``, or None when it holds none that is drawn in a known font."""
        if self._last is None or self._last[0] != picture:
            self._last = (picture, self._read(picture))
        return self._last[1]

    def _read(self, picture: Picture) -> TextScreen | None:
        if min(picture.width_px, picture.height_px) < _MIN_SIDE_PX:
            return None
        best: _Page | None = None
        tried: set[Grid] = set()
        for grid in (*self._grids, *_common_grids(picture)):
            if grid in tried or not _fits(grid, picture):
                continue
            tried.add(grid)
            page = self._page(picture, grid)
            if best is None or page.letters > best.letters:
                best = page
            if page.is_whole:
                break
        if best is None or not best.is_whole:
            for grid in _search_grids(picture, self._fonts):
                if grid in tried:
                    continue
                tried.add(grid)
                page = self._page(picture, grid)
                if best is None or page.letters > best.letters:
                    best = page
        if best is None or best.letters < _MIN_LETTERS:
            return None
        self._remember(best.grid)
        return _to_screen(best)

    def _page(self, picture: Picture, grid: Grid) -> _Page:
        reader = self._rows.setdefault(grid, _RowReader(grid, self._fonts.glyphs(grid.height_px)))
        stripe_bytes = picture.width_px * 3 * grid.height_px
        start = picture.width_px * 3 * grid.top_px
        page = _Page(grid, (picture.width_px - grid.left_px) // grid.pitch_px)
        while start + stripe_bytes <= len(picture.rgb):
            page.rows.append(reader.read(picture.rgb[start : start + stripe_bytes], picture.width_px))
            start += stripe_bytes
        return page

    def _remember(self, grid: Grid) -> None:
        if grid in self._grids:
            self._grids.remove(grid)
        self._grids.insert(0, grid)
        del self._grids[3:]
        self._rows = {kept: reader for kept, reader in self._rows.items() if kept in self._grids}


# ── rows of cells ──


class _Row(NamedTuple):
    text: str  # a character a cell, U+FFFD where the glyph is not known
    ink: int  # cells with ink
    letters: int  # cells that are letters or digits, beside another one
    unknown: int


@dataclass
class _Page:
    grid: Grid
    columns: int
    rows: list[_Row] = field(default_factory=list)

    @property
    def letters(self) -> int:
        return sum(row.letters for row in self.rows)

    @property
    def unknown(self) -> int:
        return sum(row.unknown for row in self.rows)

    @property
    def is_whole(self) -> bool:
        ink = sum(row.ink for row in self.rows)
        return self.letters >= _MIN_LETTERS and ink - self.unknown >= _WHOLE_FRACTION * ink


class _RowReader:
    """Reads the rows of one grid."""

    def __init__(self, grid: Grid, glyphs: Glyphs) -> None:
        self._grid = grid
        self._glyphs = glyphs
        self._cells: dict[bytes, str] = {}
        self._rows: OrderedDict[bytes, _Row] = OrderedDict()

    def read(self, stripe: bytes, width_px: int) -> _Row:
        row = self._rows.get(stripe)
        if row is None:
            row = self._rows[stripe] = self._read(stripe, width_px)
            if len(self._rows) > _CACHED_ROWS:
                self._rows.popitem(last=False)
        else:
            self._rows.move_to_end(stripe)
        return row

    def _read(self, stripe: bytes, width_px: int) -> _Row:
        if stripe[:3] * (len(stripe) // 3) == stripe:
            return _Row("", 0, 0, 0)
        characters = self.read_cells(_one_byte_pixels(stripe), width_px)
        text = "".join(characters)
        ink = len(text) - text.count(" ")
        return _Row(text.rstrip(), ink, _count_letters(text), text.count(UNKNOWN))

    def read_cells(self, plane: bytes, width_px: int) -> list[str]:
        """The characters of a stripe of one byte a pixel."""
        cells, glyphs, grid = self._cells, self._glyphs, self._grid
        lines = range(0, len(plane), width_px)
        characters = []
        for left in range(grid.left_px, width_px - CELL_WIDTH_PX + 1, grid.pitch_px):
            pixels = b"".join([plane[y + left : y + left + CELL_WIDTH_PX] for y in lines])
            character = cells.get(pixels)
            if character is None:
                if len(cells) >= _CACHED_CELLS:
                    cells.clear()
                character = cells[pixels] = _match(pixels, glyphs)
            characters.append(character)
        return characters


def _match(pixels: bytes, glyphs: Glyphs) -> str:
    """The character that a cell shows; a space when it has one colour, U+FFFD when it is no known glyph.

    The rarer colours are tried as the foreground first. A cell of more than two colours is text on a picture.
    """
    counts = Counter(pixels)
    if len(counts) == 1:
        return " "
    by_rarity = sorted(counts, key=lambda colour: counts[colour])
    for colour in by_rarity if len(counts) == 2 else by_rarity[::-1][:_MAX_COLOURS_TRIED]:
        character = glyphs.get(_bitmap(pixels, colour))
        if character is not None:
            return character
    return UNKNOWN


def _bitmap(pixels: bytes, colour: int) -> bytes:
    """One bit a pixel: set where the pixel has ``colour``; rows are 8 pixels, so a byte each."""
    table = bytearray(b"0") * 256
    table[colour] = ord("1")
    return int(pixels.translate(bytes(table)), 2).to_bytes(len(pixels) // CELL_WIDTH_PX, "big")


def _count_letters(text: str) -> int:
    """Letters and digits that stand beside another one: single ones are often parts of pictures."""
    marks = "".join(["x" if character.isalnum() else " " for character in text])
    return sum(len(run) for run in marks.split() if len(run) > 1)


_RED: Final = bytes(value & 0xE0 for value in range(256))
_GREEN: Final = bytes(value >> 3 & 0x1C for value in range(256))
_BLUE: Final = bytes(value >> 6 for value in range(256))


def _one_byte_pixels(rgb: bytes) -> bytes:
    """Each pixel as 3 bits red, 3 bits green, 2 bits blue: tells apart all colours that consoles use."""
    red = int.from_bytes(rgb[0::3].translate(_RED), "little")
    green = int.from_bytes(rgb[1::3].translate(_GREEN), "little")
    blue = int.from_bytes(rgb[2::3].translate(_BLUE), "little")
    return (red | green | blue).to_bytes(len(rgb) // 3, "little")


# ── finding the grid ──


def _common_grids(picture: Picture) -> list[Grid]:
    """Consoles that start in the corner, EDK2's full-screen console (centred), 9-pixel text modes."""
    grids = [Grid(8, 16, 0, 0)]
    if picture.width_px == 720:
        grids.insert(0, Grid(9, 16, 0, 0))
    grids.append(
        Grid(8, EDK2_CELL_HEIGHT_PX, picture.width_px % 8 // 2, picture.height_px % EDK2_CELL_HEIGHT_PX // 2)
    )
    return grids


def _fits(grid: Grid, picture: Picture) -> bool:
    return (
        grid.left_px + grid.pitch_px <= picture.width_px and grid.top_px + grid.height_px <= picture.height_px
    )


class _Plane(NamedTuple):
    """A picture with one byte a pixel."""

    pixels: bytes
    width_px: int
    height_px: int

    def lines(self, top_px: int, bottom_px: int) -> bytes:
        return self.pixels[max(0, top_px) * self.width_px : bottom_px * self.width_px]


def _search_grids(picture: Picture, fonts: FontSet) -> list[Grid]:
    """Grids on which the busiest parts of the picture are text, the best first."""
    plane = _Plane(_one_byte_pixels(picture.rgb), picture.width_px, picture.height_px)
    votes: Counter[Grid] = Counter()
    for y in _busy_lines(plane):
        for left in _column_offsets(plane, y):
            for height in _HEIGHTS_PX:
                votes.update(_vote(plane, y, left, height, fonts.glyphs(height)))
    return [grid for grid, _letters in votes.most_common(3)]


def _busy_lines(plane: _Plane) -> list[int]:
    """Scan lines with most changes of colour, well apart."""
    changes = []
    for y in range(plane.height_px):
        line = int.from_bytes(plane.lines(y, y + 1), "little")
        changed = (line ^ line >> 8).to_bytes(plane.width_px, "little")
        changes.append((plane.width_px - changed.count(0), y))
    found: list[int] = []
    for count, y in sorted(changes, reverse=True):
        if count < _MIN_CHANGES or len(found) == _BUSY_ZONES:
            break
        if all(abs(y - other) > 2 * max(_HEIGHTS_PX) for other in found):
            found.append(y)
    return found


def _column_offsets(plane: _Plane, y: int) -> list[int]:
    """The likeliest offsets of the first column: most glyphs leave the last column of their cell blank."""
    zone = plane.lines(y - max(_HEIGHTS_PX), y + max(_HEIGHTS_PX))
    common = Counter(zone).most_common(1)[0][0]
    marks = zone.translate(bytes(value != common for value in range(256)))
    ink = [0] * CELL_WIDTH_PX
    for start in range(0, len(marks), plane.width_px):
        line = marks[start : start + plane.width_px]
        for phase in range(CELL_WIDTH_PX):
            ink[phase] += line[phase::CELL_WIDTH_PX].count(1)
    order = sorted(range(CELL_WIDTH_PX), key=lambda phase: ink[phase])
    return [(phase + 1) % CELL_WIDTH_PX for phase in order[:2]]


def _vote(plane: _Plane, y: int, left: int, height: int, glyphs: Glyphs) -> Counter[Grid]:
    """How many letters each vertical offset around line ``y`` gives."""
    votes: Counter[Grid] = Counter()
    for top in range(max(0, y - height + 1), min(y, plane.height_px - height) + 1):
        grid = Grid(CELL_WIDTH_PX, height, left, top % height)
        cells = _RowReader(grid, glyphs).read_cells(plane.lines(top, top + height), plane.width_px)
        letters = _count_letters("".join(cells))
        if letters >= _MIN_LETTERS:
            votes[grid] += letters
    return votes


# ── the result ──


def _to_screen(page: _Page) -> TextScreen:
    lines = tuple([row.text if page.is_whole else _only_runs(row.text) for row in page.rows])
    unknown = sum(line.count(UNKNOWN) for line in lines)
    partial = not page.is_whole
    return TextScreen(page.columns, len(lines), lines, "glyphs", unknown=unknown, partial=partial)


def _only_runs(text: str) -> str:
    """What stands between unknown cells, where it has letters side by side; the rest blank."""
    pieces = [
        piece if _count_letters(piece) >= _MIN_LETTERS else " " * len(piece) for piece in text.split(UNKNOWN)
    ]
    return " ".join(pieces).rstrip()
