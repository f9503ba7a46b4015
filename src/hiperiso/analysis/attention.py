"""Selects relevant lines: those with an anchor of a rule that can still have an effect.

A rule that only shows a stage has no effect once that stage is reached; most lines of a boot match only such
rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from hiperiso.analysis.anchors import Anchors
from hiperiso.analysis.ledger import Attempt
from hiperiso.analysis.signature import Catalogue, Effect, Hit, On, Origin, Row
from hiperiso.contract.words import BootStage

_OWN_MARKS: Final = (
    " as init process", "SeaBIOS (version", "Welcome to GRUB!", "BdsDxe: loading", "U-Boot ", "OpenSBI v",
    "bootblock starting", "iPXE initialising", "Linux version ", "/proc/version",
)  # fmt: skip
"""What the judge itself watches for, beside its rules: an init that starts, a machine that restarts."""

STRICT_STAMP: Final = re.compile(rb"\[(?:[ \d]{4}\d|\d{6,12})\.\d{6}\s?\]")


class Attention:
    """Chooses lines, and the rows to search them with."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._own = tuple(mark.encode() for mark in _OWN_MARKS)
        self._spent: dict[tuple[BootStage, bool, int], frozenset[int]] = {}  # names recognised only grow
        self._cache: dict[frozenset[int], Anchors] = {}
        self.everything = Anchors(catalogue.by_word, (*catalogue.by_mark, *self._own))

    @property
    def catalogue_rows(self) -> tuple[Row, ...]:
        """All rows."""
        return self._catalogue.rows

    def spent(self, attempt: Attempt, recognised: Mapping[str, str]) -> frozenset[int]:
        """Indexes of the rows that can have no further effect."""
        key = (attempt.stage, attempt.root_switched, len(recognised))
        spent = self._spent.get(key)
        if spent is None:
            rows = self._catalogue.rows
            spent = frozenset(row.number for row in rows if is_spent(row, attempt, recognised))
            self._spent[key] = spent
        return spent

    def anchors(self, attempt: Attempt, recognised: Mapping[str, str]) -> Anchors:
        """The anchors of all rows that are not spent."""
        spent = self.spent(attempt, recognised)
        if spent not in self._cache:
            if len(self._cache) > _KEPT:
                self._cache.clear()
            words, marks = self._catalogue.by_word, self._catalogue.by_mark
            self._cache[spent] = Anchors(
                (word for word, rows in words.items() if not all(row.number in spent for row in rows)),
                (
                    *(mark for mark, rows in marks.items() if not all(row.number in spent for row in rows)),
                    *self._own,
                ),
            )
        return self._cache[spent]

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

    def is_own(self, text: str) -> bool:
        """Whether the judge itself watches for something in a line."""
        return any(mark in text for mark in _OWN_MARKS)


_KEPT: Final = 50


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
