"""An exFAT that is read and added to in place, on any seekable file, at any offset.

Order of writing, so that a cut at any instant loses the new file and nothing else: data into free clusters; then,
between setting and clearing the volume's dirty flag, allocation table, bitmap and, last, the directory entry.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import BinaryIO

from hiperiso.errors import HarnessFault, UsageError
from hiperlab.stick.exfat import records
from hiperlab.stick.exfat.records import SLOT_BYTES, BootSector, Found
from hiperlab.stick.exfat.space import Bitmap, Run

_CHUNK_BYTES = 1 << 20
_MAX_DIRECTORY_BYTES = 256 << 20  # the specification's bound
_MAX_DEPTH = 64
_MAX_SMALL_BYTES = 64 << 20


@dataclass
class _Directory:
    """An open directory: where its bytes are, and the set in its parent that tells so (None for the root)."""

    clusters: list[int]
    parent: _Directory | None = None
    entry: Found | None = None
    data: bytes = field(default=b"", repr=False)


class ExfatVolume:
    """An exFAT. ``open`` reads its tables; the file stays the caller's to close."""

    def __init__(self, file: BinaryIO, offset_bytes: int, boot: BootSector) -> None:
        self._file = file
        self._offset = offset_bytes
        self.boot = boot
        self._upcase: list[int] = []
        self._bitmap = Bitmap(b"", 0)
        self._bitmap_clusters: list[int] = []
        self._load()

    @classmethod
    def open(cls, file: BinaryIO, offset_bytes: int) -> ExfatVolume:
        """Open the exFAT at `offset_bytes`.

        Raises:
            HarnessFault: there is none, or its tables are damaged.
        """
        boot = BootSector.decode(_read_at(file, offset_bytes, records.SECTOR_BYTES))
        if boot is None:
            raise HarnessFault(
                "there is no exFAT file system", hint="hiperiso stick verify says what is broken"
            )
        return cls(file, offset_bytes, boot)

    @property
    def free_bytes(self) -> int:
        """Bytes in free clusters."""
        return (self.boot.cluster_count - self._bitmap.used_count()) * self.boot.cluster_bytes

    def walk(self, path: str = "/") -> Iterator[tuple[str, Found]]:
        """Every file and directory below `path`, as absolute path and entry, directories before what is in them.

        Raises:
            HarnessFault: a directory is damaged.
            UsageError: `path` is not a directory.
        """
        base = "/" + "/".join(_parts(path))
        yield from self._walk(self._directory(_parts(path)), "" if base == "/" else base, _MAX_DEPTH)

    def find(self, path: str) -> Found | None:
        """The file or directory at `path` (letter case counts for nothing), or None."""
        parts = _parts(path)
        if not parts:
            return None
        try:
            parent = self._directory(parts[:-1])
        except UsageError:
            return None
        return self._entry(parent, parts[-1])

    def read(self, entry: Found) -> Iterator[bytes]:
        """The content of a file in chunks of at most a megabyte.

        Raises:
            HarnessFault: its chain of clusters is damaged.
        """
        left, valid = entry.size_bytes, entry.valid_bytes
        for run in self._runs(entry):
            at, end = self._cluster_at(run.first), self._cluster_at(run.first + run.count)
            while at < end and left > 0:
                chunk = _read_at(self._file, at, min(_CHUNK_BYTES, end - at, left))
                if len(chunk) < min(_CHUNK_BYTES, end - at, left):
                    raise HarnessFault("the image ends within a file", hint="it was not copied whole")
                yield chunk if valid >= len(chunk) else chunk[:valid] + bytes(len(chunk) - max(valid, 0))
                at, left = at + len(chunk), left - len(chunk)
                valid = max(0, valid - len(chunk))
        if left > 0:
            raise HarnessFault("a file is longer than its clusters", hint="check the stick: fsck.exfat")

    def make_directories(self, path: str, *, when: datetime | None = None) -> None:
        """Make the directory `path` and those above it, where they are missing.

        Raises:
            UsageError: a file stands in the way, or a name is not allowed on exFAT.
            HarnessFault: the volume is full.
        """
        parts = _parts(path)
        for depth, name in enumerate(parts, start=1):
            parent = self._directory(parts[: depth - 1])
            entry = self._entry(parent, name)
            if entry is not None and not entry.is_directory:
                raise UsageError(f"/{'/'.join(parts[:depth])} is a file, not a folder")
            if entry is None:
                self._make_directory(parent, name, when or datetime.now(UTC))

    def add(
        self,
        path: str,
        chunks: Iterable[bytes],
        size_bytes: int,
        *,
        when: datetime | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write a new file of exactly `size_bytes`; its directory must be there. `progress` gets bytes written.

        Raises:
            UsageError: it is there already, or the name is not allowed.
            HarnessFault: the volume is full, or `chunks` held more or less than promised.
        """
        parts = _parts(path)
        parent = self._directory(parts[:-1])
        self._check_new(parent, path)
        runs = self._find_space(size_bytes)
        self._write_data(runs, chunks, size_bytes, progress)
        contiguous = len(runs) == 1
        with self._changing():
            if runs:
                self._allocate(runs, chain=not contiguous)
            self._add_entry(
                parent,
                parts[-1],
                attributes=records.ARCHIVE_ATTRIBUTE,
                runs=runs,
                size_bytes=size_bytes,
                contiguous=contiguous,
                when=when or datetime.now(UTC),
            )

    # ── reading ──

    def _load(self) -> None:
        root = _Directory(self._chain(self.boot.root_cluster))
        data = self._directory_data(root)
        for at in range(0, len(data), SLOT_BYTES):
            kind = data[at]
            cluster, size = struct.unpack_from("<IQ", data, at + 20)
            if kind == 0:
                break
            if kind == records.TYPE_BITMAP and not data[at + 1] & 1:
                self._bitmap_clusters = self._chain(cluster)
                self._bitmap = Bitmap(self._small(self._bitmap_clusters, size), self.boot.cluster_count)
            elif kind == records.TYPE_UPCASE:
                self._upcase = records.expand_upcase(self._small(self._chain(cluster), size))
        if not self._upcase or len(self._bitmap.data) * 8 < self.boot.cluster_count:
            raise HarnessFault(
                "the exFAT has no bitmap or no up-case table", hint="check the stick: fsck.exfat"
            )

    def _walk(self, directory: _Directory, base: str, depth: int) -> Iterator[tuple[str, Found]]:
        for entry in records.decode_sets(self._directory_data(directory)):
            path = f"{base}/{entry.name}"
            yield path, entry
            if entry.is_directory and depth > 0:
                yield from self._walk(self._open(directory, entry), path, depth - 1)

    def _directory(self, parts: list[str]) -> _Directory:
        directory = _Directory(self._chain(self.boot.root_cluster))
        for index, name in enumerate(parts):
            entry = self._entry(directory, name)
            if entry is None or not entry.is_directory:
                raise UsageError(f"there is no folder /{'/'.join(parts[: index + 1])} on the stick")
            directory = self._open(directory, entry)
        return directory

    def _open(self, parent: _Directory, entry: Found) -> _Directory:
        if entry.size_bytes > _MAX_DIRECTORY_BYTES:
            raise HarnessFault(f"the folder {entry.name!r} is damaged", hint="check the stick: fsck.exfat")
        clusters = [run.first + index for run in self._runs(entry) for index in range(run.count)]
        return _Directory(clusters, parent, entry)

    def _entry(self, directory: _Directory, name: str) -> Found | None:
        wanted = records.fold_name(name, self._upcase)
        found = records.decode_sets(self._directory_data(directory))
        return next((e for e in found if records.fold_name(e.name, self._upcase) == wanted), None)

    def _directory_data(self, directory: _Directory) -> bytes:
        if len(directory.clusters) * self.boot.cluster_bytes > _MAX_DIRECTORY_BYTES:
            raise HarnessFault("a folder is larger than exFAT allows", hint="check the stick: fsck.exfat")
        size = self.boot.cluster_bytes
        directory.data = b"".join(
            _read_at(self._file, self._cluster_at(cluster), size) for cluster in directory.clusters
        )
        return directory.data

    def _runs(self, entry: Found) -> Iterator[Run]:
        count = -(-entry.size_bytes // self.boot.cluster_bytes)
        if not count:
            return
        if entry.contiguous:
            self._check_cluster(entry.cluster)
            self._check_cluster(entry.cluster + count - 1)
            yield Run(entry.cluster, count)
            return
        yield from _as_runs(self._chain(entry.cluster, count))

    def _chain(self, cluster: int, most: int | None = None) -> list[int]:
        """The clusters of a chain; with `most`, no more than that many."""
        limit = self.boot.cluster_count if most is None else most
        clusters: list[int] = []
        table = self._offset + self.boot.fat_offset * self.boot.sector_bytes
        while cluster < records.BAD_CLUSTER and len(clusters) < limit:
            self._check_cluster(cluster)
            clusters.append(cluster)
            raw = _read_at(self._file, table + 4 * cluster, 4)
            cluster = struct.unpack("<I", raw)[0] if len(raw) == 4 else 0
        if most is None and cluster < records.BAD_CLUSTER:
            raise HarnessFault("a chain of clusters has no end", hint="check the stick: fsck.exfat")
        return clusters

    def _check_cluster(self, cluster: int) -> None:
        if not records.FIRST_CLUSTER <= cluster < self.boot.cluster_count + records.FIRST_CLUSTER:
            raise HarnessFault(
                "a chain of clusters leads outside the volume", hint="check the stick: fsck.exfat"
            )

    def _small(self, clusters: list[int], size_bytes: int) -> bytes:
        if size_bytes > _MAX_SMALL_BYTES:
            raise HarnessFault("a table of the exFAT is damaged", hint="check the stick: fsck.exfat")
        size = self.boot.cluster_bytes
        return b"".join(_read_at(self._file, self._cluster_at(c), size) for c in clusters)[:size_bytes]

    def _cluster_at(self, cluster: int) -> int:
        heap = self._offset + self.boot.heap_offset * self.boot.sector_bytes
        return heap + (cluster - records.FIRST_CLUSTER) * self.boot.cluster_bytes

    # ── writing ──

    def _check_new(self, parent: _Directory, path: str) -> None:
        name = PurePosixPath(path).name
        if problem := records.name_problem(name):
            raise UsageError(f"the name {name!r} {problem}")
        if self._entry(parent, name) is not None:
            raise UsageError(f"{path} is on the stick already")

    def _find_space(self, size_bytes: int) -> list[Run]:
        count = -(-size_bytes // self.boot.cluster_bytes)
        runs = self._bitmap.find(count) if count else []
        if count and not runs:
            raise HarnessFault(
                f"the stick is full: {size_bytes} bytes are needed, {self.free_bytes} are free",
                hint="delete what is no longer needed; hiperiso stick list shows what is there",
            )
        return runs

    def _write_data(
        self,
        runs: list[Run],
        chunks: Iterable[bytes],
        size_bytes: int,
        progress: Callable[[int], None] | None,
    ) -> None:
        spans = ((self._cluster_at(run.first), run.count * self.boot.cluster_bytes) for run in runs)
        at, room, written = 0, 0, 0
        for chunk in chunks:
            view = memoryview(chunk)
            written += len(view)
            if written > size_bytes:
                break
            while view:
                if not room:
                    at, room = next(spans)
                self._file.seek(at)
                count = self._file.write(view[:room])
                at, room, view = at + count, room - count, view[count:]
            if progress:
                progress(len(chunk))
        if written != size_bytes:
            raise HarnessFault("the file changed while it was copied", hint="copy it again")
        if room and size_bytes:  # what follows the end of a file in its last cluster is no one's data
            self._file.seek(at)
            self._file.write(bytes(min(room, self.boot.cluster_bytes)))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Everything that changes the structures happens in here: data first, dirty flag around the rest."""
        _sync(self._file)
        flags = self.boot.flags
        self._set_flags(flags | records.DIRTY_FLAG)
        yield
        _sync(self._file)
        self._set_flags(flags)

    def _set_flags(self, flags: int) -> None:
        percent = self._bitmap.used_count() * 100 // self.boot.cluster_count
        for region in (0, records.BOOT_REGION_SECTORS * self.boot.sector_bytes):
            self._write(self._offset + region + records.FLAGS_OFFSET, struct.pack("<H", flags))
            self._write(self._offset + region + records.PERCENT_OFFSET, bytes([percent]))
        _sync(self._file)

    def _allocate(self, runs: list[Run], *, chain: bool) -> None:
        if chain:
            self._link([run.first + index for run in runs for index in range(run.count)])
        low, high = self._bitmap.mark(runs)
        size = self.boot.cluster_bytes
        for index in range(low // size, -(-high // size)):
            part = self._bitmap.data[index * size : (index + 1) * size]
            self._write(self._cluster_at(self._bitmap_clusters[index]), bytes(part))

    def _link(self, clusters: list[int]) -> None:
        table = self._offset + self.boot.fat_offset * self.boot.sector_bytes
        following = [*clusters[1:], records.END_OF_CHAIN]
        links = dict(zip(clusters, following, strict=True))
        for run in _as_runs(clusters):
            values = [links[run.first + index] for index in range(run.count)]
            self._write(table + 4 * run.first, struct.pack(f"<{run.count}I", *values))

    def _make_directory(self, parent: _Directory, name: str, when: datetime) -> None:
        if problem := records.name_problem(name):
            raise UsageError(f"the name {name!r} {problem}")
        runs = self._find_space(self.boot.cluster_bytes)
        self._write(self._cluster_at(runs[0].first), bytes(self.boot.cluster_bytes))
        with self._changing():
            self._allocate(runs, chain=True)
            self._add_entry(
                parent,
                name,
                attributes=records.DIRECTORY_ATTRIBUTE,
                runs=runs,
                size_bytes=self.boot.cluster_bytes,
                contiguous=False,
                when=when,
            )

    def _add_entry(
        self,
        parent: _Directory,
        name: str,
        *,
        attributes: int,
        runs: list[Run],
        size_bytes: int,
        contiguous: bool,
        when: datetime,
    ) -> None:
        entry = records.encode_set(
            name,
            attributes=attributes,
            cluster=runs[0].first if runs else 0,
            size_bytes=size_bytes,
            contiguous=contiguous,
            when=when,
            upcase=self._upcase,
        )
        slots = len(entry) // SLOT_BYTES
        slot, ends = _free_slots(self._directory_data(parent), slots)
        while (slot + slots) * SLOT_BYTES > len(parent.clusters) * self.boot.cluster_bytes:
            self._grow(parent)
        if ends and (slot + slots) * SLOT_BYTES < len(parent.clusters) * self.boot.cluster_bytes:
            entry += bytes(SLOT_BYTES)  # keeps the end of the directory where garbage follows it
        self._write_slots(parent, slot, entry)

    def _grow(self, directory: _Directory) -> None:
        runs = self._find_space(self.boot.cluster_bytes)
        self._write(self._cluster_at(runs[0].first), bytes(self.boot.cluster_bytes))
        self._allocate(runs, chain=False)
        directory.clusters.append(runs[0].first)
        self._link(directory.clusters)
        if directory.entry is not None and directory.parent is not None:
            size = len(directory.clusters) * self.boot.cluster_bytes
            changed = records.resized_set(directory.entry.raw, size_bytes=size)
            directory.entry = replace(directory.entry, raw=changed, size_bytes=size, contiguous=False)
            self._write_slots(directory.parent, directory.entry.slot, changed)

    def _write_slots(self, directory: _Directory, slot: int, data: bytes) -> None:
        size = self.boot.cluster_bytes
        at = slot * SLOT_BYTES
        while data:
            room = size - at % size
            self._write(self._cluster_at(directory.clusters[at // size]) + at % size, data[:room])
            at, data = at + len(data[:room]), data[room:]

    def _write(self, offset_bytes: int, data: bytes) -> None:
        self._file.seek(offset_bytes)
        self._file.write(data)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _free_slots(data: bytes, count: int) -> tuple[int, bool]:
    """The first of `count` free slots in a row, and whether they reach past the end mark of the directory."""
    slots = len(data) // SLOT_BYTES
    run = 0
    for slot in range(slots):
        kind = data[slot * SLOT_BYTES]
        if kind == 0:
            return slot - run, True
        run = run + 1 if kind < 0x80 else 0
        if run == count:
            return slot - count + 1, False
    return slots - run, True


def _as_runs(clusters: list[int]) -> Iterator[Run]:
    start = 0
    for index in range(1, len(clusters) + 1):
        if index == len(clusters) or clusters[index] != clusters[index - 1] + 1:
            yield Run(clusters[start], index - start)
            start = index


def _read_at(file: BinaryIO, offset_bytes: int, size_bytes: int) -> bytes:
    file.seek(offset_bytes)
    return file.read(size_bytes)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
