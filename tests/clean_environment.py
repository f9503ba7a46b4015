"""What the shell left behind is put away before the first test: variables, signals, descriptors, the mask of modes."""

from __future__ import annotations

import os
import signal
import sys

_OURS = ("HIPERISO_", "BC_", "BOOTCHAIN_", "LC_", "PYTEST_ADDOPTS")
_OF_PYTHON = ("PYTHONWARNINGS", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
_OF_INITRAMFS = ("mntdir", "rootmnt")
_OF_TERMINALS = (
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "TTY_",
    "TMUX",
    "DISPLAY",
    "WAYLAND_",
)
_OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
_FOREIGN = (*_OURS, *_OF_PYTHON, *_OF_INITRAMFS, *_OF_TERMINALS, *_OF_MAKE, "LANGUAGE")
_FIXED = {"LANG": "C.UTF-8", "TERM": "xterm"}
_FILE_MODES_MASK = 0o022


def clean() -> None:
    """Make this process, and so everything that tests start, independent of how it was started itself."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            del os.environ[name]
    os.environ.update(_FIXED)
    sys.dont_write_bytecode = False  # compiled once, not in each of the many programs that tests start
    os.umask(_FILE_MODES_MASK)
    _open_standard_descriptors()
    _accept_signals()


def _open_standard_descriptors() -> None:
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != fd:
                os.dup2(nothing, fd)
                os.close(nothing)


def _accept_signals() -> None:
    """nohup and shells without job control leave signals ignored, which every program would inherit.

    A handler that does nothing keeps this process as it was, and is the default action again in a new program.
    """
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # those Python ignores itself
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, _ignore)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _ignore(_number: int, _frame: object) -> None:
    pass
