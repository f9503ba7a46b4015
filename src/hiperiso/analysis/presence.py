"""What the guest's processes do to the verdict: stages, the goal, a prompt that waits for rescue.

Text comes first: where a login prompt is seen on any channel, it has decided before its process has settled.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from hiperiso.analysis.autologin import AutoLogins
from hiperiso.analysis.desktop import Desktop, Outcome
from hiperiso.analysis.ledger import EndCause, FindingBook, Moment, evidence_of
from hiperiso.analysis.processes import ROOTFS, STAGES, Kind, ProcessBook, Role, Waiting, prompt_of
from hiperiso.analysis.progress import SESSION_S, Progress
from hiperiso.analysis.signature import Effect, Hit
from hiperiso.contract.events import (
    Event,
    HostLoad,
    IsoRead,
    KernelLine,
    MachinePlanned,
    ProcessChange,
    ProcessEnded,
    ProcessEvent,
    RecordingEnded,
    ScreenEvent,
    is_partial,
)
from hiperiso.contract.expected import Expected
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_FINDINGS: Final = {
    Kind.INSTALLER: (FindingKind.INSTALLER_SCREEN, Severity.INFO, "{} runs and waits"),
    Kind.LOGIN: (FindingKind.LOGIN_PROMPT, Severity.INFO, "a login program waits: {}"),
    Kind.EMERGENCY: (
        FindingKind.EMERGENCY_SHELL,
        Severity.FATAL,
        "the system gave up, and an emergency shell waits: {}",
    ),
    Kind.PASSPHRASE: (FindingKind.PASSPHRASE_PROMPT, Severity.WARNING, "waits for a passphrase: {} runs"),
}


_DESKTOP_FAILURES: Final = (
    FindingKind.DESKTOP_FAILED,
    FindingKind.DESKTOP_BLANK,
    FindingKind.COMPOSITOR_FAILED,
)
STARTED_S: Final = 10.0
"""How long, in seconds of the guest, no process may have started or ended."""

LOOK_S: Final = 2.2
"""The processes are read once a second: two readings after a prompt show what is started beside it."""

REST_S, REST_MOST_S = 1.0, 3.0
"""How long, in seconds of the guest, nothing may be started beside a prompt; and the most that this is waited for."""

_STAMP: Final = re.compile(r"\[ *(\d{1,9}\.\d{1,9})\]")


class Presence:
    """Turns events of processes into signs of progress."""

    def __init__(self, progress: Progress, book: FindingBook) -> None:
        self._progress = progress
        self._book = book
        self._processes = ProcessBook()
        self._news_s = float("-inf")
        self.kernel_began_s: float | None = None
        """The zero of the running kernel's own clock, in seconds since QEMU started; None where it is not known."""
        self._kernel = 0
        self._stood_s: float | None = None
        self._watches = False  # processes can be seen
        self.clock = progress.clock
        self.desktop = Desktop(self.clock)
        self.logins = AutoLogins(self.clock)

    @property
    def last_started(self) -> str:
        """Name of the process that was started last and is still there, else of the first one; empty for none."""
        first = self._processes.first_program
        return self._processes.last_started or ((first.data.comm or "")[:64] if first else "")

    def on_event(self, event: ProcessEvent) -> Role | None:
        """Process an event of a process; returns its role, if that identifies a system."""
        self._processes.on_event(event)
        self._watches |= isinstance(event, ProcessChange)
        if not isinstance(event, ProcessChange):
            return None
        self.desktop.process(event, self._processes.role_of(event.data.pid))
        self._progress.graphical_seen(self.desktop.started)
        self.logins.process(event)
        self._await_login(event.t)
        if event.data.pid == 1 and not isinstance(event, ProcessEnded):
            self._first_program(event)
        role = self._processes.role_of(event.data.pid)
        return role if role and role.kind is Kind.INSTALLER else None

    def feed(self, event: Event) -> None:
        """Process an event of any kind: its time, and its facts about the screen, reads, and the machine."""
        self.time_passed(event.t)
        match event:
            case ScreenEvent():
                self.desktop.screen(event)
            case IsoRead():
                self.desktop.read(event)
            case KernelLine():
                self.desktop.renderer.line(event)
                if stamp := _STAMP.match(event.text):
                    self._kernel_began(event.t - float(stamp[1]), event.data.boot or 0)
            case HostLoad():
                self.clock.on_event(event)
            case RecordingEnded() if self.awaits_desktop:
                self._ended(event)
            case MachinePlanned():
                self.clock.on_plan(event)
                self.desktop.adapter = event.data.vga or ""

    def _ended(self, event: RecordingEnded) -> None:
        """What was certain while it was recorded stays so, whatever the last readings of the host's load added."""
        standing, failure = self.desktop.standing(), self.desktop.failure()
        if event.reason is EndReason.EXPECTED_STAGE and standing:
            self._stands(standing)
        elif event.reason is EndReason.BOOT_FAILED and failure and failure.words == event.data.detail:
            self._fails(failure)

    def _kernel_began(self, t: float, boot: int) -> None:
        """The zero of a kernel's clock: the earliest that any of its lines allows, of the kernel that runs now."""
        if boot != self._kernel:
            self._kernel, self.kernel_began_s = boot, None
        self.kernel_began_s = t if self.kernel_began_s is None else min(self.kernel_began_s, t)

    @property
    def desktop_span_s(self) -> tuple[float, float] | None:
        """When the first program of a desktop was started, and when it stood; None when it does not."""
        first, stood_s = self.desktop.first, self._stood_s
        return (first.t, stood_s) if first and stood_s is not None else None

    def knows_better(self, hit: Hit, event: Event) -> bool:
        """Process a service manager's message; returns whether the processes override it."""
        attempt, kind = self._progress.attempt, hit.signature.kind
        if hit.signature.effect is Effect.SHELL:
            self.logins.prompted(on_screen=isinstance(event, ScreenEvent))
            self._await_login(event.t)
        elif hit.signature.effect is Effect.SESSION and not self._watches and not is_partial(event):
            if self.logins.announced(event):
                self._progress.session_ended()
            self._await_login(event.t)
        if kind is FindingKind.FAILED_UNIT:
            self.desktop.unit_failed(event, hit.summary)
        elif kind is FindingKind.SEGFAULT:
            self.desktop.renderer.crashed(hit.groups.get("p", ""), event)
        elif kind is FindingKind.DISPLAY_MANAGER and self._watches:
            self.desktop.announce(event)
        self._progress.graphical_seen(self.desktop.started)
        return kind is FindingKind.GRAPHICAL_LOGIN and attempt.graphical

    def news_came(self, t: float) -> None:
        """A text or a picture was new."""
        self._news_s = max(self._news_s, t)

    def time_passed(self, t: float) -> None:
        """Take as settled what has stayed long enough."""
        self._judge_desktop(t)
        self._judge_logins(t)
        self._judge_start(t)
        waiting = self._waiting()
        if waiting is None or t < waiting.due_s:
            return
        self._processes.settle(waiting.role.kind)
        kind, severity, _ = _FINDINGS[waiting.role.kind]
        detail, event = _words(waiting), waiting.event
        emergency = waiting.role.kind is Kind.EMERGENCY
        if emergency and self._progress.attempt.stuck:
            return  # reported by its text
        domain = FailureDomain.USERSPACE if emergency else FailureDomain.NONE
        self._book.add(
            kind,
            severity,
            detail,
            domain,
            channel=event.source,
            evidence=evidence_of(event, event.text),
        )
        if emergency:
            self._progress.attempt.emergency = True
            self._progress.attempt.stuck = self._stuck(waiting)
            return
        if waiting.role.kind is Kind.PASSPHRASE:
            self._progress.attempt.waits = self._progress.attempt.waits or self._asks(waiting)
            return
        moment = _moment(event)
        self._progress.reach(STAGES[waiting.role.kind], moment)
        self._progress.check_goal(moment, waiting.due_s - event.t, detail)

    def rest_s(self, ending: EndCause) -> float:
        """When the recording may end: at a login of a system, once what is started at the same time was examined."""
        attempt = self._progress.attempt
        beside = self._watches and self._processes.root_type not in ("", ROOTFS)
        settled = attempt.desktop or attempt.application or BootStage.LOGIN not in attempt.waiting
        if ending is not attempt.goal or not beside or settled or self._progress.expectation.explicit:
            return ending.at_s
        quiet_s = self.clock.after(self._processes.changed_s, REST_S)
        return max(ending.at_s, ending.t + LOOK_S, min(quiet_s, self.clock.after(ending.t, REST_MOST_S)))

    def ending(self) -> EndCause | None:
        """What will end the recording if nothing changes: for who has to know when to look again."""
        if ending := self._ending_of_desktop():
            return ending
        failure, waiting = self._failure_of_login(), self._waiting()
        endings = [_failed(failure) if failure else None, self._ending_of(waiting) if waiting else None]
        return min(filter(None, endings), key=lambda ending: ending.at_s, default=None)

    def _ending_of(self, waiting: Waiting) -> EndCause | None:
        if waiting.role.kind is Kind.EMERGENCY:
            return self._stuck(waiting)
        if waiting.role.kind is Kind.PASSPHRASE:
            return self._asks(waiting)
        if not self._progress.is_goal(STAGES[waiting.role.kind]):
            return None
        detail = _FINDINGS[waiting.role.kind][2].format(waiting.role.name)
        return EndCause(EndReason.EXPECTED_STAGE, waiting.event.t, waiting.due_s, detail)

    def _waiting(self) -> Waiting | None:
        """What waits for a person; a passphrase for another disk matters only until there is a login."""
        waiting = self._processes.waiting(self._news_s)
        if waiting and waiting.role.kind is Kind.INSTALLER and self.desktop.started and self.desktop.is_blank:
            return None  # it has not drawn its window yet
        if waiting and waiting.role.session:
            due_s = max(waiting.due_s, self.clock.after(waiting.event.t, SESSION_S))
            waiting = replace(waiting, due_s=due_s)
        late = self._progress.attempt.stage.rank >= BootStage.LOGIN.rank
        return None if waiting and late and waiting.role.kind is Kind.PASSPHRASE else waiting

    def reset(self) -> None:
        """The machine was reset."""
        self._processes.reset()
        self.desktop.reset()
        self.logins.reset()
        self._stood_s = None

    # ── the desktop ──

    def _judge_start(self, t: float) -> None:
        """Without a service manager's message: a login waits, and no process starts or ends any more."""
        attempt = self._progress.attempt
        asked = Expected.RUNNING in self._progress.expectation.wanted
        if not asked or attempt.running or not self._watches or BootStage.LOGIN not in attempt.waiting:
            return
        mark = attempt.marks[-1]
        last_s = max(self._processes.changed_s, mark.seconds or 0.0)
        if t >= self.clock.after(last_s, STARTED_S):
            detail = "the system has been started: a login waits, and nothing is started or ended any more"
            self._progress.started(detail, Moment(t, last_s, mark.evidence))

    def _judge_desktop(self, t: float) -> None:
        attempt = self._progress.attempt
        if attempt.desktop or not self.desktop.started or BootStage.INSTALLER in attempt.waiting:
            return
        standing, failure = self.desktop.standing(), self.desktop.failure()
        if standing and t >= standing.due_s and not self._installs:
            self._stands(standing)
        elif failure and t >= failure.due_s and self.awaits_desktop and not attempt.stuck:
            self._fails(failure)

    def _judge_logins(self, t: float) -> None:
        """What an automatic login has come to: a session, or none; then another login may be the goal after all."""
        attempt, was_awaited = self._progress.attempt, self._progress.attempt.logging_in
        self.logins.time_passed(t)
        failure = self._failure_of_login()
        if failure and t >= failure.due_s:
            self._fails(failure)
        self._await_login(t)
        if not was_awaited or attempt.logging_in:
            return
        if lived := self.logins.lived:
            moment, detail = _moment(lived), "a user was logged in automatically"
            self._progress.reach(BootStage.LOGIN, moment)
            self._progress.check_goal(moment, t - lived.t, detail)
        elif BootStage.LOGIN in attempt.waiting:
            mark = attempt.marks[-1]
            self._progress.check_goal(Moment(t, mark.seconds, mark.evidence), 0.0, "a login waits")

    def _await_login(self, t: float) -> None:
        self._progress.login_awaited(self.logins.is_awaited(t))

    def _failure_of_login(self) -> Outcome | None:
        attempt, explicit = self._progress.attempt, self._progress.expectation.explicit
        if explicit or attempt.graphical or attempt.goal or BootStage.INSTALLER in attempt.waiting:
            return None
        return self.logins.failure()

    @property
    def awaited(self) -> str:
        """What is awaited beyond what was reached; empty for nothing."""
        if self.awaits_desktop:
            return "the desktop"
        attempt = self._progress.attempt
        waits = attempt.logging_in and not (attempt.goal or self._progress.expectation.explicit)
        return "the session of an automatic login" if waits else ""

    @property
    def awaits_desktop(self) -> bool:
        """Whether the boot continues until the desktop is up or has failed."""
        attempt, expected = self._progress.attempt, self._progress.expectation
        if attempt.goal or attempt.desktop or BootStage.INSTALLER in attempt.waiting:
            return False
        return Expected.DESKTOP in expected.wanted if expected.explicit else self.desktop.started

    def _fails(self, failure: Outcome) -> None:
        if self._progress.attempt.stuck:
            return
        self._note(failure.kind, Severity.FATAL, failure, FailureDomain.USERSPACE)
        self._progress.attempt.stuck = _failed(failure)

    def _stands(self, standing: Outcome) -> None:
        attempt, event = self._progress.attempt, standing.event
        self._note(FindingKind.GRAPHICAL_LOGIN, Severity.INFO, standing, FailureDomain.NONE)
        attempt.desktop, self._stood_s = True, event.t
        if attempt.stuck and attempt.stuck.kind in _DESKTOP_FAILURES:
            attempt.stuck = None
        moment = _moment(event)
        self._progress.reach(BootStage.LOGIN, moment)
        self._progress.check_goal(moment, standing.due_s - event.t, standing.words)

    @property
    def _installs(self) -> bool:
        """Whether an installer is on the desktop, which is what the system is for."""
        waiting = self._waiting()
        return waiting is not None and waiting.role.kind is Kind.INSTALLER

    def _ending_of_desktop(self) -> EndCause | None:
        if not self.awaits_desktop or self._installs:
            return None
        if standing := self.desktop.standing():
            reason = EndReason.EXPECTED_STAGE
            return EndCause(reason, standing.event.t, standing.due_s, standing.words)
        failure = self.desktop.failure()
        return _failed(failure) if failure else None

    def _note(self, kind: FindingKind, severity: Severity, seen: Outcome, domain: FailureDomain) -> None:
        event = seen.event
        evidence = evidence_of(event, event.text or f"the picture {event.path}")
        self._book.add(kind, severity, seen.words, domain, channel=event.source, evidence=evidence)

    def _first_program(self, event: Event) -> None:
        root, attempt = self._processes.root_type, self._progress.attempt
        if not root:
            return
        if root != ROOTFS:
            attempt.root_switched = True
        stage = BootStage.INITRAMFS if root == ROOTFS else BootStage.USERSPACE
        self._progress.reach(stage, _moment(event))

    def _asks(self, waiting: Waiting) -> EndCause:
        kind, event = _FINDINGS[waiting.role.kind][0], waiting.event
        return EndCause(
            EndReason.PASSPHRASE, event.t, waiting.due_s, _words(waiting), kind=kind, seconds=event.t
        )

    def _stuck(self, waiting: Waiting) -> EndCause:
        kind = _FINDINGS[waiting.role.kind][0]
        return EndCause(
            EndReason.STUCK,
            waiting.event.t,
            waiting.due_s,
            _words(waiting),
            kind=kind,
            domain=FailureDomain.USERSPACE,
            seconds=waiting.event.t,
            rank=self._progress.attempt.stage.rank,
        )


def _words(waiting: Waiting) -> str:
    """What waits; of a program that asks for a passphrase, the question where its arguments have it."""
    asks = waiting.role.kind is Kind.PASSPHRASE and prompt_of(waiting.event.data.argv or ())
    summary = _FINDINGS[waiting.role.kind][2]
    return f"waits for a passphrase: {asks}" if asks else summary.format(waiting.role.name)


def _failed(failure: Outcome) -> EndCause:
    return EndCause(
        EndReason.BOOT_FAILED,
        failure.event.t,
        failure.due_s,
        failure.words,
        kind=failure.kind,
        domain=FailureDomain.USERSPACE,
        seconds=failure.event.t,
        rank=BootStage.LOGIN.rank,
    )


def _moment(event: Event) -> Moment:
    return Moment(event.t, event.t, evidence_of(event, event.text))
