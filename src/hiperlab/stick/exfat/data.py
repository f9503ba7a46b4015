"""exFAT without a mount: a `hiperlab.stick.data.DataPartition` over `ExfatVolume`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from hiperiso.errors import UsageError
from hiperlab.stick.data import Progress, StickFile
from hiperlab.stick.exfat.records import Found
from hiperlab.stick.exfat.volume import ExfatVolume


class ExfatData:
    """An exFAT in an image or device."""

    filesystem = "exfat"

    def __init__(self, file: BinaryIO, offset_bytes: int) -> None:
        self._volume = ExfatVolume.open(file, offset_bytes)

    @property
    def free_bytes(self) -> int:
        """See `DataPartition`."""
        return self._volume.free_bytes

    def walk(self, folder: str) -> Iterator[StickFile]:
        """See `DataPartition`."""
        entry = self._volume.find(folder)
        if folder.strip("/") and (entry is None or not entry.is_directory):
            return
        for path, found in self._volume.walk(folder):
            yield _as_stick_file(path, found)

    def find(self, path: str) -> StickFile | None:
        """See `DataPartition`."""
        entry = self._volume.find(path)
        return _as_stick_file(path, entry) if entry else None

    def read(self, path: str) -> Iterator[bytes]:
        """See `DataPartition`."""
        entry = self._volume.find(path)
        if entry is None or entry.is_directory:
            raise UsageError(f"no such file on the stick: {path}")
        return self._volume.read(entry)

    def make_folders(self, path: str) -> None:
        """See `DataPartition`."""
        self._volume.make_directories(path)

    def add(
        self, path: str, chunks: Iterable[bytes], size_bytes: int, progress: Progress | None = None
    ) -> None:
        """See `DataPartition`."""
        self._volume.add(path, chunks, size_bytes, progress=progress)

    def replace(self, path: str, content: bytes) -> None:
        """See `DataPartition`."""
        self._volume.replace(path, content)

    def remove(self, path: str) -> None:
        """See `DataPartition`."""
        self._volume.remove(path)


def _as_stick_file(path: str, found: Found) -> StickFile:
    return StickFile(path, 0 if found.is_directory else found.size_bytes, found.is_directory, found.modified)
