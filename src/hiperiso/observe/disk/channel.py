"""What the guest reads from the ISO: as live events, and as a table at the end.

Feed it QEMU's text trace; it returns one event per file and second, and the summary for ``disk.json``.
Only reading the directories of the image (`DiskChannel.load`) takes time: tens of milliseconds for
thousands of files, bounded for any image. Call it in a thread before the first `drain` to keep an event loop free.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hiperiso.contract.disk import BUSY_GAP_S, MAX_SECONDS, DiskSummary, FileRead, Place, RootImage
from hiperiso.contract.eventdata import DiskData
from hiperiso.contract.events import IsoRead
from hiperiso.iso.reader import SECTOR_BYTES
from hiperiso.iso.sectormap import SectorMap, read_sector_map
from hiperiso.observe.disk.trace import DiskRead, TraceReads
from hiperiso.text import plain

BUCKETS: Final = 256
MAX_FILES: Final = 1000
_MAX_EVENTS_PER_SECOND: Final = 20
_MAX_PLACES: Final = 100_000
_ROOT_NAME: Final = re.compile(
    r"(?:\.squashfs|\.sfs|\.erofs|/rootfs(?:\.img|\.[a-z0-9]{1,8})?|/ext3fs\.img|/root\.(?:img|iso)|\.wim|\.esd|/filesystem\.[a-z0-9.]{1,20})$",
    re.IGNORECASE,
)
_ROOT_MIN_BYTES: Final = 1 << 20
_PAGE_SECTORS: Final = 2


@dataclass(slots=True)
class _Totals:
    order: int
    lba: int
    first_s: float
    last_s: float
    head_s: float | None = None  # the first read at its beginning
    bytes_read: int = 0
    bytes_unique: int = 0
    requests: int = 0
    over_time: dict[int, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class _Second:
    lba: int
    first_s: float
    last_s: float
    bytes_read: int = 0
    requests: int = 0


@dataclass
class DiskChannel:
    """One boot's reads of its ISO.

    Args:
        iso: the image.
        wall_zero_s: the wall-clock time (seconds since the epoch) of t = 0; None makes the first stamp of the trace
            t = 0.
        read_map: returns the sector map of the image; None opens the image to make it.
    """

    iso: Path
    wall_zero_s: float | None = None
    read_map: Callable[[], SectorMap] | None = None
    _map: SectorMap | None = None
    _reads: TraceReads = field(default_factory=TraceReads)
    _waiting: list[DiskRead] = field(default_factory=list)
    _totals: dict[int, _Totals] = field(default_factory=dict)
    _seconds: dict[int, dict[int, _Second]] = field(default_factory=dict)
    _coverage: bytearray = field(default_factory=bytearray)
    _heat: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    _touched: dict[int, float] = field(default_factory=dict)
    _requests: int = 0
    _first_s: float | None = None
    _last_s: float | None = None
    _busy_s: float = 0.0

    def load(self) -> SectorMap:
        """Read the directories of the image, once. Never raises for what is in it."""
        if self._map is None:
            self._map = self.read_map() if self.read_map else read_sector_map(self.iso)
        if not self._coverage:
            self._coverage = bytearray(self._map.sectors)
        return self._map

    def feed(self, data: bytes) -> None:
        """Parse the next bytes of trace.log."""
        self._waiting += self._reads.feed(data)

    def drain(self, t: float) -> list[IsoRead]:
        """The events of every whole second before `t`. Call it at most once a second."""
        self._count()
        return [
            event for second in sorted(self._seconds) if second + 1 <= t for event in self._events_of(second)
        ]

    def finish(self) -> list[IsoRead]:
        """The remaining events, when the recording has ended."""
        return self.drain(float("inf"))

    def touched(self) -> list[tuple[str, float]]:
        """The path of every file that was read since the last call, and when it was read last."""
        self._count()
        layout, touched = self.load(), self._touched
        self._touched = {}
        return [(layout.location(number).path, t) for number, t in touched.items()]

    def summary(self) -> DiskSummary:
        """Everything so far, as disk.json has it."""
        self._count()
        places = self.load()
        ordered = sorted(self._totals.items(), key=lambda item: (-item[1].bytes_read, item[1].order))
        files = [self._file_read(number, totals) for number, totals in ordered[:MAX_FILES]]
        bucket_bytes = self._bucket_sectors() * SECTOR_BYTES
        meter = self._reads.waiting
        return DiskSummary(
            iso_path=str(self.iso),
            iso_bytes=places.size_bytes,
            mapped=places.mapped,
            file_systems=list(places.file_systems),
            complete=places.complete,
            requests=self._requests,
            bytes_read=sum(totals.bytes_read for totals in self._totals.values()),
            bytes_unique=self._coverage.count(1) * SECTOR_BYTES,
            first_s=self._first_s,
            last_s=self._last_s,
            busy_s=round(self._busy_s, 3),
            waiting_s=round(meter.waited_s if meter.is_exact else self._busy_s, 6),
            waiting_estimated=not meter.is_exact,
            longest_wait_s=round(meter.longest_s, 6) if meter.is_exact else None,
            root_image=self._root_image(),
            bucket_bytes=bucket_bytes,
            heat=list(self._heat),
            covered=self._covered(),
            files=files,
            files_left_out=len(ordered) - len(files),
        )

    # ── counting ──

    def _count(self) -> None:
        if self._waiting:
            places = self.load()
            waiting, self._waiting = self._waiting, []
            for read in waiting:
                self._count_read(places, read)

    def _count_read(self, places: SectorMap, read: DiskRead) -> None:
        if self.wall_zero_s is None:
            self.wall_zero_s = read.t_wall_s
        t = round(read.t_wall_s - self.wall_zero_s, 4)
        self._requests += 1
        if self._first_s is None:
            self._first_s = t
        if self._last_s is not None and 0 < t - self._last_s <= BUSY_GAP_S:
            self._busy_s += t - self._last_s
        self._last_s = t
        self._heat_up(read.lba, read.sectors)
        for number, lba, sectors in places.split(read.lba, read.sectors):
            fresh = self._cover(lba, sectors)
            totals = self._totals.get(number)
            if totals is None:
                if len(self._totals) >= _MAX_PLACES:
                    continue
                totals = self._totals[number] = _Totals(len(self._totals) + 1, lba, t, t)
            totals.last_s = self._touched[number] = t
            if totals.head_s is None and number >= 0 and lba - read.lba < _PAGE_SECTORS:
                totals.head_s = t if places.location(number).lba == lba else None
            totals.bytes_read += sectors * SECTOR_BYTES
            totals.bytes_unique += fresh * SECTOR_BYTES
            totals.requests += 1
            if len(totals.over_time) < MAX_SECONDS or int(t) in totals.over_time:
                spent = totals.over_time.setdefault(int(t), [0, 0])
                spent[0] += 1
                spent[1] += sectors * SECTOR_BYTES
            second = self._seconds.setdefault(int(t), {})
            row = second.get(number)
            if row is None:
                row = second[number] = _Second(lba, t, t)
            row.last_s = t
            row.bytes_read += sectors * SECTOR_BYTES
            row.requests += 1

    def _cover(self, lba: int, sectors: int) -> int:
        """Mark sectors as read; returns how many had not been read before."""
        end = min(lba + sectors, len(self._coverage))
        if end <= lba:
            return 0
        fresh = self._coverage.count(0, lba, end)
        if fresh:
            self._coverage[lba:end] = b"\1" * (end - lba)
        return fresh

    def _bucket_sectors(self) -> int:
        return max(1, -(-len(self._coverage) // BUCKETS))

    def _heat_up(self, lba: int, sectors: int) -> None:
        width = self._bucket_sectors()
        end = min(lba + sectors, len(self._coverage))
        while lba < end:
            bucket = lba // width
            stop = min(end, (bucket + 1) * width)
            self._heat[bucket] += (stop - lba) * SECTOR_BYTES
            lba = stop

    def _covered(self) -> list[int]:
        width = self._bucket_sectors()
        return [
            self._coverage.count(1, bucket * width, (bucket + 1) * width) * SECTOR_BYTES
            for bucket in range(BUCKETS)
        ]

    # ── events ──

    def _events_of(self, second: int) -> list[IsoRead]:
        places = self.load()
        rows = sorted(self._seconds.pop(second).items(), key=lambda item: -item[1].bytes_read)
        shown = rows[:_MAX_EVENTS_PER_SECOND]
        events = [self._event(places, number, row) for number, row in shown]
        rest = [row for _, row in rows[_MAX_EVENTS_PER_SECOND:]]
        if rest:
            data = DiskData(
                bytes=sum(row.bytes_read for row in rest),
                requests=sum(row.requests for row in rest),
                files=len(rest),
            )
            last_s = max(row.last_s for row in rest)
            events.append(IsoRead(t=last_s, text=f"({len(rest)} more files)", data=data))
        return sorted(events, key=lambda event: event.t)

    @staticmethod
    def _event(places: SectorMap, number: int, row: _Second) -> IsoRead:
        location = places.location(number)
        data = DiskData(
            place=location.place,
            lba=row.lba,
            bytes=row.bytes_read,
            requests=row.requests,
            first_s=row.first_s,
        )
        return IsoRead(t=row.last_s, text=plain(location.path, 1024), data=data)

    def _file_read(self, number: int, totals: _Totals) -> FileRead:
        location = self.load().location(number)
        return FileRead(
            path=plain(location.path, 1024),
            place=location.place,
            order=totals.order,
            lba=location.lba if number >= 0 else totals.lba,
            size_bytes=location.size_bytes,
            bytes_read=totals.bytes_read,
            bytes_unique=totals.bytes_unique,
            requests=totals.requests,
            first_s=totals.first_s,
            last_s=totals.last_s,
            over_time=[(second, *spent) for second, spent in sorted(totals.over_time.items())],  # type: ignore[misc]
        )

    def _root_image(self) -> RootImage | None:
        """The largest file read whose name is one that live systems give their root.

        Whatever uses it reads its beginning first. What a loader reads of it along with neighbouring files does not
        count, unless nothing else was read.
        """
        places = self.load()
        best: tuple[int, RootImage] | None = None
        for number, totals in self._totals.items():
            location = places.location(number)
            if location.place is not Place.FILE or location.size_bytes < _ROOT_MIN_BYTES:
                continue
            if _ROOT_NAME.search(location.path) and (best is None or location.size_bytes > best[0]):
                first_s = totals.first_s if totals.head_s is None else totals.head_s
                image = RootImage(path=plain(location.path, 1024), first_s=first_s)
                best = (location.size_bytes, image)
        return best[1] if best else None
