"""Exact text of a text-mode screen: from VGA memory, with the picture only to find which part of it is visible.

In text mode the 32 KiB at physical 0xb8000 hold cells of two bytes, character and attribute, row after row. Which cell
is the upper left one is in the CRT controller (registers 0x0c, 0x0d), and reading those through their index port would
disturb the guest: Linux scrolls by moving this origin. So the origin is found by comparing memory with the picture,
without knowing the font: blank characters must be cells of one colour, all others must have ink; the same character
with the same attribute must look the same everywhere; no cell has more than two colours. The cell under the cursor is
excepted, and so are a few cells that the guest wrote between the taking of the picture and of the memory.

Sources: IBM VGA text modes as QEMU draws them: cells are 8, 9 or 16 (doubled) pixels wide, attribute bits 0-3 select
the foreground and bits 4-7 the background colour, no blinking but the cursor's.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from hiperiso.observe.screen.ppm import Picture, is_plain
from hiperiso.observe.screen.text import CP437, TextScreen

VGA_MEMORY_ADDRESS: Final = 0xB8000
VGA_MEMORY_BYTES: Final = 0x8000
_CELLS: Final = VGA_MEMORY_BYTES // 2

_BLANK_CODES: Final = frozenset((0x00, 0x20, 0xFF))
_SOLID_CODES: Final = frozenset((0xDB,))  # full block: one colour, though not blank
_COLUMNS: Final = {9: (80, 132, 40), 8: (80, 132), 16: (40,)}  # by cell width
_CELL_HEIGHTS_PX: Final = (16, 8, 14, 12, 10, 15, 18, 20, 11, 13, 9, 24, 32)
_ROWS: Final = range(12, 101)
_MAX_GEOMETRIES: Final = 4
_PAGE_CELLS: Final = 0x800  # video pages start at multiples of 4 KiB in the 80-column modes
_CACHED_ROWS: Final = 512
_MAX_ORIGINS_TRIED: Final = 8
_MAX_COLOURS_SEEN: Final = 64  # 16 at a time, with palette changes


class Geometry(NamedTuple):
    """A text mode: the grid and its cells in pixels."""

    columns: int
    rows: int
    cell_width_px: int
    cell_height_px: int


def wants_vga_memory(width_px: int, height_px: int) -> bool:
    """Return whether a picture of this size may be a text mode, so that reading VGA memory is worth its millisecond.

    720x400 is the usual one; 640x480 and other sizes are text only now and then, and decode to None when they are not.
    """
    return bool(geometries(width_px, height_px))


def geometries(width_px: int, height_px: int) -> tuple[Geometry, ...]:
    """Return the text modes that give a picture of this size, the likeliest first."""
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


class VgaTextDecoder:
    """Decodes one guest's text screens; remembers the last mode and origin, which usually hold."""

    def __init__(self) -> None:
        self._geometry: Geometry | None = None
        self._origin = 0
        self._font: _Font = {}
        self._last: tuple[Picture, bytes, TextScreen | None] | None = None
        self._cells = _CellReader()

    def decode(self, picture: Picture, memory: bytes) -> TextScreen | None:
        """Return the text on the screen, or None when ``memory`` is not what ``picture`` shows (a graphics mode).

        ``memory`` is the 32 KiB from physical address 0xb8000; any other length gives None.
        """
        if len(memory) != VGA_MEMORY_BYTES:
            return None
        last = self._last
        if last is not None and last[1] == memory and last[0] == picture:
            return last[2]
        screen = self._decode(picture, memory)
        self._last = (picture, memory, screen)
        return screen

    def _decode(self, picture: Picture, memory: bytes) -> TextScreen | None:
        candidates = list(geometries(picture.width_px, picture.height_px))
        if self._geometry in candidates:
            candidates.remove(self._geometry)
            candidates.insert(0, self._geometry)
        words = struct.unpack(f"<{_CELLS}H", memory)
        for rank, geometry in enumerate(candidates):
            cells = self._cells.read(picture, geometry)
            if cells is None:
                continue
            known = geometry == self._geometry
            search = _Search(
                view=_View(words, cells),
                columns=geometry.columns,
                last_origin=self._origin if known else 0,
                font=self._font if known else {},
                any_origin=rank == 0 and (known or geometry.cell_width_px == 9),
            )
            match = search.find()
            if match is not None:
                self._font = search.font_with(match)
                self._geometry, self._origin = geometry, match.origin
                return _to_screen(words, match, geometry)
        return None


# ── the picture as cells ──


@dataclass(frozen=True)
class _Looks:
    """How one distinct cell looks: its colours, the most frequent first (one colour: no ink), and its shape.

    ``shape`` has a byte per pixel: whether it has the colour of the cell's first pixel.
    """

    colours: tuple[bytes, ...]
    shape: bytes

    @property
    def is_plain(self) -> bool:
        return len(self.colours) == 1


@dataclass(frozen=True)
class _Cells:
    """The cells of a picture, row by row, as numbers of distinct looks."""

    ids: tuple[int, ...]
    looks: list[_Looks]


class _CellReader:
    """Cuts pictures into cells and numbers the distinct ones; rows seen before cost a comparison."""

    def __init__(self) -> None:
        self._geometry: Geometry | None = None
        self._forget()

    def read(self, picture: Picture, geometry: Geometry) -> _Cells | None:
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
        return _Cells(tuple(ids), self._looks)

    def _forget(self) -> None:
        self._rows: dict[bytes, tuple[int, ...]] = {}
        self._ids: dict[bytes, int] = {}
        self._looks: list[_Looks] = []
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


def _looks_of(pixels: bytes) -> _Looks:
    if is_plain(pixels):
        return _Looks((pixels[:3],), b"")
    points = list(zip(pixels[0::3], pixels[1::3], pixels[2::3], strict=True))
    colours = tuple(bytes(colour) for colour, _count in Counter(points).most_common())
    return _Looks(colours, bytes([point == points[0] for point in points]))


# ── memory against picture ──


_Font = dict[int, bytes]
"""The shape of each glyph, by ``_glyph`` of its word: learned from the screens decoded so far."""


class _Match(NamedTuple):
    origin: int
    bad: tuple[int, ...]  # cells that do not look like their memory
    ink: int  # cells with ink that do
    strange: int  # glyphs that looked otherwise on the screens before

    @property
    def is_perfect(self) -> bool:
        """Nothing amiss but a cursor."""
        return len(self.bad) <= 1 and not self.strange

    def is_good(self, tolerance: int) -> bool:
        """Not much amiss, and little beside what is right."""
        return len(self.bad) <= 1 or (len(self.bad) <= tolerance and 4 * len(self.bad) <= self.ink)


class _View:
    """Memory and picture side by side, as bit masks (bit k is cell k) and as lists."""

    def __init__(self, words: tuple[int, ...], cells: _Cells) -> None:
        self.size = len(cells.ids)
        self.looks = cells.looks
        self.ids = cells.ids
        self.words = words + words[: self.size]  # the memory wraps around at its end
        plain = [look.is_plain for look in cells.looks]
        self.plain_mask = _mask(plain[number] for number in cells.ids)
        kinds = {word: _expectation(word) for word in set(words)}
        self.blank_mask = self._wrapped_mask(kinds[word] == "plain" for word in words)
        self.ink_mask = self._wrapped_mask(kinds[word] == "ink" for word in words)
        self.all_mask = (1 << self.size) - 1

    def _wrapped_mask(self, flags: Iterator[bool]) -> int:
        mask = _mask(flags)
        return mask | (mask & ((1 << self.size) - 1)) << _CELLS

    def mismatches(self, origin: int) -> int:
        """Cells whose memory says ink or no ink and whose picture says otherwise: the quick test."""
        blank = self.blank_mask >> origin & ~self.plain_mask & self.all_mask
        ink = self.ink_mask >> origin & self.plain_mask
        return blank.bit_count() + ink.bit_count()


def _mask(flags: Iterator[bool]) -> int:
    digits = "".join(["1" if flag else "0" for flag in flags])
    return int(digits[::-1] or "0", 2)


def _expectation(word: int) -> str:
    code, attribute = word & 0xFF, word >> 8
    if code in _BLANK_CODES or code in _SOLID_CODES or attribute >> 4 == attribute & 15:
        return "plain"
    return "ink"


@dataclass(frozen=True)
class _Search:
    """Looks for the origin whose memory looks like the picture."""

    view: _View
    columns: int
    last_origin: int
    font: _Font
    any_origin: bool  # try every cell, not only whole rows and pages

    def find(self) -> _Match | None:
        """Return the best match, or None when none is good enough."""
        tolerance = _tolerance(self.view.size)
        good: list[_Match] = []
        tried: set[int] = set()
        for origins in self._origin_groups():
            scores = [(self.view.mismatches(o), rank, o) for rank, o in enumerate(origins) if o not in tried]
            tried.update(origins)
            for score, _rank, origin in sorted(scores)[:_MAX_ORIGINS_TRIED]:
                match = self._compare(origin) if score <= tolerance else None
                if match is not None and match.is_good(tolerance):
                    good.append(match)
            if any(match.is_perfect for match in good):
                break
        return min(good, key=lambda match: len(match.bad) + match.strange, default=None)

    def font_with(self, match: _Match) -> _Font:
        """The font as ``match`` shows it, glyphs not on this screen as before."""
        bad = set(match.bad)
        shapes = {
            _glyph(word): self.view.looks[number].shape
            for k, (word, number) in enumerate(self._pairs(match.origin))
            if k not in bad and _expectation(word) == "ink"
        }
        return {**self.font, **shapes}

    def _pairs(self, origin: int) -> list[tuple[int, int]]:
        visible = self.view.words[origin : origin + self.view.size]
        return list(zip(visible, self.view.ids, strict=True))

    def _origin_groups(self) -> Iterator[list[int]]:
        """Origins to try, the likeliest first: last time's, whole rows and pages, then any cell."""
        yield [self.last_origin]
        rows = [0, *range(0, _CELLS, self.columns), *range(0, _CELLS, _PAGE_CELLS)]
        if self.last_origin % self.columns:
            rows += range(self.last_origin % self.columns, _CELLS, self.columns)
        yield list(dict.fromkeys(rows))
        if self.any_origin:
            yield list(range(_CELLS))

    def _compare(self, origin: int) -> _Match:
        """Find the cells that do not look as the rest of the screen says their word should."""
        looks = self.view.looks
        pairs = self._pairs(origin)
        wanted: dict[int, tuple[int, int]] = {}  # word -> how often it looks like which number
        owners: dict[int, tuple[int, int]] = {}  # number with ink -> how often it is which glyph
        for (word, number), count in Counter(pairs).items():
            wanted[word] = max(wanted.get(word, (0, 0)), (count, number))
            if not looks[number].is_plain:
                owners[number] = max(owners.get(number, (0, 0)), (count, _glyph(word)))
        palette = _palette(wanted, looks)
        fits: dict[int, int] = {}
        strange = 0
        for word, (_count, number) in wanted.items():
            if _fits(word, looks[number], palette) and owners.get(number, (0, _glyph(word)))[1] == _glyph(
                word
            ):
                fits[word] = number
                strange += self.font.get(_glyph(word), looks[number].shape) != looks[number].shape
        bad = tuple(k for k, (word, number) in enumerate(pairs) if fits.get(word) != number)
        ink = sum(not looks[number].is_plain for _word, number in pairs) - len(bad)
        return _Match(origin, bad, ink, strange)


def _tolerance(cells: int) -> int:
    """The cursor, and what a guest can write within the millisecond between picture and memory."""
    return 2 + cells // 40


def _glyph(word: int) -> int:
    """The glyph of a word: its code, and the attribute bit that selects the second half of a 512-glyph font."""
    return word & 0x8FF


def _palette(wanted: dict[int, tuple[int, int]], looks: list[_Looks]) -> dict[int, bytes]:
    """The background colours, by the words that have no ink, each with the most cells' vote."""
    votes: dict[int, Counter[bytes]] = {}
    for word, (count, number) in wanted.items():
        if word & 0xFF in _BLANK_CODES and looks[number].is_plain:
            votes.setdefault(word >> 12, Counter())[looks[number].colours[0]] += count
    return {index: counter.most_common(1)[0][0] for index, counter in votes.items()}


def _fits(word: int, looks: _Looks, palette: dict[int, bytes]) -> bool:
    expected = _expectation(word)
    if expected == "ink" and looks.is_plain:
        return False
    if expected == "plain" and not looks.is_plain:
        return False
    if word & 0xFF in _SOLID_CODES or word >> 12 == word >> 8 & 15:
        return True
    background = palette.get(word >> 12)
    return background is None or background in looks.colours


def _to_screen(words: tuple[int, ...], match: _Match, geometry: Geometry) -> TextScreen:
    size = geometry.columns * geometry.rows
    wrapped = words + words[:size]
    text = "".join([CP437[word & 0xFF] for word in wrapped[match.origin : match.origin + size]])
    lines = tuple(
        text[start : start + geometry.columns].rstrip() for start in range(0, size, geometry.columns)
    )
    cursor = divmod(match.bad[0], geometry.columns) if len(match.bad) == 1 else None
    return TextScreen(geometry.columns, geometry.rows, lines, "vga_text", cursor=cursor)
