"""How far the guest got, boot after boot, and what would end the recording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from hiperiso.analysis.expectation import Expectation
from hiperiso.analysis.guestclock import GuestClock
from hiperiso.analysis.ledger import Attempt, EndCause, Mark, Moment
from hiperiso.analysis.signature import Effect, Hit
from hiperiso.contract.events import KernelLine, TextLine
from hiperiso.contract.expected import Expected
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind

RESETS_OF_A_LOOP: Final = 3
RESET_GROUP_S: Final = 0.5  # one reset of the machine often shows as two QMP events
INIT_GRACE_S: Final = 0.2  # of kernel time: an init that cannot be executed fails within milliseconds
INIT_GRACE_WALL_S: Final = 1.0
GOAL_SETTLE_S: Final = 0.7
_OFF_REPORTED_SETTLE_S: Final = 0.3
OFF_SETTLE_S: Final = 2.0  # "Power down" on the console; QEMU then reports it, or the machine only halted
RESCUE_SETTLE_S: Final = 2.0
SESSION_S: Final = 10.0
"""What a user who was logged in automatically gets is started so soon: an X server, a compositor, a shell."""

FALLBACK_S: Final = 20.0
"""GRUB shows the errors of its default entry for 10 s, names the fallback for 2 s, and reads its kernel."""

_ENTRY_FAILED_S: Final = 5.0  # its messages come together
WAITING_STAGES: Final = frozenset((BootStage.LOGIN, BootStage.INSTALLER))
"""Where the system waits for a person."""

_KEPT_ATTEMPTS: Final = 5
_OF_A_LIVE_SYSTEM: Final = re.compile(
    r"^(?!.* (?:rd\.)?break\b)(?=.*(?: boot=(?:live|casper)\b| archisobasedir=| root=live:| rd\.live\.image\b))"
)
"""A live system's command line, without a stop of the initramfs that was asked for."""


class Progress:
    """The attempts to boot, each with its stages and the endings that are in sight."""

    def __init__(self, expectation: Expectation) -> None:
        self.expectation = expectation
        self.clock = GuestClock()
        self.attempts: list[Attempt] = [Attempt()]
        self.loop: EndCause | None = None
        self.furthest = BootStage.UNKNOWN
        self.fallbacks = 0  # entries that the boot loader starts by itself where its default one fails
        self.boots = 1  # all attempts, also those of which only the last few are kept
        self._last_reset_t = float("-inf")
        self._reset_count = 0
        self._best_rank = -1
        self._quiet_since_reset = False
        self._kernel_boot = -1  # number of the kernel that logged last
        self._gone_boot = -1  # and of the one that logged last before the reset
        self._late = False

    @property
    def attempt(self) -> Attempt:
        """The current attempt: since the last reset of the machine; the one before while a late line is judged."""
        return self.attempts[-2 if self._late else -1]

    @contextmanager
    def attempt_of(self, event: TextLine) -> Iterator[None]:
        """Context in which ``attempt`` is the one that a line belongs to.

        The kernel's log is read from memory slightly later than QEMU reports a reset: the last lines of the kernel
        that is gone do not belong to the next attempt.
        """
        boot = event.data.boot if isinstance(event, KernelLine) else None
        if boot is not None:
            self._late = boot <= self._gone_boot and len(self.attempts) > 1
            self._kernel_boot = max(self._kernel_boot, boot)
        try:
            yield
        finally:
            if self._late:
                self.init_passed()
                self._late = False

    def ending(self) -> EndCause | None:
        """The ending that counts: a panic beats everything, a reached goal beats a prompt that waits."""
        attempt = self.attempt
        if self.is_held_back():
            attempt.goal = None
        waits = attempt.stuck or attempt.waits or attempt.off or attempt.halted
        return attempt.fatal or self.loop or attempt.goal or waits

    def activity(self) -> None:
        """The guest showed a sign of life."""
        self._quiet_since_reset &= self._late

    def reach(self, stage: BootStage, moment: Moment) -> None:
        """A stage was seen."""
        attempt = self.attempt
        attempt.waiting |= {stage} & WAITING_STAGES
        if stage.rank <= attempt.stage.rank and not self._is_other_goal(stage):
            return
        attempt.stage = stage
        attempt.marks.append(Mark(stage, moment.seconds, moment.evidence))
        if stage.rank > self.furthest.rank:
            self.furthest = stage
        attempt.waits = None  # it continued: the prompt was answered
        if attempt.stuck and stage.rank > max(attempt.stuck.rank, BootStage.FIRMWARE.rank):
            attempt.stuck = None
            attempt.emergency = False
        if self.expectation.wanted:
            self.check_goal(moment, GOAL_SETTLE_S, f"the stage {stage.value} was reached")

    def check_goal(self, moment: Moment, settle_s: float, detail: str) -> None:
        """Note the goal when what was expected has now been seen; a prompt is it sooner than an automatic login."""
        attempt, wanted = self.attempt, self.expectation
        open_yet = attempt.goal is None or (
            attempt.goal is attempt.session and moment.t + settle_s < attempt.goal.at_s
        )
        if open_yet and self.is_goal(attempt.stage):
            reason = EndReason.EXPECTED_TEXT if wanted.text else EndReason.EXPECTED_STAGE
            if attempt.off and Expected.POWEROFF in wanted.wanted:
                reason = EndReason.POWERED_OFF
            attempt.goal = EndCause(reason, moment.t, moment.t + settle_s, detail, seconds=moment.seconds)

    def graphical_seen(self, started: bool) -> None:
        """Whether something graphical is started: then a login that was the goal is none any more."""
        self.attempt.graphical |= started
        if self.is_held_back():
            self.attempt.goal = None

    def login_awaited(self, awaited: bool) -> None:
        """Whether the session of an automatic login is awaited: then another login is not the goal yet."""
        self.attempt.logging_in = awaited
        if self.is_held_back():
            self.attempt.goal = None

    def session_ended(self) -> None:
        """The session of an automatic login that was the goal has ended: another one follows."""
        attempt = self.attempt
        if attempt.goal is attempt.session:
            attempt.goal = attempt.session = None

    def is_held_back(self) -> bool:
        """Whether a goal that was noted is none after all: something else has been started since."""
        attempt = self.attempt
        return attempt.goal is not None and not self.expectation.explicit and not self.is_goal(attempt.stage)

    def is_goal(self, stage: BootStage) -> bool:
        """Whether everything expected is reached with this stage."""
        wanted, attempt = self.expectation, self.attempt
        if wanted.text and not attempt.text_seen:
            return False
        if wanted.wanted:
            return any(self._meets(word, stage) for word in wanted.wanted)
        if wanted.text or attempt.application or attempt.desktop:
            return True
        held = attempt.graphical or attempt.logging_in
        if held and BootStage.INSTALLER not in attempt.waiting | {stage}:
            return False  # a login beside it is not what the system is for
        return stage.rank >= BootStage.LOGIN.rank

    def _meets(self, wanted: Expected, stage: BootStage) -> bool:
        """Whether one word is met; strictly: who waits for an installer is not served by a login."""
        if wanted is Expected.DESKTOP:
            return self.attempt.desktop
        if wanted is Expected.RUNNING:
            return self.attempt.running
        if wanted is Expected.POWEROFF:
            return self._is_clean_off(stage)
        named = BootStage(wanted.value)
        if named in WAITING_STAGES:
            return named in self.attempt.waiting or stage is named
        return stage.rank >= named.rank

    def _is_clean_off(self, stage: BootStage) -> bool:
        """Whether programs ran, nothing stopped them, and then the system switched the machine off."""
        attempt = self.attempt
        is_off = attempt.off is not None and attempt.off.kind is FindingKind.POWER_OFF
        return is_off and attempt.stuck is None and stage.rank >= BootStage.INITRAMFS.rank

    def _is_other_goal(self, stage: BootStage) -> bool:
        """Whether a stage that is as far as the one that was reached is what was asked for, and that one is not."""
        reached, wanted = self.attempt.stage, self.expectation.wanted
        return (
            reached is not stage
            and reached.rank == stage.rank
            and stage.value in wanted
            and reached.value not in wanted
        )

    def take_effect(self, hit: Hit, moment: Moment) -> None:
        """Apply what a signature does besides its stage."""
        signature, attempt = hit.signature, self.attempt
        effect = signature.effect
        attempt.emergency |= signature.kind is FindingKind.EMERGENCY_SHELL
        attempt.live |= _is_of_a_live_system(hit)
        attempt.root_missing |= (
            signature.kind is FindingKind.ROOT_NOT_FOUND and attempt.stage.rank <= BootStage.INITRAMFS.rank
        )
        if effect in (Effect.FATAL, Effect.STUCK):
            self._fail(hit, moment)
        elif effect is Effect.OVER and attempt.fatal:
            attempt.fatal = replace(attempt.fatal, at_s=min(attempt.fatal.at_s, moment.t + 0.1))
        elif effect is Effect.OVER:  # its first line was lost
            self._fail(hit, moment)
        elif effect is Effect.OFF:
            attempt.off = attempt.off or EndCause(
                EndReason.POWERED_OFF,
                moment.t,
                moment.t + OFF_SETTLE_S,
                hit.summary,
                kind=signature.kind,
                seconds=moment.seconds,
            )
            self.check_goal(moment, OFF_SETTLE_S, hit.summary)
        elif effect is Effect.STOPPING:
            attempt.stopping_s = moment.seconds if attempt.stopping_s is None else attempt.stopping_s
        elif effect is Effect.ASKS:
            reason = signature.reason or EndReason.PASSPHRASE
            attempt.waits = EndCause(
                reason,
                moment.t,
                moment.t + signature.settle_s,
                hit.summary,
                kind=signature.kind,
                seconds=moment.seconds,
            )
        elif effect is Effect.IN_INITRAMFS:
            attempt.in_initramfs |= attempt.stage.rank < BootStage.USERSPACE.rank
        elif effect is Effect.ROOT_SWITCHED:
            attempt.root_switched = True
        elif effect is Effect.RUNNING:
            self.started(hit.summary, moment)
        elif effect is Effect.APPLICATION:
            attempt.application = True
            self.check_goal(moment, signature.settle_s, hit.summary)
        elif effect is Effect.SESSION:
            self.check_goal(moment, self.clock.after(moment.t, SESSION_S) - moment.t, hit.summary)
            attempt.session = attempt.session or attempt.goal
        elif effect in (Effect.WAITING, Effect.SHELL):
            self.check_goal(moment, signature.settle_s, hit.summary)

    def started(self, detail: str, moment: Moment) -> None:
        """The service manager has finished starting the system."""
        if not self.attempt.running:
            self.attempt.running = True
            self.check_goal(moment, GOAL_SETTLE_S, detail)

    def rescue(self, detail: str, moment: Moment) -> None:
        """A rescue shell waits."""
        attempt = self.attempt
        attempt.emergency = attempt.emergency_noted = True
        attempt.stuck = attempt.stuck or EndCause(
            EndReason.STUCK,
            moment.t,
            moment.t + RESCUE_SETTLE_S,
            detail,
            kind=FindingKind.EMERGENCY_SHELL,
            domain=FailureDomain.USERSPACE,
            seconds=moment.seconds,
            rank=attempt.stage.rank,
        )

    def _fail(self, hit: Hit, moment: Moment) -> None:
        signature, attempt = hit.signature, self.attempt
        at_s = moment.t + signature.settle_s
        if signature.effect is Effect.STUCK and self._has_another_entry(moment.t):
            at_s = self.clock.after(at_s, FALLBACK_S)
        ending = EndCause(
            signature.reason or EndReason.BOOT_FAILED,
            moment.t,
            at_s,
            hit.summary,
            kind=signature.kind,
            domain=signature.domain,
            seconds=moment.seconds,
            rank=attempt.stage.rank,
        )
        if signature.effect in (Effect.FATAL, Effect.OVER):
            attempt.fatal = attempt.fatal or ending
        elif attempt.stuck is None or ending.at_s < attempt.stuck.at_s:
            attempt.stuck = ending

    def _has_another_entry(self, t: float) -> bool:
        """Whether the boot loader goes on by itself after a failure: GRUB does where no key chose the entry."""
        attempt = self.attempt
        if attempt.stage is not BootStage.BOOTLOADER or attempt.answered:
            return False
        attempt.failed_entries += t - attempt.failed_entry_s > _ENTRY_FAILED_S
        attempt.failed_entry_s = t
        return attempt.failed_entries <= self.fallbacks

    # ── init ──

    def init_started(self, path: str, moment: Moment) -> None:
        """The kernel reports that it runs an init. It counts unless a failure is reported."""
        stage = BootStage.INITRAMFS if path in ("/init", "/linuxrc") else BootStage.USERSPACE
        self.reach(BootStage.KERNEL, moment)
        self.attempt.pending_init = (stage, moment)

    def init_failed(self) -> None:
        """The kernel could not execute it."""
        self.attempt.pending_init = None

    def next_line(self, kernel_s: float | None) -> None:
        """Another line came: one that is not the kernel's, or a later one, shows that init did run."""
        pending = self.attempt.pending_init
        if pending and (kernel_s is None or kernel_s - (pending[1].kernel_s or 0.0) > INIT_GRACE_S):
            self.init_passed()

    def time_passed(self, t: float) -> None:
        """Silence, too, shows that init did run."""
        pending = self.attempt.pending_init
        if pending and t > pending[1].t + INIT_GRACE_WALL_S:
            self.init_passed()

    def init_passed(self) -> None:
        """Init did run, if one was started."""
        if pending := self.attempt.pending_init:
            self.attempt.pending_init = None
            self.reach(*pending)

    # ── the machine ──

    def reset(self, t: float, seconds: float | None) -> bool:
        """The machine was reset. Returns False for a second event of the same reset."""
        if t - self._last_reset_t < RESET_GROUP_S and self._quiet_since_reset:
            return False
        self.init_passed()
        self._last_reset_t, self._quiet_since_reset = t, True
        self._gone_boot = self._kernel_boot
        rank = self.attempt.stage.rank
        progressed = rank > self._best_rank
        self._reset_count = 1 if progressed else self._reset_count + 1
        self._best_rank = max(self._best_rank, rank)
        if self._reset_count >= RESETS_OF_A_LOOP and self.loop is None:
            detail = f"the machine resets again and again, never getting further than {self.furthest.value}"
            self.loop = EndCause(EndReason.RESET_LOOP, t, t + 0.3, detail, seconds=seconds)
        elif progressed:
            self.loop = None
        self.boots += 1
        self.attempts = [*self.attempts[1 - _KEPT_ATTEMPTS :], Attempt()]
        return True

    def switched_off(self, moment: Moment, detail: str, kind: FindingKind) -> None:
        """The hypervisor reports that the guest ended the machine."""
        self.init_passed()
        t = moment.t
        self.attempt.off = EndCause(
            EndReason.POWERED_OFF, t, t + _OFF_REPORTED_SETTLE_S, detail, kind=kind, seconds=t
        )
        self.check_goal(moment, _OFF_REPORTED_SETTLE_S, detail)


def _is_of_a_live_system(hit: Hit) -> bool:
    is_given = hit.signature.kind is FindingKind.KERNEL_COMMAND_LINE
    return is_given and _OF_A_LIVE_SYSTEM.search(hit.summary) is not None
