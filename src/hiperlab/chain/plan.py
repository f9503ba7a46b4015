"""The plan of a command line: steps with numbers, parameters and addresses. Nothing is run; pure.

The engine and the addressing are those of the daemon: the engine is given an exit code of 0 for every step, and the
addressing a file system in which every file exists, except results of later steps. So a plan shows what the
daemon would do if all steps succeeded, and finds what can never succeed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bootchain import events
from bootchain.addressing import DEVICE_FILES, AddressError, resolve_target
from bootchain.chain import PSEUDO_STEPS, TRIES, Chain
from bootchain.cmdline import Parameters, variable
from bootchain.config import ChainSettings, settle
from bootchain.devices import SpecError, parse_spec
from bootchain.layout import Layout

PSEUDO = {
    "fg": "the daemon continues in the foreground, on {terminal}",
    "noop": "the next step does not see the previous result",
    "noretry": "a step that fails from here on ends the chain at once",
    "retry": "steps that fail from here on are repeated",
}
_LASTVER = "lastver:"
_REQUIRED = {"mountfs": "MOUNTFS", "waitdev": "WAITDEV", "getimage": "GETIMAGE", "menu": "MENU"}
_OWN = frozenset(
    (
        "ROOT",
        "BOOTCHAIN",
        "PIPELINE",
        "PIPE_RETRY",
        "BC_DEBUG",
        "BC_TEST",
        "ROOTDELAY",
        "INIT",
        "IP",
        "PIPE_VERIFY_SIGN",
    )
)
_MAX_STEPS = 1000
_DEVICE_STEPS = frozenset(("waitdev",))
"""Steps whose result is only a device."""


@dataclass(frozen=True)
class Read:
    """What a step would read: ``path`` for a valid address, else ``problem``."""

    what: str
    path: str = ""
    problem: str = ""


@dataclass(frozen=True)
class PlannedStep:
    """One name of the chain. A pseudo-step has no number; ``note`` describes it.

    Attributes:
        previous: number of the step with the previous result.
        script: the step-script, or ``""``.
        parameters: variable (``MOUNTFS1``) and value, as passed to the step.
    """

    name: str
    number: int | None = None
    callnum: int | None = None
    previous: int | None = None
    note: str = ""
    script: str = ""
    datadir: str = ""
    destdir: str = ""
    prevdir: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    reads: tuple[Read, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The daemon's actions. ``problems`` concern the whole command line; steps have their own."""

    mode: str
    tries: int
    mntdir: str
    rootmnt: str
    log_file: str
    steps: tuple[PlannedStep, ...]
    end: str
    problems: tuple[str, ...] = field(default=())

    @property
    def sound(self) -> bool:
        """Whether no problem was found."""
        return not self.problems and not any(
            step.problems or any(read.problem for read in step.reads) for step in self.steps
        )


def explain(cmdline: str, scripts: Mapping[str, str], values: Mapping[str, str] | None = None) -> Plan:
    """Plan a command line.

    Args:
        cmdline: of the kernel.
        scripts: the available step-scripts: name -> path.
        values: settings as in /etc/sysconfig/bootchain.
    """
    parameters = Parameters.parse(cmdline)
    problems = (
        [] if parameters.mode else ["neither root=bootchain nor root=pipeline: the daemon would not start"]
    )
    settings, complaints = settle(
        values or {},
        mode=parameters.mode or "native",
        debug=parameters.flag("bc_debug"),
        test_name=parameters.last("bc_test") or "",
    )
    problems += complaints
    planner = _Planner(parameters, settings, scripts)
    steps, end = planner.run()
    problems += planner.unused()
    return Plan(
        mode=settings.mode,
        tries=parameters.tries(TRIES),
        mntdir=settings.mntdir,
        rootmnt=settings.rootmnt,
        log_file=settings.log_file,
        steps=tuple(steps),
        end=end,
        problems=tuple(problems),
    )


class _Planner:
    def __init__(self, parameters: Parameters, settings: ChainSettings, scripts: Mapping[str, str]) -> None:
        self._parameters = parameters
        self._settings = settings
        self._scripts = scripts
        self._layout = Layout(settings.mntdir)
        self._used: set[tuple[str, int]] = set()
        self._called: dict[str, int] = {}
        self._devices: set[int] = set()

    def run(self) -> tuple[list[PlannedStep], str]:
        """Run the engine through the chain. Returns the steps, and the end."""
        chain = Chain(self._parameters.chain, mode=self._settings.mode, tries=self._parameters.tries(TRIES))
        planned: list[PlannedStep] = []
        event: events.ChainEvent = events.Begin()
        while True:
            waiting = chain.pending
            last = chain.handle(event)[-1]
            taken = waiting[: len(waiting) - len(chain.pending)]
            planned += [self._pseudo(name) for name in taken if name in PSEUDO_STEPS]
            if isinstance(last, events.Finish):
                end = last.message
                break
            if isinstance(last, events.Restart):
                event = events.ForegroundReached(True)
                continue
            assert isinstance(last, events.RunStep)
            planned.append(self._step(last))
            if last.name in _DEVICE_STEPS:
                self._devices.add(last.number)
            if last.name == "rootfs":
                chain.handle(events.LoopBroken())
            event = events.StepEnded(0)
            if last.number >= _MAX_STEPS:
                end = f"more than {_MAX_STEPS} steps: the plan stops here"
                break
        planned += [
            PlannedStep(name, note="is never reached", problems=("is never reached",))
            for name in chain.pending
        ]
        return planned, end

    def unused(self) -> list[str]:
        """Parameters that look like those of a step, but are not used by any."""
        found = []
        for name, values in self._parameters.arrays.items():
            base = next((step for step in self._called if self._belongs(name, step)), "")
            if name in _OWN or not (base or self._belongs_to_known(name)):
                continue
            for index, value in enumerate(values):
                if (name, index) not in self._used:
                    calls = self._called.get(base, 0)
                    times = {0: "is not in the chain", 1: "is called once"}.get(
                        calls, f"is called {calls} times"
                    )
                    step = base or next(step for step in self._scripts if self._belongs(name, step))
                    found.append(f"{name}{index}={value} is not read by any step: {step} {times}")
        return found

    def _pseudo(self, name: str) -> PlannedStep:
        return PlannedStep(name, note=PSEUDO[name].format(terminal=self._settings.fg_terminal))

    def _step(self, step: events.RunStep) -> PlannedStep:
        self._called[step.name] = step.callnum + 1
        parameters = []
        for name, values in self._parameters.arrays.items():
            if self._belongs(name, step.name) and step.callnum < len(values):
                self._used.add((name, step.callnum))
                parameters.append((f"{name}{step.callnum}", values[step.callnum]))
        problems = []
        script = self._scripts.get(step.name, "")
        if not script:
            problems.append(f"no step-script {step.name!r}")
        required = _REQUIRED.get(step.name, "")
        if required and not self._parameters.get(required, step.callnum):
            given = len(self._parameters.arrays.get(required, ()))
            if step.name != "menu" or not given:
                problems.append(f"required parameter is empty: {required}{step.callnum} ({given} given)")
        if step.name == "rootfs" and step.previous is None:
            problems.append("no previous result to use as root")
        return PlannedStep(
            step.name,
            number=step.number,
            callnum=step.callnum,
            previous=step.previous,
            script=script,
            datadir=self._layout.datadir(step.number),
            destdir=self._layout.destdir(step.number),
            prevdir=self._layout.prevdir(step.previous),
            parameters=tuple(parameters),
            reads=tuple(self._reads(step)),
            problems=tuple(problems),
        )

    def _reads(self, step: events.RunStep) -> Iterable[Read]:
        value = self._parameters.get(step.name, step.callnum)
        if step.name in ("mountfs", "menu") and value:
            yield self._address(value, step)
        elif step.name == "overlayfs":
            for element in [part for part in value.split(",") if part] or ["."]:
                yield self._address(element, step)
        elif step.name == "rootfs" and step.previous is not None:
            yield Read("the previous result", path=self._layout.prevdir(step.previous))
        elif step.name == "waitdev" and value:
            yield _device(value)
        elif step.name == "getimage" and value:
            yield Read(f"the image {value}")
        elif step.name == "ping":
            yield Read(f"a reply from {value or 'the default gateway'}")

    def _address(self, target: str, step: events.RunStep) -> Read:
        wanted = target.removeprefix(_LASTVER)
        what = f"the highest version of {wanted}" if target.startswith(_LASTVER) else target
        try:
            path = resolve_target(
                wanted,
                number=step.number,
                previous=step.previous,
                layout=self._layout,
                fs=_EverythingIsThere(self._layout, self._devices),
            )
        except AddressError as error:
            return Read(what, problem=str(error))
        return Read(what, path=path)

    def _belongs(self, name: str, step: str) -> bool:
        """Whether a parameter is one of a step: ``MOUNTFS``, ``MOUNTFS_OPTS``; not of a step with a longer name."""
        own = variable(step)
        if name == own:
            return True
        longer = any(len(variable(s)) > len(own) and _is_of(name, variable(s)) for s in self._scripts)
        return _is_of(name, own) and not longer

    def _belongs_to_known(self, name: str) -> bool:
        return any(self._belongs(name, step) for step in self._scripts)


class _EverythingIsThere:
    """A file system for addressing in which every file exists, and every result contains a device.

    The results of the steps in ``devices`` contain nothing else.
    """

    def __init__(self, layout: Layout, devices: set[int]) -> None:
        self._results = layout.destdir(0)[:-1]
        self._devices = {layout.destdir(number) for number in devices}

    def kind(self, path: str) -> str:
        """Everything is a directory, except placeholders of devices."""
        directory, _, name = path.rpartition("/")
        if directory in self._devices and name not in DEVICE_FILES:
            return ""
        if path.startswith("/dev/<"):
            return "block"
        return "file" if path.endswith("/DEVNAME") else "" if path.endswith("/dev") else "dir"

    def readlink(self, path: str) -> str:
        """There are no links."""
        return path

    def realpath(self, path: str) -> str:
        """There are no links."""
        return path

    def names(self, path: str) -> list[str]:
        """The known content of a directory."""
        return list(DEVICE_FILES) if path in self._devices else []

    def first_line(self, path: str) -> str:
        """A placeholder for the device of a step."""
        number = path.removeprefix(self._results).partition("/")[0]
        return f"/dev/<device of step {number}>" if path.startswith(self._results) else "/dev/<device>"

    def device_name(self, path: str) -> str:
        """No names are known."""
        return path


def _device(text: str) -> Read:
    try:
        parse_spec(text)
    except SpecError as error:
        return Read(text, problem=str(error))
    return Read(f"the device {text}")


def _is_of(name: str, own: str) -> bool:
    return name == own or name.startswith(f"{own}_")
