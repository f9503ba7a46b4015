"""Signals of the daemon and of what it starts: as a program expects them, whatever was inherited.

Whoever started the daemon may have ignored or blocked any signal (``nohup`` ignores SIGHUP, a shell without job control
SIGINT and SIGQUIT of what runs in the background), and a shell cannot even trap what was ignored when it started.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    try:
        # The C half alone: signal itself imports enum and collections, which costs more CPU than the whole daemon.
        import _signal as signal
    except ImportError:  # another Python
        import signal

__all__ = ["DEFAULT_IN_PROGRAMS", "STOP_SIGNALS", "restore_actions", "signal", "unblock_all"]

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What stops the daemon."""

_FIXED = frozenset((signal.SIGKILL, signal.SIGSTOP))
_OF_PYTHON = frozenset((signal.SIGPIPE, signal.SIGXFSZ))
"""What the interpreter ignores from its start, to get an error from the system call instead."""

DEFAULT_IN_PROGRAMS = frozenset(signal.valid_signals()) - _FIXED
"""What has its default action in a program that the daemon starts."""


def restore_actions() -> None:
    """Give each signal of this process the action it has in an interpreter that has just been started cleanly."""
    for number in DEFAULT_IN_PROGRAMS - _OF_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def unblock_all() -> None:
    """Let every signal of this process through."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
