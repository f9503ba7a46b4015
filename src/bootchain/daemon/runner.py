"""Starts one process of a step and listens to it until it ends.

The process gets fresh descriptors (see :mod:`bootchain.wire`), so that what an earlier step left running can
neither ask in its name nor take its answers. Its output goes to the log file itself: there is no pipe that could
fill up or keep the daemon waiting for a child in the background.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from select import POLLIN, poll
from time import monotonic, sleep

from bootchain.wire import ANSWER_FD, QUESTION_FD, WISH_FD, RequestReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Answer = Callable[[list[str]], bytes]

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What stops the daemon."""

_POLL_WITHOUT_PIDFD_S = 0.02
_CHUNK = 65536
_MAX_WISHES = 1 << 20
_STEP_FDS = (WISH_FD, QUESTION_FD, ANSWER_FD)


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
        garbage: bytes that were no request, in all.
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
        reader = RequestReader()
        question_read, question_write = os.pipe()
        answer_read, answer_write = os.pipe()
        wishes = _wish_file()
        try:
            # A signal that stops the daemon must find the process it has to take along.
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
            try:
                self._pid = self._spawn(argv, env, (wishes, question_write, answer_read))
            finally:
                os.close(question_write)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            os.set_blocking(question_read, False)
            os.set_blocking(answer_write, False)
            self._listen(_Line(question_read, answer_read, answer_write, reader, answer))
            _, status = os.waitpid(self._pid, 0)
            self._pid = 0
            self._take_wishes(wishes, answer)
            return os.waitstatus_to_exitcode(status)
        finally:
            self.garbage += reader.garbage
            for fd in (question_read, answer_read, answer_write, wishes):
                os.close(fd)

    def stop(self) -> None:
        """End the running process, if there is one: first politely."""
        if not self._pid:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._kill(number):
                break
        self._pid = 0

    def _kill(self, number: int) -> bool:
        """Returns True when the process is gone."""
        deadline_s = monotonic() + 2
        try:
            os.kill(self._pid, number)
            while monotonic() < deadline_s:
                if os.waitpid(self._pid, os.WNOHANG)[0]:
                    return True
                sleep(0.01)
        except (ProcessLookupError, ChildProcessError):
            return True
        return False

    def _spawn(self, argv: list[str], env: Mapping[bytes, bytes], fds: tuple[int, int, int]) -> int:
        actions = [
            *self._standard,
            *((os.POSIX_SPAWN_DUP2, own, theirs) for own, theirs in zip(fds, _STEP_FDS, strict=True)),
        ]
        # Python ignores these two, and an ignored signal is inherited.
        default = (signal.SIGPIPE, signal.SIGXFSZ)
        try:
            return os.posix_spawn(argv[0], argv, env, file_actions=actions, setsigmask=(), setsigdef=default)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        shell = ["/bin/sh", *argv]
        return os.posix_spawn(shell[0], shell, env, file_actions=actions, setsigmask=(), setsigdef=default)

    def _listen(self, line: _Line) -> None:
        """Answer questions until the process has ended."""
        waiter = poll()
        waiter.register(line.question_read, POLLIN)
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
                if talking and line.question_read in ready:
                    talking = line.serve()
                    if not talking:
                        waiter.unregister(line.question_read)
                if ended:
                    return
        finally:
            if pidfd >= 0:
                os.close(pidfd)

    def _take_wishes(self, wishes: int, answer: Answer) -> None:
        """Hear what the step wants to happen after it."""
        if not os.fstat(wishes).st_size:
            return
        reader = RequestReader()
        for words in reader.feed(os.pread(wishes, _MAX_WISHES, 0)):
            answer(words)
        self.garbage += reader.garbage

    def _timeout_ms(self, pidfd: int) -> float | None:
        left_s = self.alarm.left_s()
        if pidfd < 0:
            left_s = _POLL_WITHOUT_PIDFD_S if left_s is None else min(left_s, _POLL_WITHOUT_PIDFD_S)
        return None if left_s is None else left_s * 1000 + 1


class _Line:
    """The two pipes to one process."""

    __slots__ = ("_answer", "_answer_read", "_answer_write", "_reader", "question_read")

    def __init__(
        self, question_read: int, answer_read: int, answer_write: int, reader: RequestReader, answer: Answer
    ) -> None:
        self.question_read = question_read
        self._answer_read = answer_read
        self._answer_write = answer_write
        self._reader = reader
        self._answer = answer

    def serve(self) -> bool:
        """Answer all questions that are there. Returns False when nobody can ask any more."""
        while True:
            try:
                data = os.read(self.question_read, _CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return False
            for words in self._reader.feed(data):
                reply = self._answer(words)
                if reply:
                    self._reply(reply)
            if len(data) < _CHUNK:
                return True

    def _reply(self, reply: bytes) -> None:
        """Send an answer; when nobody has read for long, what lies there makes room."""
        for _ in range(2):
            try:
                os.write(self._answer_write, reply)
            except BlockingIOError:
                unread = poll()
                unread.register(self._answer_read, POLLIN)
                if unread.poll(0):
                    os.read(self._answer_read, 1 << 20)
            else:
                return


def _wish_file() -> int:
    """A file in memory, written at its end by whoever holds or opens it."""
    fd = os.memfd_create("wishes")
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    return fd


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _nothing() -> None:
    pass
