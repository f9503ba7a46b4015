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
``MOUNTFS0`` ...    every boot parameter as an array; ``MOUNTFS`` is its length
``BC_PASSED``       1 when the step has been passed before, else empty
``BC_DEBUG``        1 in debug mode, else empty
``BC_TEST``         the name of the self-test, else empty
``BC_MODE``         ``native`` or ``pipeline``
``BC_TERMINAL``     the terminal in the foreground, else empty
``BC_LOGFILE``      the text log
==================  ===================================================================================
"""

# ruff: noqa: PTH120, PTH123
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os

from bootchain import __version__, events
from bootchain.cmdline import Parameters, variable
from bootchain.config import Settings
from bootchain.daemon.places import PACKAGE, SHELL_DIR
from bootchain.layout import Layout
from bootchain.wire import DESCRIPTORS

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KNOWN_ARRAYS = frozenset(
    ("MOUNTFS", "MOUNTFS_OPTS", "OVERLAYFS", "WAITDEV", "WAITDEV_TIMEOUT", "GETIMAGE", "PING", "ROOTFS")
)
_RELEASE = "/etc/initrd-release"
_VERSION_KEYS = ("MAKE_INITRD_VERSION", "VERSION", "VERSION_ID")


class Environment:
    """Makes the environment of each step; the common part is encoded once."""

    def __init__(self, settings: Settings, parameters: Parameters, layout: Layout, terminal: str) -> None:
        self._layout = layout
        inherited = dict(os.environ)
        own = {
            "PATH": f"{SHELL_DIR}:{inherited.get('PATH') or DEFAULT_PATH}",
            "PYTHONPATH": os.path.dirname(PACKAGE),
            "mntdir": settings.mntdir,
            "rootmnt": settings.rootmnt,
            "BC_DEBUG": "1" if settings.debug else "",
            "BC_TEST": settings.test_name,
            "BC_MODE": settings.mode,
            "BC_TERMINAL": terminal,
            "BC_LOGFILE": settings.log_file,
            "BC_INITRD_VERSION": initrd_version(),
            **DESCRIPTORS,
        }
        if terminal and "TERM" not in inherited:
            own["TERM"] = "linux" if terminal.removeprefix("/dev/tty").isdigit() else "vt100"
        counted = KNOWN_ARRAYS.union(variable(name) for name in parameters.chain).difference(inherited, own)
        everything = {**inherited, **parameters.environment(counted), **own}
        self._common = {os.fsencode(key): os.fsencode(value) for key, value in everything.items()}

    def of_step(self, step: events.RunStep) -> dict[bytes, bytes]:
        """The whole environment of one step."""
        layout, number = self._layout, step.number
        variables = dict(self._common)
        variables[b"name"] = os.fsencode(step.name)
        variables[b"callnum"] = b"%d" % step.callnum
        variables[b"stepnum"] = b"%d" % number
        variables[b"datadir"] = os.fsencode(layout.datadir(number))
        variables[b"destdir"] = os.fsencode(layout.destdir(number))
        variables[b"prevdir"] = os.fsencode(layout.prevdir(step.previous))
        variables[b"BC_PASSED"] = b"1" if step.passed else b""
        return variables


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
