"""Finds which part of VGA memory a picture shows, without knowing the font.

Blank characters must be cells of one colour, all others must have ink; the same character with the same attribute must
look the same everywhere; background colours must agree. Excepted are the cell under the cursor and a few cells
that the guest wrote between the capture of the picture and of the memory. Where several parts match equally well (two
pages that differ in one character), the shapes of known fonts and of the screens before decide.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import eq
from typing import Final, NamedTuple

from hiperiso.observe.screen.fonts import FontSet
from hiperiso.observe.screen.text import CP437
from hiperiso.observe.screen.vga_cells import Cells, Geometry, Looks

MEMORY_CELLS: Final = 0x4000

_BLANK_CODES: Final = frozenset((0x00, 0x20, 0xFF))
_SOLID_CODES: Final = frozenset((0xDB,))  # full block: one colour, though not blank
_PAGE_CELLS: Final = 0x800  # video pages start at multiples of 4 KiB in the 80-column modes
_MAX_ORIGINS_TRIED: Final = 8  # compared cell by cell
_MAX_ORIGINS_RANKED: Final = 256  # compared by neighbours
_LAGS: Final = (1, 2, 3, 80, 160, 81)  # in cells: neighbours in the row, and below in 80-column modes

Font = dict[int, frozenset[bytes]]
"""The shapes that each glyph, by ``_glyph`` of its word, may have: of known fonts, then of the screens decoded."""


class Match(NamedTuple):
    """A place in memory and how well it fits the picture."""

    origin: int
    bad: tuple[int, ...]  # cells that do not look like their memory
    cursor: int | None  # the one of them that looks like a cursor
    ink: int  # cells with ink that do
    strange: int  # glyphs that look otherwise in known fonts or on the screens before

    @property
    def amiss(self) -> int:
        """Cells that do not look like their memory, the cursor excepted."""
        return len(self.bad) - (self.cursor is not None)

    @property
    def is_perfect(self) -> bool:
        """No mismatch."""
        return not self.amiss and not self.strange

    @property
    def rank(self) -> tuple[int, int, int]:
        """The smallest is the best match."""
        return self.amiss, self.strange, len(self.bad)

    def is_good(self, tolerance: int) -> bool:
        """Few mismatches, also relative to the matches."""
        return not self.amiss or (self.amiss <= tolerance and 4 * self.amiss <= self.ink)


@dataclass(frozen=True)
class Search:
    """Looks for the origin whose memory looks like the picture."""

    view: View
    columns: int
    cell_height_px: int
    last_origin: int
    font: Font
    any_origin: bool  # try every cell, not only whole rows and pages

    def find(self) -> Match | None:
        """Return the best match, or None when none is good enough."""
        tolerance = _tolerance(self.view.size)
        good: list[Match] = []
        tried: set[int] = set()
        for origins in self._origin_groups():
            candidates = [o for o in origins if o not in tried and self.view.mismatches(o) <= tolerance]
            tried.update(origins)
            if len(candidates) > _MAX_ORIGINS_TRIED:
                candidates = sorted(candidates, key=self.view.mismatches)[:_MAX_ORIGINS_RANKED]
                candidates.sort(key=lambda o: self.view.mismatches(o) + self.view.dissimilarity(o))
            matches = [self._compare(origin) for origin in candidates[:_MAX_ORIGINS_TRIED]]
            good += [match for match in matches if match.is_good(tolerance)]
            if any(match.is_perfect for match in good) or (good and len(tried) > 1):
                break
        return min(good, key=lambda match: match.rank, default=None)

    def font_with(self, match: Match) -> Font:
        """The font as ``match`` shows it, glyphs not on this screen as before."""
        bad = set(match.bad)
        shapes = {
            _glyph(word): frozenset((self.view.looks[number].shape,))
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
        rows = [0, *range(0, MEMORY_CELLS, self.columns), *range(0, MEMORY_CELLS, _PAGE_CELLS)]
        if self.last_origin % self.columns:
            rows += range(self.last_origin % self.columns, MEMORY_CELLS, self.columns)
        yield list(dict.fromkeys(rows))
        if self.any_origin:
            yield list(range(MEMORY_CELLS))

    def _compare(self, origin: int) -> Match:
        """Find the cells that do not look like their word does elsewhere on the screen."""
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
                strange += _expectation(word) == "ink" and looks[number].shape not in self.font.get(
                    _glyph(word), (looks[number].shape,)
                )
        bad = tuple(k for k, (word, number) in enumerate(pairs) if fits.get(word) != number)
        ink = sum(not looks[number].is_plain for _word, number in pairs) - len(bad)
        cursors = [
            k
            for k in bad
            if _is_cursor(looks[self.view.ids[k]], self.cell_height_px, palette.get(pairs[k][0] >> 12))
        ]
        return Match(origin, bad, cursors[0] if len(cursors) == 1 else None, ink, strange)


class View:
    """Memory and picture side by side, as bit masks (bit k is cell k) and as lists.

    Args:
        memory: words of two bytes, the code of a character and its attribute.
        cells: of the picture.
    """

    def __init__(self, memory: bytes, cells: Cells) -> None:
        self.size = len(cells.ids)
        self.looks = cells.looks
        self.ids = cells.ids
        words = struct.unpack(f"<{MEMORY_CELLS}H", memory)
        self.words = words + words[: self.size]  # the memory wraps around at its end
        plain = [look.is_plain for look in cells.looks]
        self.plain_mask = _mask(plain[number] for number in cells.ids)
        self.all_mask = (1 << self.size) - 1
        blank = _number(memory[0::2].translate(_IS_PLAIN_CODE)) | _number(
            memory[1::2].translate(_HIDES_ITS_INK)
        )
        self.blank_mask = self._wrapped(blank)
        self.ink_mask = self._wrapped(blank ^ (1 << MEMORY_CELLS) - 1)

    def dissimilarity(self, origin: int) -> int:
        """Cells with ink that are equal to a neighbour in memory but not on the picture, or the reverse."""
        return sum(
            ((self._equal_words[lag] >> origin ^ self._equal_looks[lag]) & self._both_ink(lag)).bit_count()
            for lag in _LAGS
        )

    @cached_property
    def _equal_words(self) -> dict[int, int]:
        return {lag: _mask(map(eq, self.words, self.words[lag:])) for lag in _LAGS}

    @cached_property
    def _equal_looks(self) -> dict[int, int]:
        return {lag: _mask(map(eq, self.ids, self.ids[lag:])) for lag in _LAGS}

    def _both_ink(self, lag: int) -> int:
        ink = self.all_mask & ~self.plain_mask
        return ink & ink >> lag

    def _wrapped(self, mask: int) -> int:
        return mask | (mask & self.all_mask) << MEMORY_CELLS

    def mismatches(self, origin: int) -> int:
        """Cells whose ink differs between memory and picture: the quick test."""
        blank = self.blank_mask >> origin & ~self.plain_mask & self.all_mask
        ink = self.ink_mask >> origin & self.plain_mask
        return blank.bit_count() + ink.bit_count()


def _mask(flags: Iterable[bool]) -> int:
    """Bit k is flag k."""
    return _number(_digits(flags))


def _number(digits: bytes) -> int:
    """Bit k is digit k."""
    return int(digits[::-1] or b"0", 2)


def _digits(flags: Iterable[bool]) -> bytes:
    """Flags as digits: the table by which ``bytes.translate`` finds those of all words at once."""
    return bytes(flags).translate(_TO_DIGITS)


_TO_DIGITS: Final = b"01" + bytes(254)
_IS_PLAIN_CODE: Final = _digits(code in _BLANK_CODES | _SOLID_CODES for code in range(256))
_HIDES_ITS_INK: Final = _digits(attribute >> 4 == attribute & 15 for attribute in range(256))


def _expectation(word: int) -> str:
    plain = ord("1") in (_IS_PLAIN_CODE[word & 0xFF], _HIDES_ITS_INK[word >> 8])
    return "plain" if plain else "ink"


def _is_cursor(looks: Looks, height_px: int, background: bytes | None) -> bool:
    """Whether some scan lines, but not all, have ink from edge to edge; or the cell is all ink."""
    if looks.is_plain:
        return looks.colours[0] != background
    width = len(looks.shape) // height_px
    lines = {looks.shape[start : start + width] for start in range(0, len(looks.shape), width)}
    return {bytes(width), b"\1" * width} <= lines


def _tolerance(cells: int) -> int:
    """The cursor, and what a guest can write within the millisecond between picture and memory."""
    return 2 + cells // 40


def _glyph(word: int) -> int:
    """The glyph of a word: its code, and the attribute bit that selects the second half of a 512-glyph font."""
    return word & 0x8FF


def _palette(wanted: dict[int, tuple[int, int]], looks: list[Looks]) -> dict[int, bytes]:
    """The background colours, by the words that have no ink, each with the most cells' vote."""
    votes: dict[int, Counter[bytes]] = {}
    for word, (count, number) in wanted.items():
        if word & 0xFF in _BLANK_CODES and looks[number].is_plain:
            votes.setdefault(word >> 12, Counter())[looks[number].colours[0]] += count
    return {index: counter.most_common(1)[0][0] for index, counter in votes.items()}


def _fits(word: int, looks: Looks, palette: dict[int, bytes]) -> bool:
    expected = _expectation(word)
    if expected == "ink" and looks.is_plain:
        return False
    if expected == "plain" and not looks.is_plain:
        return False
    if word & 0xFF in _SOLID_CODES or word >> 12 == word >> 8 & 15:
        return True
    background = palette.get(word >> 12)
    return background is None or background in looks.colours


def known_font(fonts: FontSet, geometry: Geometry) -> Font:
    """Return the shapes that the fonts of this machine have in cells of that size."""
    codes = {character: code for code, character in enumerate(CP437)}
    shapes: dict[int, set[bytes]] = {}
    for bitmap, character in fonts.vga_glyphs(geometry.cell_height_px).items():
        code = codes.get(character)
        if code is not None:
            shapes.setdefault(code, set()).add(_shape_of(bitmap, code, geometry.cell_width_px))
    both_halves = [(code | half, frozenset(known)) for code, known in shapes.items() for half in (0, 0x800)]
    return dict(both_halves)


def _shape_of(bitmap: bytes, code: int, width_px: int) -> bytes:
    """A glyph as ``Looks.shape`` has it. The ninth column is blank, but repeats the eighth in line graphics."""
    pixels: list[int] = []
    for bits in bitmap:
        row = [bits >> 7 - x & 1 for x in range(8)]
        if width_px == 9:
            row.append(row[7] if 0xC0 <= code <= 0xDF else 0)
        pixels += [pixel for pixel in row for _ in range(width_px // 8)]
    return bytes([pixel == pixels[0] for pixel in pixels])
