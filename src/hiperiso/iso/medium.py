"""Reading a medium that may be broken or made to hurt, within limits of time and memory; collecting what lies where."""

from __future__ import annotations

import os
import time
from typing import Final, NamedTuple

from hiperiso.contract.disk import Place

SECTOR_BYTES: Final = 2048
MAX_NODES: Final = 200_000
_MAX_SPANS: Final = 400_000
_MAX_NAME_CHARS: Final = 255
_MAX_PATH_CHARS: Final = 1024
_MAX_READ_BYTES: Final = 256 << 20
_MAX_SINGLE_BYTES: Final = 8 << 20


class LimitReached(Exception):
    """The medium asks for more time or memory than it may have; what was found so far stands."""


class Medium:
    """Bounded reading of one open file. Raises `LimitReached` when the limits are spent."""

    def __init__(self, descriptor: int, *, deadline_s: float) -> None:
        self.size_bytes = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._until = time.monotonic() + deadline_s
        self._left_bytes = _MAX_READ_BYTES

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        """Up to `size_bytes`; less or nothing at and behind the end, and where the file cannot be read."""
        size_bytes = min(size_bytes, _MAX_SINGLE_BYTES, self.size_bytes - offset_bytes)
        if offset_bytes < 0 or size_bytes <= 0:
            self.spend(1)
            return b""
        self.spend(size_bytes)
        try:
            return os.pread(self._descriptor, size_bytes, offset_bytes)
        except OSError:
            return b""

    def sector(self, number: int) -> bytes:
        """One sector of 2048 bytes, or less at the end."""
        return self.read(number * SECTOR_BYTES, SECTOR_BYTES)

    def spend(self, size_bytes: int) -> None:
        """Count work against the limits."""
        self._left_bytes -= size_bytes
        if self._left_bytes < 0 or time.monotonic() > self._until:
            raise LimitReached


class Node(NamedTuple):
    """Something with a name. ``parent`` is the number of its directory's node, -1 at the top."""

    parent: int
    name: str
    place: Place
    size_bytes: int
    lba: int


class Span(NamedTuple):
    """Sectors that belong to a node. Where several claim a sector the lowest ``rank`` wins, then the shorter span."""

    start: int
    sectors: int
    rank: int
    node: int


class Catalogue:
    """What was found on a medium, file system by file system."""

    def __init__(self, medium_sectors: int) -> None:
        self.nodes: list[Node] = []
        self.spans: list[Span] = []
        self._claimed: set[tuple[int, int]] = set()
        self._medium_sectors = medium_sectors

    def add(self, parent: int, name: str, place: Place, *, size_bytes: int = 0, lba: int = 0) -> int:
        """A new node; returns its number. Raises `LimitReached`."""
        if len(self.nodes) >= MAX_NODES:
            raise LimitReached
        self.nodes.append(Node(parent, name[:_MAX_NAME_CHARS], place, size_bytes, lba))
        return len(self.nodes) - 1

    def claim(self, node: int, start: int, sectors: int, rank: int) -> None:
        """Say that sectors belong to `node`; a span that an earlier node has claimed stays with that."""
        sectors = min(sectors, self._medium_sectors - start)
        if start < 0 or sectors <= 0 or (start, sectors) in self._claimed:
            return
        if len(self.spans) >= _MAX_SPANS:
            raise LimitReached
        self._claimed.add((start, sectors))
        self.spans.append(Span(start, sectors, rank, node))

    def path(self, number: int) -> str:
        """The path of a node, from the root; names in brackets for what is no file."""
        node = self.nodes[number]
        if node.place not in (Place.FILE, Place.DIRECTORY):
            return node.name
        parts: list[str] = []
        length = 0
        while number >= 0 and length <= _MAX_PATH_CHARS:
            at = self.nodes[number]
            if at.name:
                parts.append(at.name)
                length += len(at.name) + 1
            number = at.parent
        path = "/" + "/".join(reversed(parts))
        return path if len(path) <= _MAX_PATH_CHARS else "…" + path[1 - _MAX_PATH_CHARS :]
