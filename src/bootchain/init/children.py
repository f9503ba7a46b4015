"""The processes of PID 1: starts them, reaps everything that ends, and meanwhile serves what has news."""

# ruff: noqa: SIM105
# (contextlib costs more CPU at the start than this module.)

from __future__ import annotations

import os
import signal
from select import POLLIN, poll
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXIT_NOT_FOUND, EXIT_INTERNAL = 127, 70

_MAX_ENDED = 64
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


class Children:
    """Every process that PID 1 has to wait for, its own and orphans.

    Attributes:
        environment: what started processes get.
        on_signal: called with the number of each signal that asks PID 1 for something.
    """

    def __init__(self, on_signal: Callable[[int], None]) -> None:
        self.environment = dict(os.environ)
        self.on_signal = on_signal
        self._serving = False
        self._ended: dict[int, int] = {}
        self._watched: dict[int, Callable[[], None]] = {}
        self._signals, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for number in _SIGNALS:
            signal.signal(number, _remember)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)

    def watch(self, fd: int, action: Callable[[], None]) -> None:
        """Call ``action`` whenever ``fd`` is readable while waiting; it may start and wait for processes."""
        self._watched[fd] = action

    def forget(self, fd: int) -> None:
        """Stop watching a descriptor and close it."""
        if self._watched.pop(fd, None) is not None:
            os.close(fd)

    def spawn(self, argv: Sequence[str]) -> int:
        """Start a program on the console. Returns its process. Raises OSError: it is not there."""
        default = (signal.SIGPIPE, signal.SIGXFSZ)
        return os.posix_spawnp(argv[0], list(argv), self.environment, setsigdef=default)

    def fork(self, program: Callable[[], int]) -> int:
        """Run a function in a process of its own, with the environment of programs. Returns its process."""
        pid = os.fork()
        if pid:
            return pid
        code = EXIT_INTERNAL
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            for fd in self._watched:
                os.close(fd)
            os.environ.clear()
            os.environ.update(self.environment)
            code = program()
        except Exception as error:  # reported here: not visible anywhere else
            os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "replace"))
        finally:
            os._exit(code)

    def run(self, *argv: str, timeout_s: float | None = None) -> int:
        """Run a program to its end.

        Returns:
            Its exit code, minus the number of the signal that killed it, or 127 when it is not there. One that takes
            longer than ``timeout_s`` is killed.
        """
        try:
            pid = self.spawn(argv)
        except OSError:
            return EXIT_NOT_FOUND
        return self.wait(pid, timeout_s=timeout_s)

    def wait(self, pid: int, *, timeout_s: float | None = None) -> int:
        """Wait for a process, reaping and serving all the while. Returns its exit code as :meth:`run` does."""
        deadline_s = None if timeout_s is None else monotonic() + timeout_s
        while True:
            self._reap()
            if pid in self._ended:
                return os.waitstatus_to_exitcode(self._ended.pop(pid))
            if deadline_s is not None and monotonic() >= deadline_s:
                deadline_s = None
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.serve(None if deadline_s is None else deadline_s - monotonic())

    def pause(self, delay_s: float) -> None:
        """Let time pass, reaping and serving all the while."""
        end_s = monotonic() + delay_s
        while (left_s := end_s - monotonic()) > 0:
            self.serve(left_s)
            self._reap()

    def serve(self, timeout_s: float | None) -> None:
        """Wait once for news, and see to them."""
        waiter = poll()
        waiter.register(self._signals, POLLIN)
        if not self._serving:  # an action that waits for a process is not called again meanwhile
            for fd in self._watched:
                waiter.register(fd, POLLIN)
        ready = waiter.poll(None if timeout_s is None else max(0.0, timeout_s) * 1000 + 1)
        for fd, _ in ready:
            if fd == self._signals:
                self._take_signals()
            elif fd in self._watched:
                self._serving = True
                try:
                    self._watched[fd]()
                finally:
                    self._serving = False

    def _take_signals(self) -> None:
        try:
            numbers = os.read(self._signals, 4096)
        except BlockingIOError:
            return
        for number in numbers:
            if number != signal.SIGCHLD:
                self.on_signal(number)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._ended[pid] = status
            while len(self._ended) > _MAX_ENDED:  # orphans without a waiter
                del self._ended[next(iter(self._ended))]


def _remember(_number: int, _frame: object) -> None:
    """The number is in the pipe already."""
