"""``bootchain-loop``: performs the instructions of the engine, one step after the other."""

# ruff: noqa: PTH100, PTH108, PTH110, PTH123, SIM105
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os
from time import monotonic

from bootchain import addressing, events
from bootchain.chain import Chain
from bootchain.cmdline import Parameters, names
from bootchain.config import ChainSettings, parse
from bootchain.daemon.environment import Environment
from bootchain.daemon.places import BUILTIN_STEPS, RealFileSystem, find_step
from bootchain.daemon.results import ResultError, Results
from bootchain.daemon.runner import Runner
from bootchain.layout import Layout, make_step, prepare
from bootchain.log import Log
from bootchain.wire import encode_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bootchain.daemon.undefined import Undefined

    Restart = Callable[["Loop"], str]
    _Reply = tuple[int | None, str]

EXIT_CODES = {events.READY: 0, events.FAILED: 1, events.EXHAUSTED: 3}
EXIT_USAGE = 2
EXIT_NO_ROOT = 4
EXIT_INTERNAL = 70
EXIT_STOPPED = 143

DEBUG_STEP = "debug"
_MAX_NEXT_CHAIN = 1 << 20


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
        settings: ChainSettings,
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
        self._results = Results(self.layout)
        self.environment = Environment(settings, parameters, self.layout, terminal)
        self._parameters = parameters
        self._restart = restart
        self._fs = RealFileSystem()
        self._step_dirs = (*settings.step_dirs, BUILTIN_STEPS)
        self._found: dict[str, list[str]] = {}
        self._step: events.RunStep | None = None
        self._vt_before = 0
        self._hopeless = ""
        self._watcher: Undefined | None = None
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
        if isinstance(event, events.Begin):
            self._forget_passed()
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
            self.log.note(self._results.link(instruction.number, instruction.source, instruction.target))
        elif isinstance(instruction, events.UndoLink):
            trouble = self._results.undo()
            if trouble:
                self.log.note(trouble)
        elif isinstance(instruction, events.Restart):
            self.log.note(f"restarting in the foreground on {self.settings.fg_terminal}")
            self.log.note(self._restart(self))
            return events.ForegroundReached(False)
        return None

    def _run_step(self, step: events.RunStep) -> events.ChainEvent:
        label = f"step {step.number} ({step.name})"
        try:
            argv = self._find(step.name)
            # A failed try may have left a mount; that is not a result.
            if make_step(self.layout, step.number) and step.attempt == 1:
                self._record_step(step, None, 0.0)
                self._mark_passed(step.name)
                return events.StepSkipped()
        except LookupError as error:
            self._record_step(step, None, 0.0)
            return events.StepAbsent(str(error))
        except OSError as error:
            self._record_step(step, None, 0.0)
            return events.StepMissing(str(error))
        variables = self.environment.of_step(step)
        self._step = step
        if self.settings.debug and step.name != DEBUG_STEP:
            self._run_debug_step(variables)
        self._clear_next_chain(step)
        if self.log.broken:
            self.runner.silence()
        self.log.note(f"{label} call {step.callnum} try {step.attempt}: started")
        started_s = monotonic()
        self._hopeless = ""
        self.runner.watch = self._look_at_log(argv[-1])
        try:
            code = self.runner.run(argv, variables, self._answer)
            duration_s = monotonic() - started_s
            self._read_next_chain(step)
        except OSError as error:
            self._record_step(step, None, 0.0)
            return events.StepMissing(f"{argv[0]}: {error.strerror}")
        finally:
            self._step = self.runner.watch = None
            if self._watcher is not None:
                self._watcher.close()
        if self.runner.garbage:
            self.log.note(f"{label} wrote {self.runner.garbage} bytes of garbage to the daemon")
            self.runner.garbage = 0
        self.log.note(f"{label} ended with {code} after {duration_s:.3f} s")
        self._record_step(step, code, duration_s)
        if code == 0:
            self._mark_passed(step.name)
            self._results.forget()
        return events.StepEnded(code, self._hopeless if code else "")

    def _forget_passed(self) -> None:
        for name in os.listdir(self.layout.passed):  # noqa: PTH208
            os.unlink(f"{self.layout.passed}/{name}")

    def _mark_passed(self, name: str) -> None:
        try:
            os.close(os.open(f"{self.layout.passed}/{name}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
        except OSError as error:
            self.log.note(f"cannot note that {name} has been passed: {error.strerror}")

    def _clear_next_chain(self, step: events.RunStep) -> None:
        """What the debug step, or an earlier daemon, has left there."""
        try:
            os.unlink(self.layout.next_chain(step.number, step.attempt))
        except FileNotFoundError:
            pass

    def _read_next_chain(self, step: events.RunStep) -> None:
        """The chain that the step has asked for: the last one counts."""
        path = self.layout.next_chain(step.number, step.attempt)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                values, complaints = parse(file.read(_MAX_NEXT_CHAIN))
        except FileNotFoundError:
            return
        for complaint in complaints:
            self.log.note(f"{path}: {complaint}")
        if "chainsteps" in values:
            chain = names(values["chainsteps"])
            self._ask(events.ChainReplaced(chain))
            self.log.record("chain", {"step": step.name, "remaining": chain})

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
        if words[0] in _WISHES:
            return b""
        if words[1:2] == ["bypass"]:
            return encode_answer(0, words[0], "")
        return self._answer(words)

    def _target(self, step: events.RunStep, target: str) -> _Reply:
        try:
            return 0, addressing.resolve_target(
                target, number=step.number, previous=step.previous, layout=self.layout, fs=self._fs
            )
        except addressing.AddressError as error:
            return 1, str(error)

    def _where(self, step: events.RunStep, target: str) -> _Reply:
        try:
            return 0, addressing.locate(
                target, number=step.number, previous=step.previous, layout=self.layout, fs=self._fs
            )
        except addressing.AddressError as error:
            return 1, str(error)

    def _devname(self, _step: events.RunStep, directory: str) -> _Reply:
        try:
            return 0, addressing.resolve_devname(directory, self._fs)
        except addressing.AddressError as error:
            return 1, str(error)

    def _device(self, _step: events.RunStep, text: str) -> _Reply:
        from bootchain.devices import Finder, SpecError, parse_spec

        try:
            found = Finder(parse_spec(text)).find()
        except SpecError as error:
            return 1, str(error)
        return (0, found.node) if found else (1, "")

    def _passed(self, _step: events.RunStep, name: str) -> _Reply:
        known = name and "/" not in name and os.path.exists(f"{self.layout.passed}/{name}")
        return 0 if known else 1, ""

    def _name(self, _step: events.RunStep, number: str) -> _Reply:
        known = number.isdigit() and int(number[:9]) < len(self.chain.names)
        return 0, self.chain.names[int(number)] if known else ""

    def _param(self, step: events.RunStep, name: str) -> _Reply:
        return 0, self._parameters.get(name, step.callnum)

    def _calls(self, _step: events.RunStep, name: str) -> _Reply:
        return 0, str(self.chain.calls(name))

    def _reboot(self, step: events.RunStep, why: str) -> _Reply:
        self.log.note(f"step {step.number} ({step.name}) reboots the computer{': ' if why else ''}{why}")
        self.log.record("reboot", {"number": step.number, "step": step.name})
        os.sync()
        code = os.spawnvp(os.P_WAIT, "reboot", ["reboot", "-f"])  # noqa: S606
        if code == 0:
            return None, ""  # the computer is going down: let the step wait for it
        return 1, f"reboot -f ended with {code}"

    def _bypass(self, _step: events.RunStep, directory: str) -> _Reply:
        try:
            self._ask(events.BypassAsked(os.path.abspath(directory) if directory else ""))
        except ResultError as error:
            return 1, str(error)
        return 0, ""

    def _look_at_log(self, script: str) -> Callable[[], bool]:
        """What the runner calls now and then: True when the step has to be stopped (see undefined.py)."""
        offset = os.fstat(self.log.fd).st_size
        self._watcher = None

        def look() -> bool:
            if self._watcher is None:
                from bootchain.daemon.undefined import Undefined

                self._watcher = Undefined(self.log.fd, script, offset, self.layout.stubs)
            self._hopeless = self._hopeless or self._watcher.look()
            return bool(self._hopeless)

        return look

    def _undefined(self, words: list[str]) -> None:
        """bash has found no function of this name."""
        from bootchain.daemon.undefined import reason

        self._hopeless = reason(words[0] if words else "")

    def _found_nothing(self, _step: events.RunStep, name: str) -> _Reply:
        if self._watcher is not None:
            self._hopeless = self._hopeless or self._watcher.count(name)
        return None, ""

    def _break(self, _words: list[str]) -> None:
        self._ask(events.LoopBroken())

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
    "where": Loop._where,
    "devname": Loop._devname,
    "device": Loop._device,
    "bypass": Loop._bypass,
    "name": Loop._name,
    "calls": Loop._calls,
    "passed": Loop._passed,
    "param": Loop._param,
    "reboot": Loop._reboot,
    "undefined": Loop._found_nothing,
}
_WISHES: dict[str, Callable[[Loop, list[str]], None]] = {
    "break": Loop._break,
    "undefined": Loop._undefined,
}
