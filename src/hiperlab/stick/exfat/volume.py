"""An exFAT in which files are added, replaced and removed in place.

Order of writes, so that an interruption at any instant loses only the new file: data into free clusters; then,
between setting and clearing the volume's dirty flag, allocation table, bitmap and, last, the directory entry. What is
removed goes the other way: first the entry, then the clusters, so that an interruption only leaves some unused.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import BinaryIO

from hiperiso.errors import HarnessFault, UsageError
from hiperlab.stick.exfat import records
from hiperlab.stick.exfat.reader import Directory, ExfatReader, as_runs, path_parts
from hiperlab.stick.exfat.records import SLOT_BYTES
from hiperlab.stick.exfat.space import Run


class ExfatVolume(ExfatReader):
    """An exFAT that may be written."""

    def make_directories(self, path: str, *, when: datetime | None = None) -> None:
        """Create the directory `path` and its parents, if missing.

        Raises:
            UsageError: a file exists at one of the paths, or a name is not allowed on exFAT.
            HarnessFault: the volume is full.
        """
        parts = path_parts(path)
        for depth, name in enumerate(parts, start=1):
            parent = self._directory(parts[: depth - 1])
            entry = self._entry(parent, name)
            if entry is not None and not entry.is_directory:
                raise UsageError(f"/{'/'.join(parts[:depth])} is a file, not a directory")
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
        """Write a new file of exactly `size_bytes`; its directory must exist. `progress` gets bytes written.

        Raises:
            UsageError: it exists, or the name is not allowed.
            HarnessFault: the volume is full, or `chunks` had more or fewer bytes.
        """
        parts = path_parts(path)
        parent = self._directory(parts[:-1])
        self._check_new(parent, path)
        runs = self._written(chunks, size_bytes, progress)
        with self._changing():
            self._add_entry(
                parent,
                parts[-1],
                attributes=records.ARCHIVE_ATTRIBUTE,
                runs=runs,
                size_bytes=size_bytes,
                contiguous=self._taken(runs),
                when=when or datetime.now(UTC),
            )

    def replace(self, path: str, content: bytes) -> None:
        """Write the file `path`, in place of one that exists: after an interruption it is the old or the new one.

        Raises:
            UsageError: `path` is a directory, or the name is not allowed.
            HarnessFault: the volume is full.
        """
        parts = path_parts(path)
        parent = self._directory(parts[:-1])
        old = self._entry(parent, parts[-1])
        if old is None:
            self.add(path, [content], len(content))
            return
        if old.is_directory:
            raise UsageError(f"{path} is a directory, not a file")
        freed, runs = list(self._runs(old)), self._written([content], len(content), None)
        with self._changing():
            entry = self._encoded(
                old.name,
                attributes=records.ARCHIVE_ATTRIBUTE,
                runs=runs,
                size_bytes=len(content),
                contiguous=self._taken(runs),
                when=datetime.now(UTC),
            )
            # Slots of another program behind ours are marked as deleted.
            self._write_slots(parent, old.slot, entry + _deleted(old.raw[len(entry) :]))
            _sync(self._file)
            self._free(freed)

    def remove(self, path: str) -> None:
        """Remove a file, or a directory that is empty.

        Raises:
            UsageError: it does not exist, or is a directory with content.
        """
        parts = path_parts(path)
        parent = self._directory(parts[:-1])
        entry = self._entry(parent, parts[-1]) if parts else None
        if entry is None:
            raise UsageError(f"no such file on the stick: {path}")
        if entry.is_directory and records.decode_sets(self._directory_data(self._open(parent, entry))):
            raise UsageError(f"{path} is a directory that is not empty")
        runs = list(self._runs(entry))
        with self._changing():
            self._write_slots(parent, entry.slot, _deleted(entry.raw))
            _sync(self._file)
            self._free(runs)

    def _check_new(self, parent: Directory, path: str) -> None:
        name = PurePosixPath(path).name
        if problem := records.name_problem(name):
            raise UsageError(f"the name {name!r} {problem}")
        if self._entry(parent, name) is not None:
            raise UsageError(f"{path} already exists on the stick")

    def _written(
        self, chunks: Iterable[bytes], size_bytes: int, progress: Callable[[int], None] | None
    ) -> list[Run]:
        """Write the content of a file into free clusters; returns those."""
        runs = self._find_space(size_bytes)
        self._write_data(runs, chunks, size_bytes, progress)
        _sync(self._file)
        # so that a read goes to the medium
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return runs

    def _taken(self, runs: list[Run]) -> bool:
        """Allocate the clusters of a file; returns whether they are contiguous, and so need no chain."""
        contiguous = len(runs) == 1
        if runs:
            self._allocate(runs, chain=not contiguous)
        return contiguous

    def _find_space(self, size_bytes: int) -> list[Run]:
        count = -(-size_bytes // self.boot.cluster_bytes)
        runs = self._bitmap.find(count) if count else []
        if count and not runs:
            raise HarnessFault(
                f"the stick is full: {size_bytes} bytes are needed, {self.free_bytes} are free",
                hint="delete files that are no longer needed; hiperiso stick list shows the ISOs",
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
            raise HarnessFault("the file changed while it was being copied", hint="copy it again")
        if room and size_bytes:  # the rest of the last cluster is unused
            self._file.seek(at)
            self._file.write(bytes(min(room, self.boot.cluster_bytes)))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Context for all changes of the structures: data first, dirty flag around the rest."""
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
        self._write_bitmap(*self._bitmap.mark(runs))

    def _free(self, runs: list[Run]) -> None:
        if runs:
            self._write_bitmap(*self._bitmap.clear(runs))

    def _write_bitmap(self, low: int, high: int) -> None:
        size = self.boot.cluster_bytes
        for index in range(low // size, -(-high // size)):
            part = self._bitmap.data[index * size : (index + 1) * size]
            self._write(self._cluster_at(self._bitmap_clusters[index]), bytes(part))

    def _link(self, clusters: list[int]) -> None:
        table = self._offset + self.boot.fat_offset * self.boot.sector_bytes
        following = [*clusters[1:], records.END_OF_CHAIN]
        links = dict(zip(clusters, following, strict=True))
        for run in as_runs(clusters):
            values = [links[run.first + index] for index in range(run.count)]
            self._write(table + 4 * run.first, struct.pack(f"<{run.count}I", *values))

    def _make_directory(self, parent: Directory, name: str, when: datetime) -> None:
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
        parent: Directory,
        name: str,
        *,
        attributes: int,
        runs: list[Run],
        size_bytes: int,
        contiguous: bool,
        when: datetime,
    ) -> None:
        entry = self._encoded(
            name, attributes=attributes, runs=runs, size_bytes=size_bytes, contiguous=contiguous, when=when
        )
        slots = len(entry) // SLOT_BYTES
        slot, ends = _free_slots(self._directory_data(parent), slots)
        while (slot + slots) * SLOT_BYTES > len(parent.clusters) * self.boot.cluster_bytes:
            self._grow(parent)
        if ends and (slot + slots) * SLOT_BYTES < len(parent.clusters) * self.boot.cluster_bytes:
            entry += bytes(SLOT_BYTES)  # keeps the end of the directory where garbage follows it
        self._write_slots(parent, slot, entry)

    def _encoded(
        self,
        name: str,
        *,
        attributes: int,
        runs: list[Run],
        size_bytes: int,
        contiguous: bool,
        when: datetime,
    ) -> bytes:
        return records.encode_set(
            name,
            attributes=attributes,
            cluster=runs[0].first if runs else 0,
            size_bytes=size_bytes,
            contiguous=contiguous,
            when=when,
            upcase=self._upcase,
        )

    def _grow(self, directory: Directory) -> None:
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

    def _write_slots(self, directory: Directory, slot: int, data: bytes) -> None:
        size = self.boot.cluster_bytes
        at = slot * SLOT_BYTES
        while data:
            room = size - at % size
            self._write(self._cluster_at(directory.clusters[at // size]) + at % size, data[:room])
            at, data = at + len(data[:room]), data[room:]

    def _write(self, offset_bytes: int, data: bytes) -> None:
        self._file.seek(offset_bytes)
        self._file.write(data)


def _deleted(slots: bytes) -> bytes:
    """Slots of a directory, marked as deleted: the bit ``InUse`` of their types is cleared."""
    marked = bytearray(slots)
    for at in range(0, len(marked), SLOT_BYTES):
        marked[at] &= 0x7F
    return bytes(marked)


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


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
