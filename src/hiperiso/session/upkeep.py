"""Tasks beside the channels while a guest runs: syncing the disk, checking the ISO, the inventory of the machine."""

# ruff: noqa: ARG002 - the methods of an Observer have parameters that only some use
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.store import atomic_write
from hiperiso.contract.words import EndReason
from hiperiso.errors import HarnessFault, write_fault
from hiperiso.machine.inventory import host_inventory, qemu_inventory
from hiperiso.machine.qmp import Qmp, QmpFault
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.eventlog import EventLog
from hiperiso.session.flush import BULK, FLUSH_S, LOGS, Flush, every
from hiperiso.session.observer import Work

HEARTBEAT_S = 2.0
_INVENTORY_AFTER_S = 2.0  # by then the firmware has placed the devices

Fail = Callable[[HarnessFault], None]
"""Takes what ends the boot."""


class DiskUpkeep:
    """Writes the heartbeat and syncs growing files; both also detect a disk that is full or gone."""

    def __init__(self, directory: SessionDirectory, log: EventLog, fail: Fail) -> None:
        self._directory = directory
        self._log = log
        self._fail = fail
        self._bulk = Flush(directory.path, BULK)

    def start(self) -> Sequence[Work]:
        """The first heartbeat is immediate: a session that ran QEMU has one, however soon it ends."""
        try:
            self._directory.heartbeat(elapsed_s=self._log.now())
        except OSError as error:
            self._failed(error)
        flush = Flush(self._directory.path, LOGS)
        return every(HEARTBEAT_S, self._beat, self._failed), every(FLUSH_S, flush, self._failed)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """Files written at the end are synced by their writers."""

    async def close(self) -> None:
        """Nothing to release."""

    def _beat(self) -> None:
        self._directory.heartbeat(elapsed_s=self._log.now())
        self._bulk()

    def _failed(self, error: OSError) -> None:
        self._fail(self._directory.lost(error))


class IsoWatch:
    """Detects an ISO that changes during the boot, which makes the recording worthless."""

    def __init__(self, iso: Path, fail: Fail) -> None:
        self._iso = iso
        self._fail = fail
        self._identity = _identity(iso)

    def start(self) -> Sequence[Work]:
        """Check it periodically."""
        return (self._watch(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """Later changes do not matter."""

    async def close(self) -> None:
        """Nothing to release."""

    async def _watch(self) -> None:
        while True:
            if _identity(self._iso) != self._identity:
                self._fail(HarnessFault(f"the ISO vanished or changed during the boot: {self._iso}"))
            await asyncio.sleep(HEARTBEAT_S)


class InventoryTaker:
    """Writes ``hw/``: what the guest's machine and the host consist of."""

    def __init__(self, qmp: Qmp, directory: Path, fail: Fail) -> None:
        self._qmp = qmp
        self._folder = directory / files.HW_DIR
        self._fail = fail

    def start(self) -> Sequence[Work]:
        """Once early: a guest may end without warning."""
        return (self._take_later(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """Once more, as configured by the guest."""
        if alive:
            await self._take()

    async def close(self) -> None:
        """Nothing to release."""

    async def _take_later(self) -> None:
        await asyncio.sleep(_INVENTORY_AFTER_S)
        await self._take()

    async def _take(self) -> None:
        with contextlib.suppress(QmpFault):
            self._write(host_inventory() | await qemu_inventory(self._qmp))

    def _write(self, texts: dict[str, str]) -> None:
        try:
            self._folder.mkdir(exist_ok=True)
            for name, text in texts.items():
                atomic_write(self._folder / name, text.encode(errors="replace"))
        except OSError as error:
            self._fail(write_fault(f"cannot write to {self._folder}", error))


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    """Identifies the state of the ISO file; None when it is gone."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns
