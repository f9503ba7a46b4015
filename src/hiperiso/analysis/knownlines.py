"""What is known of the lines of a log by their form: a log has thousands of lines in a few hundred forms."""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.attention import Attention, Sight

_MAX_BYTES: Final = 2_000_000  # of forms, each of the two memories; all is forgotten then
_ENTRY_BYTES: Final = 200  # what an entry costs beside its form


class KnownLines:
    """Finds the lines of blocks that hold a literal of a rule, and what they may mean."""

    def __init__(self, attention: Attention) -> None:
        self._attention = attention
        self._anchors = attention.everything
        self._sights: dict[bytes, Sight] = {}
        self._sights_bytes = 0
        self._dull: dict[frozenset[int], set[bytes]] = {}
        self._holds: dict[bytes, bool] = {}  # whether a line of this form holds a literal
        self._holds_bytes = 0

    def with_literals(self, forms: bytes) -> list[tuple[int, int]]:
        """The lines of a block, given by their forms, that hold a literal: offsets of begin and end, in order."""
        if self._anchors.compiled:  # faster than to remember
            return self._anchors.lines(forms)
        lines = forms.split(b"\n")
        self._learn(lines)
        found, at = [], 0
        holds = self._holds
        for line in lines:
            end = at + len(line)
            if holds[line]:
                found.append((at, end))
            at = end + 1
        return found

    def sight(self, form: bytes, line: bytes) -> Sight:
        """What a line may mean."""
        sight = self._sights.get(form)
        if sight is None or sight.by_digits:
            sight = self._attention.sight(form, line.decode("utf-8", "replace").rstrip())
            self._count(form)
            self._sights[form] = sight
        return sight

    def dull(self, spent: frozenset[int]) -> set[bytes]:
        """The forms of lines that mean nothing while these rules can have no further effect, as far as known."""
        return self._dull.setdefault(spent, set())

    def note_dull(self, form: bytes, spent: frozenset[int]) -> None:
        """A line of this form holds literals, and means nothing."""
        self._count(form)
        self.dull(spent).add(form)

    def _count(self, form: bytes) -> None:
        self._sights_bytes += len(form) + _ENTRY_BYTES
        if self._sights_bytes > _MAX_BYTES:
            self._sights, self._dull, self._sights_bytes = {}, {}, len(form) + _ENTRY_BYTES

    def _learn(self, lines: list[bytes]) -> None:
        new = set(lines).difference(self._holds)
        if not new:
            return
        self._holds_bytes += sum(map(len, new)) + len(new) * _ENTRY_BYTES
        if self._holds_bytes > _MAX_BYTES:
            new = set(lines)
            self._holds, self._holds_bytes = {}, sum(map(len, new)) + len(new) * _ENTRY_BYTES
        text = b"\n".join(new) + b"\n"
        self._holds.update(dict.fromkeys(new, False))
        self._holds.update((text[begin:end], True) for begin, end in self._anchors.lines(text))
