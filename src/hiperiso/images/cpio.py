"""A writer of cpio archives in the ``newc`` format, as the kernel reads them for an initramfs.

Needs no root: device nodes and owners are fields of the archive, not files on disk. The same entries always give the
same bytes (owner 0:0, time 0, numbered inodes).

::

    header, 110 bytes of ASCII: magic 070701, then 13 numbers of 8 hexadecimal digits
        ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    name, NUL, padded to 4 bytes     (padding counts from the start of the header)
    data, padded to 4 bytes
    ...
    the entry TRAILER!!!, then NULs up to a multiple of 512

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ALIGNMENT = 4
"""Of the segment of an initramfs behind another."""

TRAILER = "TRAILER!!!"
"""The name of the entry that ends an archive."""

_BLOCK_BYTES = 512


@dataclass(frozen=True)
class Entry:
    """One file of the archive.

    Attributes:
        name: path inside the archive, relative, without ``.`` or ``..``.
        mode: type and permission bits, as in ``st_mode``.
        data: content of a regular file, target of a symbolic link, else empty.
        device: major and minor number of a device node.
    """

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(name: str, permissions: int = 0o755) -> Entry:
    """Returns a directory."""
    return Entry(name, stat.S_IFDIR | permissions)


def regular(name: str, data: bytes, permissions: int = 0o644) -> Entry:
    """Returns a regular file."""
    return Entry(name, stat.S_IFREG | permissions, data)


def symlink(name: str, target: str) -> Entry:
    """Returns a symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, os.fsencode(target))


def char_device(name: str, major: int, minor: int, permissions: int = 0o600) -> Entry:
    """Returns a character device node."""
    return Entry(name, stat.S_IFCHR | permissions, device=(major, minor))


def tree(root: Path) -> Iterator[Entry]:
    """Yields what lies under ``root``, sorted, owned by 0:0: directories, regular files and symbolic links."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            yield symlink(name, str(path.readlink()))
        elif stat.S_ISDIR(mode):
            yield directory(name, stat.S_IMODE(mode))
        elif stat.S_ISREG(mode):
            yield regular(name, path.read_bytes(), stat.S_IMODE(mode))


def archive(entries: Iterable[Entry], there: frozenset[str] = frozenset()) -> bytes:
    """Returns the archive of ``entries``, in their order.

    Missing parent directories are added before their first use, but for those that are ``there`` already.

    Raises:
        ValueError: a name is absolute, empty or leaves the archive, appears twice, or a file is above 4 GiB.
    """
    out = bytearray()
    ino = 0
    for ino, entry in enumerate(_with_parents(entries, there), start=1):
        out += _record(entry, ino)
    out += _record(Entry(TRAILER, 0), ino + 1)
    return bytes(out) + bytes(-len(out) % _BLOCK_BYTES)


def compressed(entries: Iterable[Entry], level: int = 6) -> bytes:
    """Returns the archive packed with gzip, without a time stamp in it."""
    return gzip.compress(archive(entries), compresslevel=level, mtime=0)


def _with_parents(entries: Iterable[Entry], there: frozenset[str]) -> Iterator[Entry]:
    seen: set[str] = set()
    for entry in entries:
        parts = entry.name.split("/")
        if entry.name == TRAILER or any(part in {"", ".", ".."} for part in parts):
            raise ValueError(f"not a valid name in an archive: {entry.name!r}")
        if entry.name in seen:
            raise ValueError(f"duplicate name in the archive: {entry.name!r}")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            if parent not in seen and parent not in there:
                seen.add(parent)
                yield directory(parent)
        seen.add(entry.name)
        yield entry


def _record(entry: Entry, ino: int) -> bytes:
    name = os.fsencode(entry.name) + b"\0"
    if len(entry.data) > 0xFFFFFFFF:
        raise ValueError(f"too large for this format: {entry.name!r}")
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (ino, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return header + bytes(-len(header) % 4) + entry.data + bytes(-len(entry.data) % 4)
