"""The judge: events in, one by one; how far the boot got, what went wrong and when to stop, at any moment.

Pure: it reads no clock, opens no file. The same judge sits in a live session and reads a stored one.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hiperiso.analysis.graphics import Graphics
from hiperiso.analysis.ledger import Attempt, Ending, FindingBook, Mark, evidence_of, is_clockless
from hiperiso.analysis.screen import ScreenMemory
from hiperiso.analysis.signature import KERNEL_PREFIX, Catalogue, Effect, Hit, On
from hiperiso.analysis.signatures import everything
from hiperiso.contract.events import Event
from hiperiso.contract.report import Finding
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, Source

RESETS_OF_A_LOOP: Final = 3
RESET_GROUP_S: Final = 0.5  # one reset of the machine often shows as two QMP events
INIT_GRACE_S: Final = 0.2
GOAL_SETTLE_S: Final = 0.7
TAIL_LINES: Final = 20
_LOOK_AHEAD: Final = 2000
_RUN_INIT: Final = re.compile(r"^Run (?P<path>/\S{1,100}) as init process")
_TEXT_SOURCES: Final = frozenset({Source.SERIAL, Source.KERNEL, Source.FIRMWARE})


@dataclass(frozen=True)
class Expectation:
    """What the boot shall reach. Without a stage or a text: the first of login, installer or graphical login.

    ``text`` is a regular expression, searched in each line of every text channel. With both, both must be met.
    """

    stage: BootStage | None = None
    text: str | None = None

    @property
    def explicit(self) -> bool:
        """True when the user asked for something."""
        return self.stage is not None or self.text is not None

    def describe(self) -> str:
        """In words, for a person."""
        parts = [f"the stage {self.stage.value}"] if self.stage else []
        parts += [f"the text /{self.text}/"] if self.text else []
        return " and ".join(parts) or "a login, an installer or a graphical login"


@dataclass(frozen=True)
class Decision:
    """The recording may end at ``at_s`` (seconds since QEMU started), unless something changes before."""

    reason: EndReason
    at_s: float
    detail: str


@dataclass
class HarnessState:
    """What our own side reported."""

    faults: list[str] = field(default_factory=list)
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    exit_code: int | None = None
    exited_by_itself: bool = False
    ended_by_host: bool = False
    end_reason: EndReason | None = None


class Judge:
    """Judges one recording. ``feed`` events in order; read the properties or ``decide`` at any time."""

    def __init__(self, expectation: Expectation | None = None) -> None:
        self.expectation = expectation or Expectation()
        self.attempts: list[Attempt] = [Attempt()]
        self.book = FindingBook()
        self.graphics = Graphics()
        self.harness = HarnessState()
        self.recognised: dict[str, str] = {}
        self.serial_tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.channels: set[Source] = set()
        self.last_t = 0.0
        self.last_kernel_s: float | None = None
        self.loop: Ending | None = None
        self._half_told: dict[Source, set[tuple[str, str]]] = {}
        self._expected = re.compile(self.expectation.text) if self.expectation.text else None
        self._catalogue = Catalogue(everything())
        self._screen = ScreenMemory()
        self._last_reset_t = float("-inf")
        self._reset_count = 0
        self._best_rank = -1
        self._seen_since_reset = True

    # ── what is known ──

    @property
    def stage(self) -> BootStage:
        """How far the current attempt got."""
        return self.attempt.stage

    @property
    def attempt(self) -> Attempt:
        """The current attempt: since the last reset of the machine."""
        return self.attempts[-1]

    @property
    def stage_times(self) -> dict[BootStage, float | None]:
        """First sign of each stage of the current attempt, in seconds; None where only the order is known."""
        return {mark.stage: mark.seconds for mark in self.attempt.marks}

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, in order of appearance."""
        return self.book.findings()

    @property
    def waiting_for(self) -> str:
        """For a person: what would end the recording."""
        decision = self.decide(self.last_t)
        return f"ending: {decision.detail}" if decision else self.expectation.describe()

    # ── events ──

    def feed(self, event: Event) -> None:
        """Take the next event."""
        self._feed(event, self._catalogue)

    def feed_all(self, events: Iterable[Event]) -> None:
        """Take many events: the same result as one by one, faster."""
        block: list[Event] = []
        for event in events:
            block.append(event)
            if len(block) >= _LOOK_AHEAD:
                self._feed_block(block)
                block = []
        self._feed_block(block)

    def decide(self, t: float) -> Decision | None:
        """Return when and why the recording may end, as far as known at time ``t``; None to go on."""
        self._let_init_pass(t)
        ending = self.ending()
        return Decision(ending.reason, ending.at_s, ending.detail) if ending else None

    def ending(self) -> Ending | None:
        """The ending that counts. A panic beats everything, a reached goal beats a prompt that waits."""
        attempt = self.attempt
        if self.harness.faults:
            return Ending(EndReason.HARNESS_FAULT, self.last_t, self.last_t, self.harness.faults[0])
        for ending in (attempt.fatal, self.loop, attempt.goal, attempt.stuck, attempt.off):
            if ending:
                return ending
        if self.harness.exited_by_itself:
            detail = f"QEMU ended by itself with exit code {self.harness.exit_code}"
            return Ending(EndReason.QEMU_EXITED, self.last_t, self.last_t, detail)
        return None

    def _feed_block(self, block: list[Event]) -> None:
        catalogue = self._catalogue.relevant("\n".join(event.text for event in block))
        for event in block:
            self._feed(event, catalogue)

    def _feed(self, event: Event, catalogue: Catalogue) -> None:
        self.last_t = max(self.last_t, event.t)
        if event.source in _TEXT_SOURCES and event.kind in ("line", "partial"):
            self._on_line(event, catalogue)
        elif event.source is Source.SCREEN:
            self._on_screen(event, catalogue)
        elif event.source is Source.QMP and event.kind == "event":
            self._on_qmp(event)
        elif event.source is Source.HARNESS:
            self._on_harness(event, catalogue)

    # ── text ──

    def _on_line(self, event: Event, catalogue: Catalogue) -> None:
        prompt = event.kind == "partial"
        if event.source is Source.SERIAL and event.text and not prompt:
            self.serial_tail.append(event.text[:400])
        self._on_text(event, event.text, On.ANY, catalogue, prompt=prompt)

    def _on_screen(self, event: Event, catalogue: Catalogue) -> None:
        if event.kind == "image":
            self.channels.add(Source.SCREEN)
            self.graphics.see_picture(event.data)
        if event.kind != "text":
            return
        for row, is_last in self._screen.new_rows(event.text, event.data):
            self._on_text(event, row, On.SCREEN, catalogue, prompt=is_last)

    def _on_text(self, event: Event, text: str, channel: On, catalogue: Catalogue, *, prompt: bool) -> None:
        if not text.strip():
            return
        self._seen_since_reset = True
        self.channels.add(event.source)
        kernel_s: float | None = None
        body = text
        if text.startswith(("[", "<")) and (prefix := KERNEL_PREFIX.match(text)):
            kernel_s = self.last_kernel_s = float(prefix["s"])
            body = text[prefix.end() :]
        self._watch_init(event, body, kernel_s)
        told = self._half_told.setdefault(event.source, set())
        for hit in catalogue.hits(body, channel, prompt=prompt):
            self._apply(hit, event, text)
        if event.kind == "line" and told:
            told.clear()
        if self._expected and not self.attempt.text_seen and self._expected.search(text):
            self.attempt.text_seen = True
            self._check_goal(event, GOAL_SETTLE_S, f"the expected text appeared: {text.strip()[:200]}")

    def _watch_init(self, event: Event, body: str, kernel_s: float | None) -> None:
        """``Run /init`` counts once it is not followed by ``Failed to execute``: then init did run."""
        attempt = self.attempt
        if body.startswith("Run /") and (match := _RUN_INIT.match(body)):
            stage = BootStage.INITRAMFS if match["path"] in ("/init", "/linuxrc") else BootStage.USERSPACE
            attempt.pending_init = (stage, event.t, kernel_s, evidence_of(event, event.text))
            self._reach(BootStage.KERNEL, event, event.text)
        elif attempt.pending_init:
            if body.startswith(
                ("Failed to execute", "Starting init: ", "Kernel panic - not syncing: No working init")
            ):
                attempt.pending_init = None
            elif (
                kernel_s is None
                or kernel_s - (attempt.pending_init[2] or 0.0) > INIT_GRACE_S
                or "Kernel panic" in body
            ):
                self._let_init_pass(float("inf"))

    def _let_init_pass(self, t: float) -> None:
        pending = self.attempt.pending_init
        if pending and t > pending[1] + 1.0:
            stage, seen_t, kernel_s, evidence = pending
            self.attempt.pending_init = None
            seconds = kernel_s if evidence.event is None else seen_t
            self._note_stage(stage, Mark(stage, seconds, evidence))
            self._check_goal_at(seen_t, seconds, GOAL_SETTLE_S, f"the stage {stage.value} was reached")

    def _apply(self, hit: Hit, event: Event, text: str) -> None:
        signature = hit.signature
        attempt = self.attempt
        if signature.on is On.STDERR:
            self.harness.faults.append(hit.summary)
        if signature.effect is Effect.SHELL and not self._shell_counts(hit):
            return
        if hit.software:
            self._recognise(signature.family or signature.software, hit.software)
        if signature.kind in ("graphics_driver", "graphics_mode"):
            self.graphics.see(hit.groups)
        if signature.kind and self._is_news(event, signature.kind, hit.summary):
            self.book.add(
                signature.kind, signature.severity, hit.summary, signature.domain,
                channel=event.source.value, evidence=evidence_of(event, text),
            )  # fmt: skip
        attempt.emergency |= signature.kind == "emergency_shell"
        attempt.in_initramfs |= signature.effect is Effect.IN_INITRAMFS
        if signature.effect is Effect.ROOT_SWITCHED:
            attempt.root_switched = True
        stage = self._stage_of(hit)
        if stage:
            self._reach(stage, event, text)
        self._take_effect(hit, event)

    def _is_news(self, event: Event, kind: str, summary: str) -> bool:
        """An unfinished line comes again, and once more when it is finished: what it says counts once."""
        told = self._half_told.setdefault(event.source, set())
        fact = (kind, summary)
        if fact in told:
            return False
        if event.kind == "partial":
            told.add(fact)
        return True

    def _shell_counts(self, hit: Hit) -> bool:
        """A root prompt is a login of a live system, unless it belongs to an emergency or to no system at all."""
        at_least = BootStage.UNKNOWN if "@" in hit.match else BootStage.KERNEL
        return not self.attempt.emergency and self.attempt.stage.rank >= at_least.rank

    def _stage_of(self, hit: Hit) -> BootStage | None:
        stage, attempt = hit.signature.stage, self.attempt
        if hit.signature.family == "systemd":
            if attempt.root_switched:
                return BootStage.USERSPACE
            if attempt.in_initramfs:
                return BootStage.INITRAMFS
        return stage

    def _take_effect(self, hit: Hit, event: Event) -> None:
        signature, attempt = hit.signature, self.attempt
        effect = signature.effect
        if effect in (Effect.FATAL, Effect.STUCK):
            ending = Ending(
                signature.reason or EndReason.BOOT_FAILED, event.t, event.t + signature.settle_s, hit.summary,
                signature.kind, signature.domain, self._seconds(event), attempt.stage.rank,
            )  # fmt: skip
            if effect is Effect.FATAL:
                attempt.fatal = attempt.fatal or ending
            elif attempt.stuck is None or ending.at_s < attempt.stuck.at_s:
                attempt.stuck = ending
        elif effect is Effect.OVER and attempt.fatal:
            attempt.fatal = replace(attempt.fatal, at_s=min(attempt.fatal.at_s, event.t + 0.1))
        elif effect is Effect.OFF:
            attempt.off = attempt.off or Ending(
                EndReason.POWERED_OFF, event.t, event.t + 2.0, hit.summary, signature.kind,
                seconds=self._seconds(event),
            )  # fmt: skip
        elif effect is Effect.RESTART:
            attempt.restart_seen = True
        elif effect is Effect.APPLICATION:
            attempt.application = True
            self._check_goal(event, signature.settle_s, hit.summary)
        elif effect in (Effect.WAITING, Effect.SHELL):
            self._check_goal(event, signature.settle_s, hit.summary)

    # ── progress ──

    def _reach(self, stage: BootStage, event: Event, text: str) -> None:
        if stage.rank > self.attempt.stage.rank:
            self._note_stage(stage, Mark(stage, self._seconds(event), evidence_of(event, text)))
            if self.expectation.stage:
                self._check_goal(event, GOAL_SETTLE_S, f"the stage {stage.value} was reached")

    def _note_stage(self, stage: BootStage, mark: Mark) -> None:
        attempt = self.attempt
        if stage.rank <= attempt.stage.rank:
            return
        attempt.stage = stage
        attempt.marks.append(mark)
        if attempt.stuck and stage.rank > max(attempt.stuck.rank, BootStage.FIRMWARE.rank):
            attempt.stuck = None
            attempt.emergency = False

    def _check_goal(self, event: Event, settle_s: float, detail: str) -> None:
        self._check_goal_at(event.t, self._seconds(event), settle_s, detail)

    def _check_goal_at(self, t: float, seconds: float | None, settle_s: float, detail: str) -> None:
        attempt, wanted = self.attempt, self.expectation
        if attempt.goal or (wanted.text and not attempt.text_seen):
            return
        if wanted.stage:
            reached = attempt.stage.rank >= wanted.stage.rank
        else:
            reached = bool(wanted.text) or attempt.application or attempt.stage.rank >= BootStage.LOGIN.rank
        if reached:
            reason = EndReason.EXPECTED_TEXT if wanted.text else EndReason.EXPECTED_STAGE
            attempt.goal = Ending(reason, t, t + settle_s, detail, seconds=seconds)

    def _seconds(self, event: Event) -> float | None:
        """When an event was: on the recording's clock, or of kernel time where the recording has no clock."""
        return self.last_kernel_s if is_clockless(event) else event.t

    def _recognise(self, family: str, name: str) -> None:
        if family in self.recognised or len(self.recognised) < 40:
            self.recognised[family] = max(self.recognised.get(family, ""), name[:100], key=len)

    # ── the machine and the harness ──

    def _on_qmp(self, event: Event) -> None:
        reason = str(event.data.get("reason", ""))
        if event.text == "RESET" and (event.data.get("guest") or reason.startswith("guest")):
            self._on_reset(event)
        elif event.text == "SHUTDOWN":
            self._on_shutdown(event, reason)
        elif event.text == "GUEST_PANICKED" and not self.attempt.fatal:
            detail = "the guest reported a panic to the hypervisor"
            evidence = evidence_of(event, "QMP GUEST_PANICKED")
            self.book.add(
                "kernel_panic", "fatal", detail, FailureDomain.KERNEL, channel="qmp", evidence=evidence
            )
            self.attempt.fatal = Ending(
                EndReason.PANIC, event.t, event.t + 1.0, detail, "kernel_panic", FailureDomain.KERNEL, event.t
            )
        elif event.text == "BLOCK_IO_ERROR":
            self.harness.faults.append(
                f"the host could not read {plain_value(event.data, 'device')} for the guest"
            )

    def _on_reset(self, event: Event) -> None:
        if event.t - self._last_reset_t < RESET_GROUP_S and not self._seen_since_reset:
            return
        self._let_init_pass(float("inf"))
        self._last_reset_t, self._seen_since_reset = event.t, False
        rank = self.attempt.stage.rank
        progressed = rank > self._best_rank
        self._reset_count = 1 if progressed else self._reset_count + 1
        self._best_rank = max(self._best_rank, rank)
        evidence = evidence_of(event, "QMP RESET")
        self.book.add(
            "reset", "info", "the machine was reset", FailureDomain.NONE, channel="qmp", evidence=evidence
        )
        if self._reset_count >= RESETS_OF_A_LOOP:
            stage = max((a.stage for a in self.attempts), key=lambda s: s.rank)
            detail = f"the machine resets again and again, never getting further than {stage.value}"
            self.loop = self.loop or Ending(
                EndReason.RESET_LOOP, event.t, event.t + 0.3, detail, seconds=event.t
            )
        elif progressed:
            self.loop = None
        self._screen.reset()
        self.attempts = [*self.attempts[-RESETS_OF_A_LOOP:], Attempt()]

    def _on_shutdown(self, event: Event, reason: str) -> None:
        self._let_init_pass(float("inf"))
        if reason.startswith("host") or not event.data.get("guest", True):
            self.harness.ended_by_host = True
            return
        details = {"guest-reset": "the guest restarted the machine", "guest-panic": "the guest panicked"}
        detail = details.get(reason, "the guest switched the machine off")
        kind = "restart" if reason == "guest-reset" else "power_off"
        self.attempt.off = Ending(
            EndReason.POWERED_OFF, event.t, event.t + 0.3, detail, kind, seconds=event.t
        )
        self.book.add(
            kind,
            "info",
            detail,
            FailureDomain.NONE,
            channel="qmp",
            evidence=evidence_of(event, f"QMP SHUTDOWN {reason}"),
        )

    def _on_harness(self, event: Event, catalogue: Catalogue) -> None:
        if event.kind == "stderr":
            self.harness.stderr.append(event.text[:400])
            for hit in catalogue.hits(event.text, On.STDERR, prompt=False):
                self._apply(hit, event, event.text)
        elif event.kind == "exited":
            code = event.data.get("code")
            self.harness.exit_code = code if isinstance(code, int) else None
            ours = bool(event.data.get("ended_by_us")) or self.harness.ended_by_host
            self.harness.exited_by_itself = not ours and self.attempt.off is None
            if self.harness.exited_by_itself and self.harness.exit_code:
                said = f": {self.harness.stderr[-1]}" if self.harness.stderr else ""
                how = "was killed by signal" if self.harness.exit_code < 0 else "failed with exit code"
                self.harness.faults.append(f"QEMU {how} {abs(self.harness.exit_code)}{said}")
        elif event.kind == "fault":
            self.harness.faults.append(event.text or "an unnamed fault of the recorder")
        elif event.kind == "end":
            self.harness.end_reason = end_reason(event.text)


def end_reason(word: str) -> EndReason | None:
    """The EndReason of a word, None when there is none."""
    return EndReason(word) if word in set(EndReason) else None


def plain_value(data: dict[str, Any], key: str) -> str:
    """A value of an event's data as bounded text."""
    return str(data.get(key, "a device"))[:80]
