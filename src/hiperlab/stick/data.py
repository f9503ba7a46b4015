"""The interface of a data partition, and its implementation for a mounted directory.

Paths are absolute, with ``/``, from the root of the partition.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from hiperiso.contract.store import atomic_write
from hiperiso.errors import HarnessFault, UsageError

CHUNK_BYTES = 1 << 20
Progress = Callable[[int], None]


@dataclass(frozen=True)
class StickFile:
    """A file or directory of the data partition."""

    path: str
    size_bytes: int
    is_folder: bool
    modified: datetime | None = None


class DataPartition(Protocol):
    """Operations on a data partition. All raise HarnessFault if the file system is damaged."""

    @property
    def filesystem(self) -> str:
        """``exfat``, ``ext4``, ``ntfs``, or ``folder`` for a mounted one."""

    @property
    def free_bytes(self) -> int:
        """Free space for new files in bytes."""

    def walk(self, folder: str) -> Iterator[StickFile]:
        """Everything below `folder`, directories before their content; nothing if it does not exist."""

    def find(self, path: str) -> StickFile | None:
        """The file or directory at `path`, or None."""

    def read(self, path: str) -> Iterator[bytes]:
        """A file's content in chunks. Raises UsageError if it does not exist."""

    def make_folders(self, path: str) -> None:
        """Create a directory and its parents."""

    def add(
        self, path: str, chunks: Iterable[bytes], size_bytes: int, progress: Progress | None = None
    ) -> None:
        """Write a new file; an interruption leaves none. Raises UsageError if it exists."""

    def replace(self, path: str, content: bytes) -> None:
        """Write a small file, in place of one that exists; its directory must exist."""

    def remove(self, path: str) -> None:
        """Remove a file, or an empty directory. Raises UsageError if it does not exist, or is not empty."""


class FolderData:
    """A mounted data partition, or any directory with the same structure."""

    filesystem = "folder"

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def free_bytes(self) -> int:
        """See `DataPartition`."""
        return shutil.disk_usage(self._root).free

    def walk(self, folder: str) -> Iterator[StickFile]:
        """See `DataPartition`. Symbolic links are skipped: they could lead off the stick.

        The order is that of the file system, as in the boot menu.
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
            raise UsageError(f"no such file on the stick: {path}")
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
            raise UsageError(f"{path} already exists on the stick")
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
                    raise HarnessFault("the file changed while it was being copied", hint="copy it again")
            part.rename(real)
        finally:
            part.unlink(missing_ok=True)

    def replace(self, path: str, content: bytes) -> None:
        """See `DataPartition`."""
        atomic_write(self._at(path), content)

    def remove(self, path: str) -> None:
        """See `DataPartition`."""
        real = self._at(path)
        try:
            if real.is_dir() and not real.is_symlink():
                real.rmdir()
            else:
                real.unlink()
        except FileNotFoundError:
            raise UsageError(f"no such file on the stick: {path}") from None
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                raise UsageError(f"{path} is a directory that is not empty") from None
            raise

    def _at(self, path: str) -> Path:
        parts = [part for part in path.split("/") if part]
        if ".." in parts:
            raise UsageError(f"{path} is outside of the stick")
        return self._root.joinpath(*parts)

    def _stick_file(self, path: Path) -> StickFile:
        status = path.stat()
        return StickFile(
            path="/" + path.relative_to(self._root).as_posix(),
            size_bytes=0 if path.is_dir() else status.st_size,
            is_folder=path.is_dir(),
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
        )


def replaceable(data: DataPartition, path: str) -> StickFile | None:
    """The file in place of which another is to be written, if there is one.

    Raises:
        UsageError: it is a directory.
    """
    found = data.find(path)
    if found is not None and found.is_folder:
        raise UsageError(f"{path} is a directory, not a file")
    return found


def removable(data: DataPartition, path: str) -> StickFile:
    """The file, or empty directory, that is to be removed.

    Raises:
        UsageError: it does not exist, or is not empty.
    """
    found = data.find(path)
    if found is None:
        raise UsageError(f"no such file on the stick: {path}")
    if found.is_folder and any(data.walk(path)):
        raise UsageError(f"{path} is a directory that is not empty")
    return found


def remove_tree(data: DataPartition, path: str, progress: Progress | None = None) -> None:
    """Remove a directory with its content, the directory itself last. `progress` gets the bytes of each file."""
    for file in reversed(list(data.walk(path))):
        data.remove(file.path)
        if progress:
            progress(file.size_bytes)
    data.remove(path)


def read_chunks(path: Path) -> Iterator[bytes]:
    """A file's content in chunks of a megabyte."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
