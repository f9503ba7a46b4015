"""The reads of the medium, extracted from QEMU's text trace.

Lines are ``tid@seconds.microseconds:event arguments`` (``-msg timestamp=on``), the seconds being wall-clock time since
the epoch; formats of the events as in QEMU's ``trace-events-all``.

An IDE or AHCI drive traces each command (``ide_atapi_cmd_read``), including the firmware's programmed I/O. On
other buses only the block layer's event (``blk_co_preadv``) exists. It is emitted for every drive of the machine, so
the medium is identified by a read that only it receives: the volume descriptors in sector 16.

A command of the drive ends with ``ahci_cmd_done`` of its port, or with a reset of it. The medium is at the first port.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hiperiso.observe.disk.waiting import WaitMeter

SECTOR_BYTES: Final = 2048
_DESCRIPTORS: Final = 16 * SECTOR_BYTES
_MAX_LINE_BYTES: Final = 4096
_MAX_UNASSIGNED: Final = 4096
_MAX_SECTORS: Final = 1 << 31
_ATAPI: Final = b":ide_atapi_cmd_read "
_BLOCK: Final = b":blk_co_preadv "
_ENDS: Final = (b":ahci_cmd_done ", b":ahci_reset_port ")
_ON_FIRST_PORT: Final = re.compile(rb"ahci\([^)\n]{1,32}\)\[0\]:")
_STAMP: Final = re.compile(rb"(?:\d{1,10}@)?(\d{1,12}\.\d{1,9})$")
_ATAPI_ARGUMENTS: Final = re.compile(rb"[^\n]{1,80}?\bLBA=(\d{1,10}) nb_sectors=(\d{1,10})\r?$")
_BLOCK_ARGUMENTS: Final = re.compile(rb"blk (\S{1,32}) [^\n]{0,60}?\boffset (\d{1,18}) bytes (\d{1,18})\b")


@dataclass(frozen=True, slots=True)
class DiskRead:
    """One read of the medium: when (seconds since the epoch), from which sector of 2048 bytes, how many of them."""

    t_wall_s: float
    lba: int
    sectors: int


class TraceReads:
    """Finds the reads of the medium in a trace that arrives in chunks of any size.

    Attributes:
        waiting: how long the reads took.
    """

    def __init__(self) -> None:
        self.waiting = WaitMeter()
        self._rest = b""
        self._skipping = False
        self._atapi = False
        self._medium: bytes | None = None
        self._unassigned: deque[tuple[bytes, DiskRead]] = deque(maxlen=_MAX_UNASSIGNED)

    def feed(self, data: bytes) -> list[DiskRead]:
        """Parse the next bytes; return the reads in their complete lines, in order."""
        whole, _, rest = (self._rest + data).rpartition(b"\n")
        if self._skipping and whole:  # the rest of an overlong line
            _, _, whole = whole.partition(b"\n")
            self._skipping = False
        self._rest = rest
        if len(rest) > _MAX_LINE_BYTES:
            self._rest, self._skipping = b"", True
        elif self._skipping:
            self._rest = b""
        return self._reads(whole) if whole else []

    def _reads(self, text: bytes) -> list[DiskRead]:
        """Searches for the event names: in the fuller tiers only one line in a hundred is relevant."""
        if not self._atapi and _ATAPI in text:
            self._atapi = True
            self._unassigned.clear()
        found: list[DiskRead] = []
        names = (_ATAPI, *_ENDS) if self._atapi else (_BLOCK,)
        for at, name in sorted((at, wanted) for wanted in names for at in _places(text, wanted)):
            end = text.find(b"\n", at)
            end = len(text) if end < 0 else end
            stamp = _STAMP.search(text, max(text.rfind(b"\n", 0, at) + 1, at - 40), at)
            if stamp:
                arguments = text[at + len(name) : min(end, at + _MAX_LINE_BYTES)]
                found += self._take(name, float(stamp[1]), arguments)
        return found

    def _take(self, name: bytes, t_wall_s: float, arguments: bytes) -> list[DiskRead]:
        if name in _ENDS:
            if _ON_FIRST_PORT.match(arguments):
                self.waiting.end(t_wall_s)
            return []
        if name == _ATAPI:
            match = _ATAPI_ARGUMENTS.match(arguments)
            reads = _sectors(t_wall_s, int(match[1]), int(match[2])) if match else []
            if reads:
                self.waiting.begin(t_wall_s)
            return reads
        match = _BLOCK_ARGUMENTS.match(arguments)
        if not match:
            return []
        drive, offset, length = match[1], int(match[2]), int(match[3])
        first = offset // SECTOR_BYTES
        reads = _sectors(t_wall_s, first, -(-(offset + length) // SECTOR_BYTES) - first if length else 0)
        if self._medium is None:
            if not offset <= _DESCRIPTORS < offset + length or offset == 0:
                self._unassigned.extend((drive, read) for read in reads)
                return []
            self._medium = drive
            earlier = [read for other, read in self._unassigned if other == drive]
            self._unassigned.clear()
            return earlier + reads
        return reads if drive == self._medium else []


def _places(text: bytes, name: bytes) -> Iterator[int]:
    """The positions of `name`, at most one per line."""
    at = text.find(name)
    while at >= 0:
        yield at
        end = text.find(b"\n", at)
        at = -1 if end < 0 else text.find(name, end)


def _sectors(t_wall_s: float, lba: int, count: int) -> list[DiskRead]:
    return [DiskRead(t_wall_s, lba, count)] if 0 < count < _MAX_SECTORS and lba < 1 << 40 else []
