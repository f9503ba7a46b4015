"""What the hands at the boot menu report, as stages, findings and endings."""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.ledger import EndCause, FindingBook, Moment, evidence_of
from hiperiso.analysis.progress import Progress
from hiperiso.contract.events import FallbackConfigured, HandsEvent, KeysPressed, MenuLeft, MenuStands
from hiperiso.contract.menupolicy import MenuOutcome
from hiperiso.contract.words import (
    BootStage,
    EndReason,
    FailureDomain,
    FindingKind,
    Severity,
)

_SETTLE_S: Final = 0.3

_WAITING: Final = {
    MenuOutcome.WAITS: (EndReason.MENU_WAITS, FindingKind.BOOT_MENU, Severity.WARNING),
    MenuOutcome.LISTED: (EndReason.MENU_LISTED, FindingKind.BOOT_MENU, Severity.INFO),
    MenuOutcome.NO_ENTRY: (EndReason.MENU_ENTRY_MISSING, FindingKind.MENU_ENTRY_MISSING, Severity.ERROR),
    MenuOutcome.PASSPHRASE: (EndReason.PASSPHRASE, FindingKind.PASSPHRASE_PROMPT, Severity.WARNING),
}
"""The menu waits for a person, or a wrong entry was requested: not a failure of the guest."""

_FAILED: Final = {
    MenuOutcome.RETURNED: FindingKind.MENU_RETURNED,
    MenuOutcome.NO_REACTION: FindingKind.MENU_NO_REACTION,
}


class BootMenus:
    """Takes the events of the hands."""

    def __init__(self, progress: Progress, book: FindingBook) -> None:
        self._progress = progress
        self._book = book

    def take(self, event: HandsEvent) -> None:
        """Process what the hands saw, did, or gave up."""
        evidence = evidence_of(event, event.text)
        moment = Moment(event.t, event.t, evidence)
        if isinstance(event, MenuStands):
            self._progress.reach(BootStage.BOOTLOADER, moment)
            self._book.add(
                FindingKind.BOOT_MENU, Severity.INFO, event.text, channel=event.source, evidence=evidence
            )
        elif isinstance(event, FallbackConfigured):
            self._progress.fallbacks = max(self._progress.fallbacks, len(event.data.entries or ()))
        elif isinstance(event, KeysPressed):
            if event.data.answers:
                self._progress.attempt.answered = True
                summary = f"{event.text}; {_keys(event)} at {event.t:.1f} s"
                self._book.add(
                    FindingKind.MENU_KEY, Severity.INFO, summary, channel=event.source, evidence=evidence
                )
                self._progress.attempt.stuck = None  # a prompt that waited has been answered
        elif isinstance(event, MenuLeft) and event.data.outcome in set(MenuOutcome):
            self._leave(event, MenuOutcome(event.data.outcome), moment)

    def _leave(self, event: MenuLeft, outcome: MenuOutcome, moment: Moment) -> None:
        attempt, due_s = self._progress.attempt, event.t + _SETTLE_S
        if outcome in _WAITING:
            reason, kind, severity = _WAITING[outcome]
            attempt.waits = EndCause(reason, event.t, due_s, event.text, kind=kind, seconds=event.t)
            attempt.stuck = None
        else:
            reason, kind, severity = EndReason.BOOT_FAILED, _FAILED[outcome], Severity.FATAL
            domain = FailureDomain.BOOTLOADER
            attempt.stuck = EndCause(
                reason, event.t, due_s, event.text, kind=kind, domain=domain, seconds=event.t
            )
        domain = FailureDomain.BOOTLOADER if severity is Severity.FATAL else FailureDomain.NONE
        self._book.add(kind, severity, event.text, domain, channel=event.source, evidence=moment.evidence)


def _keys(event: KeysPressed) -> str:
    names = ["Enter" if key == "ret" else key for key in event.data.keys or []]
    if len(names) > 1 and names[-1] == "Enter":
        return f"{len(names) - 1} keys and Enter were pressed"
    return f"{', '.join(names)} was pressed" if len(names) == 1 else f"{', '.join(names)} were pressed"
