"""Lines that say again what is known: a guest may print the same panic hundreds of thousands of times.

Two lines of the same form (`hiperiso.analysis.alike`) match the same rules. So when a line has changed nothing but the
count of a finding that takes no more evidence, every further line of its form, until something else is said, only adds
to a count: to that of the finding with the same summary, or of the further ones of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Final

from hiperiso.analysis.alike import form_of_text
from hiperiso.analysis.attention import Sight
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.ledger import MAX_SUMMARY_CHARS
from hiperiso.analysis.lines import pieces
from hiperiso.analysis.signature import Effect, Hit, Origin, Signature
from hiperiso.contract.words import FindingKind, Source

_MAX_LINE_BYTES: Final = 400
_MAX_KNOWN: Final = 64
_KINDS: Final = (
    FindingKind.KERNEL_PANIC,
    FindingKind.KERNEL_BUG,
    FindingKind.OOPS,
    FindingKind.KERNEL_WARNING,
    FindingKind.LOCK_WARNING,
)
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


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
        if not _may_only_count(sight) or len(form) > _MAX_LINE_BYTES:
            self._known.clear()
            judge_line()
            return
        before = self._state()
        judge_line()
        if self._state() != before:
            self._known.clear()
        elif counter := self._counter(words, sight):
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[form] = counter

    def _state(self) -> object:
        judge = self._judge
        progress = judge.progress
        attempt = copy(judge.attempt)
        attempt.marks = list(attempt.marks)
        return (
            attempt, progress.boots, progress.loop, progress.furthest, dict(judge.recognised),
            judge.book.changes, judge.wants_next, judge.wants_stamp,
        )  # fmt: skip

    def _counter(self, words: str, sight: Sight) -> _Counter | None:
        """What a line does that changes nothing else, or None where that is not sure."""
        judge = self._judge
        if judge.witness or judge.wants_next or judge.wants_stamp or not words.isascii():
            return None
        piece = pieces(words)[0]
        origin = Origin.KERNEL if piece.by_kernel else Origin.USER
        rows = judge.attention.live(sight, judge.attempt, judge.recognised)
        hits = judge.attention.hits(piece.text, origin, rows)
        if len(hits) != 1 or judge.stage.rank < hits[0].signature.at_least.rank:
            return None
        return self._of_hit(hits[0], words)

    def _of_hit(self, hit: Hit, words: str) -> _Counter | None:
        kind, summary, book = hit.signature.kind, hit.summary, self._judge.book
        if kind is None or len(summary) >= MAX_SUMMARY_CHARS:
            return None
        if not any(char.isdigit() for char in summary):
            return _Counter(0, 0, {}, book.settled(kind, summary) or book.settled_rest(kind))
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


def _is_once_in(text: str, part: str) -> bool:
    at = text.find(part)
    return at >= 0 and text.find(part, at + 1) < 0


def _may_only_count(sight: Sight) -> bool:
    if sight.watched or sight.by_digits or not sight.whole:
        return False
    return any(_only_counts(row.signature) for row in sight.rows)


def _only_counts(signature: Signature) -> bool:
    named = signature.software or signature.family or signature.requires
    return not named and signature.kind in _KINDS and signature.noted and signature.effect is not Effect.OVER


def _variable_part(hit: Hit) -> str | None:
    """The part of the line that a summary quotes, None where it quotes several or another form of it."""
    names = _PLACEHOLDER.findall(hit.signature.summary or "{0}")
    if len(names) != 1:
        return None
    part = hit.match if names[0] == "0" else hit.groups.get(names[0], "").strip()
    return part if part and part == " ".join(part.split()) else None
