"""Requests to the drives, by the events of the block layer and of the drives' own devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from hiperiso.contract.tracereport import DriveUse
from hiperiso.trace.answers.accesses import numbers
from hiperiso.trace.reader import Batch

_BLOCK: Final = {"blk_co_preadv": False, "blk_co_pwritev": True}
_KINDS: Final = {
    "ide_atapi_cmd_read": "CD-ROM",
    "virtio_blk_handle_read": "virtio disk",
    "virtio_blk_handle_write": "virtio disk",
    "scsi_disk_dma_command_READ": "SCSI or USB disk",
    "scsi_disk_dma_command_WRITE": "SCSI or USB disk",
}
"""What the device is whose request the next one of the block layer serves."""
_ENDS: Final = frozenset({"ahci_cmd_done", "ahci_reset_port", "ahci_reset", "ide_reset"})
_FAILS: Final = frozenset({"ide_atapi_cmd_error"})
_MAX_DRIVES: Final = 64
_MAX_SECONDS: Final = 3600

Request = tuple[int, int, "_Drive", int]
"""Its place in the batch, its time, the drive, its offset in bytes; -1 less the offset for writes."""


@dataclass(eq=False)
class _Drive:
    name: str
    kind: str
    reads: int = 0
    bytes_read: int = 0
    writes: int = 0
    bytes_written: int = 0
    first_ns: int = 0
    last_ns: int = 0
    seconds: dict[int, list[int]] = field(default_factory=dict)


class Drives:
    """Takes batches.

    Attributes:
        waiting_ns: when the command was begun that the CD-ROM drive has not ended; 0 without one.
        errors: times of commands that ended with an error, the last hundred of each batch.
        error_count: how many there were.
    """

    def __init__(self, zero_ns: int) -> None:
        self.waiting_ns = 0
        self.errors: list[int] = []
        self.error_count = 0
        self._zero_ns = zero_ns
        self._drives: dict[int, _Drive] = {}
        self._kind = ""
        self._ends_seen = False

    def feed(self, batch: Batch) -> list[Request]:
        """Count the requests of a batch; returns them in order."""
        requests: list[Request] = []
        for row, t_ns, event, values in self._events(batch):
            if event in _KINDS:
                self._kind = _KINDS[event]
                if event == "ide_atapi_cmd_read":
                    self.waiting_ns = t_ns
            elif event in _ENDS:
                self._ends_seen = True
                self.waiting_ns = 0
            elif event in _FAILS:
                self.error_count += 1
                self.errors = [*self.errors[-99:], t_ns]
                self.waiting_ns = 0
            else:
                blk, offset, size = values
                drive = self._drive(blk)
                write = _BLOCK[event]
                self._count(drive, t_ns, size, write=write)
                requests.append((row, t_ns, drive, -1 - offset if write else offset))
        return requests

    @property
    def pending_ns(self) -> int:
        """When a command was begun that has not ended; 0 without one, or where ends are not recorded."""
        return self.waiting_ns if self._ends_seen else 0

    def used(self) -> list[DriveUse]:
        """The drives, the most read first."""
        found = [self._use(drive) for drive in self._drives.values()]
        return sorted(found, key=lambda use: (-use.bytes_read - use.bytes_written, use.drive))

    def _events(self, batch: Batch) -> Iterator[tuple[int, int, str, tuple[int, ...]]]:
        rows: list[tuple[int, int, str, tuple[int, ...]]] = []
        for part in batch.events:
            if not part.form:
                continue
            if part.event in _BLOCK:
                values = numbers(part)
                found = zip(values["blk"], values["offset"], values["bytes"], strict=True)
                rows += [
                    (row, t, part.event, one) for row, t, one in zip(part.row, part.t_ns, found, strict=True)
                ]
            elif part.event in _KINDS or part.event in _ENDS or part.event in _FAILS:
                rows += [(row, t, part.event, ()) for row, t in zip(part.row, part.t_ns, strict=True)]
        return iter(sorted(rows))

    def _drive(self, blk: int) -> _Drive:
        drive = self._drives.get(blk)
        if drive is None:
            if len(self._drives) >= _MAX_DRIVES:
                return next(iter(self._drives.values()))
            drive = self._drives[blk] = _Drive(self._name(self._kind), self._kind)
        elif self._kind and not drive.kind:  # such as the first reads, by QEMU itself
            drive.name, drive.kind = self._name(self._kind), self._kind
        self._kind = ""
        return drive

    def _name(self, kind: str) -> str:
        kind = kind or "drive"
        number = 1 + sum(drive.name.startswith(kind) for drive in self._drives.values())
        return f"{kind} {number}" if number > 1 else kind

    def _count(self, drive: _Drive, t_ns: int, size: int, *, write: bool) -> None:
        size = max(0, size)
        drive.first_ns = drive.first_ns or t_ns
        drive.last_ns = max(drive.last_ns, t_ns)
        second = (t_ns - self._zero_ns) // 1_000_000_000
        row = drive.seconds.get(second)
        if row is None:
            row = (
                drive.seconds.setdefault(second, [0, 0, 0, 0])
                if len(drive.seconds) < _MAX_SECONDS
                else [0, 0, 0, 0]
            )
        row[2 * write] += 1
        row[2 * write + 1] += size
        if write:
            drive.writes += 1
            drive.bytes_written += size
        else:
            drive.reads += 1
            drive.bytes_read += size

    def _use(self, drive: _Drive) -> DriveUse:
        return DriveUse(
            drive=drive.name,
            reads=drive.reads,
            bytes_read=drive.bytes_read,
            writes=drive.writes,
            bytes_written=drive.bytes_written,
            first_s=round((drive.first_ns - self._zero_ns) / 1e9, 6),
            last_s=round((drive.last_ns - self._zero_ns) / 1e9, 6),
            errors=self.error_count if drive.name == "CD-ROM" else 0,
            over_time=[(second, *row) for second, row in sorted(drive.seconds.items())],  # type: ignore[misc]
        )
