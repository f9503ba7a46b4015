"""Lines that say again what is known: a guest may print the same panic hundreds of thousands of times.

Two lines of the same form (`hiperiso.analysis.alike`) match the same rules. So when a line has changed nothing but the
count of a finding that takes no more evidence, every further line of its form, until something else is said, only adds
to a count: to that of the finding with the same summary, or of the further ones of its kind. A line of another form
that nothing but the same rule matches has to be searched, and no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hiperiso.analysis.alike import form_of_text
from hiperiso.analysis.attention import Sight
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.ledger import MAX_SUMMARY_CHARS
from hiperiso.analysis.lines import pieces
from hiperiso.analysis.signature import Hit, Origin, Row, Signature
from hiperiso.contract.words import FindingKind, Source

_MAX_LINE_BYTES: Final = 400
_MAX_KNOWN: Final = 64
_MAX_ONCE: Final = 1000
_KINDS: Final = (
    FindingKind.KERNEL_PANIC,
    FindingKind.KERNEL_BUG,
    FindingKind.OOPS,
    FindingKind.KERNEL_WARNING,
    FindingKind.LOCK_WARNING,
    FindingKind.KERNEL_TRACE,
)
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


class _Effect(Enum):
    COUNT = "count"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class _Counter:
    """Where the lines of one form are counted.

    The part of a line from `begin` to `end` decides: for one of the parts that are `apart`, the counts are its own;
    for another they are those of the `rest`. None: they do not take more lines unjudged.
    """

    begin: int
    end: int
    apart: dict[bytes, dict[str, int] | None]
    rest: dict[str, int] | None

    def counts_of(self, line: bytes) -> dict[str, int] | None:
        return self.apart.get(line[self.begin : self.end], self.rest)


class Repeats:
    """Knows the lines that only count up, as long as nothing else is said."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._known: dict[bytes, _Counter] = {}
        # rules that only count now, or do nothing, in lines of the kernel or others
        self._rules: dict[tuple[Row, bool], _Effect] = {}
        self._once: set[bytes] = set()  # forms of which one line was counted

    def skip(self, forms: bytes, text: bytes, at: int) -> int:
        """Count the lines of a text from an offset on that are known; returns where another one begins."""
        while self._known:
            end = forms.find(b"\n", at) + 1
            counter = self._known.get(forms[at : end - 1]) if end else None
            if counter is None:
                return at
            form = forms[at:end]
            while forms.startswith(form, at):
                counts = counter.counts_of(text[at : at + len(form)])
                if counts is None:
                    return at
                counts[Source.SERIAL] = counts.get(Source.SERIAL, 0) + 1
                at += len(form)
        return at

    def take(self, form: bytes, words: str, sight: Sight, judge_line: Callable[[], None]) -> None:
        """Let the judge take a line and learn from what it changes."""
        learns = _may_only_count(sight) and len(form) <= _MAX_LINE_BYTES
        if not learns and not self._rules:
            judge_line()
            return
        key = (sight.rows[0], _is_of_the_kernel(words)) if learns else None
        if key in self._rules and self._is_counted(form, words, sight, self._rules[key]):
            return
        before, sightings = self._state(), self._judge.book.sightings
        judge_line()
        sightings = self._judge.book.sightings - sightings
        if self._state() != before:
            self._forget()
        elif key and sightings <= 1 and self._hit_of(words, sight):
            self._rules[key] = _Effect.COUNT if sightings else _Effect.NOTHING

    def _is_counted(self, form: bytes, words: str, sight: Sight, effect: _Effect) -> bool:
        """Count a line that a rule matches which is known to do no more."""
        hit = self._hit_of(words, sight)
        if hit is None or hit.signature.kind is None:
            return False
        counts: dict[str, int] | None = {}
        if effect is _Effect.COUNT:
            counts = self._judge.book.settled(hit.signature.kind, hit.summary)
        if counts is None:
            return False
        counts[Source.SERIAL] = counts.get(Source.SERIAL, 0) + 1
        if len(self._known) >= _MAX_KNOWN or len(self._once) >= _MAX_ONCE:
            self._known, self._once = {}, set()
        if form not in self._once:
            self._once.add(form)
        elif counter := _Counter(0, 0, {}, {}) if effect is _Effect.NOTHING else self._of_hit(hit, words):
            self._known[form] = counter
        return True

    def _forget(self) -> None:
        self._known, self._rules, self._once = {}, {}, set()

    def _state(self) -> object:
        judge = self._judge
        progress = judge.progress
        attempt = copy(judge.attempt)
        attempt.marks = list(attempt.marks)
        return (
            attempt, progress.boots, progress.loop, progress.furthest, dict(judge.recognised),
            judge.book.changes, judge.wants_next, judge.wants_stamp,
        )  # fmt: skip

    def _hit_of(self, words: str, sight: Sight) -> Hit | None:
        """The one thing that a line means, or None where it may mean more, or do more than to count."""
        judge = self._judge
        piece = pieces(words)[0]
        if judge.witness or judge.wants_next or (judge.wants_stamp and piece.kernel_s is not None):
            return None
        origin = Origin.KERNEL if piece.by_kernel else Origin.USER
        hits = judge.attention.hits(piece.text, origin, sight.rows)
        if len(hits) != 1 or judge.stage.rank < hits[0].signature.at_least.rank:
            return None
        return hits[0]

    def _of_hit(self, hit: Hit, words: str) -> _Counter | None:
        kind, summary, book = hit.signature.kind, hit.summary, self._judge.book
        if kind is None or len(summary) >= MAX_SUMMARY_CHARS or not words.isascii():
            return None
        if not any(char.isdigit() for char in summary):
            return _Counter(0, 0, {}, book.settled(kind, summary))
        variable = _variable_part(hit)
        if variable is None or not (_is_once_in(words, variable) and _is_once_in(summary, variable)):
            return None
        before, _, after = summary.partition(variable)
        form = form_of_text(summary)
        apart: dict[bytes, dict[str, int] | None] = {}
        for known in book.summaries(kind):
            if form_of_text(known) == form:
                part = known[len(before) : len(known) - len(after)]
                apart[part.encode()] = book.settled(kind, known)
        begin = words.index(variable)
        return _Counter(begin, begin + len(variable), apart, book.settled_rest(kind))


def _is_of_the_kernel(words: str) -> bool:
    return pieces(words)[0].by_kernel


def _is_once_in(text: str, part: str) -> bool:
    at = text.find(part)
    return at >= 0 and text.find(part, at + 1) < 0


def _may_only_count(sight: Sight) -> bool:
    if sight.watched or sight.by_digits or not sight.whole:
        return False
    return len(sight.rows) == 1 and _only_counts(sight.rows[0].signature)


def _only_counts(signature: Signature) -> bool:
    named = signature.software or signature.family or signature.requires
    return not named and signature.kind in _KINDS and signature.noted


def _variable_part(hit: Hit) -> str | None:
    """The part of the line that a summary quotes, None where it quotes several or another form of it."""
    names = _PLACEHOLDER.findall(hit.signature.summary or "{0}")
    if len(names) != 1:
        return None
    part = hit.match if names[0] == "0" else hit.groups.get(names[0], "").strip()
    return part if part and part == " ".join(part.split()) else None
