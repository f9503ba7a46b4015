"""From the command line of the kernel to the exit code of the daemon.

Exit codes: 0 go on to stage 2, 1 a step failed, 2 usage, 3 the chain is exhausted, 4 there is no root, or it could
not be moved, 70 an error of our own, 143 stopped by a signal.
"""

# ruff: noqa: PTH110, PTH113, PTH123, SIM105
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os
import sys

from bootchain import __version__, events
from bootchain.chain import TRIES, Chain
from bootchain.cmdline import Parameters
from bootchain.config import CONFIG_FILE, KEYS, ChainSettings, parse, settle
from bootchain.daemon import loop
from bootchain.daemon.places import SHELL_DIR
from bootchain.daemon.signals import DEFAULT_IN_PROGRAMS, STOP_SIGNALS, restore_actions, signal, unblock_all
from bootchain.daemon.surroundings import lacks_parameters, make_terminal, prepare_surroundings
from bootchain.log import Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

USAGE = """\
usage: bootchained [--cmdline TEXT | --cmdline-file FILE] [--config FILE]

Runs the chain of steps that the kernel command line names (root=bootchain bootchain=step1,step2 ...).

  --cmdline TEXT       instead of reading /proc/cmdline
  --cmdline-file FILE  instead of /proc/cmdline
  --config FILE        instead of /etc/sysconfig/bootchain
  --version            print the version and exit
  --help               print this and exit

SIGUSR1 brings it to the foreground, on its terminal, before the next step.

Exit codes: 0 go on to stage 2, 1 a step failed, 2 usage, 3 the chain is exhausted, 4 there is no root, or it could
not be moved, 70 an error of our own, 143 stopped by a signal.
"""


class UsageError(Exception):
    """The daemon cannot start like this."""


class Stopped(BaseException):
    """A signal asked the daemon to end."""


def main(arguments: list[str]) -> int:
    """Run the daemon. Returns its exit code."""
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(USAGE)
        return 0
    if "--version" in arguments:
        sys.stdout.write(f"bootchained {__version__}\n")
        return 0
    _clean_slate()
    try:
        options = _options(arguments)
        return _resume(int(options["resume"])) if "resume" in options else _start(options)
    except UsageError as error:
        _say(str(error))
        return loop.EXIT_USAGE
    except Stopped as stopped:
        _say(f"stopped by signal {stopped}")
        return loop.EXIT_STOPPED


def _clean_slate() -> None:
    """Whoever started the daemon may have closed descriptors, blocked or ignored signals."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.dup2(loop.open_nothing(), fd)
    restore_actions()
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    unblock_all()


def _say(text: str) -> None:
    """The last word on standard error."""
    try:
        os.write(2, f"bootchained: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def _start(options: dict[str, str]) -> int:
    text = options["cmdline"] if "cmdline" in options else _read(options.get("cmdline-file", "/proc/cmdline"))
    parameters = Parameters.parse(text)
    if not parameters.mode:
        raise UsageError("the command line has neither root=bootchain nor root=pipeline")
    config = options.get("config", CONFIG_FILE)
    values, complaints = parse(
        _read(config) if "config" in options or os.path.exists(config) else "", os.environ
    )
    complaints = [f"{config}: {complaint}" for complaint in complaints]
    values.update((key, os.environ[key]) for key in KEYS if key in os.environ)
    settings, wrong = _settle(values, parameters, config)
    log = Log(settings.log_file, settings.chain_log)
    log.note(
        f"bootchained {__version__}, {settings.mode} mode, chain: {','.join(parameters.chain) or '(empty)'}"
    )
    for complaint in (*complaints, *wrong, *log.problems):
        log.note(complaint)
    log.record("start", {"mode": settings.mode, "chain": parameters.chain, "cmdline": text.strip()})
    chain = Chain(
        parameters.chain,
        mode=settings.mode,
        tries=parameters.tries(TRIES),
        retry_delay_s=settings.retry_delay_s,
    )
    view = _view_log(settings)
    running = loop.Loop(
        settings=settings,
        parameters=parameters,
        chain=chain,
        log=log,
        restart=_Restart(text, values, view, config),
    )
    written = lacks_parameters(settings.initenv, text)
    for note in prepare_surroundings(
        settings, running.environment.parameters, cmdline=text, write_parameters=written
    ):
        log.note(note)
    if written:
        running.environment.take_as_read()
    return _run(running, events.Begin(), view)


class _Restart:
    """Saves all there is and restarts the daemon in the foreground."""

    def __init__(self, cmdline: str, values: dict[str, str], view: int, config: str) -> None:
        self._config = config
        self._cmdline = cmdline
        self._values = values
        self._view = view

    def __call__(self, running: loop.Loop) -> str:
        from bootchain.daemon.foreground import restart

        state = {
            "cmdline": self._cmdline,
            "values": self._values,
            "view": self._view,
            "config": self._config,
            "chain": running.chain.snapshot(),
            "written": running.log.written,
        }
        return restart(running.settings.fg_terminal, state)


def _resume(fd: int) -> int:
    """Go on in the foreground."""
    from bootchain.daemon.foreground import load

    try:
        state = load(fd)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"--resume is for the daemon itself: {error}") from error
    parameters = Parameters.parse(state["cmdline"])
    settings, _ = _settle(state["values"], parameters, state["config"])
    log = Log(settings.log_file, settings.chain_log, written=state["written"])
    log.record("resume", {"foreground": settings.fg_terminal})
    running = loop.Loop(
        settings=settings,
        parameters=parameters,
        chain=Chain.restore(state["chain"]),
        log=log,
        restart=_Restart(state["cmdline"], state["values"], state["view"], state["config"]),
        terminal=settings.fg_terminal,
    )
    # Ctrl-C is for the step on the terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running.show_terminal()
    return _run(running, events.ForegroundReached(True), state["view"])


def _run(running: loop.Loop, event: events.ChainEvent, view: int) -> int:
    """Run the loop and bring the chain to its end, whatever that is."""
    log = running.log

    def to_foreground(_number: int, _frame: FrameType | None) -> None:
        running.foreground_asked = True

    signal.signal(signal.SIGUSR1, to_foreground)
    _be_named("bootchain-loop")
    try:
        finish = running.run(event)
        code, message, root = _end(running, finish)
        outcome = finish.outcome
    except Stopped as stopped:
        running.runner.stop()
        code, outcome, root = loop.EXIT_STOPPED, "stopped", ""
        message = f"stopped by signal {stopped}"
    except Exception as error:  # the last line of the log has to say why
        import traceback

        for line in traceback.format_exc().splitlines():
            log.note(line)
        code, outcome, root = loop.EXIT_INTERNAL, "error", ""
        message = f"error in the daemon: {type(error).__name__}: {error}"
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    log.note(message)
    log.record("finish", {"outcome": outcome, "message": message, "exit_code": code, "root": root})
    if code == 0 and (running.settings.debug or running.settings.test_name):
        _copy_logs(running)
    running.hide_terminal()
    _say(message)
    if view:
        _kill(view)
    return code


def _end(running: loop.Loop, finish: events.Finish) -> tuple[int, str, str]:
    """Returns: exit code, last message, and where the root is (``""``: nowhere)."""
    code = loop.EXIT_CODES[finish.outcome]
    if finish.outcome != events.READY:
        return code, finish.message, ""
    from bootchain.daemon.root import RootError, hand_over
    from bootchain.layout import is_mounted

    layout, rootmnt = running.layout, running.settings.rootmnt
    last = "" if finish.number is None else layout.destdir(finish.number)
    try:
        done = hand_over([last, layout.prevdir(finish.previous)], rootmnt)
    except RootError as error:
        return loop.EXIT_NO_ROOT, f"{finish.message}, but {error}", ""
    return code, f"{finish.message}: {done}", rootmnt if is_mounted(rootmnt) else ""


def _copy_logs(running: loop.Loop) -> None:
    from bootchain.daemon.root import copy_logs
    from bootchain.layout import is_mounted

    settings = running.settings
    if not is_mounted(settings.rootmnt):
        running.log.note(f"the log is not copied: no stage 2 at {settings.rootmnt}")
        return
    logs = [path for path in (settings.log_file, settings.chain_log) if os.path.isfile(path)]
    for note in copy_logs(logs, settings.rootmnt, settings.test_name):
        running.log.note(note)


def _settle(values: dict[str, str], parameters: Parameters, config: str) -> tuple[ChainSettings, list[str]]:
    settings, complaints = settle(
        values,
        mode=parameters.mode,
        debug=parameters.flag("bc_debug"),
        test_name=parameters.last("bc_test") or "",
    )
    settings.config_file = config
    settings.mntdir = os.path.realpath(settings.mntdir)
    return settings, complaints


def _be_named(name: str) -> None:
    """The name of this process, as ps shows it."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as comm:
            comm.write(name)
    except OSError:
        pass


def _view_log(settings: ChainSettings) -> int:
    """Show the log on its terminal. Returns the process, 0 for none."""
    vt = settings.log_vt
    terminal = f"/dev/tty{vt}" if vt.isdigit() else vt
    if not vt or not os.path.isfile(settings.log_file):
        return 0
    try:
        make_terminal(terminal)
    except OSError:
        pass
    if not os.path.exists(terminal):
        return 0
    argv = ["/bin/sh", f"{SHELL_DIR}/bootchain-logvt.sh", terminal, settings.log_file]
    try:
        return os.posix_spawn(argv[0], argv, os.environ, setsigdef=DEFAULT_IN_PROGRAMS)
    except OSError:
        return 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    except OSError:
        pass  # gone, or (after the restart in the foreground) the child of our parent


def _options(arguments: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    known = ("cmdline", "cmdline-file", "config", "resume")
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in known:
            raise UsageError(f"unknown argument {word!r}; see --help")
        if not equals:
            if not rest:
                raise UsageError(f"{word} needs a value")
            value = rest.pop(0)
        options[name] = value
    if "resume" in options and not options["resume"].isdigit():
        raise UsageError("--resume is for the daemon itself")
    return options


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 20)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
