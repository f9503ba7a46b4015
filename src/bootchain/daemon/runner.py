"""Starts one process of a step and listens to it until it ends.

The process gets a pair of fresh pipes, so that what an earlier step left running can neither ask in its name nor
take its answers. Its output goes to the log file itself: there is no pipe that could fill up or keep the daemon
waiting for a child in the background.
"""

# ruff: noqa: SIM105
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import errno
import os
import signal
from select import POLLIN, poll
from time import monotonic, sleep

from bootchain.wire import ANSWER_FD, FD_VARIABLE, REQUEST_FD, RequestReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Answer = Callable[[list[str]], bytes]

FDS = {FD_VARIABLE.encode(): b"%d:%d" % (REQUEST_FD, ANSWER_FD)}
"""What a process started with pipes needs in its environment."""

_POLL_WITHOUT_PIDFD_S = 0.02
_CHUNK = 65536


class Alarm:
    """One action to take at a moment, while waiting for whatever else."""

    def __init__(self) -> None:
        self.due_s: float | None = None
        self._action: Callable[[], None] = _nothing

    def set(self, delay_s: float, action: Callable[[], None]) -> None:
        """Call ``action`` after ``delay_s``."""
        self.due_s = monotonic() + delay_s
        self._action = action

    def ring(self) -> None:
        """Act if the moment has come."""
        if self.due_s is not None and monotonic() >= self.due_s:
            self.due_s = None
            self._action()

    def left_s(self) -> float | None:
        """Seconds until the moment; None when there is none."""
        return None if self.due_s is None else max(0.0, self.due_s - monotonic())

    def sleep(self, delay_s: float) -> None:
        """Sleep, acting on the way."""
        end_s = monotonic() + delay_s
        while (left_s := end_s - monotonic()) > 0:
            self.ring()
            alarm_s = self.left_s()
            sleep(left_s if alarm_s is None else min(left_s, alarm_s))
        self.ring()


class Runner:
    """Runs one process at a time.

    Attributes:
        garbage: bytes on the request pipe of the last process that were no request.
    """

    def __init__(self, *, stdin: int, stdout: int, stderr: int) -> None:
        self._standard = [
            (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ]
        self.alarm = Alarm()
        self.garbage = 0
        self._pid = 0

    def run(self, argv: list[str], env: Mapping[bytes, bytes], answer: Answer) -> int:
        """Run a program to its end.

        Args:
            answer: gives the bytes to send back for a request, ``b""`` for none.

        Returns:
            The exit code, or minus the number of the signal that killed it.

        Raises:
            OSError: it cannot be started.
        """
        request_read, request_write = os.pipe()
        answer_read, answer_write = os.pipe()
        try:
            try:
                self._pid = self._spawn(argv, env, request_write, answer_read)
            finally:
                os.close(request_write)
            os.set_blocking(request_read, False)
            os.set_blocking(answer_write, False)
            self._listen(request_read, answer_read, answer_write, answer)
            _, status = os.waitpid(self._pid, 0)
            self._pid = 0
            return os.waitstatus_to_exitcode(status)
        finally:
            os.close(request_read)
            os.close(answer_read)
            os.close(answer_write)

    def stop(self) -> None:
        """End the running process, if there is one: first politely."""
        if not self._pid:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self._pid, number)
            except ProcessLookupError:
                break
            deadline_s = monotonic() + 2
            while monotonic() < deadline_s:
                if os.waitpid(self._pid, os.WNOHANG)[0]:
                    self._pid = 0
                    return
                sleep(0.01)
        self._pid = 0

    def _spawn(
        self, argv: list[str], env: Mapping[bytes, bytes], request_write: int, answer_read: int
    ) -> int:
        actions = [
            *self._standard,
            (os.POSIX_SPAWN_DUP2, request_write, REQUEST_FD),
            (os.POSIX_SPAWN_DUP2, answer_read, ANSWER_FD),
        ]
        # Python ignores these two, and an ignored signal is inherited.
        default = (signal.SIGPIPE, signal.SIGXFSZ)
        try:
            return os.posix_spawn(argv[0], argv, env, file_actions=actions, setsigdef=default)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        shell = ["/bin/sh", *argv]
        return os.posix_spawn(shell[0], shell, env, file_actions=actions, setsigdef=default)

    def _listen(self, request_read: int, answer_read: int, answer_write: int, answer: Answer) -> None:
        """Answer requests until the process has ended."""
        reader = RequestReader()
        waiter = poll()
        waiter.register(request_read, POLLIN)
        try:
            pidfd = os.pidfd_open(self._pid)
        except OSError:  # before Linux 5.3
            pidfd = -1
        else:
            waiter.register(pidfd, POLLIN)
        talking = True
        try:
            while True:
                ready = {fd for fd, _ in waiter.poll(self._timeout_ms(pidfd))}
                self.alarm.ring()
                ended = pidfd in ready if pidfd >= 0 else _has_ended(self._pid)
                if talking and (request_read in ready or ended):
                    talking = _serve(request_read, answer_read, answer_write, reader, answer)
                    if not talking:
                        waiter.unregister(request_read)
                if ended:
                    return
        finally:
            self.garbage = reader.garbage
            if pidfd >= 0:
                os.close(pidfd)

    def _timeout_ms(self, pidfd: int) -> float | None:
        left_s = self.alarm.left_s()
        if pidfd < 0:
            left_s = _POLL_WITHOUT_PIDFD_S if left_s is None else min(left_s, _POLL_WITHOUT_PIDFD_S)
        return None if left_s is None else left_s * 1000 + 1


def _serve(
    request_read: int, answer_read: int, answer_write: int, reader: RequestReader, answer: Answer
) -> bool:
    """Take all requests that are there. Returns False when nobody can ask any more."""
    while True:
        try:
            data = os.read(request_read, _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        for words in reader.feed(data):
            reply = answer(words)
            if reply:
                _reply(answer_read, answer_write, reply)
        if len(data) < _CHUNK:
            return True


def _reply(answer_read: int, answer_write: int, reply: bytes) -> None:
    """Send an answer. What an asker that was killed has left unread must not be taken for it."""
    stale = poll()
    stale.register(answer_read, POLLIN)
    while stale.poll(0):
        os.read(answer_read, _CHUNK)
    try:
        os.write(answer_write, reply)
    except BlockingIOError:
        pass  # longer than the pipe: not an address any more; the asker sees a cut line and fails


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _nothing() -> None:
    pass
