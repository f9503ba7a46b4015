"""``bootchain-loop``: performs the instructions of the engine, one step after the other."""

# ruff: noqa: PTH100, PTH106, PTH108, PTH114, PTH211
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os
from time import monotonic

from bootchain import addressing, events
from bootchain.chain import Chain
from bootchain.cmdline import Parameters, names
from bootchain.config import Settings
from bootchain.daemon.environment import Environment
from bootchain.daemon.places import BUILTIN_STEPS, RealFileSystem, find_step
from bootchain.daemon.runner import Runner
from bootchain.layout import Layout, make_step, prepare
from bootchain.log import Log
from bootchain.wire import encode_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Restart = Callable[["Loop"], str]
    _Reply = tuple[int | None, str]

EXIT_CODES = {events.READY: 0, events.FAILED: 1, events.EXHAUSTED: 3}
EXIT_USAGE = 2
EXIT_NO_ROOT = 4
EXIT_INTERNAL = 70
EXIT_STOPPED = 143

DEBUG_STEP = "debug"


class Loop:
    """One chain and everything it runs with.

    Attributes:
        chain: the engine.
        log: both logs.
        terminal: where the loop runs in the foreground, ``""`` in the background.
        foreground_asked: set it at any time (SIGUSR1 does) to go to the foreground before the next step.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        parameters: Parameters,
        chain: Chain,
        log: Log,
        restart: Restart,
        terminal: str = "",
    ) -> None:
        self.settings = settings
        self.chain = chain
        self.log = log
        self.terminal = terminal
        self.layout = Layout(settings.mntdir)
        self.environment = Environment(settings, parameters, self.layout, terminal)
        self._parameters = parameters
        self._restart = restart
        self._fs = RealFileSystem()
        self._step_dirs = (*settings.step_dirs, BUILTIN_STEPS)
        self._found: dict[str, list[str]] = {}
        self._step: events.RunStep | None = None
        self._vt_before = 0
        self.foreground_asked = False
        stdin = 0 if terminal else open_nothing()
        self.runner = Runner(stdin=stdin, stdout=1 if terminal else log.fd, stderr=log.fd)

    def run(self, event: events.ChainEvent) -> events.Finish:
        """Go on until the chain is over.

        Returns:
            The end of the chain; nothing has been done about it yet.

        Raises:
            OSError: the directories of the steps cannot be made.
        """
        prepare(self.layout)
        todo = self.chain.handle(event)
        while True:
            for instruction in todo:
                if isinstance(instruction, events.Finish):
                    return instruction
                answer = self._perform(instruction)
            if answer is None:
                raise AssertionError(f"nothing to wait for in {todo!r}")
            if self.foreground_asked:
                self.foreground_asked = False
                self._ask(events.ForegroundAsked())
            todo = self.chain.handle(answer)

    def show_terminal(self) -> None:
        """In the foreground, bring the terminal to the screen after the configured delay."""
        if self.terminal:
            self.runner.alarm.set(self.settings.fg_delay_s, self._activate)

    def hide_terminal(self) -> None:
        """Give the screen back."""
        if self._vt_before:
            from bootchain.daemon.foreground import activate

            activate(f"/dev/tty{self._vt_before}")

    def _activate(self) -> None:
        from bootchain.daemon.foreground import activate, active_vt

        before = active_vt()
        if activate(self.terminal):
            self._vt_before = before
            self.log.note(f"{self.terminal} is on the screen")

    def _perform(self, instruction: events.Instruction) -> events.ChainEvent | None:
        if isinstance(instruction, events.RunStep):
            return self._run_step(instruction)
        if isinstance(instruction, events.Note):
            self.log.note(instruction.text)
        elif isinstance(instruction, events.Pause):
            self.runner.alarm.sleep(instruction.delay_s)
        elif isinstance(instruction, events.LinkResult):
            self._link_result(instruction)
        elif isinstance(instruction, events.Restart):
            self.log.note(f"restarting in the foreground on {self.settings.fg_terminal}")
            self.log.note(self._restart(self))
            return events.ForegroundReached(False)
        return None

    def _run_step(self, step: events.RunStep) -> events.ChainEvent:
        label = f"step {step.number} ({step.name})"
        try:
            # A failed try may have left a mount; that is no result.
            if make_step(self.layout, step.number) and step.attempt == 1:
                self._record_step(step, None, 0.0)
                return events.StepSkipped()
            argv = self._find(step.name)
        except (OSError, LookupError) as error:
            self._record_step(step, None, 0.0)
            return events.StepMissing(str(error))
        variables = self.environment.of_step(step)
        self._step = step
        if self.settings.debug and step.name != DEBUG_STEP:
            self._run_debug_step(variables)
        self.log.note(f"{label} call {step.callnum} try {step.attempt}: started")
        started_s = monotonic()
        try:
            code = self.runner.run(argv, variables, self._answer)
        except OSError as error:
            self._record_step(step, None, 0.0)
            return events.StepMissing(f"{argv[0]}: {error.strerror}")
        finally:
            self._step = None
        duration_s = monotonic() - started_s
        if self.runner.garbage:
            self.log.note(f"{label} wrote {self.runner.garbage} bytes of garbage to the daemon")
            self.runner.garbage = 0
        self.log.note(f"{label} ended with {code} after {duration_s:.3f} s")
        self._record_step(step, code, duration_s)
        return events.StepEnded(code)

    def _run_debug_step(self, variables: dict[bytes, bytes]) -> None:
        try:
            code = self.runner.run(self._find(DEBUG_STEP), variables, self._answer_debug_step)
        except (OSError, LookupError) as error:
            self.log.note(f"no debug step: {error}")
            return
        if code:
            self.log.note(f"the debug step ended with {code}")

    def _find(self, name: str) -> list[str]:
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = find_step(name, self._step_dirs)
        return found

    def _record_step(self, step: events.RunStep, code: int | None, duration_s: float) -> None:
        self.log.record(
            "step",
            {
                "number": step.number,
                "step": step.name,
                "callnum": step.callnum,
                "try": step.attempt,
                "code": code,
                "skipped": code is None,
                "duration_ms": round(duration_s * 1000, 3),
                "remaining": self.chain.pending,
            },
        )

    def _link_result(self, link: events.LinkResult) -> None:
        """Replace the (empty) result directory of a step by a link."""
        target = link.target if link.source is None else self.layout.destdir(link.source)
        destdir = self.layout.destdir(link.number)
        try:
            if os.path.islink(destdir):
                os.unlink(destdir)
            else:
                os.rmdir(destdir)
            os.symlink(target, destdir)
        except OSError as error:
            self.log.note(f"cannot pass on {target} as the result of step {link.number}: {error.strerror}")
        else:
            self.log.note(f"the result of step {link.number} is {target}")

    def _answer(self, words: list[str]) -> bytes:
        """Take one wish, or answer one question, of the running step."""
        step = self._step
        wish = _WISHES.get(words[0])
        if step is not None and wish is not None:
            wish(self, words[1:])
            return b""
        tag, *words = words
        question = _QUESTIONS.get(words[0]) if words else None
        if step is None or question is None:
            self.log.note(f"unknown request {' '.join([tag, *words])[:40]!r}")
            return encode_answer(1, tag, "unknown request")
        code, text = question(self, step, words[1] if len(words) > 1 else "")
        return encode_answer(code, tag, text) if code is not None else b""

    def _answer_debug_step(self, words: list[str]) -> bytes:
        """It looks, and does not touch: what it wishes is not the wish of the step."""
        return b"" if words[0] in _WISHES else self._answer(words)

    def _target(self, step: events.RunStep, target: str) -> _Reply:
        try:
            return 0, addressing.resolve_target(
                target, number=step.number, previous=step.previous, layout=self.layout, fs=self._fs
            )
        except addressing.AddressError as error:
            return 1, str(error)

    def _devname(self, _step: events.RunStep, directory: str) -> _Reply:
        try:
            return 0, addressing.resolve_devname(directory, self._fs)
        except addressing.AddressError as error:
            return 1, str(error)

    def _passed(self, _step: events.RunStep, name: str) -> _Reply:
        return int(name not in self.chain.passed), ""

    def _param(self, step: events.RunStep, name: str) -> _Reply:
        return 0, self._parameters.get(name, step.callnum)

    def _reboot(self, step: events.RunStep, why: str) -> _Reply:
        self.log.note(f"step {step.number} ({step.name}) reboots the computer{': ' if why else ''}{why}")
        self.log.record("reboot", {"number": step.number, "step": step.name})
        os.sync()
        code = os.spawnvp(os.P_WAIT, "reboot", ["reboot", "-f"])  # noqa: S606
        if code == 0:
            return None, ""  # the computer is going down: let the step wait for it
        return 1, f"reboot -f ended with {code}"

    def _next(self, words: list[str]) -> None:
        chain = names(",".join(words))
        self._ask(events.ChainReplaced(chain))
        if self._step is not None:
            self.log.record("chain", {"step": self._step.name, "remaining": chain})

    def _break(self, _words: list[str]) -> None:
        self._ask(events.LoopBroken())

    def _bypass(self, words: list[str]) -> None:
        self._ask(events.BypassAsked(os.path.abspath(words[0]) if words and words[0] else ""))

    def _ask(self, event: events.ChainEvent) -> None:
        for note in self.chain.handle(event):
            self._perform(note)


def open_nothing() -> int:
    """A descriptor with nothing to read, also where there is no /dev/null yet."""
    try:
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        read, write = os.pipe()
        os.close(write)
        return read


_QUESTIONS: dict[str, Callable[[Loop, events.RunStep, str], _Reply]] = {
    "target": Loop._target,
    "devname": Loop._devname,
    "passed": Loop._passed,
    "param": Loop._param,
    "reboot": Loop._reboot,
}
_WISHES: dict[str, Callable[[Loop, list[str]], None]] = {
    "chain": Loop._next,
    "break": Loop._break,
    "bypass": Loop._bypass,
}
