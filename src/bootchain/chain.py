"""The chain engine, pure: events in, instructions out, no input or output.

::

    engine = Chain(("waitdev", "mountfs", "rootfs"), mode=NATIVE)
    for instruction in engine.handle(Begin()):
        ...

The daemon performs each instruction and reports back with an event. Exactly one instruction of each answer waits
for an event (``RunStep``, ``Restart``) or ends the chain (``Finish``), and it is the last one.

Rules (all from the bootchain-core document):

* Pseudo-steps ``fg noop noretry retry`` take no number: addressing does not see them.
* A failed step runs again after a pause, five times in all, unless ``noretry`` came before it.
* Exit code 2 is a failure in native mode and the end of the loop in pipeline mode.
* What a step asks for (end of the loop, another chain) counts when that step then ends with 0. A bypass takes place at
  once, and is undone when the step fails.
* A step that calls what nothing defines is not repeated: no try could succeed.
* A step that fails after it asked for the end of the loop ends the chain at once.
* A call that replaced the chain is not counted: a step that goes back to itself keeps its parameters.
* A step without a step-script is passed over, and takes no number.
"""

from __future__ import annotations

from bootchain.events import (
    EXHAUSTED,
    FAILED,
    READY,
    Begin,
    BypassAsked,
    ChainEvent,
    ChainReplaced,
    Finish,
    ForegroundAsked,
    ForegroundReached,
    Instruction,
    LinkResult,
    LoopBroken,
    Note,
    Pause,
    Restart,
    RunStep,
    StepAbsent,
    StepEnded,
    StepMissing,
    StepSkipped,
    UndoLink,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NATIVE = "native"
PIPELINE = "pipeline"
PSEUDO_STEPS = frozenset(("fg", "noop", "noretry", "retry"))
TRIES = 5
RETRY_DELAY_S = 2.0


class Chain:
    """The state of one chain.

    Attributes:
        pending: the names still to come, pseudo-steps included.
        number: the number the next step will get.
        current: the step that runs now, or None.
        passed: names of the steps that ended with 0 (or had their result) at least once.
        names: the names of all steps so far, by number.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        *,
        mode: str = NATIVE,
        tries: int = TRIES,
        retry_delay_s: float = RETRY_DELAY_S,
    ) -> None:
        self.mode = mode
        self.tries = max(1, tries)
        self.retry_delay_s = retry_delay_s
        self.pending = tuple(names)
        self.number = 0
        self.previous: int | None = None
        self.current: RunStep | None = None
        self.passed: set[str] = set()
        self.retry_allowed = True
        self.in_foreground = False
        self.outcome = ""
        self._calls: dict[str, int] = {}
        self._foreground_asked = False
        self._broken = False
        self._replacement: tuple[str, ...] | None = None
        self._bypassed = False
        self.names: list[str] = []
        self._absent: list[str] = []
        self._last = ""
        self._replaced_by = ""

    def handle(self, event: ChainEvent) -> list[Instruction]:
        """Take one event.

        Returns:
            What to do, in order. Requests of a running step (ChainReplaced, LoopBroken) give only notes; they take
            effect when the step ends with 0. So does ForegroundAsked, before the next step. BypassAsked gives a
            LinkResult.

        Raises:
            ValueError: the event does not fit the state (a step ended while none ran, or the chain is over).
        """
        if self.outcome:
            raise ValueError(f"the chain is over ({self.outcome}), yet {event!r} came")
        if isinstance(event, ForegroundAsked):
            self._foreground_asked = True
            return [Note("the foreground is asked for: before the next step")]
        if isinstance(event, (Begin, ForegroundReached)):
            if self.current is not None:
                raise ValueError(f"{event!r} while step {self.current.name!r} runs")
            return self._resume(event)
        if self.current is None:
            raise ValueError(f"{event!r} while no step runs")
        if isinstance(event, StepEnded):
            return self._ended(self.current, event.code, event.hopeless)
        if isinstance(event, StepSkipped):
            return [
                Note(f"{_label(self.current)}: its result is there already, skipped"),
                *self._done(self.current),
            ]
        return self._asked(self.current, event)

    def calls(self, name: str) -> int:
        """How often a step of this name has been called so far."""
        return self._calls.get(name, 0)

    def snapshot(self) -> dict[str, Any]:
        """The whole state between two steps, as plain values (for a restart in the foreground)."""
        if self.current is not None:
            raise ValueError(f"step {self.current.name!r} runs: no snapshot now")
        return {
            "mode": self.mode,
            "tries": self.tries,
            "retry_delay_s": self.retry_delay_s,
            "pending": self.pending,
            "number": self.number,
            "previous": self.previous,
            "passed": tuple(sorted(self.passed)),
            "retry_allowed": self.retry_allowed,
            "in_foreground": self.in_foreground,
            "calls": dict(self._calls),
            "names": tuple(self.names),
            "absent": tuple(self._absent),
            "last": self._last,
            "replaced_by": self._replaced_by,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Chain:
        """The engine a snapshot was taken from."""
        chain = cls(
            tuple(state["pending"]),
            mode=state["mode"],
            tries=state["tries"],
            retry_delay_s=state["retry_delay_s"],
        )
        chain.number = state["number"]
        chain.previous = state["previous"]
        chain.passed = set(state["passed"])
        chain.retry_allowed = state["retry_allowed"]
        chain.in_foreground = state["in_foreground"]
        chain._calls = dict(state["calls"])
        chain.names = list(state["names"])
        chain._absent = list(state["absent"])
        chain._last = state["last"]
        chain._replaced_by = state["replaced_by"]
        return chain

    def _resume(self, event: Begin | ForegroundReached) -> list[Instruction]:
        if isinstance(event, ForegroundReached):
            self.in_foreground = event.ok
            text = (
                "running in the foreground"
                if event.ok
                else "no terminal to run on: staying in the background"
            )
            return [Note(text), *self._advance()]
        return self._advance()

    def _advance(self) -> list[Instruction]:
        """Take names off the chain until something has to be waited for."""
        notes: list[Instruction] = []
        if self._foreground_asked:
            self._foreground_asked = False
            if not self.in_foreground:
                return [Restart()]
        while self.pending:
            name, self.pending = self.pending[0], self.pending[1:]
            if name == "noop":
                self.previous = None
                notes.append(Note("noop: the next step does not see the previous result"))
            elif name in ("retry", "noretry"):
                self.retry_allowed = name == "retry"
                notes.append(
                    Note(
                        f"{name}: failed steps are {'repeated' if self.retry_allowed else 'fatal'} from here"
                    )
                )
            elif name == "fg":
                if not self.in_foreground:
                    return [*notes, Restart()]
                notes.append(Note("fg: already in the foreground"))
            else:
                return [*notes, self._start(name)]
        return [*notes, self._exhausted()]

    def _start(self, name: str) -> RunStep:
        callnum = self._calls.get(name, 0)
        self._calls[name] = callnum + 1
        self.current = RunStep(
            name,
            number=self.number,
            callnum=callnum,
            attempt=1,
            previous=self.previous,
            passed=name in self.passed,
        )
        self.number += 1
        self.names.append(name)
        return self.current

    def _passed_over(self, step: RunStep, reason: str) -> list[Instruction]:
        self.current = None
        self.number = step.number
        self.names.pop()
        self._calls[step.name] = step.callnum
        self._absent.append(step.name)
        return [Note(f"the step {step.name} is passed over: {reason}"), *self._advance()]

    def _asked(self, step: RunStep, event: ChainEvent) -> list[Instruction]:
        if isinstance(event, ChainReplaced):
            self._replacement = event.names
            return [Note(f"{_label(step)} asks for the chain: {','.join(event.names) or '(empty)'}")]
        if isinstance(event, LoopBroken):
            self._broken = True
            return [Note(f"{_label(step)} says it is the last step")]
        if isinstance(event, StepAbsent):
            return self._passed_over(step, event.reason)
        if isinstance(event, StepMissing):
            return [self._fail(step, f"cannot be started: {event.reason}")]
        if isinstance(event, BypassAsked):
            if not event.target and step.previous is None:
                return [Note(f"{_label(step)}: there is no previous result to pass on")]
            self._bypassed = True
            source = None if event.target else step.previous
            return [
                Note(f"{_label(step)} passes on {event.target or 'the previous result'}"),
                LinkResult(number=step.number, source=source, target=event.target),
            ]
        raise ValueError(f"unknown event {event!r}")

    def _ended(self, step: RunStep, code: int, hopeless: str) -> list[Instruction]:
        if code == 0:
            return self._done(step)
        broken, bypassed = self._broken, self._bypassed
        self._forget_requests()
        if code == 2 and self.mode == PIPELINE:
            return [self._ready(step, "ended with code 2: end of the chain")]
        undo: list[Instruction] = [UndoLink(step.number)] if bypassed else []
        how = f"was killed by signal {-code}" if code < 0 else f"failed with code {code}"
        final = self._final(step, broken=broken, hopeless=hopeless)
        if final:
            return [*undo, self._fail(step, how + final)]
        self.current = RunStep(
            step.name,
            number=step.number,
            callnum=step.callnum,
            attempt=step.attempt + 1,
            previous=step.previous,
            passed=step.passed,
        )
        again = f"{_label(step)} {how}: try {step.attempt + 1} of {self.tries} in {self.retry_delay_s:g} s"
        return [*undo, Note(again), Pause(self.retry_delay_s), self.current]

    def _final(self, step: RunStep, *, broken: bool, hopeless: str) -> str:
        """Why a failure is the last one; ``""`` when the step is tried again."""
        if hopeless:
            return f": {hopeless}"
        if broken:
            return " after it had ended the chain (break_bc_loop)"
        if not self.retry_allowed:
            return ", and repeating is forbidden (noretry)"
        if step.attempt >= self.tries:
            times = "once" if self.tries == 1 else f"{self.tries} times in all"
            return f": tried {times}, giving up"
        return ""

    def _done(self, step: RunStep) -> list[Instruction]:
        """The step has been passed: what it asked for takes effect."""
        self.current = None
        self.passed.add(step.name)
        self._last = _label(step)
        if self._replacement is not None:
            self.pending = self._replacement
            self._replaced_by = _label(step)
            self._calls[step.name] = step.callnum
        broken = self._broken
        self._forget_requests()
        if broken:
            return [self._ready(step, "ended the chain")]
        self.previous = step.number
        return self._advance()

    def _forget_requests(self) -> None:
        self._broken = False
        self._replacement = None
        self._bypassed = False

    def _ready(self, step: RunStep, why: str) -> Finish:
        self.current = None
        self.outcome = READY
        return Finish(READY, f"{_label(step)} {why}", number=step.number, previous=step.previous)

    def _fail(self, step: RunStep, why: str) -> Finish:
        self.current = None
        self.outcome = FAILED
        return Finish(FAILED, f"{_label(step)} {why}", number=step.number, previous=step.previous)

    def _exhausted(self) -> Finish:
        self.outcome = EXHAUSTED
        if not self._last and self._absent:
            message = f"the chain is exhausted: there is no step-script for any of its steps ({','.join(self._absent)})"
        elif not self._last:
            message = "the chain is empty: name its steps with bootchain=step1,step2"
        else:
            replaced = f" (the chain was replaced by {self._replaced_by})" if self._replaced_by else ""
            message = (
                f"the chain is exhausted: {self._last} was the last step{replaced}, and none asked to go on to stage 2"
                " (rootfs, break_bc_loop)"
            )
        return Finish(EXHAUSTED, message, number=None, previous=self.previous)


def _label(step: RunStep) -> str:
    return f"step {step.number} ({step.name})"
