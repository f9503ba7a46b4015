"""What has to be done beside the channels while a guest runs: the disk, the ISO and the inventory of the machine."""

# ruff: noqa: ARG002 - the methods of an Observer get what any of them may need
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.store import atomic_write
from hiperiso.contract.words import EndReason
from hiperiso.machine.inventory import host_inventory, qemu_inventory
from hiperiso.machine.qmp import Qmp, QmpFault
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.eventlog import EventLog
from hiperiso.session.flush import BULK, FLUSH_S, LOGS, Flush, every
from hiperiso.session.observer import Work

HEARTBEAT_S = 2.0
_INVENTORY_AFTER_S = 2.0  # by then the firmware has placed the devices

Fail = Callable[[str], None]
"""Takes what failed on our side, in one line."""


class DiskUpkeep:
    """The liveness marker and the flush of what grows; they also notice a disk that is full or gone."""

    def __init__(self, directory: SessionDirectory, log: EventLog, fail: Fail) -> None:
        self._directory = directory
        self._log = log
        self._fail = fail
        self._bulk = Flush(directory.path, BULK)

    def start(self) -> Sequence[Work]:
        """The first beat at once: a session that ran QEMU has it, however soon it ends."""
        try:
            self._directory.heartbeat(elapsed_s=self._log.now())
        except OSError as error:
            self._failed(error)
        flush = Flush(self._directory.path, LOGS)
        return every(HEARTBEAT_S, self._beat, self._failed), every(FLUSH_S, flush, self._failed)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """What is written at the end is synced by whoever writes it."""

    async def close(self) -> None:
        """It holds nothing."""

    def _beat(self) -> None:
        self._directory.heartbeat(elapsed_s=self._log.now())
        self._bulk()

    def _failed(self, error: OSError) -> None:
        self._fail(f"cannot write to {self._directory.path}: {error.strerror}")


class IsoWatch:
    """An ISO that changes under its guest makes the recording worthless."""

    def __init__(self, iso: Path, fail: Fail) -> None:
        self._iso = iso
        self._fail = fail
        self._identity = _identity(iso)

    def start(self) -> Sequence[Work]:
        """Look at it every now and then."""
        return (self._watch(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """What happens to it from now on is no matter."""

    async def close(self) -> None:
        """It holds nothing."""

    async def _watch(self) -> None:
        while True:
            if _identity(self._iso) != self._identity:
                self._fail(f"the ISO vanished or changed during the boot: {self._iso}")
            await asyncio.sleep(HEARTBEAT_S)


class InventoryTaker:
    """Writes ``hw/``: what the guest's machine and the host consist of."""

    def __init__(self, qmp: Qmp, directory: Path, fail: Fail) -> None:
        self._qmp = qmp
        self._folder = directory / files.HW_DIR
        self._fail = fail

    def start(self) -> Sequence[Work]:
        """Once soon: a guest may end without a word."""
        return (self._take_later(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """Once more, as the guest has set it up."""
        if alive:
            await self._take()

    async def close(self) -> None:
        """It holds nothing."""

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
            self._fail(f"cannot write to {self._folder}: {error.strerror}")


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    """What tells one state of the ISO from another; None when it is gone."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns
