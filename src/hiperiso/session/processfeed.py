"""The guest's processes as a channel: read about once a second from its memory, changes are emitted.

Many processes must not fill the disk: changes beyond the share of a reading are only counted,
and those that the verdict depends on (pid 1, logins, installers) come first. Kernel threads are in tasks.json alone.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.analysis.processes import automatic_user, role_of
from hiperiso.contract import files
from hiperiso.contract.eventdata import LeftOutData, ProcessData
from hiperiso.contract.events import (
    ProcessBecame,
    ProcessChange,
    ProcessEnded,
    ProcessesLeftOut,
    ProcessesUnavailable,
    ProcessStarted,
)
from hiperiso.contract.store import atomic_write
from hiperiso.contract.tasks import TaskEntry
from hiperiso.observe.memory import (
    FoundKernel,
    KernelIndex,
    Task,
    TaskChange,
    TaskReader,
    Unreadable,
    build_of,
    index_kernel,
    task_changes,
)
from hiperiso.session.eventlog import EventLog
from hiperiso.text import plain

READ_EVERY_S = 1.0
_SHARE = 1 / 150  # of one core, at most, for reading
_INDEX_AGAIN_S = 5.0  # an image that is still being unpacked has no symbols yet
_MAX_EVENTS = 6000  # of a session
_RESERVED = 1000  # in addition, for changes with priority
_MAX_A_READING = 60
_MAX_BECAME = 8  # changes emitted per process: some show their progress in their name
_MAX_ARGV, _MAX_ARGUMENT, _MAX_TEXT = 24, 200, 300

_Key = tuple[int, float]


_EVENTS: Final[dict[str, type[ProcessChange]]] = {
    "started": ProcessStarted,
    "became": ProcessBecame,
    "ended": ProcessEnded,
}


@dataclass
class Reading:
    """The result of reading the memory: changes to emit, or the reason why there are none."""

    changes: list[TaskChange]
    unavailable: str = ""
    resets: int = 0  # of the guest, before this reading began


class ProcessFeed:
    """Follows the processes of whichever kernel runs.

    ``look`` may run in a thread of its own, never at the same time as anything else that reads this kernel's memory;
    ``emit`` must run in the event loop.
    """

    def __init__(self, log: EventLog, directory: Path) -> None:
        self._log = log
        self._path = directory / files.TASKS_JSON
        self._indexes: dict[str, KernelIndex] = {}
        self._explained: set[str] = set()
        self._index_due_s = float("-inf")
        self._due_s = float("-inf")
        self._boot = 0
        self._tasks: list[Task] = []
        self._reported: set[_Key] = set()
        self._signs: set[_Key] = set()  # emitted because the verdict depends on them
        self._became: Counter[_Key] = Counter()
        self._before_reset: _Key | None = None
        self._events = 0
        self._resets = 0

    def is_due(self, now_s: float) -> bool:
        """Whether the next reading is due."""
        return now_s >= self._due_s

    def expect_another(self) -> None:
        """The guest was reset: processes from before that are still in its memory are not new."""
        self._resets += 1
        self._keep_out()

    def index_of(self, kernel: FoundKernel) -> KernelIndex | None:
        """The index of a kernel, if it exists already."""
        return self._indexes.get(build_of(kernel.memory))

    def look(self, kernel: FoundKernel, now_s: float, *, last: bool = False) -> Reading | None:
        """Read the processes; None when there is nothing to emit. Never raises.

        Args:
            kernel: the kernel that runs.
            now_s: the time of the session.
            last: this is the final reading.
        """
        resets = self._resets
        index = self._index(kernel, float("inf") if last else now_s)
        started = time.thread_time()  # an index is made once: the first processes do not wait for its share
        reading = self._read(kernel, index) if index else None
        if reading:
            reading.resets = resets
        self._due_s = now_s + max(READ_EVERY_S, (time.thread_time() - started) / _SHARE)
        return reading

    def emit(self, reading: Reading, kernel: FoundKernel) -> None:
        """Emit what was read, within bounds; the end of a process that the verdict may depend on is always emitted."""
        if reading.resets != self._resets:  # the guest was reset while its memory was read
            self._keep_out()
            return
        if reading.unavailable:
            text = f"processes cannot be seen: {reading.unavailable}"
            self._log.emit(
                ProcessesUnavailable(text=plain(text, _MAX_TEXT), data=LeftOutData(boot=kernel.boot))
            )
        chosen = self._chosen(reading.changes)
        for change in reading.changes:
            if id(change) in chosen:
                self._emit_change(change, kernel.boot)
        left_out = len(reading.changes) - len(chosen)
        if left_out and self._events < _MAX_EVENTS:
            self._events += 1
            text = f"{left_out} more changes of processes"
            self._log.emit(ProcessesLeftOut(text=text, data=LeftOutData(left_out=left_out)))

    def _chosen(self, changes: list[TaskChange]) -> set[int]:
        """The changes to emit: in order, because a pid may end and start again in one reading."""
        chosen: set[int] = set()
        for change in sorted(changes, key=_importance):
            most = _MAX_EVENTS + (_RESERVED if _importance(change) == 0 else 0)
            fits = len(chosen) < _MAX_A_READING and self._events + len(chosen) < most
            if fits or (change.kind == "ended" and _key(change.task) in self._signs):
                chosen.add(id(change))
        return chosen

    def finish(self) -> None:
        """Write tasks.json, if any process was ever seen."""
        if self._tasks:
            entries = [_entry(task) for task in self._tasks]
            lines = b",\n".join(map(msgspec.json.encode, entries))
            with contextlib.suppress(OSError):  # the heartbeat reports a full disk
                atomic_write(self._path, b"[\n" + lines + b"\n]\n")

    def _read(self, kernel: FoundKernel, index: KernelIndex) -> Reading | None:
        if index.missing:
            if index.build in self._explained:
                return None
            self._explained.add(index.build)
            return Reading([], f"Linux {kernel.release}: {index.missing[0]}")
        try:
            tasks = TaskReader(kernel.memory, index).read()
        except Unreadable:
            return None  # changing, or being overwritten: the next reading decides
        first = next((task for task in tasks if task.pid == 1), None)
        if first is None or _key(first) == self._before_reset:
            return None
        if self._before_reset:
            self._forget()
        return Reading(self._changes(tasks, kernel.boot))

    def _index(self, kernel: FoundKernel, now_s: float) -> KernelIndex | None:
        build = build_of(kernel.memory)
        known = self._indexes.get(build)
        if known is None or (known.missing and build not in self._explained and now_s >= self._index_due_s):
            first_time = known is None
            known = self._indexes[build] = index_kernel(kernel.memory)
            if known.missing and first_time:
                self._index_due_s = now_s + _INDEX_AGAIN_S
        return None if known.missing and now_s < self._index_due_s else known

    def _changes(self, tasks: list[Task], boot: int) -> list[TaskChange]:
        if boot != self._boot:
            self._boot = boot
            self._forget()
        before = {_key(task): task for task in self._tasks}
        tasks = [_settled(task, before.get(_key(task))) for task in tasks]
        reported = [task for task in self._tasks if _key(task) in self._reported]
        changes = []
        for change in task_changes(reported, [task for task in tasks if _is_program(task)]):
            key = _key(change.task)
            if change.kind == "ended":
                self._reported.discard(key)
                del self._became[key]
            elif change.kind == "started":
                self._reported.add(key)
            else:
                self._became[key] += 1
                if self._became[key] > _MAX_BECAME and change.task.pid != 1:
                    continue
            changes.append(change)
        self._tasks = tasks
        return changes

    def _keep_out(self) -> None:
        """Emit nothing more as long as process 1 is the one that was read last."""
        first = next((task for task in self._tasks if task.pid == 1), None)
        self._before_reset = _key(first) if first else self._before_reset

    def _forget(self) -> None:
        """Another kernel: the earlier processes did not end, they are gone with theirs."""
        self._before_reset = None
        self._tasks = []
        self._reported.clear()
        self._became.clear()

    def _emit_change(self, change: TaskChange, boot: int) -> None:
        entry = _entry(change.task)
        data = ProcessData(
            pid=entry.pid,
            ppid=entry.ppid,
            comm=entry.comm,
            start_s=entry.start_s,
            state=entry.state,
            boot=boot,
            argv=entry.argv if change.kind != "ended" else None,
            root=entry.root_type or None,
        )
        words = " ".join(entry.argv) if change.kind != "ended" else ""
        text = plain(f"{entry.comm} ({entry.pid}) {change.kind}{': ' if words else ''}{words}", _MAX_TEXT)
        self._events += 1
        if change.kind == "ended":
            self._signs.discard(_key(change.task))
        elif _importance(change) == 0:
            self._signs.add(_key(change.task))
        self._log.emit(_EVENTS[change.kind](text=text, data=data))


def _key(task: Task) -> _Key:
    return task.pid, task.start_s


def _is_program(task: Task) -> bool:
    """Whether it runs a program: not a kernel thread, and not starting or ending."""
    return not task.is_kernel_thread and bool(task.argv) and task.state not in "XZ"


def _settled(task: Task, before: Task | None) -> Task:
    """A process whose arguments are temporarily unreadable, as during exec, keeps its previous ones."""
    if before is None or task.argv or not before.argv or task.state in "XZ":
        return task
    return replace(task, argv=before.argv, comm=before.comm)


def _importance(change: TaskChange) -> int:
    """The priority, where not all can be emitted."""
    task = change.task
    is_login = automatic_user(task.comm, task.argv) is not None
    if task.pid == 1 or is_login or role_of(task.comm, task.argv) is not None:
        return 0
    return 1 if change.kind == "ended" else 2


def _entry(task: Task) -> TaskEntry:
    return TaskEntry(
        pid=task.pid,
        ppid=task.ppid,
        comm=plain(task.comm, _MAX_ARGUMENT),
        argv=[plain(argument, _MAX_ARGUMENT) for argument in task.argv[:_MAX_ARGV]],
        start_s=round(task.start_s, 6),
        state=task.state,
        kernel_thread=task.is_kernel_thread,
        root_type=task.root_type,
    )
