"""The processes of the guest, read from the kernel's list of tasks.

The list starts at ``init_task`` and goes round through ``task_struct.tasks``; it is read while it changes, so a task
may be seen twice or not at all: the next reading tells.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hiperiso.observe.memory.index import KernelIndex
from hiperiso.observe.memory.kernel import KernelMemory
from hiperiso.observe.memory.ram import Unreadable

MAX_TASKS = 4096
MAX_ARGV_BYTES = 1024
_MAX_PID = 1 << 22
_PF_KTHREAD = 0x00200000
_STATES = ((0x402, "I"), (0x01, "S"), (0x02, "D"), (0x04, "T"), (0x08, "t"), (0x40, "P"))
_EXIT_STATES = ((0x10, "X"), (0x20, "Z"))
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Task:
    """One process (a group of threads).

    Attributes:
        pid: its number.
        ppid: its parent's.
        comm: its name, at most 15 characters. Guest data: hostile.
        argv: its arguments, cut at `MAX_ARGV_BYTES`; empty for kernel threads, zombies, and when swapped out.
        start_s: when it was started, in seconds of the kernel's clock.
        state: as ``ps`` shows it: R, S, D, T, t, I, Z, X, P; ``?`` for others.
        is_kernel_thread: whether it belongs to the kernel.
    """

    pid: int
    ppid: int
    comm: str
    argv: tuple[str, ...]
    start_s: float
    state: str
    is_kernel_thread: bool


class TaskReader:
    """Reads the list of tasks of one kernel.

    Args:
        kernel: a kernel that was found.
        index: of `index_kernel`, for this build.
    """

    def __init__(self, kernel: KernelMemory, index: KernelIndex) -> None:
        self._kernel = kernel
        self._index = index

    def read(self) -> list[Task]:
        """The tasks, in the kernel's order; pid 1 is first.

        Raises:
            Unreadable: this kernel's tasks cannot be read (the index says why), or not at the moment.
        """
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
        seen = {first}
        at = self._next(first, layout["tasks"])
        while at not in seen and len(tasks) < MAX_TASKS:
            seen.add(at)
            tasks.append(self._task(at, layout))
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
        data = kernel.read(at + low, high - low)
        pid = self._field32(data, layout["pid"] - low)
        ppid = kernel.u32(self._field64(data, layout["real_parent"] - low) + layout["tgid"])
        if not (0 < pid <= _MAX_PID and ppid <= _MAX_PID):
            raise Unreadable("that is no task")
        comm = data[layout["comm"] - low :][:16].partition(b"\0")[0]
        mm = self._field64(data, layout["mm"] - low)
        thread = bool(self._field32(data, layout["flags"] - low) & _PF_KTHREAD)
        return Task(
            pid=pid,
            ppid=ppid,
            comm=comm.decode("utf-8", "replace"),
            argv=() if thread or mm == 0 else self._argv(mm),
            start_s=self._field64(data, layout["start_time"] - low) / 1e9,
            state=self._state(data, layout, low),
            is_kernel_thread=thread,
        )

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

    def _argv(self, mm: int) -> tuple[str, ...]:
        """The arguments, through the page tables of the process; empty when they are not in memory."""
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
        except Unreadable:
            return ()
        return tuple(data.rstrip(b"\0").decode("utf-8", "replace").split("\0"))

    def _field32(self, data: bytes, at: int) -> int:
        return int(_U32.unpack_from(data, at)[0])

    def _field64(self, data: bytes, at: int) -> int:
        return int(_U64.unpack_from(data, at)[0])
