"""An ISO file, opened and inspected once: its descriptors, what it holds, which sector belongs to what, its files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Self

from hiperiso.contract.disk import Place
from hiperiso.iso.contents import HOLE, Contents, Extent
from hiperiso.iso.eltorito import Platform
from hiperiso.iso.inspect import IsoInfo, inspect_image, open_image
from hiperiso.iso.reader import DEADLINE_S, SECTOR_BYTES, ImageReader, LimitReached
from hiperiso.iso.tree import MAX_ENTRIES, Tree

if TYPE_CHECKING:
    from hiperiso.iso.changes import Changes
    from hiperiso.iso.fat import Read
    from hiperiso.iso.sectormap import SectorMap


class IsoImage:
    """An open ISO. Everything except its descriptors is read once, on first use.

    May be used from several threads. After `close`, what was read before stays available; files do not.

    Args:
        path: of the image.
        info: what is known of it; None to read its descriptors. With it, files that are not ISOs can be opened, too:
            it holds nothing.

    Attributes:
        path: as given.
        info: the content of its descriptors.

    Raises:
        IsoError: no such file, a directory or another non-file, empty, unreadable, or not an ISO image.
    """

    def __init__(self, path: Path, *, info: IsoInfo | None = None, deadline_s: float = DEADLINE_S) -> None:
        self.path = path
        self._deadline_s = deadline_s
        self._lock = RLock()
        self._descriptor = open_image(path)
        self.changes: Changes | None = None
        self._contents: Contents | None = None
        self._sector_map: SectorMap | None = None
        try:
            self.info: IsoInfo = info or inspect_image(path, self._descriptor)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; waits for a walk in progress."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def reader(self) -> ImageReader:
        """A reader of the image, with its changes, and limits of its own."""
        return ImageReader(self._descriptor, deadline_s=self._deadline_s, changes=self.changes)

    def change(self, changes: Changes) -> None:
        """From now on the image is read with `changes` over its file, which is not written."""
        with self._lock:
            self.changes = changes
            self.info = replace(self.info, size_bytes=changes.size_bytes)
            self._contents = self._sector_map = None

    @property
    def contents(self) -> Contents:
        """The content of the image; after `close`, as far as it was read before."""
        with self._lock:
            if self._contents is None and self._descriptor >= 0:
                from hiperiso.iso.walk import read_contents  # a recording starts before it asks for files

                self._contents = read_contents(self.reader())
            return self._contents or Contents(0)

    @property
    def sector_map(self) -> SectorMap:
        """The sector map: which sector belongs to what."""
        with self._lock:
            if self._sector_map is None:
                from hiperiso.iso.sectormap import SectorMap

                self._sector_map = SectorMap(self.contents, size_bytes=self.info.size_bytes)
            return self._sector_map

    def tree(self) -> Tree:
        """The files of the image, read without mounting it."""
        return _ImageTree(self, self.contents)

    def efi_tree(self) -> Tree | None:
        """The files of the EFI boot image of El Torito, a FAT file system; None where there is none."""
        start_bytes = self.efi_start_bytes()
        if start_bytes is None:
            return None
        from hiperiso.iso.fat import read_fat

        return read_fat(self._reader_from(start_bytes))

    def efi_start_bytes(self) -> int | None:
        """Where the EFI boot image of El Torito begins; None without one."""
        starts = [entry.load_sector for entry in self.info.boot_entries if entry.platform is Platform.EFI]
        return starts[0] * SECTOR_BYTES if starts else None

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._descriptor

    def _reader_from(self, start_bytes: int) -> Read:
        def read(offset_bytes: int, size_bytes: int) -> bytes:
            return self.read([Extent(start_bytes + offset_bytes, size_bytes)], size_bytes, 0)

        return read

    def read(self, extents: list[Extent], max_bytes: int, offset_bytes: int) -> bytes:
        """Up to that many bytes of the file with these extents; less where it cannot be read."""
        found = bytearray()
        with self._lock:
            if self._descriptor < 0:
                return b""
            reader = self.reader()
            for extent in extents:
                if offset_bytes >= extent.size_bytes:
                    offset_bytes -= extent.size_bytes
                    continue
                wanted = min(extent.size_bytes - offset_bytes, max_bytes - len(found))
                piece = _read_piece(reader, extent, offset_bytes, wanted)
                found += piece
                offset_bytes = 0
                if len(piece) < wanted or len(found) >= max_bytes:
                    break
        return bytes(found)


def _read_piece(reader: ImageReader, extent: Extent, offset_bytes: int, size_bytes: int) -> bytes:
    """Bytes of one extent: less where the image ends, or the limit is reached."""
    if extent.offset_bytes == HOLE:
        return bytes(size_bytes)
    found = bytearray()
    while len(found) < size_bytes:
        try:
            at = extent.offset_bytes + offset_bytes + len(found)
            piece = reader.read(at, size_bytes - len(found))
        except LimitReached:
            break
        if not piece:
            break
        found += piece
    return bytes(found)


class _ImageTree(Tree):
    """The files of the file system with the most files, as a mount would show them.

    Windows media show a single file to readers without UDF support.
    """

    def __init__(self, image: IsoImage, contents: Contents) -> None:
        numbers: dict[str, int] = {}
        for system in contents.file_systems:
            found = files_below(contents, system.root)
            if len(found) > len(numbers):
                numbers = found
        links = {path: contents.links[node] for path, node in numbers.items() if node in contents.links}
        files = {path: contents.nodes[node].size_bytes for path, node in numbers.items() if path not in links}
        super().__init__(files, links)
        self._image = image
        self._extents = {path: contents.extents.get(numbers[path], []) for path in files}

    def shared(self) -> dict[str, tuple[str, ...]]:
        """See `Tree.shared`."""
        groups: dict[int, list[str]] = {}
        for path, extents in self._extents.items():
            if extents and extents[0].offset_bytes != HOLE and self.size_bytes(path):
                groups.setdefault(extents[0].offset_bytes, []).append(path)
        return {path: tuple(group) for group in groups.values() if len(group) > 1 for path in group}

    def _read(self, real: str, max_bytes: int, offset_bytes: int) -> bytes:
        left = self.size_bytes(real) - offset_bytes
        return self._image.read(self._extents[real], min(max_bytes, left), offset_bytes) if left > 0 else b""


def files_below(contents: Contents, root: int) -> dict[str, int]:
    """Path -> node of the files of one file system, near the top first."""
    folders = {root: ""}
    found: dict[str, int] = {}
    for number in range(root + 1, len(contents.nodes)):  # a directory comes before what is in it
        node = contents.nodes[number]
        if node.parent not in folders:
            continue
        path = f"{folders[node.parent]}/{node.name}"
        if node.place is Place.DIRECTORY:
            folders[number] = path
        elif node.place is Place.FILE and len(found) < MAX_ENTRIES:
            found.setdefault(path, number)
    return found
