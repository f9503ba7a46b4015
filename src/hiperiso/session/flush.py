"""The schedule by which a session reaches its disk: a stick that is pulled out loses the last second at most.

Files that are written whole are synced when they are written (`hiperiso.contract.store`). Those that grow are synced
here, in a thread, because a stick may take its time: the logs twice a second, so that with the time that a sync takes
no more than a second is open; what is large and holds no words (traces, captures) with the heartbeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
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
    """Syncs those of some files that changed in size since the last time."""

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
    """Do `work` in a thread, again and again; when cancelled, what is under way is finished first."""
    while True:
        running = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                await running
            raise
        except OSError as error:
            fail(error)
        await asyncio.sleep(period_s)
