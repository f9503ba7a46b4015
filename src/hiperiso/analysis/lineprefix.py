"""Removes what an unknown collector put before each line: ``# ``, ``> ``, ``console | ``, ``[board1] ``, ``12.5 ms: ``.

`hiperiso.analysis.lines` removes the prefixes that are known. An unknown one shows by its regularity: nearly all lines
of a stretch of the log begin with it, its numbers aside. It is learned from the first blocks of a log, and never
includes the kernel's own time stamp or words that a rule reads. What looks like a prompt is one, as in the log of a
shell, unless a good part of what follows it is what a booting machine prints.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from hiperiso.analysis.attention import Attention
from hiperiso.analysis.lines import STAMP_IN_BYTES, without_collector
from hiperiso.textblocks import Block

MAX_LEARNED_BLOCKS: Final = 4
"""From how many blocks of a log its shape is learned."""

_MAX_PREFIX_BYTES: Final = 80
_MAX_SAMPLED_LINES: Final = 400
_MAX_LEARNED_LINES: Final = 4000
_MIN_SHARE: Final = 0.9  # of the lines from the first to the last that begin with it
_MIN_STRETCH: Final = 0.4  # of all lines
_MIN_LINES: Final = 8
_FEW_LINES: Final = 4  # are enough where all begin with it, and kernel messages follow
_WORD_LINES: Final = 20  # of one that is not distinct
_INDENTED: Final = 4  # a single space may be a program's own
_MIN_EVIDENCE: Final = 2
_HELD_LINES: Final = 12

_NUMBER: Final = re.compile(rb" *[0-9]+")
_NUMBER_MARK: Final = b"\x00"  # cleaned text has no control characters
_NUMBER_PATTERN: Final = rb" {0,20}[0-9]{1,20}"
_NEXT_NUMBER_PATTERN: Final = rb" {1,20}[0-9]{1,20}"  # right behind another: digits belong to one of them
_ENDS: Final = re.compile(rb" |[|:>\])}#$%](?! )")
_MARK: Final = re.compile(rb"[^ 0-9A-Za-z\x00]")


class _Prefix(NamedTuple):
    """The form of a prefix, with a mark for each number, and one as it was printed."""

    form: bytes
    printed: bytes

    @property
    def is_distinct(self) -> bool:
        """Whether it is more than words: marks, or an indentation as that of code in Markdown."""
        return _MARK.search(self.form) is not None or not self.form.strip(b" ")

    @property
    def pattern(self) -> bytes:
        """Matches it at the start of a line, and the line that is nothing else."""
        body = self.form.rstrip(b" ")
        spaces = len(self.form) - len(body)
        first, *parts = map(re.escape, body.split(_NUMBER_MARK))
        escaped, apart = first, True
        for part in parts:
            escaped += (_NUMBER_PATTERN if apart else _NEXT_NUMBER_PATTERN) + part
            apart = bool(part)
        return escaped + (b"(?: {%d}| {0,80}$)" % spaces if spaces else b"")


class LinePrefix:
    """The prefix of the lines of one log, learned from the first of them."""

    def __init__(self, attention: Attention) -> None:
        self._attention = attention
        self._pattern: re.Pattern[bytes] | None = None
        self._blocks = 0

    @property
    def is_settled(self) -> bool:
        """Whether further lines would change nothing."""
        return self._pattern is not None or self._blocks >= MAX_LEARNED_BLOCKS

    def strip_block(self, block: Block) -> Block:
        """A block without the prefix of its lines; learns from it."""
        if not self.is_settled:
            self.learn(block.text.split(b"\n"))
        if self._pattern is None:
            return block
        parts, marks, size = [], [], 0
        ends = [offset for offset, _ in block.marks[1:]] + [len(block.text)]
        for (begin, number), end in zip(block.marks, ends, strict=True):
            part = self._pattern.sub(b"", block.text[begin:end])
            marks.append((size, number))
            parts.append(part)
            size += len(part)
        return Block(b"".join(parts), tuple(marks), block.whole)

    def strip(self, line: str) -> str:
        """A cleaned line without the prefix."""
        if self._pattern is None:
            return line
        return self._pattern.sub(b"", line.encode("utf-8", "replace"), count=1).decode("utf-8", "replace")

    def learn(self, lines: Iterable[bytes]) -> None:
        """Look for the prefix of some lines that follow each other."""
        known = [line for line in lines if line.strip()][:_MAX_LEARNED_LINES]
        if len(known) < _FEW_LINES:
            return
        self._blocks += 1
        found: list[_Prefix] = []
        for prefix in _candidates(known):
            if self._is_of_a_collector(prefix, known):
                found.append(prefix)
        if found:
            longest_first = b"|".join(prefix.pattern for prefix in found)
            self._pattern = re.compile(rb"(?m)^(?:" + longest_first + rb")")

    def _is_of_a_collector(self, prefix: _Prefix, lines: Sequence[bytes]) -> bool:
        rests = _behind(prefix, lines)
        count = len(rests)
        if not count or self._attention.is_part_of_a_rule(prefix.printed):
            return False
        if count < _MIN_LINES:
            return sum(STAMP_IN_BYTES.match(rest) is not None for rest in rests) >= _MIN_EVIDENCE
        if not self._attention.is_prompt(prefix.printed):
            return prefix.is_distinct or count >= _WORD_LINES
        return sum(map(self._is_of_a_boot, rests)) >= max(_MIN_EVIDENCE, count // 5)

    def _is_of_a_boot(self, rest: bytes) -> bool:
        words = rest.decode("utf-8", "replace")
        known = STAMP_IN_BYTES.match(rest) is not None or without_collector(words) != words
        return known or self._attention.has_word_of_a_rule(rest)


class FirstLines:
    """The first lines of a log that is read as it comes: held back until its prefix is known, or there are enough."""

    def __init__(self, prefix: LinePrefix) -> None:
        self._prefix = prefix
        self._seen: list[bytes] = []
        self._next = _HELD_LINES
        self.holds = True

    def note(self, line: str) -> None:
        """Note a line that came."""
        if self._prefix.is_settled or not line.strip():
            return
        self._seen.append(line.encode("utf-8", "replace"))
        if len(self._seen) >= self._next:
            self.release()

    def release(self) -> None:
        """Hold back no longer; what is known by now has to do."""
        self.holds = False
        if not self._prefix.is_settled:
            self._prefix.learn(self._seen)
            self._next = 2 * max(len(self._seen), _HELD_LINES)
        if self._prefix.is_settled:
            self._seen = []


def _candidates(lines: Sequence[bytes]) -> list[_Prefix]:
    """What a good part of the lines begin with, the longest first; of equally frequent ones, only the longest."""
    sample = lines[:: max(1, len(lines) // _MAX_SAMPLED_LINES)]
    counts: Counter[bytes] = Counter()
    printed: dict[bytes, bytes] = {}
    for line in sample:
        for end in _ends_of_prefixes(line):
            if end < _INDENTED and not line[:end].strip():
                continue
            form = _NUMBER.sub(_NUMBER_MARK, line[:end])
            counts[form] += 1
            printed.setdefault(form, line[:end])
    enough = _MIN_STRETCH * _MIN_SHARE * len(sample)
    forms = sorted((form for form, count in counts.items() if count >= enough), key=len, reverse=True)
    kept: list[bytes] = []
    for form in forms:
        if not any(longer.startswith(form) and counts[longer] == counts[form] for longer in kept):
            kept.append(form)
    known = [form for form in kept if _is_known(printed[form])]
    return [_Prefix(form, printed[form]) for form in kept if not any(each.startswith(form) for each in known)]


def _ends_of_prefixes(line: bytes) -> Iterator[int]:
    """Where the prefix of a line may end: behind a space or a mark, before the kernel's time stamp."""
    head = b"" if line.startswith(b"** ") else line[:_MAX_PREFIX_BYTES]  # the kernel's note on lost messages
    stamp = STAMP_IN_BYTES.search(head)
    limit = stamp.start() if stamp else len(head)
    for end in _ENDS.finditer(head, 0, limit):
        yield end.end()


def _behind(prefix: _Prefix, lines: Sequence[bytes]) -> list[bytes]:
    """What follows the prefix in the lines; nothing where it is not the prefix of nearly all of a long stretch."""
    match = re.compile(prefix.pattern).match
    ends = [found.end() if (found := match(line)) else -1 for line in lines]
    numbers = [number for number, end in enumerate(ends) if end >= 0]
    count = len(numbers)
    stretch = numbers[-1] + 1 - numbers[0] if numbers else 0
    share = _MIN_SHARE if count >= _MIN_LINES else 1
    if count < _FEW_LINES or stretch < _MIN_STRETCH * len(lines) or count < share * stretch:
        return []
    return [lines[number][ends[number] :] for number in numbers]


def _is_known(prefix: bytes) -> bool:
    """Whether it is removed without that."""
    return bool(prefix.strip()) and not without_collector(prefix.decode("utf-8", "replace"))
