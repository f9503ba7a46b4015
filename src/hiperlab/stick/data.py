"""The interface of a data partition, and the one over a folder where it is mounted.

Paths are absolute, with ``/``, from the root of the partition.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from hiperiso.errors import HarnessFault, UsageError

CHUNK_BYTES = 1 << 20
Progress = Callable[[int], None]


@dataclass(frozen=True)
class StickFile:
    """A file or folder of the data partition."""

    path: str
    size_bytes: int
    is_folder: bool
    modified: datetime | None = None


class DataPartition(Protocol):
    """What can be done with a data partition. Everything raises HarnessFault where the file system is damaged."""

    @property
    def filesystem(self) -> str:
        """``exfat``, ``ext4``, ``ntfs``, or ``folder`` for a mounted one."""

    @property
    def free_bytes(self) -> int:
        """Bytes that new files can have."""

    def walk(self, folder: str) -> Iterator[StickFile]:
        """Everything below `folder`, folders before what is in them; nothing where there is no such folder."""

    def find(self, path: str) -> StickFile | None:
        """The file or folder at `path`, or None."""

    def read(self, path: str) -> Iterator[bytes]:
        """A file's content in chunks. Raises UsageError where there is no such file."""

    def make_folders(self, path: str) -> None:
        """Make a folder and those above it."""

    def add(
        self, path: str, chunks: Iterable[bytes], size_bytes: int, progress: Progress | None = None
    ) -> None:
        """Write a new file; an interruption leaves none. Raises UsageError where there is one already."""


class FolderData:
    """A data partition that is mounted, or any folder that looks like one."""

    filesystem = "folder"

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def free_bytes(self) -> int:
        """See `DataPartition`."""
        return shutil.disk_usage(self._root).free

    def walk(self, folder: str) -> Iterator[StickFile]:
        """See `DataPartition`. Symbolic links are passed over: they could lead off the stick.

        The order is the file system's own, as the boot menu has it.
        """
        base = self._at(folder)
        for where, folders, names in os.walk(base):
            for name in [*folders, *names]:
                path = Path(where, name)
                if not path.is_symlink() and (path.is_dir() or path.is_file()):
                    yield self._stick_file(path)

    def find(self, path: str) -> StickFile | None:
        """See `DataPartition`."""
        real = self._at(path)
        return self._stick_file(real) if real.is_file() or real.is_dir() else None

    def read(self, path: str) -> Iterator[bytes]:
        """See `DataPartition`."""
        real = self._at(path)
        if not real.is_file() or real.is_symlink():
            raise UsageError(f"there is no file {path} on the stick")
        return read_chunks(real)

    def make_folders(self, path: str) -> None:
        """See `DataPartition`."""
        self._at(path).mkdir(parents=True, exist_ok=True)

    def add(
        self, path: str, chunks: Iterable[bytes], size_bytes: int, progress: Progress | None = None
    ) -> None:
        """See `DataPartition`."""
        real = self._at(path)
        if real.exists():
            raise UsageError(f"{path} is on the stick already")
        part = real.with_name(f".{real.name[:200]}.part")
        try:
            with part.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    if progress:
                        progress(len(chunk))
                file.flush()
                os.fsync(file.fileno())
                if file.tell() != size_bytes:
                    raise HarnessFault("the file changed while it was copied", hint="copy it again")
            part.rename(real)
        finally:
            part.unlink(missing_ok=True)

    def _at(self, path: str) -> Path:
        parts = [part for part in path.split("/") if part]
        if ".." in parts:
            raise UsageError(f"{path} leads out of the stick")
        return self._root.joinpath(*parts)

    def _stick_file(self, path: Path) -> StickFile:
        status = path.stat()
        return StickFile(
            path="/" + path.relative_to(self._root).as_posix(),
            size_bytes=0 if path.is_dir() else status.st_size,
            is_folder=path.is_dir(),
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
        )


def read_chunks(path: Path) -> Iterator[bytes]:
    """A file's content in chunks of a megabyte."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
