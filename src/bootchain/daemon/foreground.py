"""The restart in the foreground: the same loop, on a terminal, with all of its state."""

# ruff: noqa: PTH123, SIM105
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import fcntl
import marshal
import os
import sys
import termios

from bootchain.daemon.signals import STOP_SIGNALS, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_VT_GETSTATE, _VT_ACTIVATE = 0x5603, 0x5606


def restart(terminal: str, state: dict[str, Any]) -> str:  # noqa: RET503 -- ends in execv
    """Start this program again on a terminal: does not return when that succeeds.

    A process that leads a group cannot get a terminal of its own; then a child goes on, and this process waits for
    it and ends with its code, so that the daemon's parent sees a single process.

    Returns:
        Why it is not possible.
    """
    try:
        tty = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        return f"{terminal}: {error.strerror}"
    if not os.isatty(tty):
        os.close(tty)
        return f"{terminal} is not a terminal"
    if os.getpid() == os.getpgrp():
        child = os.fork()
        if child:
            _wait_as(child)
    try:
        os.setsid()
    except PermissionError:
        pass  # leads a session: that is what is wanted
    try:
        fcntl.ioctl(tty, termios.TIOCSCTTY, 1)
    except OSError:
        pass  # not ours to take; reading and writing works without
    for fd in (0, 1, 2):
        os.dup2(tty, fd)
    saved = os.memfd_create("bootchain", 0)
    os.write(saved, marshal.dumps(state))
    os.lseek(saved, 0, os.SEEK_SET)
    os.execv(sys.executable, [*_command(), "--resume", str(saved)])  # noqa: S606


def load(fd: int) -> dict[str, Any]:
    """The state that :func:`restart` left on a descriptor. Raises OSError, ValueError or EOFError."""
    with open(fd, "rb") as saved:
        state = marshal.load(saved)  # noqa: S302 -- written by this program a moment ago, on an anonymous file
    if not isinstance(state, dict):
        raise ValueError("no saved state")
    return state


def active_vt() -> int:
    """The number of the virtual terminal on the screen, 0 when there is none."""
    status = bytearray(6)
    try:
        with open("/dev/tty0", "rb", buffering=0) as console:
            fcntl.ioctl(console, _VT_GETSTATE, status)
    except OSError:
        return 0
    return int.from_bytes(status[:2], sys.byteorder)


def activate(terminal: str) -> bool:
    """Bring a virtual terminal to the screen; False when it is none (a serial line) or cannot be."""
    number = terminal.removeprefix("/dev/tty")
    if number == terminal or not number.isdigit():
        return False
    try:
        with open("/dev/tty0", "rb", buffering=0) as console:
            fcntl.ioctl(console, _VT_ACTIVATE, int(number))
    except OSError:
        return False
    return True


def _command() -> list[str]:
    """How this program was started, without its own arguments."""
    own = len(sys.argv) - 1
    return sys.orig_argv[: len(sys.orig_argv) - own] if own else list(sys.orig_argv)


def _wait_as(child: int) -> None:
    """Appear as the child to observers of this process."""
    for number in (*STOP_SIGNALS, signal.SIGUSR1):
        signal.signal(number, lambda received, _: os.kill(child, received))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)
