"""Iterates over a block of lines, stopping at lines that may match."""

from __future__ import annotations

from bisect import bisect_left

from hiperiso.analysis.anchors import Anchors
from hiperiso.analysis.attention import STRICT_STAMP


class BlockWalk:
    """Walks through the text of a block once, with changing criteria."""

    def __init__(self, text: bytes, anchors: Anchors) -> None:
        self._text = text
        self._lines: list[tuple[int, int]] = []
        self._next = 0
        self._stamp_at = -1  # the position of the next stamp, the end of the text for none; -1: not searched
        self.at = 0
        self.look_for(anchors)

    @property
    def done(self) -> bool:
        """Whether the end was reached."""
        return self.at >= len(self._text)

    def look_for(self, anchors: Anchors) -> None:
        """From here on, stop at lines with these anchors."""
        self._lines = anchors.lines(self._text, self.at)
        self._next = 0

    def advance(self, *, every: bool, stamps: bool) -> tuple[int, int] | None:
        """Return the next line to examine and step past it; None at the end.

        Args:
            every: the next line, regardless of its content.
            stamps: also the next line with a stamp of printk's.
        """
        if self.done:
            return None
        line = self._line_at(self.at) if every else self._line_with_anchor()
        if not every and stamps and (stamped := self._line_with_stamp()):
            line = min(line, stamped) if line else stamped
        self.at = line[1] + 1 if line else len(self._text)
        return line

    def _line_with_anchor(self) -> tuple[int, int] | None:
        if self._next < len(self._lines) and self._lines[self._next][0] < self.at:
            self._next = bisect_left(self._lines, (self.at, 0), self._next)
        return self._lines[self._next] if self._next < len(self._lines) else None

    def _line_with_stamp(self) -> tuple[int, int] | None:
        if self._stamp_at < self.at:
            stamp = STRICT_STAMP.search(self._text, self.at)
            self._stamp_at = stamp.start() if stamp else len(self._text)
        if self._stamp_at == len(self._text):
            return None
        return self._line_at(max(self._text.rfind(b"\n", self.at, self._stamp_at) + 1, self.at))

    def _line_at(self, begin: int) -> tuple[int, int]:
        end = self._text.find(b"\n", begin)
        return begin, len(self._text) if end < 0 else end
