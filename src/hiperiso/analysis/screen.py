"""Screens repeat themselves: only the new rows of each screen are evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MAX_REMEMBERED: Final = 20_000


class ScreenMemory:
    """Remembers the rows of one attempt, so that a fact seen on many screens counts once."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, bool]] = set()
        self._stale: set[str] = set()
        self._shown: set[str] = set()

    def new_rows(self, text: str, columns: int | None) -> Iterator[tuple[str, bool]]:
        """Yield the rows not seen before, rows wrapped at the right margin joined, and whether each is the last one."""
        rows = joined_rows(text, _columns(columns))
        last = max((i for i, row in enumerate(rows) if row.strip()), default=-1)
        self._stale &= set(rows)
        self._shown = set(rows)
        for number, row in enumerate(rows):
            key = (row, number == last)
            if row.strip() and row not in self._stale and key not in self._seen:
                if len(self._seen) >= MAX_REMEMBERED:
                    self._seen.clear()
                fresh = (row, not key[1]) not in self._seen
                self._seen.add(key)
                if fresh or key[1]:
                    yield key

    def reset(self) -> None:
        """The machine was reset: what is still on the screen is old until it has gone."""
        self._stale = set(self._shown)
        self._seen.clear()


def joined_rows(text: str, columns: int) -> list[str]:
    """Return a screen's rows; a row that fills the width is joined with the next, as kernels wrap long lines."""
    out: list[str] = []
    full = False
    for row in text.split("\n"):
        if full and row:
            out[-1] += row
        else:
            out.append(row)
        full = len(row) >= columns and len(out[-1]) < columns * 10
    return [row.rstrip() for row in out]


def _columns(columns: int | None) -> int:
    return columns if columns is not None and 20 <= columns <= 1000 else 80
