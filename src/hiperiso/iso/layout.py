"""Sector of the medium -> what lies there.

`read_layout` reads every file system that the image declares, the El Torito boot images, and the structures around
them. It never raises for what the image holds and ends within its deadline; an image that asks for more is mapped as
far as that went (``complete`` is False).
"""

from __future__ import annotations

import heapq
import os
import stat
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from hiperiso.contract.disk import Place
from hiperiso.errors import HiperisoError
from hiperiso.iso import iso9660, udf
from hiperiso.iso.inspect import BootEntry, inspect_iso
from hiperiso.iso.medium import SECTOR_BYTES, Catalogue, LimitReached, Medium, Node, Span

DEADLINE_S: Final = 5.0
MAX_SECTORS: Final = 1 << 25
"""Media larger than this (64 GiB) are mapped up to here."""

_SYSTEM_AREA_SECTORS: Final = 16
_MAX_DESCRIPTORS: Final = 64
_FLOPPY_BYTES: Final = {"floppy-1.2M": 1_228_800, "floppy-1.44M": 1_474_560, "floppy-2.88M": 2_949_120}
_DESCRIPTOR_MARKS: Final = (b"CD001", b"BEA01", b"NSR02", b"NSR03", b"BOOT2", b"TEA01")


class Piece(NamedTuple):
    """Sectors in a row that belong to the same place: number of the place, first sector, how many."""

    number: int
    lba: int
    sectors: int


@dataclass(frozen=True)
class Location:
    """A place of the medium. ``path`` is in brackets where no file lies."""

    path: str
    place: Place
    lba: int
    size_bytes: int


class Layout:
    """What lies in each sector. Made by `read_layout`, or empty for a medium that cannot be read."""

    NO_FILE = -1
    OUTSIDE = -2
    UNMAPPED = -3

    def __init__(
        self, catalogue: Catalogue, *, size_bytes: int, file_systems: list[str], complete: bool
    ) -> None:
        self.size_bytes = size_bytes
        self.sectors = -(-size_bytes // SECTOR_BYTES)
        self.file_systems = file_systems
        self.complete = complete
        self._catalogue = catalogue
        self._pieces = _resolve_overlaps(catalogue.spans)
        self._starts = [piece.lba for piece in self._pieces]

    @classmethod
    def unknown(cls, size_bytes: int = 0) -> Layout:
        """The layout of a medium of which nothing is known but perhaps its length."""
        return cls(Catalogue(0), size_bytes=size_bytes, file_systems=[], complete=False)

    @property
    def mapped(self) -> bool:
        """Whether any file system could be read."""
        return bool(self.file_systems)

    def split(self, lba: int, sectors: int) -> list[Piece]:
        """A run of sectors, cut where another place begins."""
        if not self.sectors:
            return [Piece(self.UNMAPPED, lba, sectors)]
        end = lba + sectors
        found: list[Piece] = []
        inside = min(end, self.sectors)
        index = bisect_right(self._starts, lba) - 1
        while lba < inside:
            piece = self._pieces[index] if index >= 0 else None
            if piece and lba < piece.lba + piece.sectors:
                stop, number = min(inside, piece.lba + piece.sectors), piece.number
            else:
                following = self._starts[index + 1] if index + 1 < len(self._starts) else inside
                stop, number = min(inside, following), self.NO_FILE if self.mapped else self.UNMAPPED
            if found and found[-1].number == number:
                found[-1] = Piece(number, found[-1].lba, stop - found[-1].lba)
            else:
                found.append(Piece(number, lba, stop - lba))
            lba = stop
            while index + 1 < len(self._starts) and self._starts[index + 1] <= lba:
                index += 1
        if lba < end:
            found.append(Piece(self.OUTSIDE, lba, end - lba))
        return found

    def location(self, number: int) -> Location:
        """The place with a number that `split` gave."""
        if number < 0:
            path, place = {
                self.NO_FILE: ("[no file]", Place.NO_FILE),
                self.OUTSIDE: ("[behind the end]", Place.OUTSIDE),
                self.UNMAPPED: ("[not mapped]", Place.UNMAPPED),
            }[number]
            return Location(path, place, 0, 0)
        node: Node = self._catalogue.nodes[number]
        return Location(self._catalogue.path(number), node.place, node.lba, node.size_bytes)

    def paths(self) -> dict[str, Location]:
        """Every file with its place: for tests and listings."""
        numbers = (number for number, node in enumerate(self._catalogue.nodes) if node.place is Place.FILE)
        return {self._catalogue.path(number): self.location(number) for number in numbers}


def read_layout(path: Path, *, deadline_s: float = DEADLINE_S) -> Layout:
    """The layout of an ISO image.

    A file that is not there or not a regular one gives an unknown layout; nothing is raised.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return Layout.unknown()
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Layout.unknown()
        return _read(path, Medium(descriptor, deadline_s=deadline_s))
    finally:
        os.close(descriptor)


def _read(path: Path, medium: Medium) -> Layout:
    catalogue = Catalogue(min(-(-medium.size_bytes // SECTOR_BYTES), MAX_SECTORS))
    file_systems: list[str] = []
    complete = False
    with suppress(LimitReached):
        descriptors = _descriptors(medium)
        complete = _walk(medium, descriptors, catalogue, file_systems)
        _claim_boot_images(path, catalogue, descriptors)
        _claim_structures(catalogue, descriptors)
    size_bytes = min(medium.size_bytes, MAX_SECTORS * SECTOR_BYTES)
    return Layout(catalogue, size_bytes=size_bytes, file_systems=file_systems, complete=complete)


def _walk(medium: Medium, descriptors: list[bytes], catalogue: Catalogue, file_systems: list[str]) -> bool:
    """Every file system, the one with the best names first: it gives its names to what several share."""
    try:
        volumes = iso9660.volumes(medium, descriptors)
        walks = [_walk_volume(volume) for volume in volumes]
        has_rock_ridge = bool(volumes) and volumes[0].rock_ridge
        walks.insert(1 if has_rock_ridge else 0, _walk_udf)
        for walk in walks:
            walk(medium, catalogue, file_systems)
    except LimitReached:
        return False
    return True


def _walk_volume(volume: iso9660.Volume) -> Callable[[Medium, Catalogue, list[str]], None]:
    def walk(medium: Medium, catalogue: Catalogue, file_systems: list[str]) -> None:
        file_systems.append(volume.kind)
        iso9660.walk(medium, volume, catalogue)

    return walk


def _walk_udf(medium: Medium, catalogue: Catalogue, file_systems: list[str]) -> None:
    at = len(file_systems)
    file_systems.append("udf")
    if not udf.walk(medium, catalogue):
        del file_systems[at]


def _descriptors(medium: Medium) -> list[bytes]:
    found: list[bytes] = []
    for number in range(_SYSTEM_AREA_SECTORS, _SYSTEM_AREA_SECTORS + _MAX_DESCRIPTORS):
        sector = medium.sector(number)
        if len(sector) < SECTOR_BYTES or sector[1:6] not in _DESCRIPTOR_MARKS:
            break
        found.append(sector)
    return found


def _claim_structures(catalogue: Catalogue, descriptors: list[bytes]) -> None:
    system = catalogue.add(-1, "[system area]", Place.STRUCTURE)
    catalogue.claim(system, 0, _SYSTEM_AREA_SECTORS, iso9660.RANK_STRUCTURE)
    volume = catalogue.add(-1, "[volume descriptors]", Place.STRUCTURE, lba=_SYSTEM_AREA_SECTORS)
    catalogue.claim(volume, _SYSTEM_AREA_SECTORS, len(descriptors), iso9660.RANK_STRUCTURE)
    tables = catalogue.add(-1, "[path tables]", Place.STRUCTURE)
    for sector in descriptors:
        if sector[1:6] == b"CD001" and sector[0] in (1, 2):
            block_bytes = int.from_bytes(sector[128:130], "little") or SECTOR_BYTES
            size_bytes = int.from_bytes(sector[132:136], "little")
            little, big = int.from_bytes(sector[140:144], "little"), int.from_bytes(sector[148:152], "big")
            for block in (little, big):
                start = block * block_bytes // SECTOR_BYTES
                catalogue.claim(tables, start, -(-size_bytes // SECTOR_BYTES), iso9660.RANK_STRUCTURE)
        elif sector[7:30] == b"EL TORITO SPECIFICATION":
            start = int.from_bytes(sector[71:75], "little")
            node = catalogue.add(-1, "[boot catalogue]", Place.STRUCTURE, lba=start)
            catalogue.claim(node, start, 1, iso9660.RANK_STRUCTURE)


def _claim_boot_images(path: Path, catalogue: Catalogue, descriptors: list[bytes]) -> None:
    if not any(sector[7:30] == b"EL TORITO SPECIFICATION" for sector in descriptors):
        return
    try:
        entries = inspect_iso(path).boot_entries
    except (HiperisoError, OSError):
        return
    for entry in entries[:64]:
        size_bytes = _boot_image_bytes(entry)
        name = f"[boot image for {entry.platform.value}]"
        node = catalogue.add(-1, name, Place.BOOT_IMAGE, size_bytes=size_bytes, lba=entry.load_sector)
        catalogue.claim(node, entry.load_sector, -(-size_bytes // SECTOR_BYTES), iso9660.RANK_BOOT)


def _boot_image_bytes(entry: BootEntry) -> int:
    """What the catalogue says: an emulated floppy has its full size, other images the sectors to load."""
    return _FLOPPY_BYTES.get(entry.media, max(entry.load_count, 1) * 512)


def _resolve_overlaps(spans: list[Span]) -> list[Piece]:
    """Spans without overlaps: in each sector the span of the lowest rank, of several the shortest, stays."""
    events = sorted(range(len(spans)), key=lambda index: spans[index].start)
    pieces: list[Piece] = []
    active: list[
        tuple[int, int, int]
    ] = []  # rank, sectors, index: the best first; those that ended drop out late
    at = 0
    position = 0
    while position < len(events) or active:
        while active and _end(spans[active[0][2]]) <= at:
            heapq.heappop(active)
        if not active:
            if position >= len(events):
                break
            at = max(at, spans[events[position]].start)
        while position < len(events) and spans[events[position]].start <= at:
            span = spans[events[position]]
            heapq.heappush(active, (span.rank, span.sectors, events[position]))
            position += 1
        while active and _end(spans[active[0][2]]) <= at:
            heapq.heappop(active)
        if not active:
            continue
        best = spans[active[0][2]]
        stop = _end(best)
        if position < len(events):
            stop = min(stop, spans[events[position]].start)
        if pieces and pieces[-1].number == best.node and pieces[-1].lba + pieces[-1].sectors == at:
            pieces[-1] = pieces[-1]._replace(sectors=stop - pieces[-1].lba)
        else:
            pieces.append(Piece(best.node, at, stop - at))
        at = stop
    return pieces


def _end(span: Span) -> int:
    return span.start + span.sectors
