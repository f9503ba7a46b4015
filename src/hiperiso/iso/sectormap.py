"""Sector of the image -> what it belongs to."""

from __future__ import annotations

import heapq
import os
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hiperiso.contract.disk import Place
from hiperiso.errors import IsoError
from hiperiso.iso.contents import Contents, Node, Span
from hiperiso.iso.inspect import open_image
from hiperiso.iso.reader import DEADLINE_S, SECTOR_BYTES, ImageReader
from hiperiso.iso.walk import MAX_SECTORS, read_contents


class Piece(NamedTuple):
    """Contiguous sectors of the same place: number of the place, first sector, number of sectors."""

    number: int
    lba: int
    sectors: int


@dataclass(frozen=True)
class Location:
    """A place of the image. ``path`` is in brackets where there is no file."""

    path: str
    place: Place
    lba: int
    size_bytes: int


class SectorMap:
    """The place of each sector; empty for an image that cannot be read."""

    NO_FILE = -1
    OUTSIDE = -2
    UNMAPPED = -3

    def __init__(self, contents: Contents, *, size_bytes: int) -> None:
        self.size_bytes = min(size_bytes, MAX_SECTORS * SECTOR_BYTES)
        self.sectors = -(-self.size_bytes // SECTOR_BYTES)
        self.file_systems = [system.kind for system in contents.file_systems]
        self.complete = contents.complete
        self._contents = contents
        self._pieces = _resolve_overlaps(contents.spans)
        self._starts = [piece.lba for piece in self._pieces]

    @classmethod
    def unknown(cls, size_bytes: int = 0) -> SectorMap:
        """The map of an image of which at most its length is known."""
        return cls(Contents(0), size_bytes=size_bytes)

    @property
    def mapped(self) -> bool:
        """Whether any file system could be read."""
        return bool(self.file_systems)

    def split(self, lba: int, sectors: int) -> list[Piece]:
        """A run of sectors, split where another place begins."""
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
        """The place with a number from `split`."""
        if number < 0:
            path, place = {
                self.NO_FILE: ("[no file]", Place.NO_FILE),
                self.OUTSIDE: ("[past the end]", Place.OUTSIDE),
                self.UNMAPPED: ("[not mapped]", Place.UNMAPPED),
            }[number]
            return Location(path, place, 0, 0)
        node: Node = self._contents.nodes[number]
        return Location(self._contents.path(number), node.place, node.lba, node.size_bytes)

    def paths(self) -> dict[str, Location]:
        """Every file with its place: for tests and listings."""
        numbers = (number for number, node in enumerate(self._contents.nodes) if node.place is Place.FILE)
        return {self._contents.path(number): self.location(number) for number in numbers}


def read_sector_map(path: Path, *, deadline_s: float = DEADLINE_S) -> SectorMap:
    """The map of an image that is not open.

    Anything missing, or neither a file nor a block device, gives an unknown map; nothing is raised.
    """
    try:
        descriptor = open_image(path)
    except IsoError:
        return SectorMap.unknown()
    try:
        return map_sectors(ImageReader(descriptor, deadline_s=deadline_s))
    finally:
        os.close(descriptor)


def map_sectors(reader: ImageReader) -> SectorMap:
    """The map of an image that is open."""
    return SectorMap(read_contents(reader), size_bytes=reader.size_bytes)


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
