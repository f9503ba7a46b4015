"""The environment of steps.

==================  ===================================================================================
``name``            name of the step
``callnum``         how often a step of this name was called before
``stepnum``         absolute number of the step, from 0
``datadir``         where the step keeps what it works with
``destdir``         where its result goes
``prevdir``         the result before; empty for the first step and after ``noop``
``mntdir``          the tree of all results
``rootmnt``         where stage 2 will be
``handlerdir``      the directory of step-scripts
``MOUNTFS0`` ...    every boot parameter; ``MOUNTFS`` is the number of an array, the last value of a scalar
``BC_PASSED``       the directory with a file for each step that has been passed
``BC_NEXTCHAIN``    the file by which a step asks for another chain
``BC_DEBUG``        1 in debug mode, else empty
``BC_TEST``         the name of the self-test, else empty
``BC_MODE``         ``native`` or ``pipeline``; ``pipeline_mode`` is 1 in the latter, else empty
``BC_ROOT``         a directory for what steps mount outside of mntdir
``BC_LIB``          where the libraries of the shell are; ``BC_CONFIG``, ``BC_INITENV``: the files they read
``BC_TERMINAL``     the terminal in the foreground, else empty
``BC_LOGFILE``      the text log
==================  ===================================================================================
"""

# ruff: noqa: PTH120, PTH123
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os

from bootchain import __version__, events
from bootchain.cmdline import Parameters, arrays_of, is_variable
from bootchain.config import DEVICE_TIMEOUT_S, ChainSettings, parse
from bootchain.daemon.places import FALLBACK_DIR, PACKAGE, SHELL_DIR, step_names
from bootchain.layout import Layout
from bootchain.wire import DESCRIPTORS

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RELEASE = "/etc/initrd-release"
_VERSION_KEYS = ("MAKE_INITRD_VERSION", "VERSION", "VERSION_ID")


class Environment:
    """Makes the environment of each step; the common part is encoded once, and again when the parameters change.

    Attributes:
        parameters: the boot parameters as variables.
    """

    def __init__(
        self, settings: ChainSettings, parameters: Parameters, layout: Layout, terminal: str
    ) -> None:
        self._layout = layout
        self._initenv = settings.initenv
        self._read: tuple[int, int, int] | None = None
        self._inherited = dict(os.environ)
        self._own = self._of_daemon(settings, terminal)
        steps = {*parameters.chain, *step_names(settings.step_dirs)}
        self.parameters = parameters.environment(arrays_of(steps))
        self._values = {key: value for key, value in settings.values.items() if key not in self._own}
        self._common: dict[bytes, bytes] = {}
        self._encode({})

    def of_step(self, step: events.RunStep) -> dict[bytes, bytes]:
        """The whole environment of one step."""
        layout, number = self._layout, step.number
        self._take_news()
        variables = dict(self._common)
        variables[b"name"] = os.fsencode(step.name)
        variables[b"callnum"] = b"%d" % step.callnum
        variables[b"stepnum"] = b"%d" % number
        variables[b"datadir"] = os.fsencode(layout.datadir(number))
        variables[b"destdir"] = os.fsencode(layout.destdir(number))
        variables[b"BC_NEXTCHAIN"] = os.fsencode(layout.next_chain(number, step.attempt))
        before = layout.prevdir(step.previous)
        # Scripts look it up in /proc/mounts, which knows no links.
        variables[b"prevdir"] = os.fsencode(os.path.realpath(before)) if before else b""
        return variables

    def take_as_read(self) -> None:
        """The file of parameters has just been written from these."""
        self._read = self._status()

    def _status(self) -> tuple[int, int, int] | None:
        try:
            status = os.stat(self._initenv)  # noqa: PTH116
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _of_daemon(self, settings: ChainSettings, terminal: str) -> dict[str, str]:
        path = self._inherited.get("PATH") or DEFAULT_PATH
        pipeline = settings.mode == "pipeline"
        own = {
            "PATH": f"{SHELL_DIR}:{path}:{FALLBACK_DIR}:{self._layout.stubs}",
            "PYTHONPATH": os.path.dirname(PACKAGE),
            "mntdir": settings.mntdir,
            "rootmnt": settings.rootmnt,
            "handlerdir": settings.handlerdir,
            "pipeline_mode": "1" if pipeline else "",
            "message_time": self._inherited.get("message_time", ""),
            "BC_DEBUG": "1" if settings.debug else "",
            "BC_TEST": settings.test_name,
            "BC_MODE": settings.mode,
            "BC_TERMINAL": terminal,
            "BC_FGVT": settings.fg_terminal,
            "BC_LOGFILE": settings.log_file,
            "BC_LOG_VT": settings.log_vt,
            "BC_DEVICE_TIMEOUT": settings.values.get("BC_DEVICE_TIMEOUT")
            or f"{DEVICE_TIMEOUT_S[settings.mode]:g}",
            "BC_ROOT": settings.bc_root,
            "BC_PASSED": self._layout.passed,
            "BC_INITENV": settings.initenv,
            "BC_CONFIG": settings.config_file,
            "BC_LIB": SHELL_DIR,
            "BC_INITRD_VERSION": initrd_version(),
            **DESCRIPTORS,
        }
        if terminal and "TERM" not in self._inherited:
            own["TERM"] = "linux" if terminal.removeprefix("/dev/tty").isdigit() else "vt100"
        return own

    def _encode(self, later: dict[str, str]) -> None:
        everything = {**self._inherited, **self.parameters, **later, **self._values, **self._own}
        self._common = {os.fsencode(key): os.fsencode(value) for key, value in everything.items()}

    def _take_news(self) -> None:
        """Read the parameters again that the initramfs, or a step, has written down."""
        now = self._status() if self._initenv else None
        if now is None or now == self._read:
            return
        self._read = now
        try:
            with open(self._initenv, encoding="utf-8", errors="surrogateescape") as file:
                values, _ = parse(file.read(), self.parameters)
        except OSError:
            return
        self._encode({name: value for name, value in values.items() if is_variable(name.upper())})


def initrd_version() -> str:
    """The version that ``/etc/initrd-release`` gives for the initramfs, else that of bootchain."""
    found = {}
    try:
        with open(_RELEASE, encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                key, _, value = line.strip().partition("=")
                found[key] = value.strip("\"'")
    except OSError:
        pass
    return next((found[key] for key in _VERSION_KEYS if found.get(key)), __version__)
