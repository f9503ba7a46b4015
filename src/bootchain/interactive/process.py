"""A command that a dialog waits for; its output goes to the log."""

# (contextlib costs more CPU at the start than this module.)

from __future__ import annotations

import os
import signal
from time import monotonic, sleep

_GRACE_S = 2.0


class Process:
    """A command in a process group of its own. Raises OSError when it cannot be started."""

    def __init__(self, argv: list[str]) -> None:
        silent = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._pid = os.posix_spawnp(
                argv[0],
                argv,
                os.environ,
                # The terminal belongs to the dialog, standard output to its answer.
                file_actions=[(os.POSIX_SPAWN_DUP2, silent, 0), (os.POSIX_SPAWN_DUP2, 2, 1)],
                setpgroup=0,
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            )
        finally:
            os.close(silent)
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code (128 + N for signal N), None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._code = code if code >= 0 else 128 - code
        return self._code

    def stop(self) -> None:
        """End it and what it has started: first politely."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.poll() is not None:
                return
            try:
                os.killpg(self._pid, number)
            except ProcessLookupError:
                return
            end_s = monotonic() + _GRACE_S
            while self.poll() is None and monotonic() < end_s:
                sleep(0.02)
