"""Events and instructions of the chain engine: small frozen-by-convention values, cheap to import and to make.

Plain classes, for ``dataclasses`` costs more CPU at the start than the rest of the daemon.
"""

from __future__ import annotations

READY = "ready"
FAILED = "failed"
EXHAUSTED = "exhausted"


class Value:
    """Base of events and instructions: compared and shown by its fields."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, n) == getattr(other, n) for n in self.__slots__
        )

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self.__slots__)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"


class ChainEvent(Value):
    """Something that happened to the chain."""

    __slots__ = ()


class Begin(ChainEvent):
    """The daemon has started, or has been restarted in the foreground."""

    __slots__ = ()


class StepEnded(ChainEvent):
    """The running step ended: its exit code, or minus the number of the signal that killed it.

    ``hopeless`` says why another try would fail as well; ``""`` where it may not.
    """

    __slots__ = ("code", "hopeless")

    def __init__(self, code: int, hopeless: str = "") -> None:
        self.code = code
        self.hopeless = hopeless


class StepSkipped(ChainEvent):
    """The step was not started: its result is there already."""

    __slots__ = ()


class StepMissing(ChainEvent):
    """The step cannot be started at all (no right to run it, no interpreter)."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class StepAbsent(ChainEvent):
    """There is no step-script of this name: the step is passed over."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class ChainReplaced(ChainEvent):
    """The running step asked for other steps after it (``next_bootchain``)."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names


class LoopBroken(ChainEvent):
    """The running step said that it is the last one (``break_bc_loop``)."""

    __slots__ = ()


class BypassAsked(ChainEvent):
    """The running step asked to pass on the previous result, or the directory ``target`` (``bypass_results``)."""

    __slots__ = ("target",)

    def __init__(self, target: str = "") -> None:
        self.target = target


class ForegroundAsked(ChainEvent):
    """Someone wants the daemon on its terminal, before the next step."""

    __slots__ = ()


class ForegroundReached(ChainEvent):
    """The daemon runs on a terminal now, or could not get there (``ok`` is False)."""

    __slots__ = ("ok",)

    def __init__(self, ok: bool) -> None:
        self.ok = ok


class Instruction(Value):
    """Something the daemon has to do."""

    __slots__ = ()


class Note(Instruction):
    """Write one line to the log."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Pause(Instruction):
    """Wait that long before the next instruction."""

    __slots__ = ("delay_s",)

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s


class RunStep(Instruction):
    """Start a step-script. Answer with StepEnded, StepSkipped, StepAbsent or StepMissing.

    ``number`` is the absolute step number from 0, ``callnum`` how often a step of this name was called before
    (calls that ended by replacing the chain apart),
    ``attempt`` counts from 1, ``previous`` is the number of the step whose result comes before, or None,
    ``passed`` says whether a step of this name has been passed before.
    """

    __slots__ = ("attempt", "callnum", "name", "number", "passed", "previous")

    def __init__(
        self, name: str, *, number: int, callnum: int, attempt: int, previous: int | None, passed: bool
    ) -> None:
        self.name = name
        self.number = number
        self.callnum = callnum
        self.attempt = attempt
        self.previous = previous
        self.passed = passed


class LinkResult(Instruction):
    """Pass on the result of step ``source``, or the directory ``target``, as the result of a step, at once."""

    __slots__ = ("number", "source", "target")

    def __init__(self, *, number: int, source: int | None, target: str) -> None:
        self.number = number
        self.source = source
        self.target = target


class UndoLink(Instruction):
    """The step failed: what LinkResult did for it is undone."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Restart(Instruction):
    """Restart the daemon on the interactive terminal. Answer with ForegroundReached."""

    __slots__ = ()


class Finish(Instruction):
    """The chain is over: ``outcome`` is READY, FAILED or EXHAUSTED; ``message`` is the last line of the log.

    ``number`` is the step that ended it and ``previous`` the one before: the root is the result of the former
    where it has one, else of the latter.
    """

    __slots__ = ("message", "number", "outcome", "previous")

    def __init__(self, outcome: str, message: str, *, number: int | None, previous: int | None) -> None:
        self.outcome = outcome
        self.message = message
        self.number = number
        self.previous = previous
