"""Moves to an entry of a menu: one key at a time, and reads the highlighted entry after each.

The highlighted entry is what the screen marks; where a theme's marks cannot be read, it is the row that changed last,
on the side to which the key went.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hiperiso.drive.keys import DOWN, ENTER, HOME, Chord
from hiperiso.drive.look import Look
from hiperiso.drive.recognise import Menu

_SETTLE_S: Final = 0.25
"""The delay after a key before its effect is checked."""

_DRAWN_S: Final = 3.0
"""A menu that still changes this long after a key contains something that moves by itself."""

_NO_EFFECT_S: Final = 1.5
"""A key without effect for this long has reached the end of the list."""

_MAX_STEPS: Final = 200


@dataclass(frozen=True)
class Step:
    """Keys to press, and whether they start an entry."""

    chords: tuple[Chord, ...]
    why: str
    starts: bool = False


@dataclass(frozen=True)
class Missing:
    """The entry does not exist; ``entries`` are the existing ones."""

    detail: str
    entries: tuple[str, ...]


class Walk:
    """Goes to the entry `path`, through the submenus above it; each step is a number from 1 or a text."""

    def __init__(self, path: tuple[str, ...], reason: str = "was asked for") -> None:
        self._reason = reason
        self._path = list(path)
        self._last: Look | None = None
        self._still_t = float("-inf")
        self._begin(float("-inf"))

    def _begin(self, key_t: float) -> None:
        self._at: int | None = None  # number of the highlighted entry, counted from the first one
        self._seen: list[str] = []
        self._before: Look | None = None
        self._key_t = key_t
        self._steps = 0

    def look(self, menu: Menu, look: Look) -> Step | Missing | None:
        """The next action; None to wait for another screen."""
        if self._is_drawn(look):
            return self._next(menu, look)
        return None

    def _is_drawn(self, look: Look) -> bool:
        """A slow loader draws its menu row by row, and each of them is a change."""
        if self._last is None or not look.shows_the_same_as(self._last):
            self._still_t = look.t
        self._last = look
        return look.t - self._still_t >= _SETTLE_S or look.t - self._key_t >= _DRAWN_S * look.pace

    def _next(self, menu: Menu, look: Look) -> Step | Missing | None:
        before = self._before
        if before is None:
            return self._press(HOME, look, "to the first entry")
        since_s = look.t - self._key_t
        moved = not look.shows_the_same_as(before)
        if since_s < _SETTLE_S or (not moved and since_s < _NO_EFFECT_S * look.pace):
            return None
        if self._at is None:  # after Home: nothing moves where the first entry was highlighted already
            self._at = 0
        else:
            self._at += 1
        title = self._title(menu, look, before)
        at_the_end = self._at > 0 and not moved
        if at_the_end or (title and title in self._seen) or self._steps >= _MAX_STEPS:
            return self._missing(menu)
        self._seen.append(title or f"(entry {self._at + 1}, its text cannot be read)")
        if self._matches(title, menu):
            return self._take(title, look)
        return self._press(DOWN, look, "to the next entry")

    def _press(self, chord: Chord, look: Look, why: str) -> Step:
        self._before, self._key_t = look, look.t
        self._steps += 1
        return Step((chord,), why)

    def _take(self, title: str, look: Look) -> Step:
        wanted = self._path.pop(0)
        starts = not self._path
        why = f"{title or wanted!r} {self._reason}"
        if not starts:
            self._begin(look.t)
        return Step((ENTER,), why, starts)

    def _title(self, menu: Menu, look: Look, before: Look) -> str:
        if menu.title and menu.seen_by != "configuration" and look.marked:
            return menu.title
        rows = look.rows_that_differ(before)
        if menu.entries and rows and look.rows:
            texts = [look.rows[row].strip(" │┃║|*►▶>→") for row in rows if row < len(look.rows)]
            lowest = next((text for text in reversed(texts) if text), "")
            if lowest and self._at:
                return lowest
        if self._at is not None and self._at < len(menu.entries):
            return menu.entries[self._at]
        return ""

    def _matches(self, title: str, menu: Menu) -> bool:
        wanted = self._path[0]
        if wanted.isdigit():
            return self._at is not None and self._at + 1 == int(wanted)
        return bool(title) and _best(wanted, (*menu.entries, title)) == title

    def _missing(self, menu: Menu) -> Missing:
        entries = tuple(dict.fromkeys([*menu.entries, *self._seen]))
        names = ", ".join(map(repr, entries[:20]))
        return Missing(f"the menu has no entry {self._path[0]!r}; it has: {names}", entries)


def _best(wanted: str, titles: tuple[str, ...]) -> str | None:
    """The matching title: the same text, else one that begins with it, else one that contains it."""
    want = wanted.casefold()
    for fits in (
        lambda title: title == want,
        lambda title: title.startswith(want),
        lambda title: want in title,
    ):
        for title in titles:
            if fits(title.casefold()):
                return title
    return None
