"""Lines that say again what is known: a guest may print the same panic hundreds of thousands of times.

Two lines that differ in nothing but digits match the same rules, unless a pattern names a digit. So when a line has
changed nothing but the count of a finding that takes no more evidence, every further line like it, until something
else is said, only adds to that count. Lines are compared with each digit written as ``0``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from typing import Final

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.lines import pieces
from hiperiso.analysis.signature import Effect, Hit, Origin, Row
from hiperiso.contract.words import FindingKind, Source

_MASK: Final = bytes(0x30 if 0x31 <= c <= 0x39 else c for c in range(256))
_MASK_TEXT: Final = str.maketrans("123456789", "000000000")
_MAX_LINE_BYTES: Final = 400
_MAX_KNOWN: Final = 64
_KINDS: Final = (
    FindingKind.KERNEL_PANIC,
    FindingKind.KERNEL_BUG,
    FindingKind.OOPS,
    FindingKind.KERNEL_WARNING,
    FindingKind.LOCK_WARNING,
)
_ANY_DIGIT: Final = re.compile(r"\\d|0-9|(?<!\\)\{\d{0,6},?\d{0,6}\}|\(\?P<\w+>")
_NAMES_A_DIGIT: Final = re.compile(r"[0-9]|\(\?P=")


def masked(text: bytes) -> bytes:
    """A text of the same length in which all digits are alike."""
    return text.translate(_MASK)


class Repeats:
    """Knows the lines that only count up, as long as nothing else is said."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._seen: set[bytes] = set()
        self._known: dict[bytes, Callable[[int], None] | None] = {}
        literals = {literal for row in judge.attention.catalogue_rows for literal in row.literals}
        self._digit_literals = tuple(
            literal.strip("\n").translate(_MASK_TEXT) for literal in literals if re.search("[0-9]", literal)
        )

    def skip(self, text: bytes, at: int) -> int:
        """Count the lines from an offset of a masked text on that are known; returns where another one begins."""
        while self._known:
            end = text.find(b"\n", at) + 1
            count_up = self._known.get(text[at : end - 1]) if end else None
            if count_up is None:
                return at
            line, number = text[at:end], 0
            while text.startswith(line, at):
                number += 1
                at += len(line)
            count_up(number)
        return at

    def take(self, line: bytes, words: str, judge_line: Callable[[], None]) -> None:
        """Let the judge take a line, masked here, and learn from what it changes."""
        if line not in self._seen:
            if len(self._seen) < _MAX_KNOWN and len(line) <= _MAX_LINE_BYTES:
                self._seen.add(line)
            self._known.clear()
            judge_line()
            return
        before = self._state()
        judge_line()
        if self._state() != before:
            self._known.clear()
        elif count_up := self._counter(words):
            self._known[line] = count_up

    def _state(self) -> object:
        judge = self._judge
        progress = judge.progress
        attempt = copy(judge.attempt)
        attempt.marks = list(attempt.marks)
        return (
            attempt, progress.boots, progress.loop, progress.furthest, dict(judge.recognised),
            judge.book.extent(), judge.wants_next, judge.wants_stamp,
        )  # fmt: skip

    def _counter(self, words: str) -> Callable[[int], None] | None:
        """What a line does that changes nothing else, or None where that is not sure."""
        judge, parts = self._judge, pieces(words)
        if judge.witness or judge.wants_next or judge.wants_stamp or judge.attention.is_own(words):
            return None
        like = words.translate(_MASK_TEXT)
        if len(parts) != 1 or parts[0].cut or any(literal in like for literal in self._digit_literals):
            return None
        rows = judge.attention.rows(words, judge.attempt, judge.recognised)
        if any(_distinguishes_digits(row) for row in rows if row.might_match(words)):
            return None
        origin = Origin.USER if parts[0].kernel_s is None else Origin.KERNEL
        return self._of_hits(judge.attention.hits(parts[0].text, origin, rows))

    def _of_hits(self, hits: list[Hit]) -> Callable[[int], None] | None:
        if len(hits) != 1:
            return None
        signature, summary = hits[0].signature, hits[0].summary
        if signature.software or signature.family or signature.requires or signature.effect is Effect.OVER:
            return None
        if signature.kind not in _KINDS or not signature.noted:
            return None
        if self._judge.stage.rank < signature.at_least.rank:
            return None
        counts = self._judge.book.settled(signature.kind, summary, lambda text: text.translate(_MASK_TEXT))
        if counts is None:
            return None

        def count_up(number: int) -> None:
            counts[Source.SERIAL] = counts.get(Source.SERIAL, 0) + number

        return count_up


def _distinguishes_digits(row: Row) -> bool:
    """Whether a pattern may distinguish one digit from another."""
    return _NAMES_A_DIGIT.search(_ANY_DIGIT.sub("", row.signature.pattern)) is not None
