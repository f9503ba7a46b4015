"""Starts one process of a step and answers it until it ends.

The process gets fresh descriptors (see :mod:`bootchain.wire`), so that what an earlier step left running can
neither ask in its name nor take its answers. Its output goes to the log file itself: there is no pipe that could
fill up or keep the daemon waiting for a child in the background.
"""

from __future__ import annotations

import errno
import fcntl
import os
from select import POLLIN, poll
from time import monotonic, sleep

from bootchain.daemon.forked import can_fork, fork_step
from bootchain.daemon.signals import DEFAULT_IN_PROGRAMS, STOP_SIGNALS, signal
from bootchain.wire import STEP_FDS, RequestReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Answer = Callable[[list[str]], bytes]

_POLL_WITHOUT_PIDFD_S = 0.02
_LOCK_CHECK_S = 1.0
_LOOK_S = 1.0
_CHUNK = 65536
_MAX_WISHES = 1 << 20


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
        garbage: bytes that were not a request, in all.
        watch: called every second while a process runs, where there is one: True ends the process.
    """

    def __init__(self, *, stdin: int, stdout: int, stderr: int) -> None:
        self._stdin = stdin
        self._stderr = stderr
        self._redirect(stdout, stderr)
        self.alarm = Alarm()
        self.garbage = 0
        self.watch: Callable[[], bool] | None = None
        self._pid = 0

    def _redirect(self, stdout: int, stderr: int) -> None:
        self._stdout = stdout
        self._standard = [
            (os.POSIX_SPAWN_DUP2, self._stdin, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ]

    def silence(self) -> None:
        """The log cannot be written any more: a step that reports to it must not fail for that."""
        nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._redirect(nothing if self._stdout == self._stderr else self._stdout, nothing)

    def run(self, argv: list[str], env: Mapping[bytes, bytes], answer: Answer) -> int:
        """Run a program to its end.

        Args:
            answer: gives the bytes to send back for a request, ``b""`` for none.

        Returns:
            The exit code, or minus the number of the signal that killed it.

        Raises:
            OSError: it cannot be started.
        """
        line = Line(answer)
        try:
            # A signal that stops the daemon must find the process it has to take along.
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
            try:
                self._pid = self._spawn(argv, env, line.ends)
            finally:
                line.started()
                signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            self._listen(line)
            _, status = os.waitpid(self._pid, 0)
            self._pid = 0
            line.take_wishes()
            return os.waitstatus_to_exitcode(status)
        finally:
            self.garbage += line.garbage
            line.close()

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

    def _spawn(self, argv: list[str], env: Mapping[bytes, bytes], fds: tuple[int, ...]) -> int:
        if can_fork(argv):
            standard = [(own, theirs) for _, own, theirs in self._standard]
            return fork_step(argv[-1], env, [*standard, *zip(fds, STEP_FDS, strict=True)])
        actions = [
            *self._standard,
            *((os.POSIX_SPAWN_DUP2, own, theirs) for own, theirs in zip(fds, STEP_FDS, strict=True)),
        ]
        try:
            return _spawn(argv, env, actions)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        return _spawn(["/bin/sh", *argv], env, actions)

    def _listen(self, line: Line) -> None:
        """Answer questions until the process has ended."""
        waiter = poll()
        waiter.register(line.question_read, POLLIN)
        try:
            pidfd = os.pidfd_open(self._pid)
        except OSError:  # before Linux 5.3
            pidfd = -1
        else:
            waiter.register(pidfd, POLLIN)
        asking = True
        look_s = monotonic() + _LOOK_S
        number = signal.SIGTERM
        try:
            while True:
                ready = {fd for fd, _ in waiter.poll(self._timeout_ms(pidfd, asking))}
                self.alarm.ring()
                if self.watch and monotonic() >= look_s:
                    look_s = monotonic() + _LOOK_S
                    if self.watch():
                        os.kill(self._pid, number)  # it is not reaped yet
                        number = signal.SIGKILL
                ended = pidfd in ready if pidfd >= 0 else _has_ended(self._pid)
                if asking and line.question_read in ready:
                    asking = line.serve()
                    if not asking:
                        waiter.unregister(line.question_read)
                if ended:
                    return
                if not ready:
                    line.mend_lock()
        finally:
            if pidfd >= 0:
                os.close(pidfd)

    def _timeout_ms(self, pidfd: int, asking: bool) -> float | None:
        times = [time_s for time_s in (self.alarm.left_s(),) if time_s is not None]
        if pidfd < 0:
            times.append(_POLL_WITHOUT_PIDFD_S)
        elif asking:
            times.append(_LOCK_CHECK_S)
        if self.watch:
            times.append(_LOOK_S)
        return min(times) * 1000 + 1 if times else None


class Line:
    """The descriptors to one process, ours and its own; see :mod:`bootchain.wire`.

    Attributes:
        ends: what the process gets, in the order of ``STEP_FDS``.
        garbage: bytes that were not a request.
    """

    __slots__ = (
        "_answer",
        "_answer_read",
        "_answer_write",
        "_lock",
        "_missed_s",
        "_question_write",
        "_reader",
        "_unlock",
        "_wishes",
        "ends",
        "garbage",
        "question_read",
    )

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._reader = RequestReader()
        self._missed_s: float | None = None
        self.garbage = 0
        self.question_read, self._question_write = os.pipe()
        self._answer_read, self._answer_write = os.pipe()
        self._lock, self._unlock = os.pipe()
        self._wishes = _wish_file()
        self.ends = (self._lock, self._unlock, self._wishes, self._question_write, self._answer_read)
        os.set_blocking(self.question_read, False)
        os.set_blocking(self._answer_write, False)
        os.write(self._unlock, b"\n")

    def started(self) -> None:
        """The process has its own end now: close ours, to notice when all askers are gone."""
        os.close(self._question_write)

    def close(self) -> None:
        """Close all that is ours."""
        for fd in (
            self.question_read,
            self._answer_read,
            self._answer_write,
            self._lock,
            self._unlock,
            self._wishes,
        ):
            os.close(fd)

    def serve(self) -> bool:
        """Answer all questions that are there. Returns False when all askers are gone."""
        self._missed_s = None
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
            self.garbage = self._reader.garbage
            if len(data) < _CHUNK:
                return True

    def take_wishes(self) -> None:
        """Take what the process wants to happen after it."""
        if not os.fstat(self._wishes).st_size:
            return
        reader = RequestReader()
        for words in reader.feed(os.pread(self._wishes, _MAX_WISHES, 0)):
            self._answer(words)
        self.garbage += reader.garbage

    def mend_lock(self) -> None:
        """Called when nothing happens: who holds the lock for so long without a question has been killed."""
        if _has_data(self._lock):
            self._missed_s = None
        elif self._missed_s is None:
            self._missed_s = monotonic()
        elif monotonic() - self._missed_s >= _LOCK_CHECK_S:
            self._missed_s = None
            self._forget_answers()
            os.write(self._unlock, b"\n")

    def _reply(self, reply: bytes) -> None:
        """Send an answer; old unread answers are discarded."""
        for _ in range(2):
            try:
                os.write(self._answer_write, reply)
            except BlockingIOError:
                self._forget_answers()
            else:
                return

    def _forget_answers(self) -> None:
        while _has_data(self._answer_read):
            os.read(self._answer_read, _CHUNK)


def _spawn(argv: list[str], env: Mapping[bytes, bytes], actions: list[tuple[int, int, int]]) -> int:
    return os.posix_spawn(
        argv[0], argv, env, file_actions=actions, setsigmask=(), setsigdef=DEFAULT_IN_PROGRAMS
    )


def _has_data(fd: int) -> bool:
    waiter = poll()
    waiter.register(fd, POLLIN)
    return bool(waiter.poll(0))


def _wish_file() -> int:
    """A file in memory, appended to by every process that holds or opens it."""
    fd = os.memfd_create("wishes")
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    return fd


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _nothing() -> None:
    pass
