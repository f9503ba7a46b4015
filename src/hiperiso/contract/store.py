"""Writing files so that a power cut at any instant leaves the old or the new version, never a torn one.

Whole files: temporary name in the same directory, fsync, rename, fsync the directory. Append-only files: one whole
line in one write, under a lock where several processes share the file; a reader accepts a torn last line.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec


def atomic_write(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, durably.

    Raises:
        OSError: the directory is not writable or the disk is full; `path` then still holds its old content.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def atomic_write_json(path: Path, value: object) -> None:
    """Write a struct or builtin as indented JSON with a final newline."""
    atomic_write(path, msgspec.json.format(encode_json(value), indent=2) + b"\n")


def encode_json(value: object) -> bytes:
    """A struct or builtin as JSON. Bytes of file names that are not UTF-8 become `\\udcXX`."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_escaped(msgspec.to_builtins(value)))


def fsync_directory(path: Path) -> None:
    """Make renames inside `path` durable; not supported by all file systems."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # FUSE and some vfat mounts return EINVAL: only the rename itself is possible
    finally:
        os.close(descriptor)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive flock on `path` (created if missing) for the block."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def append_line(path: Path, lock: Path, line: bytes) -> None:
    """Append one whole line, under `lock`, synced; repairs a last line torn by a power cut.

    Raises:
        OSError: the file cannot be written.
    """
    with file_lock(lock):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            _write_all(descriptor, (b"\n" if torn else b"") + line.rstrip(b"\n") + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list | tuple) else value
