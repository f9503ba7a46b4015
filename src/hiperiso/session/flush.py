"""The schedule by which a session reaches its disk: a stick that is pulled out loses at most the last second.

Files that are written whole are synced when they are written (`hiperiso.contract.store`). Those that grow are synced
here, in a thread, because a stick may take its time: the logs twice a second, so that with the time that a sync takes
at most a second is unsynced; large binary files (traces, captures) with the heartbeat.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hiperiso.contract import files

LOGS: Final = (
    *(files.SERIAL_LOG, files.EVENTS_JSONL, files.KERNEL_LOG, files.FIRMWARE_LOG, files.CHAIN_JSONL),
    *(files.TIMING_DAT, files.QEMU_STDERR),
)
BULK: Final = (files.TRACE_LOG, files.TRACE_BIN, files.NETWORK_PCAP)
FLUSH_S: Final = 0.5


class Flush:
    """Syncs the given files whose size changed since the last time."""

    def __init__(self, directory: Path, names: tuple[str, ...]) -> None:
        self._directory = directory
        self._sizes = dict.fromkeys(names, 0)

    def __call__(self) -> list[str]:
        """Sync; returns the names of the files that had changed.

        Raises:
            OSError: the disk is full or gone.
        """
        return [name for name in self._sizes if self._sync(name)]

    def _sync(self, name: str) -> bool:
        try:
            descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            size = os.fstat(descriptor).st_size
            if size == self._sizes[name]:
                return False
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        self._sizes[name] = size
        return True


async def every(period_s: float, work: Callable[[], object], fail: Callable[[OSError], None]) -> None:
    """Run `work` repeatedly in a thread of its own; when cancelled, a run in progress is finished first.

    The schedule depends neither on the event loop, which may be busy, nor on threads that others use.
    """
    loop = asyncio.get_running_loop()
    stop = threading.Event()

    def run() -> None:
        while True:
            try:
                work()
            except OSError as error:
                loop.call_soon_threadsafe(fail, error)
            if stop.wait(period_s):
                return

    thread = threading.Thread(target=run, name="flush", daemon=True)
    thread.start()
    try:
        await asyncio.Event().wait()
    finally:
        stop.set()
        await asyncio.shield(asyncio.to_thread(thread.join))
