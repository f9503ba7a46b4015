"""Text in graphics modes, read exactly by matching the bitmaps of console fonts. This is not OCR.

Firmware, boot loaders and framebuffer consoles draw characters from bitmap fonts into cells of a fixed grid. A cell of
two colours whose pixels are one of the known glyphs *is* that character. What has to be determined is the grid: cell
height and the offset of the first cell. Common grids and those that matched before are tried first, then the busiest
rows of the picture are searched at every offset.

A picture in which nearly all cells match is a text screen. Otherwise only runs of letters are kept (a menu over a
background picture) and the result is marked partial; a picture without any is not text.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

from hiperiso.observe.screen.fonts import CELL_WIDTH_PX, EDK2_CELL_HEIGHT_PX, FontSet, Glyphs
from hiperiso.observe.screen.ppm import Picture, is_plain
from hiperiso.observe.screen.text import UNKNOWN, TextScreen

_HEIGHTS_PX: Final = (16, EDK2_CELL_HEIGHT_PX)  # that are searched at every offset
_MIN_SIDE_PX: Final = 200
_CACHED_CELLS: Final = 50_000
_CACHED_ROWS: Final = 256
_BUSY_ZONES: Final = 4
_MAX_ZONE_COLOURS: Final = 9
_OFFSETS_TRIED: Final = 2
_WHOLE_FRACTION: Final = 0.9  # of the cells with ink that fit: a text screen
_MIN_LETTERS: Final = 3
_NOISE_FRACTION: Final = 0.3  # of all pixels differ from the one beside them
_MIN_CHANGES: Final = 8  # of colour along a scan line that crosses text
_MAX_COLOURS_TRIED: Final = 3
_MAX_CELL_COLOURS: Final = 8  # of 256: more is a photo
_ENOUGH_LETTERS: Final = 12  # on one row: its grid need not be confirmed by others
_MAX_SKIPS: Final = 8
_POLLS_AT_REST: Final = 2  # after the first of a picture: longer than a cursor blinks
_GRIDS_KEPT: Final = 3
_ENOUGH_FRACTION: Final = 0.7  # of the letters found last time: the grid still holds
_CURSOR_ROWS: Final = 4


class Grid(NamedTuple):
    """Where the cells are: their size and the offset of the first, in pixels."""

    pitch_px: int
    height_px: int
    left_px: int
    top_px: int


class GlyphReader:
    """Reads the pictures of one guest; caches grids, cells and rows, so that only changes cost time.

    Args:
        fonts: the glyphs to match; by default those of this machine's VGA BIOS, GRUB and OVMF.
    """

    def __init__(self, fonts: FontSet | None = None) -> None:
        self.fonts = fonts or FontSet()
        self._grids: list[Grid] = []
        self._rows: dict[Grid, _RowReader] = {}
        self._last: tuple[Picture, TextScreen | None] | None = None
        self._letters = 0  # found in the picture before
        self._size = (0, 0)
        self._skips = 0  # searches to skip after a failed one, and how many remain to be skipped
        self._to_skip = 0
        self._polls_owed = 0  # until a skipped search is made

    def read(self, picture: Picture) -> TextScreen | None:
        """Return the text of ``picture``, or None when it holds none that is drawn in a known font.

        Pictures that change are rarely searched for a grid; one that stands for some polls always is.
        """
        if self._last is None or self._last[0] != picture:
            self._last = (picture, self._read(picture))
        elif self._polls_owed:
            self._polls_owed -= 1
            if not self._polls_owed:
                self._to_skip = 0
                self._last = (picture, self._read(picture))
        return self._last[1]

    def _read(self, picture: Picture) -> TextScreen | None:
        self._polls_owed = 0
        if min(picture.width_px, picture.height_px) < _MIN_SIDE_PX or picture.is_plain:
            self._size = (0, 0)
            return None
        pages = self._try(picture, (*self._grids, *_common_grids(picture)))
        best = max(pages, key=lambda page: page.letters)
        if not best.is_whole and self._may_search(picture, best):
            pages = self._try(picture, _search_grids(picture, self.fonts))
            found = max(pages, key=lambda page: page.letters, default=best)
            best = max(best, found, key=lambda page: page.letters)
            self._skips = 0 if best.letters >= _MIN_LETTERS else min(2 * self._skips + 1, _MAX_SKIPS)
            self._to_skip = self._skips
        self._letters = best.letters
        self._size = (picture.width_px, picture.height_px)
        is_text = best.letters >= _MIN_LETTERS
        if is_text:
            self._grids = [best.grid, *(grid for grid in self._grids if grid != best.grid)][:_GRIDS_KEPT]
        kept = {*self._grids, *_common_grids(picture)}
        self._rows = {grid: reader for grid, reader in self._rows.items() if grid in kept}
        return _to_screen(best) if is_text else None

    def _try(self, picture: Picture, grids: Iterable[Grid]) -> list[_Page]:
        """The pages that ``grids`` give, up to the first that is wholly text."""
        pages: list[_Page] = []
        for grid in dict.fromkeys(grids):
            if _fits(grid, picture):
                pages.append(self._page(picture, grid))
                if pages[-1].is_whole:
                    break
        return pages

    def _may_search(self, picture: Picture, best: _Page) -> bool:
        """Searching takes a tenth of a second: skipped while a partial text is shown, and rare while there is none."""
        if self._size != (picture.width_px, picture.height_px):
            self._skips = self._to_skip = 0
            return True
        if best.letters >= max(_MIN_LETTERS, _ENOUGH_FRACTION * self._letters):
            return False
        self._to_skip -= 1
        self._polls_owed = _POLLS_AT_REST if self._to_skip >= 0 else 0
        return not self._polls_owed

    def _page(self, picture: Picture, grid: Grid) -> _Page:
        reader = self._rows.setdefault(grid, _RowReader(grid, self.fonts.glyphs(grid.height_px)))
        stripe_bytes = picture.width_px * 3 * grid.height_px
        start = picture.width_px * 3 * grid.top_px
        page = _Page(grid, (picture.width_px - grid.left_px) // grid.pitch_px)
        while start + stripe_bytes <= len(picture.rgb):
            page.rows.append(reader.read(picture.rgb[start : start + stripe_bytes], picture.width_px))
            start += stripe_bytes
        return page


# ── rows of cells ──


class _Row(NamedTuple):
    text: str  # a character a cell, U+FFFD where the glyph is not known; without the cursor
    cursor: int | None  # its column
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
        if is_plain(stripe):
            return _Row("", None, 0, 0, 0)
        characters = self.read_cells(_one_byte_pixels(stripe), width_px)
        text = "".join(characters)
        cursor = text.find(_CURSOR)
        text = text.replace(_CURSOR, " ")
        ink = len(text) - text.count(" ")
        column = cursor if cursor >= 0 else None
        return _Row(text.rstrip(), column, ink, _count_letters(text), text.count(UNKNOWN))

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
    """The character that a cell shows; a space when it has one colour, U+FFFD for an unknown glyph."""
    counts = Counter(pixels)
    if len(counts) == 1:
        return " "
    if len(counts) > _MAX_CELL_COLOURS:
        return UNKNOWN
    if len(counts) > 2:
        candidates = _foregrounds(counts)
    else:  # either colour may be the foreground, most often the rarer one
        rarer, other = sorted(counts, key=lambda colour: counts[colour])
        candidates = [bytes((rarer,)), bytes((other,))]
    for colours in candidates:
        bitmap = _bitmap(pixels, colours)
        if len(counts) == 2 and bitmap in _cursors(len(bitmap)):
            return _CURSOR
        character = glyphs.get(bitmap)
        if character is not None:
            return character
    return UNKNOWN


def _foregrounds(counts: Counter[int]) -> list[bytes]:
    """Sets of colours that may be the text on a picture: one frequent colour, all bright or all dark ones."""
    singles = [bytes((colour,)) for colour, _count in counts.most_common(_MAX_COLOURS_TRIED)]
    ranked = sorted(counts, key=lambda colour: colour & _GREEN_MASK)
    levels = sorted({colour & _GREEN_MASK for colour in ranked})[1:]
    bright = [bytes([colour for colour in ranked if colour & _GREEN_MASK >= level]) for level in levels]
    dark = [bytes([colour for colour in ranked if colour & _GREEN_MASK < level]) for level in levels]
    return [*singles, *bright, *dark]


_CURSOR: Final = "\0"  # stands for the cursor while a row is read


@cache
def _cursors(height_px: int) -> frozenset[bytes]:
    """Underline cursors: the last rows of a cell. Linux draws two of sixteen, EDK2 three of nineteen."""
    return frozenset(bytes(height_px - rows) + b"\xff" * rows for rows in range(2, _CURSOR_ROWS + 1))


def _bitmap(pixels: bytes, colours: bytes) -> bytes:
    """One bit a pixel: set where the pixel has one of ``colours``; rows are 8 pixels, so a byte each."""
    table = bytearray(b"0") * 256
    for colour in colours:
        table[colour] = ord("1")
    return int(pixels.translate(bytes(table)), 2).to_bytes(len(pixels) // CELL_WIDTH_PX, "big")


def _count_letters(text: str) -> int:
    """Letters and digits that stand beside another one: single ones are often parts of pictures."""
    marks = "".join(["x" if character.isalnum() else " " for character in text])
    return sum(len(run) for run in marks.split() if len(run) > 1)


_RED: Final = bytes(value & 0xE0 for value in range(256))
_GREEN_MASK: Final = 0x1C
_GREEN: Final = bytes(value >> 3 & _GREEN_MASK for value in range(256))
_BLUE: Final = bytes(value >> 6 for value in range(256))


def _one_byte_pixels(rgb: bytes) -> bytes:
    """Each pixel as 3 bits red, 3 bits green, 2 bits blue: distinguishes all colours that consoles use."""
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
    """Grids on which the busiest parts of the picture are text, best first."""
    plane = _Plane(_one_byte_pixels(picture.rgb), picture.width_px, picture.height_px)
    votes: Counter[Grid] = Counter()
    for y in _busy_lines(plane):
        for left in _column_offsets(plane, y):
            for height in _HEIGHTS_PX:
                votes.update(_vote(plane, y, left, height, fonts.glyphs(height)))
        if votes and max(votes.values()) >= _ENOUGH_LETTERS:
            break
    return [grid for grid, _letters in votes.most_common(3)]


def _busy_lines(plane: _Plane) -> list[int]:
    """Scan lines with most changes of colour, well apart; none in a photo, where neighbours differ everywhere."""
    changes = []
    for y in range(plane.height_px):
        line = int.from_bytes(plane.lines(y, y + 1), "little")
        changed = (line ^ line >> 8).to_bytes(plane.width_px, "little")
        changes.append((plane.width_px - changed.count(0), y))
    found: list[int] = []
    if sum(count for count, _y in changes) > _NOISE_FRACTION * len(plane.pixels):
        return found
    for count, y in sorted(changes, reverse=True):
        if count < _MIN_CHANGES or len(found) == _BUSY_ZONES:
            break
        if all(abs(y - other) > 2 * max(_HEIGHTS_PX) for other in found):
            found.append(y)
    return found


def _column_offsets(plane: _Plane, y: int) -> list[int]:
    """The likeliest offsets of the first column: most glyphs leave the last column of their cell blank.

    So the colour of a text is rare in every eighth column, unlike the colours of what is behind it.
    """
    padding = bytes(-plane.width_px % CELL_WIDTH_PX)
    top, bottom = max(0, y - max(_HEIGHTS_PX)), min(plane.height_px, y + max(_HEIGHTS_PX))
    zone = b"".join([plane.lines(line, line + 1) + padding for line in range(top, bottom)])
    phases = [zone[phase::CELL_WIDTH_PX] for phase in range(CELL_WIDTH_PX)]
    likely: list[tuple[float, int]] = []
    for colour, count in Counter(zone).most_common(_MAX_ZONE_COLOURS)[1:]:
        ink = [pixels.count(colour) for pixels in phases]
        likely += [(ink[phase] / count, (phase + 1) % CELL_WIDTH_PX) for phase in range(CELL_WIDTH_PX)]
    return list(dict.fromkeys(left for _share, left in sorted(likely)))[:_OFFSETS_TRIED]


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
    cursors = [(number, row.cursor) for number, row in enumerate(page.rows) if row.cursor is not None]
    return TextScreen(
        columns=page.columns,
        rows=len(lines),
        lines=lines,
        decoder="glyphs",
        cursor=cursors[0] if page.is_whole and len(cursors) == 1 else None,
        unknown=unknown,
        partial=not page.is_whole,
        cell=page.grid,
    )


def _only_runs(text: str) -> str:
    """The runs between unknown cells that have adjacent letters; the rest blank."""
    pieces = [
        piece if _count_letters(piece) >= _MIN_LETTERS else " " * len(piece) for piece in text.split(UNKNOWN)
    ]
    return " ".join(pieces).rstrip()
