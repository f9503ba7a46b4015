"""A kernel whose list of tasks is made by a test, with the tables that lead to it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from guest_memory.symbols import Table, btf
from guest_memory.synthetic import Memory, RingKernel
from hiperiso.observe.memory.kernel import IMAGE

TABLE, TYPES, FIRST, TASKS, SPACES, ROOT, PAGES = (
    *(0x200000, 0x300000, 0x500000, 0x510000),
    *(0x600000, 0x5F0000, 0x800000),
)
_TASK_BYTES, _SPACE_BYTES, _ARGUMENTS = 256, 0x10000, 0x400000  # the last: where a process has its arguments
_MEMBERS = {
    "tasks": 0, "pid": 16, "tgid": 20, "comm": 24, "real_parent": 40, "start_time": 48, "flags": 56, "mm": 64,
    "fs": 72, "exit_state": 80, "__state": 84,
}  # fmt: skip
STRUCTURES = {
    "task_struct": (_TASK_BYTES, [(name, at, "") for name, at in _MEMBERS.items()]),
    "fs_struct": (16, [("root", 0, "path")]),
    "path": (16, [("mnt", 0, "")]),
    "vfsmount": (16, [("mnt_sb", 0, "")]),
    "super_block": (16, [("s_type", 0, "")]),
    "file_system_type": (16, [("name", 0, "")]),
    "mm_struct": (64, [("pgd", 0, ""), ("arg_start", 8, ""), ("arg_end", 16, "")]),
}
KERNEL_THREAD = 0x00200000


@dataclass
class Process:
    """One task of the list."""

    pid: int
    argv: Sequence[str] = ()
    comm: bytes = b""
    ppid: int = 1
    start_s: float = 1.0
    flags: int = 0
    state: int = 1
    name: bytes = field(init=False)

    def __post_init__(self) -> None:
        words = self.argv[0].rsplit("/", 1)[-1].encode() if self.argv else b""
        self.name = (self.comm or words)[:15]


class ProcessKernel(RingKernel):
    """Write the list with `run`; each process keeps the place that it has in the list."""

    def boot_with_types(self, *, types: bool = True) -> Self:
        self.boot()
        description = btf(STRUCTURES) if types else b""
        symbols = {
            "_stext": IMAGE,
            "init_task": IMAGE + FIRST,
            "__start_BTF": IMAGE + TYPES,
            "__stop_BTF": IMAGE + TYPES + len(description),
        }
        self.memory.write(self.at + TABLE, Table(symbols, "unsigned", IMAGE + TABLE).build())
        self.memory.write(self.at + TYPES, description)
        self.run([])
        return self

    def run(self, processes: Sequence[Process], root: str = "ext4") -> None:
        """Make these the processes, with ``root`` as the type of the root file system."""
        self._write_root(root)
        places = {process.pid: TASKS + number * _TASK_BYTES for number, process in enumerate(processes)}
        ring = [FIRST, *places.values()]
        everything = [Process(0, comm=b"swapper/0", flags=KERNEL_THREAD), *processes]
        for number, (process, at) in enumerate(zip(everything, ring, strict=True)):
            following, before = ring[(number + 1) % len(ring)], ring[number - 1]
            space = self._write_space(number, process.argv) if process.argv else 0
            self.memory.write(
                self.at + at,
                struct.pack(
                    "<QQII16sQQQQQII",
                    IMAGE + following,
                    IMAGE + before,
                    process.pid,
                    process.pid,
                    process.name,
                    IMAGE + places.get(process.ppid, FIRST),
                    int(process.start_s * 1e9),
                    process.flags,
                    space,
                    IMAGE + ROOT,
                    0,
                    process.state,
                ),
            )

    def _write_root(self, root: str) -> None:
        """fs_struct, vfsmount, super_block, file_system_type and its name, one behind the other."""
        chain = [struct.pack("<QQ", IMAGE + ROOT + 16 * (number + 1), 0) for number in range(4)]
        self.memory.write(self.at + ROOT, b"".join(chain) + root.encode() + b"\0")

    def _write_space(self, number: int, argv: Sequence[str]) -> int:
        """An mm_struct with page tables of its own; returns its address."""
        data = b"".join(word.encode() + b"\0" for word in argv)[:4096]
        space = SPACES + number * 64
        tables = self.at + PAGES + number * _SPACE_BYTES
        self.memory.write(
            self.at + space,
            struct.pack("<QQQ", IMAGE + tables - self.at, _ARGUMENTS, _ARGUMENTS + len(data)),
        )
        for level, shift in enumerate((39, 30, 21, 12)):
            entry = tables + level * 4096 + ((_ARGUMENTS >> shift) & 511) * 8
            self.memory.write(entry, struct.pack("<Q", tables + (level + 1) * 4096 | 1))
        self.memory.write(tables + 4 * 4096, data.ljust(4096, b"\0"))
        return IMAGE + space


def process_kernel(memory: Memory) -> ProcessKernel:
    """A kernel that has booted, without any process yet."""
    return ProcessKernel(memory, at=16 << 20).boot_with_types()
