"""Reading exFAT, on any seekable file, at any offset; damage raises an error, never loops."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Self

from hiperiso.errors import HarnessFault, UsageError
from hiperlab.stick.exfat import records
from hiperlab.stick.exfat.records import SLOT_BYTES, BootSector, Found
from hiperlab.stick.exfat.space import Bitmap, Run

_CHUNK_BYTES = 1 << 20
_MAX_DIRECTORY_BYTES = 256 << 20  # the specification's bound
_MAX_DEPTH = 64
_MAX_SMALL_BYTES = 64 << 20


@dataclass
class Directory:
    """An open directory: the location of its bytes, and its entry set in the parent (None for the root)."""

    clusters: list[int]
    parent: Directory | None = None
    entry: Found | None = None
    data: bytes = field(default=b"", repr=False)


class ExfatReader:
    """An exFAT. ``open`` reads its tables; the caller closes the file."""

    def __init__(self, file: BinaryIO, offset_bytes: int, boot: BootSector) -> None:
        self._file = file
        self._offset = offset_bytes
        self.boot = boot
        self._upcase: list[int] = []
        self._bitmap = Bitmap(b"", 0)
        self._bitmap_clusters: list[int] = []
        self._load()

    @classmethod
    def open(cls, file: BinaryIO, offset_bytes: int) -> Self:
        """Open the exFAT at `offset_bytes`.

        Raises:
            HarnessFault: not exFAT, or its tables are damaged.
        """
        boot = BootSector.decode(_read_at(file, offset_bytes, records.SECTOR_BYTES))
        if boot is None:
            raise HarnessFault("not an exFAT file system", hint="hiperiso stick verify shows what is broken")
        return cls(file, offset_bytes, boot)

    @property
    def free_bytes(self) -> int:
        """Bytes in free clusters."""
        return (self.boot.cluster_count - self._bitmap.used_count()) * self.boot.cluster_bytes

    def walk(self, path: str = "/") -> Iterator[tuple[str, Found]]:
        """Every file and directory below `path`, as absolute path and entry, directories before their content.

        Raises:
            HarnessFault: a directory is damaged.
            UsageError: `path` is not a directory.
        """
        base = "/" + "/".join(path_parts(path))
        yield from self._walk(self._directory(path_parts(path)), "" if base == "/" else base, _MAX_DEPTH)

    def find(self, path: str) -> Found | None:
        """The file or directory at `path` (case is ignored), or None."""
        parts = path_parts(path)
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
                    raise HarnessFault("the image ends within a file", hint="it was copied incompletely")
                yield chunk if valid >= len(chunk) else chunk[:valid] + bytes(len(chunk) - max(valid, 0))
                at, left = at + len(chunk), left - len(chunk)
                valid = max(0, valid - len(chunk))
        if left > 0:
            raise HarnessFault("a file is longer than its clusters", hint="check the stick: fsck.exfat")

    def _load(self) -> None:
        root = Directory(self._chain(self.boot.root_cluster))
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

    def _walk(self, directory: Directory, base: str, depth: int) -> Iterator[tuple[str, Found]]:
        for entry in records.decode_sets(self._directory_data(directory)):
            path = f"{base}/{entry.name}"
            yield path, entry
            if entry.is_directory and depth > 0:
                yield from self._walk(self._open(directory, entry), path, depth - 1)

    def _directory(self, parts: list[str]) -> Directory:
        directory = Directory(self._chain(self.boot.root_cluster))
        for index, name in enumerate(parts):
            entry = self._entry(directory, name)
            if entry is None or not entry.is_directory:
                raise UsageError(f"no such directory on the stick: /{'/'.join(parts[: index + 1])}")
            directory = self._open(directory, entry)
        return directory

    def _open(self, parent: Directory, entry: Found) -> Directory:
        if entry.size_bytes > _MAX_DIRECTORY_BYTES:
            raise HarnessFault(f"the folder {entry.name!r} is damaged", hint="check the stick: fsck.exfat")
        clusters = [run.first + index for run in self._runs(entry) for index in range(run.count)]
        return Directory(clusters, parent, entry)

    def _entry(self, directory: Directory, name: str) -> Found | None:
        wanted = records.fold_name(name, self._upcase)
        found = records.decode_sets(self._directory_data(directory))
        return next((e for e in found if records.fold_name(e.name, self._upcase) == wanted), None)

    def _directory_data(self, directory: Directory) -> bytes:
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
        yield from as_runs(self._chain(entry.cluster, count))

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


def path_parts(path: str) -> list[str]:
    """The names in a path; doubled and outer slashes are ignored."""
    return [part for part in path.split("/") if part]


def as_runs(clusters: list[int]) -> Iterator[Run]:
    """Clusters in order as runs of consecutive ones."""
    start = 0
    for index in range(1, len(clusters) + 1):
        if index == len(clusters) or clusters[index] != clusters[index - 1] + 1:
            yield Run(clusters[start], index - start)
            start = index


def _read_at(file: BinaryIO, offset_bytes: int, size_bytes: int) -> bytes:
    file.seek(offset_bytes)
    return file.read(size_bytes)
