"""The processes of the guest, read from the kernel's list of tasks.

The list starts at ``init_task`` and is circular through ``task_struct.tasks``; it is read while it changes. A reading
counts only when it returned to its start, every back link matched, and every pid occurred once:
otherwise it is retried. Arguments count only when the process had the same memory before and after they were
read, so that no process gets the arguments of another that replaced it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from hiperiso.observe.memory.index import KernelIndex
from hiperiso.observe.memory.kernel import KernelMemory
from hiperiso.observe.memory.ram import Unreadable

MAX_TASKS = 4096
MAX_ARGV_BYTES = 1024
_ATTEMPTS = 3
_MAX_PID = 1 << 22
_MAX_TASK_BYTES = 64 << 10
_MAX_TYPE_BYTES = 32
_FS_TYPE = re.compile(r"[A-Za-z0-9_.:-]{1,31}")
_PF_KTHREAD = 0x00200000
_STATES = ((0x402, "I"), (0x01, "S"), (0x02, "D"), (0x04, "T"), (0x08, "t"), (0x40, "P"))
_EXIT_STATES = ((0x10, "X"), (0x20, "Z"))
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Task:
    """One process (a group of threads).

    Attributes:
        pid: its process id.
        ppid: its parent's.
        comm: its name, at most 15 characters. Guest data: hostile.
        argv: its arguments, cut at `MAX_ARGV_BYTES`; empty for kernel threads, zombies, and when swapped out.
        start_s: when it was started, in seconds of the kernel's clock.
        state: as ``ps`` shows it: R, S, D, T, t, I, Z, X, P; ``?`` for others.
        is_kernel_thread: whether it belongs to the kernel.
        root_type: type of the file system at its root, as the kernel names it: ``rootfs`` in an initramfs, ``overlay``,
            ``ext4``, ``squashfs`` and so on once the root was switched. Only set for pid 1, else empty.
    """

    pid: int
    ppid: int
    comm: str
    argv: tuple[str, ...]
    start_s: float
    state: str
    is_kernel_thread: bool
    root_type: str = ""


@dataclass(frozen=True, slots=True)
class TaskChange:
    """What happened to a process between two readings.

    ``kind`` is ``started``, ``became`` (it runs another program, or has another root) or ``ended``; ``task`` is its
    state after, or the last one seen.
    """

    kind: Literal["started", "became", "ended"]
    task: Task


def task_changes(before: Iterable[Task], after: Iterable[Task]) -> list[TaskChange]:
    """The changes from one reading to the next: first what ended, then the present tasks, in order."""
    old = {(task.pid, task.start_s): task for task in before}
    new = {(task.pid, task.start_s): task for task in after}
    changes = [TaskChange("ended", task) for key, task in old.items() if key not in new]
    for key, task in new.items():
        known = old.get(key)
        if known is None:
            changes.append(TaskChange("started", task))
        elif (known.comm, known.argv, known.root_type) != (task.comm, task.argv, task.root_type):
            changes.append(TaskChange("became", task))
    return changes


class TaskReader:
    """Reads the list of tasks of one kernel.

    Args:
        kernel: the kernel.
        index: from `index_kernel`, for this build.
    """

    def __init__(self, kernel: KernelMemory, index: KernelIndex) -> None:
        self._kernel = kernel
        self._index = index

    def read(self) -> list[Task]:
        """The tasks, in the kernel's order; pid 1 is first. No more than `MAX_TASKS`.

        Raises:
            Unreadable: this kernel's tasks cannot be read (the index has the reason), or not at the moment.
        """
        for _ in range(_ATTEMPTS - 1):
            with suppress(Unreadable):
                return self._read()
        return self._read()

    def _read(self) -> list[Task]:
        first = self._index.address(self._kernel, "init_task")
        layout = {
            name.partition(".")[2]: offset
            for name, offset in self._index.offsets.items()
            if name.startswith("task_struct.")
        }
        missing = {"tasks", "pid", "tgid", "comm", "real_parent", "start_time", "flags", "mm"} - layout.keys()
        if missing:
            raise Unreadable(f"this kernel has no task_struct.{min(missing)}")
        tasks: list[Task] = []
        pids: set[int] = set()
        at = self._next(first, layout["tasks"])
        while at != first and len(tasks) < MAX_TASKS:
            task = self._task(at, layout)
            if task.pid in pids:
                raise Unreadable("the task list is circular")
            pids.add(task.pid)
            tasks.append(task)
            at = self._next(at, layout["tasks"])
        return tasks

    def _next(self, task: int, offset: int) -> int:
        """The task after this one; the link back must fit."""
        entry = self._kernel.u64(task + offset)
        if self._kernel.u64(entry + 8) != task + offset:
            raise Unreadable("the list of tasks is changing")
        return entry - offset

    def _task(self, at: int, layout: dict[str, int]) -> Task:
        kernel = self._kernel
        low, high = min(layout.values()), max(layout.values()) + 16
        if high - low > _MAX_TASK_BYTES:
            raise Unreadable("task_struct is too small")
        data = kernel.read(at + low, high - low)
        pid = self._field32(data, layout["pid"] - low)
        ppid = kernel.u32(self._field64(data, layout["real_parent"] - low) + layout["tgid"])
        comm, end, _ = data[layout["comm"] - low :][:16].partition(b"\0")
        leads = self._field32(data, layout["tgid"] - low) == pid
        if not (0 < pid <= _MAX_PID and ppid <= _MAX_PID and leads and end):
            raise Unreadable("not a task")
        mm = self._field64(data, layout["mm"] - low)
        thread = bool(self._field32(data, layout["flags"] - low) & _PF_KTHREAD)
        return Task(
            pid=pid,
            ppid=ppid,
            comm=comm.decode("utf-8", "replace"),
            argv=() if thread or mm == 0 else self._argv(mm, at + layout["mm"]),
            start_s=self._field64(data, layout["start_time"] - low) / 1e9,
            state=self._state(data, layout, low),
            is_kernel_thread=thread,
            root_type=self._root_type(self._field64(data, layout["fs"] - low))
            if pid == 1 and "fs" in layout
            else "",
        )

    def _root_type(self, fs: int) -> str:
        """The type of the file system at the root of a ``struct fs_struct``; empty when it cannot be read."""
        u64, offset = self._kernel.u64, self._index.offset
        try:
            mount = u64(fs + offset("fs_struct.root") + offset("path.mnt"))
            super_block = u64(mount + offset("vfsmount.mnt_sb"))
            name = u64(u64(super_block + offset("super_block.s_type")) + offset("file_system_type.name"))
            text = self._kernel.read(name, _MAX_TYPE_BYTES).partition(b"\0")[0].decode("ascii", "replace")
        except Unreadable:
            return ""
        return text if _FS_TYPE.fullmatch(text) else ""

    def _state(self, data: bytes, layout: dict[str, int], low: int) -> str:
        exit_state = self._field32(data, layout["exit_state"] - low) if "exit_state" in layout else 0
        for bit, letter in _EXIT_STATES:
            if exit_state & bit:
                return letter
        name = "__state" if "__state" in layout else "state"
        if name not in layout:
            return "?"
        state = self._field32(data, layout[name] - low)
        if state == 0:
            return "R"
        return next((letter for bits, letter in _STATES if state & bits == bits), "?")

    def _argv(self, mm: int, mm_at: int) -> tuple[str, ...]:
        """The arguments, through the page tables of the process; empty when they are not in memory.

        A process that runs another program or ends gives up its memory first: then ``mm_at`` no longer holds ``mm``.
        """
        kernel, offset = self._kernel, self._index.offset
        try:
            start, end = (
                kernel.u64(mm + offset("mm_struct.arg_start")),
                kernel.u64(mm + offset("mm_struct.arg_end")),
            )
            table = kernel.physical(kernel.u64(mm + offset("mm_struct.pgd")))
            size = min(end - start, MAX_ARGV_BYTES)
            if size <= 0:
                return ()
            data = kernel.read_through(table, start, size)
            if kernel.u64(mm_at) != mm:
                return ()
        except Unreadable:
            return ()
        return tuple(data.rstrip(b"\0").decode("utf-8", "replace").split("\0"))

    def _field32(self, data: bytes, at: int) -> int:
        return int(_U32.unpack_from(data, at)[0])

    def _field64(self, data: bytes, at: int) -> int:
        return int(_U64.unpack_from(data, at)[0])
