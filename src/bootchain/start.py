"""Entries of programs: Ctrl-C while Python and their modules are loaded ends them, without a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

INTERRUPTED = 128 + signal.SIGINT
_MEANT = signal.getsignal(signal.SIGINT)
if _MEANT is signal.default_int_handler:  # ignored under nohup, and then it stays so
    signal.signal(signal.SIGINT, signal.SIG_DFL)
# the programs block it while Python itself starts
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def run(load: Callable[[], Callable[[], int | None]]) -> int:
    """Import a command by `load`, and run it: there alone Ctrl-C raises KeyboardInterrupt.

    Returns its exit code.
    """
    command = load()
    try:
        signal.signal(signal.SIGINT, _MEANT)
        return command() or 0
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if _MEANT is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """``bootchain``. Returns its exit code."""

    def load() -> Callable[[], int]:
        from bootchain.__main__ import run as command

        return command

    return run(load)


if __name__ == "__main__":
    sys.exit(main())
