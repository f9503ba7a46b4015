"""Iterates over a block of lines, stopping at lines that may match."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container

from hiperiso.analysis.lines import STRICT_STAMP


class BlockWalk:
    """Walks through the text of a block once, with changing criteria.

    Args:
        text: the lines.
        forms: their forms.
        lines: begin and end of those that hold a literal of a rule.
    """

    def __init__(self, text: bytes, forms: bytes, lines: list[tuple[int, int]]) -> None:
        self._text = text
        self._forms = forms
        self._lines = lines
        self._next = 0
        self._stamp_at = -1  # the position of the next stamp, the end of the text for none; -1: not searched
        self.at = 0

    def advance(self, *, every: bool, stamps: bool, dull: Container[bytes]) -> tuple[int, int] | None:
        """Return the next line to examine and step past it; None at the end.

        Args:
            every: the next line, regardless of its content.
            stamps: also the next line with a stamp of printk's.
            dull: forms of lines not to stop at.
        """
        if self.at >= len(self._text):
            return None
        line = self._line_at(self.at) if every else self._line_with_literal(dull)
        if not every and stamps and (stamped := self._line_with_stamp()):
            line = min(line, stamped) if line else stamped
        self.at = line[1] + 1 if line else len(self._text)
        return line

    def _line_with_literal(self, dull: Container[bytes]) -> tuple[int, int] | None:
        lines, forms = self._lines, self._forms
        if self._next < len(lines) and lines[self._next][0] < self.at:
            self._next = bisect_left(lines, (self.at, 0), self._next)
        for number in range(self._next, len(lines)):
            line = lines[number]
            if forms[line[0] : line[1]] not in dull:
                self._next = number
                return line
        self._next = len(lines)
        return None

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
