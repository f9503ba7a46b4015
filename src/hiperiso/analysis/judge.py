"""The judge: takes events one by one; provides the stage, the failures and when to stop, at any time.

Pure: it reads no clock, opens no file. The same judge is used in a live session and for a stored one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from hiperiso.analysis.attention import Attention
from hiperiso.analysis.bootmenu import BootMenus
from hiperiso.analysis.continuity import Interrupted, Restarts
from hiperiso.analysis.dumps import is_part_of_a_dump
from hiperiso.analysis.expectation import Decision, Expectation
from hiperiso.analysis.graphics import Graphics
from hiperiso.analysis.harness import HarnessState
from hiperiso.analysis.lastwords import LastWords
from hiperiso.analysis.ledger import Attempt, EndCause, FindingBook, Moment, evidence_of, is_clockless
from hiperiso.analysis.lines import Piece, last_stamp, pieces
from hiperiso.analysis.machine_events import MachineEvents
from hiperiso.analysis.presence import Presence
from hiperiso.analysis.progress import GOAL_SETTLE_S, Progress
from hiperiso.analysis.reading import PictureWords
from hiperiso.analysis.screen import ScreenMemory
from hiperiso.analysis.signature import Effect, Hit, On, Origin, Row
from hiperiso.analysis.signatures import catalogue
from hiperiso.analysis.stall import Stall, StallBook
from hiperiso.contract.events import (
    OCR_READER,
    CpuSample,
    Event,
    HandsEvent,
    HarnessEvent,
    ProcessEvent,
    ProcessStarted,
    QemuEvent,
    QemuStderr,
    ScreenImage,
    ScreenText,
    TextLine,
    TpmCompared,
    is_partial,
)
from hiperiso.contract.report import Finding
from hiperiso.contract.words import (
    BootStage,
    EndReason,
    FailureDomain,
    FindingKind,
    Severity,
    Source,
)
from hiperiso.text import plain

__all__ = ["Decision", "Expectation", "Judge"]

MAX_RECOGNISED: Final = 40
MAX_UNFINISHED_REPORTED: Final = 200
_RUN_INIT: Final = re.compile(r"^Run (?P<path>/\S{1,100}) as init process")
_EARLY_SYSTEMD: Final = re.compile(
    r"systemd\[1\]: (?:systemd \d|Detected |Inserted module|Successfully |Failed to find module|Mounting )"
)
_INITRD: Final = re.compile(r"\b[Ii]nitrd\b|initramfs|Initial RAM")
_INIT_FAILED: Final = ("Failed to execute", "Starting init: ", "Kernel panic - not syncing: No working init")
_AT_ONCE: Final = frozenset(map(Effect, ("waiting", "session", "shell", "stuck", "application", "asks")))


class Judge:
    """Judges one recording. ``feed`` events in order; read the properties or ``decide`` at any time."""

    def __init__(self, expectation: Expectation | None = None) -> None:
        self.expectation = expectation or Expectation()
        self.progress = Progress(self.expectation)
        self.book = FindingBook()
        self.graphics = Graphics()
        self.harness = HarnessState()
        self.presence = Presence(self.progress, self.book)
        self.stalls = StallBook()
        self._menus = BootMenus(self.progress, self.book)
        self._machine = MachineEvents(self.progress, self.book, self.harness, self.stalls)
        self.recognised: dict[str, str] = {}
        self.last_words = LastWords()
        self.channels: set[Source] = set()
        self.witness: Callable[[Hit, Event, str], None] | None = None
        self.last_t = 0.0
        self.last_kernel_s: float | None = None
        self._expected = re.compile(self.expectation.text) if self.expectation.text else None
        self._catalogue = catalogue()
        self.attention = Attention(self._catalogue)
        self._picture_words = PictureWords()
        self._screen = ScreenMemory()
        self._reported_unfinished: dict[str, set[tuple[str, str]]] = {}
        self._interrupted = Interrupted()
        self._restarts = Restarts()

    @property
    def stage(self) -> BootStage:
        """How far the current attempt got. It falls only when the machine is reset."""
        return self.attempt.stage

    @property
    def attempt(self) -> Attempt:
        """The current attempt: since the last reset of the machine."""
        return self.progress.attempt

    @property
    def stage_times(self) -> dict[BootStage, float | None]:
        """First sign of each stage of this attempt, in seconds; None where only the order is known."""
        return {mark.stage: mark.seconds for mark in self.attempt.marks}

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, in order of appearance; what a quiet guest does comes last."""
        stall = self.stall
        if stall is None or self.progress.ending():
            return self.book.findings()
        quiet = Finding(
            kind=stall.kind,
            severity=Severity.INFO,
            summary=plain(stall.summary, 200),
            evidence=[evidence_of(stall.event, stall.event.text)],
        )
        return [*self.book.findings(), quiet]

    @property
    def stall(self) -> Stall | None:
        """The guest's current activity, as far as known from samples of a quiet guest."""
        return self.stalls.current(self.last_t, self.presence.last_started)

    @property
    def waiting_for(self) -> str:
        """For a person: what would end the recording."""
        ending = self._ending()
        return f"the end: {ending.detail}" if ending else self.presence.awaited or self.expectation.describe()

    def decide(self, t: float) -> Decision | None:
        """Return when and why the recording may end, as far as known at time ``t``; None to go on.

        The end is due at the decision's ``at_s``. Events until then may change or revoke it.
        """
        self.progress.time_passed(t)
        self.presence.time_passed(t)
        ending = self._ending() or self.presence.ending()
        at_s = self.presence.rest_s(ending) if ending else 0.0
        return Decision(ending.reason, at_s, ending.detail) if ending else None

    def feed(self, event: Event) -> None:
        """Take the next event."""
        self.last_t = max(self.last_t, event.t)
        self.last_words.take(event)
        self.presence.feed(event)
        if isinstance(event, TextLine):
            with self.progress.attempt_of(event):
                self.on_text(event, event.text, On.ANY, prompt=event.partial)
        elif isinstance(event, ScreenImage):
            self._on_picture(event)
        elif isinstance(event, ScreenText):
            self._on_screen(event)
        elif isinstance(event, QemuEvent):
            self._on_qmp(event)
        elif isinstance(event, CpuSample):
            self._machine.sample(event)
        elif isinstance(event, ProcessEvent):
            self._on_process(event)
        elif isinstance(event, HandsEvent):
            self._menus.take(event)
        elif isinstance(event, HarnessEvent):
            self.harness.on_event(event, guest_ended=self.attempt.off is not None)
            if isinstance(event, TpmCompared):
                self._on_tpm(event)
            elif isinstance(event, QemuStderr):
                for hit in self._catalogue.hits(event.text, On.STDERR, prompt=False):
                    if hit.signature.kind is FindingKind.HYPERVISOR_FAULT:
                        self.harness.blame(hit.summary)
                    self._note(hit, event, event.text)

    def _on_tpm(self, event: TpmCompared) -> None:
        kind, severity = FindingKind.TPM_COMPARED, Severity.INFO
        if event.data.different:
            kind, severity = FindingKind.TPM_MISMATCH, Severity.WARNING
        seen = evidence_of(event, event.text)
        self.book.add(kind, severity, f"the measured boot: {event.text}", channel=event.source, evidence=seen)

    def feed_all(self, events: Iterable[Event]) -> None:
        """Take many events."""
        for event in events:
            self.feed(event)

    def finish(self) -> None:
        """No more events will follow: what awaited a contradiction is accepted."""
        self.progress.init_passed()

    def _ending(self) -> EndCause | None:
        if self.harness.faults:
            return EndCause(EndReason.HARNESS_FAULT, self.last_t, self.last_t, self.harness.faults[0])
        if ending := self.progress.ending():
            return ending
        if self.harness.exited_by_itself:
            detail = f"QEMU ended by itself with exit code {self.harness.exit_code}"
            return EndCause(EndReason.QEMU_EXITED, self.last_t, self.last_t, detail)
        return None

    @property
    def wants_next(self) -> bool:
        """Whether the next line counts, regardless of its content."""
        return bool(self.attempt.pending_init or self._interrupted.waits or self._expected)

    @property
    def wants_stamp(self) -> bool:
        """Whether a time stamp of a kernel is news."""
        return not self._restarts.stamped or self.stage.rank < BootStage.KERNEL.rank

    def _on_picture(self, event: ScreenImage) -> None:
        self.channels.add(Source.SCREEN)
        self.graphics.see_picture(event.data.width, event.data.height)
        self.presence.news_came(event.t)

    def _on_screen(self, event: ScreenText) -> None:
        is_guess = event.data.reader == OCR_READER
        for row, is_last in self._screen.new_rows(event.text, event.data.cols):
            if not is_guess:
                self.on_text(event, row, On.SCREEN, prompt=is_last)
                continue
            self.on_text(event, row, On.SCREEN, prompt=False, rows=())
            for hit in self._picture_words.hits(row):
                self._apply(hit, event, row)

    def on_text(
        self, event: Event, text: str, channel: On, *, prompt: bool, rows: Sequence[Row] | None = None
    ) -> None:
        """Take text of the guest: a line, the beginning of one, or a row of its screen.

        ``rows`` are those to search it with, by default all of which it holds a literal.
        """
        if not text.strip():
            return
        self.show_sign_of_life(Source(event.source), event.t)
        if rows is None:
            rows = self.attention.rows(text, self.attempt, self.recognised)
        if rows or self.wants_next or self.wants_stamp or self.attention.is_watched(text):
            parts = pieces(text)
            for piece in parts:
                unfinished = piece.cut or (prompt and piece is parts[-1])
                self._on_piece(event, piece, text, channel, rows, prompt=unfinished)
        elif (kernel_s := last_stamp(text)) is not None:
            self.last_kernel_s = kernel_s
        if not is_partial(event):
            self._reported_unfinished.pop(event.source, None)
        if self._expected and not self.attempt.text_seen and self._expected.search(text):
            self.attempt.text_seen = True
            detail = f"the expected text appeared: {text.strip()[:200]}"
            self.progress.check_goal(self._moment(event, text), GOAL_SETTLE_S, detail)

    def show_sign_of_life(self, source: Source, t: float) -> None:
        """Something was printed on a channel."""
        self.progress.activity()
        self.presence.news_came(t)
        self.channels.add(source)

    def _on_piece(
        self, event: Event, piece: Piece, text: str, channel: On, rows: Sequence[Row], *, prompt: bool
    ) -> None:
        origin = Origin.KERNEL if piece.by_kernel else Origin.USER
        if piece.kernel_s is not None:
            self.last_kernel_s = piece.kernel_s
        if is_clockless(event) and self._restarts.seen(piece, self.attempt):
            self._start_anew(event, text)
        self._watch_init(event, piece.text, text, piece.kernel_s)
        if piece.strict and self.stage.rank < BootStage.KERNEL.rank:
            self.progress.reach(BootStage.KERNEL, self._moment(event, text, piece.kernel_s))
        self.harness.on_guest_line(piece.text)
        found = list(self._catalogue.hits(piece.text, channel, prompt=prompt, origin=origin, candidates=rows))
        for hit in found:
            self._apply(hit, event, text)
        if piece.kernel_s is None and not is_partial(event):
            whole = self._interrupted.joined(event.source, piece, alone=not found)
            for hit in self._catalogue.hits(whole, channel, prompt=False, origin=origin) if whole else ():
                self._apply(hit, event, text)

    def _watch_init(self, event: Event, body: str, text: str, kernel_s: float | None) -> None:
        """``Run /init as init process`` counts when no ``Failed to execute`` follows: then init did run."""
        if body.startswith("Run /") and (match := _RUN_INIT.match(body)):
            self.progress.init_started(match["path"], self._moment(event, text, kernel_s))
        elif self.attempt.pending_init:
            if body.startswith(_INIT_FAILED):
                self.progress.init_failed()
            elif body.startswith("Kernel panic"):
                self.progress.init_passed()
            else:
                self.progress.next_line(kernel_s)

    def _start_anew(self, event: Event, text: str) -> None:
        self.progress.reset(event.t, self._moment(event, text).seconds)
        seen, what = evidence_of(event, text), "the machine was reset"
        self.book.add(FindingKind.RESET, Severity.INFO, what, channel="serial", evidence=seen)

    def _apply(self, hit: Hit, event: Event, text: str) -> None:
        why_not = self._why_not(hit)
        if self.witness:
            self.witness(hit, event, why_not)
        if why_not:
            return
        moment = self._moment(event, text)
        if self.presence.knows_better(hit, event):
            return
        if hit.signature.effect is Effect.SHELL and self.attempt.is_rescue(hit.match):
            self._rescue(event, text, moment)
            return
        if hit.software:
            self._recognise(hit.signature.family or hit.signature.software, hit.software)
        if hit.signature.kind in (FindingKind.GRAPHICS_DRIVER, FindingKind.GRAPHICS_MODE):
            self.graphics.see(hit.groups)
        if stage := self._stage_of(hit, text):
            self.progress.reach(stage, moment)
        if is_partial(event) and hit.signature.on is not On.PROMPT and hit.signature.effect not in _AT_ONCE:
            return  # the rest of the line may say more, and it will come
        self._note(hit, event, text)
        self.progress.take_effect(hit, moment)
        if hit.signature.severity is Severity.FATAL and not is_partial(event) and not is_clockless(event):
            self.last_words.failed(Source(event.source), self.progress.boots)

    def _rescue(self, event: Event, text: str, moment: Moment) -> None:
        """A shell after a missing root was reported: not a login."""
        detail = "the initramfs did not find its root, and a shell waits for rescue"
        if not self.attempt.emergency_noted:
            seen, user = evidence_of(event, text), FailureDomain.USERSPACE
            what = FindingKind.EMERGENCY_SHELL
            self.book.add(what, Severity.FATAL, detail, user, channel=event.source, evidence=seen)
        self.progress.rescue(detail, moment)

    def _note(self, hit: Hit, event: Event, text: str) -> None:
        """Enter a finding, once a line: an unfinished one comes again, and once more when it is finished."""
        signature, summary = hit.signature, hit.summary
        if not (signature.kind and signature.noted) or (
            signature.effect is Effect.APPLICATION and self.attempt.application
        ):
            return
        if signature.kind is FindingKind.EMERGENCY_SHELL and self.attempt.emergency_noted:
            return  # a repeated prompt, or its explanation
        if signature.effect is Effect.OVER and self.attempt.fatal:
            return  # the panic itself was seen
        if is_part_of_a_dump(signature, self.book):
            return
        self.attempt.emergency_noted |= signature.kind is FindingKind.EMERGENCY_SHELL
        facts = self._reported_unfinished.setdefault(event.source, set())
        fact = (signature.kind, summary)
        if fact in facts:
            return
        if len(facts) < MAX_UNFINISHED_REPORTED:
            facts.add(fact)
        self.book.add(
            signature.kind,
            signature.severity,
            summary,
            signature.domain,
            channel=event.source,
            evidence=evidence_of(event, text),
        )

    def _why_not(self, hit: Hit) -> str:
        """Why a match does not count, empty where it does: what is impossible yet, a root prompt of an emergency."""
        signature = hit.signature
        if signature.effect is Effect.SHELL and self.attempt.emergency:
            return "it is the prompt of an emergency"
        if signature.requires and not any(family in self.recognised for family in signature.requires):
            return f"none of {', '.join(signature.requires)} was recognised before"
        if self.stage.rank < signature.at_least.rank:
            return f"it counts from the stage {signature.at_least} on, and this is {self.stage}"
        return ""

    def _stage_of(self, hit: Hit, text: str) -> BootStage | None:
        """systemd runs in the initramfs, too, and reports it after its first few lines."""
        attempt = self.attempt
        if hit.signature.family == "systemd" and not attempt.root_switched:
            if _INITRD.search(text) and attempt.stage.rank < BootStage.USERSPACE.rank:
                attempt.in_initramfs = True
            if attempt.in_initramfs or (attempt.stage is BootStage.INITRAMFS and _EARLY_SYSTEMD.search(text)):
                return BootStage.INITRAMFS
        return hit.signature.stage

    def _moment(self, event: Event, text: str, kernel_s: float | None = None) -> Moment:
        seconds = self.last_kernel_s if is_clockless(event) else event.t
        return Moment(event.t, seconds, evidence_of(event, text), kernel_s)

    def _recognise(self, family: str, name: str) -> None:
        if family in self.recognised or len(self.recognised) < MAX_RECOGNISED:
            self.recognised[family] = max(self.recognised.get(family, ""), name[:100], key=len)

    def _on_process(self, event: ProcessEvent) -> None:
        if isinstance(event, ProcessStarted):
            self.channels.add(Source.PROCESS)
        if role := self.presence.on_event(event):
            self._recognise(role.name, role.name)

    def _on_qmp(self, event: QemuEvent) -> None:
        if self._machine.take(event):
            self._screen.reset()
            self.presence.reset()
