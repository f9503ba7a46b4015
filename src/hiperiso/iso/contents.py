"""The content of an image: directories, files and structures, and the sectors and bytes that they occupy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from hiperiso.contract.disk import Place
from hiperiso.iso.reader import LimitReached

RANK_FILE, RANK_BOOT, RANK_DIRECTORY, RANK_STRUCTURE = range(4)

MAX_NODES: Final = 200_000
_MAX_SPANS: Final = 400_000
_MAX_NAME_CHARS: Final = 255
_MAX_PATH_CHARS: Final = 1024
HOLE: Final = -1
"""Offset of an extent that was never recorded: zeros."""


class Node(NamedTuple):
    """A named object. ``parent`` is the node number of its directory, -1 at the top."""

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


class Extent(NamedTuple):
    """Contiguous bytes of a file on the image. ``offset_bytes`` is `HOLE` for zeros that are not stored."""

    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True)
class FileSystem:
    """One of the file systems of an image: ``rock_ridge``, ``joliet``, ``iso9660_1999``, ``iso9660`` or ``udf``."""

    kind: str
    root: int


class Contents:
    """What was found on an image, file system by file system.

    Attributes:
        nodes: all named objects; a node's number is its index here.
        spans: which sectors belong to which node.
        extents: where the bytes of a file are, by node.
        records: by node, where the image describes a file: the offsets in bytes of its directory records (ISO 9660,
            Joliet), or of its file entry (UDF).
        links: the target of each symbolic link, by node.
        file_systems: those that could be read, the one with the best names first.
        complete: whether all of it was read.
    """

    def __init__(self, image_sectors: int) -> None:
        self.nodes: list[Node] = []
        self.spans: list[Span] = []
        self.extents: dict[int, list[Extent]] = {}
        self.records: dict[int, list[int]] = {}
        self.links: dict[int, str] = {}
        self.file_systems: list[FileSystem] = []
        self.complete = False
        self._claimed: set[tuple[int, int]] = set()
        self._image_sectors = image_sectors

    def add(self, parent: int, name: str, place: Place, *, size_bytes: int = 0, lba: int = 0) -> int:
        """A new node; returns its number. Raises `LimitReached`."""
        if len(self.nodes) >= MAX_NODES:
            raise LimitReached
        self.nodes.append(Node(parent, name[:_MAX_NAME_CHARS], place, size_bytes, lba))
        return len(self.nodes) - 1

    def add_root(self, kind: str) -> int:
        """The root directory of another file system; returns its node."""
        root = self.add(-1, "", Place.DIRECTORY)
        self.file_systems.append(FileSystem(kind, root))
        return root

    def grow(self, node: int, size_bytes: int) -> None:
        """Add another extent to a file."""
        self.nodes[node] = self.nodes[node]._replace(size_bytes=self.nodes[node].size_bytes + size_bytes)

    def claim(self, node: int, start: int, sectors: int, rank: int) -> None:
        """Assign sectors to `node`; a span that an earlier node claimed stays with that one."""
        sectors = min(sectors, self._image_sectors - start)
        if start < 0 or sectors <= 0 or (start, sectors) in self._claimed:
            return
        if len(self.spans) >= _MAX_SPANS:
            raise LimitReached
        self._claimed.add((start, sectors))
        self.spans.append(Span(start, sectors, rank, node))

    def path(self, number: int) -> str:
        """The path of a node, from the root; names in brackets for anything that is not a file."""
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
