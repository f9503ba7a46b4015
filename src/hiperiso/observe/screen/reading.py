"""When a picture that no font matches is passed to a picture reader: rarely, one at a time, and the newest one.

The reader itself (OCR) is not part of the recorder: the caller of a recording may supply one. Its results are
guesses, so they are marked (``data.reader`` of the event) and few conclusions are drawn from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hiperiso.text import masked

PictureReader = Callable[[bytes], str]
"""Takes a PNG; returns its rows of text joined by newlines, empty if there are none. Never raises."""

MAX_ROWS: Final = 200
MAX_ROW_CHARS: Final = 400
_SHARE: Final = 1 / 5  # of the time, at most, goes into reading
_LEAST_S: Final = 3.0  # between two readings


@dataclass(frozen=True)
class Scene:
    """A picture to be read."""

    t: float
    width_px: int
    height_px: int
    png: bytes


class ReadingQueue:
    """Holds the next scene to read, and decides when."""

    def __init__(self) -> None:
        self._scene: Scene | None = None
        self._not_before_t = float("-inf")
        self._emitted = ""

    def offer(self, scene: Scene) -> None:
        """A new scene without text: replaces one that was not read yet."""
        self._scene = scene

    def put_back(self, scene: Scene) -> None:
        """A reading was cancelled: it is repeated unless there is a newer scene."""
        self._scene = self._scene or scene

    def withdraw(self) -> None:
        """The screen can now be read by other means."""
        self._scene = None

    def take(self, t: float, *, last: bool = False) -> Scene | None:
        """The scene to read at `t` seconds, or None; `last` does not wait for the interval."""
        if t < self._not_before_t and not last:
            return None
        scene, self._scene = self._scene, None
        return scene

    def done(self, t: float, took_s: float, text: str) -> str:
        """A reading has ended at `t` seconds; returns the text to emit, empty if emitted before."""
        self._not_before_t = t + max(_LEAST_S, took_s * (1 / _SHARE - 1))
        rows = [masked(row, " ").strip()[:MAX_ROW_CHARS] for row in text.split("\n")[:MAX_ROWS]]
        clean = "\n".join([row for row in rows if row])
        if not clean or clean == self._emitted:
            return ""
        self._emitted = clean
        return clean
