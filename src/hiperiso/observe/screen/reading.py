"""When a picture that no font explains is handed to a reader of pictures: rarely, one at a time, and the newest one.

The reader itself (OCR) is no part of the recorder: whoever starts a recording may give one. Its words are as good as
guesses, so they are marked as such (``data.reader`` of the event) and few conclusions are drawn from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hiperiso.text import masked

PictureReader = Callable[[bytes], str]
"""Takes a PNG; returns the rows of text in it joined by newlines, empty where there is none. Raises nothing."""

MAX_ROWS: Final = 200
MAX_ROW_CHARS: Final = 400
_SHARE: Final = 1 / 5  # of the time, at most, goes into reading
_LEAST_S: Final = 3.0  # between two readings


@dataclass(frozen=True)
class Scene:
    """A picture that waits to be read."""

    t: float
    width_px: int
    height_px: int
    png: bytes


class ReadingQueue:
    """Holds the one scene to be read next, and says when."""

    def __init__(self) -> None:
        self._scene: Scene | None = None
        self._not_before_t = float("-inf")
        self._told = ""

    def offer(self, scene: Scene) -> None:
        """A new scene without text: one that was not read yet is forgotten."""
        self._scene = scene

    def put_back(self, scene: Scene) -> None:
        """A reading was broken off: it is made up for unless there is a newer scene."""
        self._scene = self._scene or scene

    def withdraw(self) -> None:
        """The screen can be read by other means now."""
        self._scene = None

    def take(self, t: float, *, last: bool = False) -> Scene | None:
        """The scene to read at `t` seconds, or None; `last` does not wait for the time to come."""
        if t < self._not_before_t and not last:
            return None
        scene, self._scene = self._scene, None
        return scene

    def done(self, t: float, took_s: float, text: str) -> str:
        """A reading has ended at `t` seconds; returns what of it is to be told, empty where it was told before."""
        self._not_before_t = t + max(_LEAST_S, took_s * (1 / _SHARE - 1))
        rows = [masked(row, " ").strip()[:MAX_ROW_CHARS] for row in text.split("\n")[:MAX_ROWS]]
        clean = "\n".join([row for row in rows if row])
        if not clean or clean == self._told:
            return ""
        self._told = clean
        return clean
