"""The memory channel: the guest's own kernel log, read from its RAM while it runs, whatever its consoles are."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from hiperiso.analysis.text import plain
from hiperiso.contract import files
from hiperiso.contract.events import Event
from hiperiso.contract.words import Source
from hiperiso.observe.memory import (
    POLL_INTERVAL_S,
    GuestRam,
    KernelLogWatcher,
    KernelRecord,
    console_lines,
)
from hiperiso.session.eventlog import EventLog

_MAX_LINE = 2000


class MemoryFeed:
    """Polls the RAM of a guest for new records of its kernel log.

    Args:
        descriptor: the RAM file, open for reading; this object closes it.

    Raises:
        OSError, ValueError: the file cannot be mapped.
    """

    def __init__(self, descriptor: int, log: EventLog, directory: Path) -> None:
        self._descriptor = descriptor
        self._ram = GuestRam(descriptor)
        self._watcher = KernelLogWatcher(self._ram)
        self._log = log
        self._path = directory / files.KERNEL_LOG
        self._busy = asyncio.Lock()
        log.listeners.append(self._hear)

    async def watch(self) -> None:
        """Poll until cancelled."""
        while True:
            await self.poll()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def poll(self, *, last: bool = False) -> None:
        """Take what is new; `last` takes everything to the end: the guest has stopped."""
        async with self._busy:
            # In a thread: a search through gigabytes takes longer than the other channels may wait.
            records = await asyncio.to_thread(self._watcher.poll, self._log.now(), last=last)
            if records:
                self._tell(records)

    def close(self) -> None:
        """Give the memory back."""
        self._log.listeners.remove(self._hear)
        self._ram.close()
        os.close(self._descriptor)

    def _hear(self, event: Event) -> None:
        if event.source is Source.QMP and event.text == "RESET":
            self._watcher.expect_another()

    def _tell(self, records: list[KernelRecord]) -> None:
        with contextlib.suppress(OSError), self._path.open("ab") as file:  # the heartbeat finds a full disk
            file.write(b"".join(map(console_lines, records)))
        for record in records:
            data = {"level": record.level_name, "facility": record.facility, "boot": record.boot}
            if record.missed:
                data["missed"] = record.missed
            for line in console_lines(record).decode(errors="replace").splitlines():
                self._log.emit(Source.KERNEL, "line", plain(line, _MAX_LINE), data=data)


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
