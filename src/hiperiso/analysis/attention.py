"""Selects relevant lines: those with a literal of a rule that can still have an effect.

A rule that only shows a stage has no effect once that stage is reached; most lines of a boot match only such
rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hiperiso.analysis.alike import form_of, form_of_text
from hiperiso.analysis.anchors import Anchors
from hiperiso.analysis.ledger import Attempt
from hiperiso.analysis.lines import pieces
from hiperiso.analysis.signature import Catalogue, Effect, Hit, On, Origin, Row
from hiperiso.contract.words import BootStage

_WATCHED: Final = (
    " as init process", "SeaBIOS (version", "Welcome to GRUB!", "BdsDxe: loading", "U-Boot ", "OpenSBI v",
    "bootblock starting", "iPXE initialising", "Linux version ", "/proc/version",
)  # fmt: skip
"""What the judge itself watches for, beside its rules: an init that starts, a machine that restarts."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a line may mean, regardless of what was seen before it.

    Attributes:
        rows: the rows that match one of its pieces; where something interrupts the line, all of which it holds a
            literal.
        watched: the judge itself watches for it.
        whole: it is one piece.
        by_digits: another line of the same form may mean something else.
    """

    rows: tuple[Row, ...] = ()
    watched: bool = False
    whole: bool = True
    by_digits: bool = False


_NOTHING: Final = Sight()


@lru_cache(maxsize=2)
def _anchors(literals: tuple[bytes, ...]) -> Anchors:
    """Those of a catalogue and of what is watched for; every judge of a process has the same."""
    return Anchors((*literals, *(form_of_text(mark).encode() for mark in _WATCHED)))


class Attention:
    """Chooses lines, and the rows to search them with."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._spent: dict[tuple[BootStage, bool, int], frozenset[int]] = {}  # names recognised only grow
        self.everything = _anchors(catalogue.literals)

    def sight(self, form: bytes, text: str) -> Sight:
        """What a line may mean; `form` is its form (`alike.form_of`)."""
        literals = self.everything.find(form)
        if not literals:
            return _NOTHING
        known = len(self._catalogue.literals)
        rows = self._catalogue.rows_of(literal for literal in literals if literal < known)
        parts = pieces(text)
        whole = len(parts) == 1 and not parts[0].cut
        found = rows if not whole else [row for row in rows if row.search(parts[0].text)]
        by_digits = any(row.depends_on_digits(part.text) for row in rows for part in parts)
        return Sight(tuple(found), literals[-1] >= known, whole, by_digits)

    def spent(self, attempt: Attempt, recognised: Mapping[str, str]) -> frozenset[int]:
        """Indexes of the rows that can have no further effect."""
        key = (attempt.stage, attempt.root_switched, len(recognised))
        spent = self._spent.get(key)
        if spent is None:
            rows = self._catalogue.rows
            spent = frozenset(row.number for row in rows if is_spent(row, attempt, recognised))
            self._spent[key] = spent
        return spent

    def rows(self, text: str, attempt: Attempt, recognised: Mapping[str, str]) -> list[Row]:
        """The rows to search a line with."""
        rows = self._catalogue.candidates(text)
        if not rows:
            return rows
        spent = self.spent(attempt, recognised)
        return [row for row in rows if row.number not in spent]

    def hits(self, text: str, origin: Origin, rows: Sequence[Row]) -> list[Hit]:
        """What a whole statement on a serial line means, by these rows."""
        return list(self._catalogue.hits(text, On.ANY, prompt=False, origin=origin, candidates=rows))

    def has_word_of_a_rule(self, text: bytes) -> bool:
        """Whether a piece of a line holds a literal of a rule, and not just the mark of a prompt."""
        known = self.everything.anchors
        return any(known[number].length for number in self.everything.find(form_of(text)))

    def is_part_of_a_rule(self, text: bytes) -> bool:
        """Whether a few words are, or are part of, what a rule reads."""
        words = form_of(text.strip())
        if self.has_word_of_a_rule(text):
            return True
        return any(char.isalpha() for char in words.decode("utf-8", "replace")) and any(
            words in anchor.literal for anchor in self.everything.anchors
        )

    def is_prompt(self, text: bytes) -> bool:
        """Whether a rule reads a text as a prompt that waits."""
        words = text.decode("utf-8", "replace").rstrip()
        return any(True for _ in self._catalogue.hits(words, On.ANY, prompt=True))

    def is_watched(self, text: str) -> bool:
        """Whether the judge itself watches for something in a line."""
        return any(mark in text for mark in _WATCHED)


def is_spent(row: Row, attempt: Attempt, recognised: Mapping[str, str]) -> bool:
    """True when a row can have no further effect in this attempt."""
    signature, rank = row.signature, attempt.stage.rank
    if signature.kind is not None or rank < BootStage.KERNEL.rank:
        return False
    least = BootStage.USERSPACE if signature.family == "systemd" else signature.stage or BootStage.UNKNOWN
    if signature.effect is Effect.IN_INITRAMFS:
        least = BootStage.USERSPACE
    elif signature.effect is not Effect.NONE and not (
        signature.effect is Effect.ROOT_SWITCHED and attempt.root_switched
    ):
        return False
    named = not signature.software or (
        "{" not in signature.software and (signature.family or signature.software) in recognised
    )
    return named and rank >= least.rank
