"""What the judge remembers: findings with their evidence, and one attempt to boot after another."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from hiperiso.contract.events import Event, StreamLine
from hiperiso.contract.report import Evidence, Finding
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity, Source
from hiperiso.text import plain

MAX_EVIDENCE: Final = 5
MAX_SUMMARY_CHARS: Final = 200
MAX_DISTINCT: Final = 40  # findings of one kind; later ones are counted with the last


def evidence_of(event: Event, text: str) -> Evidence:
    """Return the evidence for an event; events made from a file name their file and line instead."""
    if isinstance(event, StreamLine) and event.data.file and event.data.line is not None:
        return Evidence(text=plain(text).strip(), file=event.data.file, line=event.data.line)
    source = Source(event.source)
    return Evidence(text=plain(text).strip(), source=source, event=event.n, t=round(event.t, 3))


def is_clockless(event: Event) -> bool:
    """True for an event made from a line of a file: its time is not known, its place is."""
    return isinstance(event, StreamLine) and bool(event.data.file) and event.data.line is not None


@dataclass
class _Entry:
    kind: FindingKind
    severity: Severity
    summary: str
    domain: FailureDomain
    counts: dict[str, int] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)


class FindingBook:
    """Collects findings. The same fact on two channels (serial and screen) counts once: the larger count is taken."""

    def __init__(self) -> None:
        self._entries: dict[tuple[FindingKind, str], _Entry] = {}
        self._per_kind: dict[FindingKind, int] = {}
        self.changes = 0  # grows with everything but the counts
        self.sightings = 0

    def add(
        self,
        kind: FindingKind,
        severity: Severity,
        summary: str,
        domain: FailureDomain = FailureDomain.NONE,
        *,
        channel: str,
        evidence: Evidence,
    ) -> None:
        """Note one sighting on a channel."""
        self.sightings += 1
        summary = plain(summary, MAX_SUMMARY_CHARS)
        key = (kind, summary)
        entry = self._entries.get(key)
        if entry is None:
            number = self._per_kind.get(kind, 0)
            if number >= MAX_DISTINCT:
                key = (kind, "")
                summary = "further ones of this kind"
                entry = self._entries.get(key)
            if entry is None:
                self._per_kind[kind] = number + 1
                entry = self._entries[key] = _Entry(kind, severity, summary, domain)
                self.changes += 1
        entry.counts[channel] = entry.counts.get(channel, 0) + 1
        if len(entry.evidence) < MAX_EVIDENCE:
            entry.evidence.append(evidence)
            self.changes += 1

    def settled(self, kind: FindingKind, summary: str) -> dict[str, int] | None:
        """The counts, by channel, that a finding goes to; None where it would bring a new one, or more evidence."""
        entry = self._entries.get((kind, plain(summary, MAX_SUMMARY_CHARS)))
        if entry is None and self._per_kind.get(kind, 0) >= MAX_DISTINCT:
            entry = self._entries.get((kind, ""))
        return entry.counts if entry and len(entry.evidence) >= MAX_EVIDENCE else None

    def settled_rest(self, kind: FindingKind) -> dict[str, int] | None:
        """The counts, by channel, that all unknown findings of a kind go to; None while such are kept apart."""
        entry = self._entries.get((kind, ""))
        return entry.counts if entry and len(entry.evidence) >= MAX_EVIDENCE else None

    def summaries(self, kind: FindingKind) -> list[str]:
        """The summaries of all findings of a kind that are kept apart."""
        return [summary for of, summary in self._entries if of == kind and summary]

    def count(self, kind: FindingKind) -> int:
        """How often findings of a kind were seen."""
        return sum(max(e.counts.values()) for e in self._entries.values() if e.kind == kind)

    def has(self, *kinds: FindingKind) -> bool:
        """True when any of the kinds was seen."""
        return any(self._per_kind.get(kind) for kind in kinds)

    @property
    def troubles(self) -> tuple[str, ...]:
        """The texts of all findings above info, in order of appearance."""
        return tuple(e.summary for e in self._entries.values() if e.severity is not Severity.INFO)

    def first(self, *kinds: FindingKind) -> Finding | None:
        """The first finding of any of the kinds, in order of appearance."""
        return next((finding for finding in self.findings() if finding.kind in kinds), None)

    def findings(self) -> list[Finding]:
        """All findings in order of appearance."""
        return [
            Finding(
                kind=e.kind,
                severity=e.severity,
                summary=e.summary,
                domain=e.domain,
                count=max(e.counts.values()),
                evidence=list(e.evidence),
            )
            for e in self._entries.values()
        ]


@dataclass(frozen=True)
class Moment:
    """When and where something was seen.

    ``t`` is the event's time. ``seconds`` is the displayed time: since QEMU started, or of kernel time where only
    that is known. ``kernel_s`` is the line's own time stamp.
    """

    t: float
    seconds: float | None
    evidence: Evidence
    kernel_s: float | None = None


@dataclass(frozen=True)
class Mark:
    """A stage and its first sign.

    ``seconds`` is when: since QEMU started, or of kernel time where only that is known.
    """

    stage: BootStage
    seconds: float | None
    evidence: Evidence


@dataclass(frozen=True)
class EndCause:
    """A reason to end the recording. ``seconds`` as in ``Mark``; ``kind`` names the finding behind it."""

    reason: EndReason
    t: float
    at_s: float
    detail: str
    kind: FindingKind | None = None
    domain: FailureDomain = FailureDomain.NONE
    seconds: float | None = None
    rank: int = 0


_NAMELESS: Final = re.compile(r"(?:(?:~|/) ?)?[#$](?: |$)|(?:ba|a|da)?sh-\d[\d.]{0,8}[#$]")
"""The prompt of a shell that names no machine and no user."""


@dataclass
class Attempt:
    """From a reset of the machine to the next."""

    stage: BootStage = BootStage.UNKNOWN
    marks: list[Mark] = field(default_factory=list)
    fatal: EndCause | None = None
    stuck: EndCause | None = None
    off: EndCause | None = None
    halted: EndCause | None = None
    waits: EndCause | None = None
    goal: EndCause | None = None
    session: EndCause | None = None  # the goal that is an automatic login
    waiting: frozenset[BootStage] = frozenset()  # where the system waits for a person, so far
    graphical: bool = False  # a graphical system is started: a text login is not the end
    logging_in: bool = (
        False  # the session of an automatic login is awaited: another text login is not the end
    )
    desktop: bool = False  # and it is up, drawn and still
    running: bool = False  # the service manager has finished starting the system
    stopping_s: float | None = None  # when its shutdown began
    application: bool = False
    emergency: bool = False
    emergency_noted: bool = False
    root_missing: bool = False
    live: bool = False  # the command line is that of a live system, whose initramfs has to find its medium
    in_initramfs: bool = False
    root_switched: bool = False
    text_seen: bool = False
    failed_entries: int = 0  # of the boot menu, and when the last of them failed
    failed_entry_s: float = float("-inf")
    answered: bool = False  # a person, or we, chose the entry of the boot menu
    pending_init: tuple[BootStage, Moment] | None = None

    @property
    def lost_its_root(self) -> bool:
        """True while an initramfs runs that said that it did not find its root."""
        return self.root_missing and self._is_in_initramfs

    def is_rescue(self, prompt: str) -> bool:
        """Whether a shell is not a login: the root was not found, or a live system came to a nameless shell."""
        nameless = self.live and self._is_in_initramfs and _NAMELESS.match(prompt) is not None
        return self.lost_its_root or nameless

    @property
    def _is_in_initramfs(self) -> bool:
        return not self.root_switched and self.stage.rank <= BootStage.INITRAMFS.rank

    @property
    def empty(self) -> bool:
        """True when nothing has been seen since the reset."""
        return not self.marks and self.fatal is None and self.off is None
