"""The first of two steps of matching: which lines contain a literal of a rule.

A rule lists literals, one of which its lines contain. Of each literal one word, the rarest, is its anchor: a run of
ASCII letters and digits. Whether a line holds any of hundreds of anchors costs one look at each of its words,
regardless of their number; where it does, the literal is compared. A literal without a word is searched as it is.

``hiperiso._literals``, built if a compiler is available, does the same in one pass over the bytes, with the same
results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

try:
    import hiperiso._literals as _compiled
except ImportError:  # no compiler at installation
    _compiled = None  # type: ignore[assignment, unused-ignore]

_WORD: Final = re.compile(rb"[A-Za-z0-9]+")
_SEPARATED: Final = bytes(
    c if chr(c).isascii() and (chr(c).isalnum() or c == 0x0A) else 0x20 for c in range(256)
)
_MIN_WORD_CHARS: Final = 2
_COMMON_WORDS: Final = """
a acpi all an and are as at add bad be boot booting bus by can cannot change code config configuration console core
could cpu data default dev detected device devices does done down driver disk drm end entry enabled error ethernet exit
failed file files filesystem find finished firmware for found from get hardware has held i image in info init
initialized input interface interrupt invalid is it kernel keyboard kvm line link linked linux list load loaded loading
lock magic media memory mode module modules mount mounted mounting network no not number of off ok on open or out output
password please port post power press process reached read released release root run running s scanning service set
setting show start started starting state static status support switch system systemd t table target task that the this
time to trace type u unit unknown use user using version virtual wait waiting warning was with x you your bug buffer
cache clock
"""
_COMMON: Final = frozenset(word.encode() for word in _COMMON_WORDS.split())
"""Words that are frequent in logs: not an anchor where a literal has another word."""


def is_compiled() -> bool:
    """Whether the compiled scan is available."""
    return _compiled is not None


@dataclass(frozen=True, slots=True)
class Anchor:
    """A literal, and where its anchor is in it; without a word, ``length`` is 0."""

    literal: bytes
    at: int = 0
    length: int = 0

    @property
    def word(self) -> bytes:
        """The anchor."""
        return self.literal[self.at : self.at + self.length]

    def is_in(self, text: bytes) -> bool:
        """Whether a text holds the literal, and the anchor there is a whole word."""
        at = text.find(self.literal)
        while at >= 0:
            begin, end = at + self.at, at + self.at + self.length
            if not self.length or not (
                _is_letter(text[begin - 1 : begin]) or _is_letter(text[end : end + 1])
            ):
                return True
            at = text.find(self.literal, at + 1)
        return False


def anchor_of(literal: bytes) -> Anchor:
    """The anchor of a literal: its rarest word. A lone prompt character is at the end of a line."""
    words = [word for word in _WORD.finditer(literal) if len(word.group()) >= _MIN_WORD_CHARS]
    if not words:
        return Anchor(literal + b"\n" * (literal in (b"#", b"$")))
    best = max(words, key=lambda word: _rarity(literal, word))
    return Anchor(literal, best.start(), len(best.group()))


class Anchors:
    """A set of literals, to search in blocks of text."""

    def __init__(self, literals: Iterable[bytes], *, compiled: bool = True) -> None:
        self.anchors = tuple(anchor_of(literal) for literal in literals)
        self._scan = _compiled if compiled else None
        self._table = None
        if self._scan:
            self._table = self._scan.table([(each.literal, each.at, each.length) for each in self.anchors])
        self._by_word: dict[bytes, list[int]] = {}
        for number, each in enumerate(self.anchors):
            self._by_word.setdefault(each.word, []).append(number)
        self._marks = self._by_word.pop(b"", [])
        self._words = frozenset(self._by_word)

    @property
    def compiled(self) -> bool:
        """Whether it searches with the compiled scan."""
        return self._scan is not None

    def lines(self, block: bytes) -> list[tuple[int, int]]:
        """The lines of a block that contain any of the literals: offsets of begin and end, in order."""
        if self._scan:
            found: list[tuple[int, int]] = self._scan.lines(self._table, block)
            return found
        begins = self._begins_by_word(block)
        for number in self._marks:
            mark = self.anchors[number].literal
            at = block.find(mark)
            while at >= 0:
                begins.add(block.rfind(b"\n", 0, at) + 1)
                end = block.find(b"\n", at)
                at = block.find(mark, end) if end >= 0 else -1
        return [(begin, _end(block, begin)) for begin in sorted(begins)]

    def find(self, line: bytes) -> list[int]:
        """The numbers of the literals in one line, in order; one may include the end of the line."""
        text = line + b"\n"
        if self._scan:
            return sorted(set(self._scan.find(self._table, text)))
        return sorted(self._found(text, text.translate(_SEPARATED).split()))

    def _begins_by_word(self, block: bytes) -> set[int]:
        begins, begin = set(), 0
        disjoint = self._words.isdisjoint
        for line in block.translate(_SEPARATED).split(b"\n"):
            if not disjoint(words := line.split()):
                text = block[begin : begin + len(line) + 1]
                if any(self.anchors[number].is_in(text) for number in self._of_words(words)):
                    begins.add(begin)
            begin += len(line) + 1
        return begins

    def _of_words(self, words: list[bytes]) -> list[int]:
        return [number for word in self._words.intersection(words) for number in self._by_word[word]]

    def _found(self, text: bytes, words: list[bytes]) -> list[int]:
        return [
            number for number in (*self._of_words(words), *self._marks) if self.anchors[number].is_in(text)
        ]


def _rarity(literal: bytes, word: re.Match[bytes]) -> tuple[bool, bool, int]:
    inner = word.start() > 0 and word.end() < len(literal)
    if word.group().lower() in _COMMON or len(word.group()) < 3:
        return False, inner, len(word.group())
    return True, False, len(word.group())


def _is_letter(byte: bytes) -> bool:
    return byte.isalnum()


def _end(block: bytes, begin: int) -> int:
    end = block.find(b"\n", begin)
    return len(block) if end < 0 else end
