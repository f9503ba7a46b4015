"""The first of two steps of matching: which lines contain an anchor word of a rule.

A rule lists literals, one of which its lines contain. Of each literal one word, the rarest, is its anchor: a run of
ASCII letters and digits, compared without case. Whether a block of text holds any of hundreds of anchors costs one pass
over its words, regardless of their number; a literal without such a word is searched literally (a mark).

``hiperiso._scan``, built if a compiler is available, does the same in one pass over the bytes, with the same
results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

try:
    import hiperiso._scan as _compiled
except ImportError:  # no compiler at installation
    _compiled = None  # type: ignore[assignment, unused-ignore]

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_FOLD: Final = bytes(
    ord(chr(c).lower()) if chr(c).isascii() and chr(c).isalnum() else 0x20 for c in range(256)
)
_SPACE: Final = 0x20
_PART_BYTES: Final = 1 << 14  # the smaller, the fewer marks have all their words in it
_MIN_WORD_CHARS: Final = 3
_RARE_BYTES: Final = b"`~@$#{|!?*>='"  # one byte is found many times as fast as a mark
_COMMON_WORDS: Final = """
a acpi all an and are as at add bad be boot booting bus by can cannot change code config configuration console core
could cpu data default dev detected device devices does done down driver disk drm end entry enabled error ethernet exit
failed file files find finished firmware for found from get hardware has held i image in info init initialized input
interface interrupt invalid is it kernel keyboard kvm line link linked linux list load loaded loading lock magic media
memory mode module modules mount mounted mounting network no not number of off ok on open or out output password please
port post power press process reached read released release root run running s scanning service set setting show start
started starting state static status support switch system systemd t table target task that the this time to trace type
u unit unknown use user using version virtual wait waiting warning was with x you your bug buffer cache clock
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())
"""Words that are frequent in logs: a literal without another word is searched literally."""


def is_compiled() -> bool:
    """Whether the compiled scan is available."""
    return _compiled is not None


def anchor_of(literal: str) -> tuple[bytes, bool]:
    """The anchor of a literal, and whether it is a word.

    Else it is the literal itself; a lone prompt character is at the end of a line.
    """
    words = [word for word in _WORD.findall(literal.lower()) if word not in _COMMON]
    best = max(words, key=len, default="")
    if len(best) >= _MIN_WORD_CHARS:
        return best.encode(), True
    return literal.encode() + b"\n" * (literal in ("#", "$")), False


class Anchors:
    """A set of words and marks, to search in blocks of text."""

    def __init__(self, words: Iterable[bytes], marks: Iterable[bytes], *, compiled: bool = True) -> None:
        self.words = frozenset(words)
        self.marks = tuple(sorted(set(marks)))
        self._scan = _compiled if compiled else None
        self._table = self._scan.table(sorted(self.words), self.marks) if self._scan else None
        self._items = (*sorted(self.words), *self.marks)
        self._needs = [(mark, frozenset(_inner_words(mark)), _rare_byte(mark)) for mark in self.marks]
        self._all_needs = frozenset().union(*(needs for _, needs, _ in self._needs))

    def lines(self, block: bytes, start: int = 0) -> list[tuple[int, int]]:
        """The lines of a block that contain any of them: offsets of begin and end, in order."""
        if self._scan:
            found: list[tuple[int, int]] = self._scan.lines(self._table, block, start)
            return found
        found = []
        while start < len(block):
            end = block.find(b"\n", start + _PART_BYTES) + 1 or len(block)
            part = block[start:end]
            begins = {part.rfind(b"\n", 0, at) + 1 for at in self._hits(part)}
            found.extend((start + begin, start + _end(part, begin)) for begin in sorted(begins))
            start = end
        return found

    def find(self, line: str) -> set[bytes]:
        """The words and marks in one line; a mark may include the end of the line."""
        text = line.encode("utf-8", "replace") + b"\n"
        if self._scan:
            return {self._items[number] for number in self._scan.find(self._table, text)}
        words = set(text.translate(_FOLD).split())
        have = self._all_needs & words
        return {word for word in words if word in self.words} | {
            mark for mark, needs, _ in self._needs if needs <= have and mark in text
        }

    def _hits(self, part: bytes) -> Iterator[int]:
        folded = part.translate(_FOLD)
        words = set(folded.split())
        for word in self.words & words:
            yield from _whole_words(folded, part, word)
        have = self._all_needs & words
        present = {byte for byte in _RARE_BYTES if byte in part} | {None}
        for mark, needs, rare in self._needs:
            if rare in present and needs <= have:
                at = part.find(mark)
                while at >= 0:
                    yield at
                    end = part.find(b"\n", at)
                    at = part.find(mark, end) if end >= 0 else -1


def _rare_byte(mark: bytes) -> int | None:
    """A byte of a mark that few texts hold."""
    return next((byte for byte in _RARE_BYTES if byte in mark), None)


def _inner_words(mark: bytes) -> list[bytes]:
    """The words of a mark that stand between others: those at its ends may go on in a text."""
    folded = b"x" + mark.translate(_FOLD) + b"x"
    return folded.split()[1:-1]


def _whole_words(folded: bytes, block: bytes, word: bytes) -> Iterator[int]:
    """The positions of a whole word, once per line."""
    size, length = len(folded), len(word)
    at = folded.find(word)
    while at >= 0:
        after = at + length
        if (at == 0 or folded[at - 1] == _SPACE) and (after == size or folded[after] == _SPACE):
            yield at
            after = block.find(b"\n", after)
            if after < 0:
                return
        at = folded.find(word, after)


def _end(block: bytes, begin: int) -> int:
    end = block.find(b"\n", begin)
    return len(block) if end < 0 else end
