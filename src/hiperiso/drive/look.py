"""One screen of the guest, as needed by the hands: its text, its marked rows, and whether it changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from hiperiso.observe.screen.ppm import Picture
from hiperiso.observe.screen.text import TextScreen

_CONTRAST: Final = 30
"""Least difference of a colour channel (0-255) between the background of a marked row and of the rows beside it."""

_DIGITS: Final = re.compile(r"\d+")
_FRAME: Final = re.compile(r"[│┃║|]")  # a row of a list
_BORDERS: Final = " \t│┃║|▲▼↑↓"


@dataclass(frozen=True)
class Look:
    """A picture of the screen at ``t`` seconds, and what could be read on it.

    Attributes:
        picture: the guest's picture.
        screen: its text; None if none could be read.
        pace: how many seconds the guest now needs for a second's work, because its host is busy.
    """

    t: float
    picture: Picture
    screen: TextScreen | None
    pace: float = 1.0

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows of text, from the top; none if the picture could not be read."""
        return self.screen.lines if self.screen else ()

    @property
    def is_blank(self) -> bool:
        """Whether the screen has one colour."""
        return self.picture.is_plain

    @cached_property
    def last_row(self) -> str:
        """The lowest row that is not empty: a prompt, where there is one."""
        return next((row for row in reversed(self.rows) if row.strip()), "")

    @property
    def last_words(self) -> str:
        """The lowest row that is more than a frame, without it."""
        return next((row.strip(_BORDERS) for row in reversed(self.rows) if re.search(r"\w", row)), "")

    @cached_property
    def marked(self) -> tuple[int, ...]:
        """Rows whose background differs from that of the rows above and below, as a selected entry's does."""
        return tuple(self._marked())

    def shows_the_same_as(self, other: Look) -> bool:
        """Whether a person would see no difference, except for a blinking cursor."""
        if self.picture == other.picture:
            return True
        if self.screen is None or other.screen is None or self.screen.partial:
            return False
        return self.rows == other.rows and self.marked == other.marked

    def counts_since(self, other: Look) -> bool:
        """Whether the two differ only in digits, outside of frames, as a countdown does."""
        return self._rows_without_digits == other._rows_without_digits != ()

    def has_rows_beyond(self, other: Look) -> bool:
        """Whether a row of text is here that is not on ``other``, whatever its digits: a loader adds its messages."""
        return not set(self._rows_without_digits) <= {"", *other._rows_without_digits}

    @cached_property
    def _rows_without_digits(self) -> tuple[str, ...]:
        return tuple((row if _FRAME.search(row) else _DIGITS.sub("", row)).strip() for row in self.rows)

    def is_bar(self, row: int) -> bool:
        """Whether the background of a marked row goes on past its text, as the bar of a selected entry does."""
        text = self.rows[row].rstrip(_BORDERS)
        inner, after = (
            self._background(row, len(text) - 1, len(text)),
            self._background(row, len(text), len(text) + 1),
        )
        return inner is not None and after is not None and not _differ(inner, after)

    def rows_that_differ(self, other: Look) -> tuple[int, ...]:
        """Rows whose pixels are not those of ``other``: after a key, the entry left and the one arrived at."""
        cell = self.screen.cell if self.screen else None
        if cell is None or other.picture.rgb == self.picture.rgb:
            return ()
        if len(other.picture.rgb) != len(self.picture.rgb):
            return tuple(range(len(self.rows)))
        _, height, _, top = cell
        stride = self.picture.width_px * 3
        mine, theirs = self.picture.rgb, other.picture.rgb
        spans = (
            slice((top + row * height) * stride, (top + (row + 1) * height) * stride)
            for row in range(len(self.rows))
        )
        return tuple(row for row, span in enumerate(spans) if mine[span] != theirs[span])

    def _marked(self) -> Iterator[int]:
        screen = self.screen
        if (
            screen is None or screen.cell is None or screen.partial
        ):  # over a picture, backgrounds are meaningless
            return
        for number, row in enumerate(screen.lines):
            inner = row.strip(_BORDERS)
            if not inner:
                continue
            first = row.index(inner)
            here = self._background(number, first, first + len(inner))
            above = self._background(number - 1, first, first + len(inner))
            below = self._background(number + 1, first, first + len(inner))
            if here and above and below and _differ(here, above) and _differ(here, below):
                yield number

    def _background(self, row: int, first: int, end: int) -> tuple[float, float, float] | None:
        """The mean colour of the first scan line of some cells, which glyphs leave free; None outside the picture."""
        assert self.screen is not None
        assert self.screen.cell is not None
        pitch, height, left, top = self.screen.cell
        width = self.picture.width_px
        y = top + row * height
        if not 0 <= y < self.picture.height_px:
            return None
        start = (y * width + left + first * pitch) * 3
        end_byte = min((y * width + left + end * pitch) * 3, (y + 1) * width * 3)
        pixels = self.picture.rgb[start:end_byte]
        count = len(pixels) // 3
        if not count:
            return None
        red, green, blue = (sum(pixels[channel::3]) / count for channel in range(3))
        return red, green, blue


def _differ(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    return any(abs(x - y) > _CONTRAST for x, y in zip(a, b, strict=True))
