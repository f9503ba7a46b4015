"""The memory channel: the guest's own kernel log and processes, read from its RAM while it runs."""

# ruff: noqa: ARG002 - the methods of an Observer have parameters that only some use
from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.eventdata import KernelData
from hiperiso.contract.events import Event, KernelLine, QemuEvent
from hiperiso.contract.hardware import Board
from hiperiso.contract.words import EndReason, MachineEvent
from hiperiso.observe.memory import (
    POLL_INTERVAL_S,
    ConsoleScreen,
    FoundKernel,
    GuestRam,
    KernelLogWatcher,
    KernelRecord,
    Unreadable,
    console_lines,
    i440fx_below_4g_bytes,
    q35_below_4g_bytes,
    read_console,
)
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.observer import Work
from hiperiso.session.processfeed import ProcessFeed, Reading
from hiperiso.text import plain

_MAX_LINE = 2000


class MemoryFeed:
    """Polls the RAM of a guest for new data of its kernel.

    Only one thread at a time reads the memory, because locations are cached per kernel. A cancelled poll leaves
    the results of its thread to the next one.

    Args:
        descriptor: the RAM file, open for reading; this object closes it.
        board: which decides where RAM lies in the guest's address space.

    Raises:
        OSError, ValueError: the file cannot be mapped.
    """

    def __init__(self, descriptor: int, log: EventLog, directory: Path, *, board: Board = Board.Q35) -> None:
        self._descriptor = descriptor
        below = i440fx_below_4g_bytes if board is Board.PC else q35_below_4g_bytes
        self._ram = GuestRam(descriptor, below_4g_bytes=below(os.fstat(descriptor).st_size))
        self._watcher = KernelLogWatcher(self._ram)
        self._processes = ProcessFeed(log, directory)
        self._log = log
        self._path = directory / files.KERNEL_LOG
        self._busy = asyncio.Lock()
        self._reads = threading.Lock()  # a cancelled poll releases the lock above, but its thread continues
        self._records: list[KernelRecord] = []
        self._readings: list[tuple[Reading, FoundKernel]] = []
        self._unsubscribe = log.subscribe(self._on_event, Rank.CHANNEL)

    @property
    def ram(self) -> GuestRam:
        """The guest's memory, until `close`."""
        return self._ram

    def start(self) -> Sequence[Work]:
        """Read what is new in the kernel."""
        return (self.watch(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """Read everything to the end: the memory still exists when QEMU is gone."""
        await self.poll(last=True)

    async def close(self) -> None:
        """Write the last state of the processes, and release the memory."""
        if self._descriptor >= 0:
            self._unsubscribe()
            await asyncio.to_thread(self._close)

    async def watch(self) -> None:
        """Poll until cancelled."""
        while True:
            await self.poll()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def poll(self, *, last: bool = False) -> None:
        """Read what is new; `last` reads everything to the end: the guest has stopped."""
        async with self._busy:
            # In a thread: a search through gigabytes takes longer than the other channels may wait.
            await asyncio.to_thread(self._read_log, last=last)
            self._emit()
            if last or self._processes.is_due(self._log.now()):
                await asyncio.to_thread(self._read_processes, last=last)
                self._emit()

    async def functions_at(self, addresses: list[int]) -> list[str]:
        """The kernel function at each address; empty for addresses outside of any, or unknown."""
        async with self._busy:
            return await asyncio.to_thread(self._functions_at, addresses)

    async def console(self) -> ConsoleScreen | None:
        """The kernel's own copy of the text console in front; None when it has none that shows text."""
        async with self._busy:
            screen = await asyncio.to_thread(self._console)
            return screen if screen and screen.shows_text else None

    def write_tasks(self) -> None:
        """Write tasks.json: the processes as they were last seen."""
        self._processes.finish()

    def _close(self) -> None:
        with self._reads:
            self.write_tasks()
            self._ram.close()
            os.close(self._descriptor)
            self._descriptor = -1

    def _on_event(self, event: Event) -> None:
        if isinstance(event, QemuEvent) and event.text == MachineEvent.RESET:
            self._watcher.expect_another()
            self._processes.expect_another()

    def _read_log(self, *, last: bool) -> None:
        with self._reads:
            self._records.extend(self._watcher.poll(self._log.now(), last=last))

    def _read_processes(self, *, last: bool) -> None:
        with self._reads:
            kernel = self._watcher.kernel
            reading = self._processes.look(kernel, self._log.now(), last=last) if kernel else None
            if kernel and reading:
                self._readings.append((reading, kernel))

    def _functions_at(self, addresses: list[int]) -> list[str]:
        with self._reads:
            kernel = self._watcher.kernel
            index = self._processes.index_of(kernel) if kernel else None
            if kernel is None or index is None:
                return [""] * len(addresses)
            return [index.function_at(kernel.memory, address) for address in addresses]

    def _console(self) -> ConsoleScreen | None:
        with self._reads, contextlib.suppress(Unreadable):
            kernel = self._watcher.kernel
            index = self._processes.index_of(kernel) if kernel else None
            if kernel and index:
                return read_console(kernel.memory, index)
        return None

    def _emit(self) -> None:
        records, self._records = self._records, []
        readings, self._readings = self._readings, []
        if records:
            self._emit_records(records)
        for reading, kernel in readings:
            self._processes.emit(reading, kernel)

    def _emit_records(self, records: list[KernelRecord]) -> None:
        with contextlib.suppress(OSError), self._path.open("ab") as file:  # the heartbeat reports a full disk
            file.write(b"".join(map(console_lines, records)))
        for record in records:
            data = KernelData(
                level=record.level_name,
                facility=record.facility,
                boot=record.boot,
                missed=record.missed or None,
            )
            # The kernel has one line separator; those of Unicode must not begin a new line.
            for line in console_lines(record).decode(errors="replace").removesuffix("\n").split("\n"):
                self._log.emit(KernelLine(text=plain(line, _MAX_LINE), data=data))


def open_guest_ram(ram_path: Path | None, pid: int) -> int | None:
    """A descriptor of the guest's RAM: the file that QEMU made, or the anonymous one among its descriptors."""
    if ram_path is not None:
        candidates = [ram_path]
    else:
        candidates = [
            link
            for link in Path(f"/proc/{pid}/fd").iterdir()
            if str(link.readlink()).startswith("/memfd:memory-backend")
        ]
    for path in candidates:
        with contextlib.suppress(OSError):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None
