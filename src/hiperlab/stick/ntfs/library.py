"""libntfs-3g through ctypes: an NTFS at any offset of a file or device, without a mount, root or FUSE.

The functions and structures are those of the library's public headers (libntfs-3g.so.89: ntfs-3g 2021.8.22 and later);
another major version may have other structures and is refused. Only used by `worker`.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_int,
    c_int64,
    c_uint32,
    c_uint64,
    c_ulong,
    c_void_p,
)
from typing import Any, Final

LIBRARY: Final = "libntfs-3g.so.89"
REGULAR, DIRECTORY = 8, 4
"""``NTFS_DT_REG`` and ``NTFS_DT_DIR``."""

ROOT: Final = 5
FIRST_USER_RECORD: Final = 16
"""Files with lower numbers are the file system's own."""

_MODES: Final = {REGULAR: 0o100000, DIRECTORY: 0o040000}
_READ_ONLY, _FORENSIC = 0x1, 0x04000000
_DATA: Final = 0x80
_BITMAP: Final = 6
_DOS_NAME: Final = 2
_OPEN, _STATE_READ_ONLY = 1 << 0, 1 << 1
_NO_RECORD: Final = (1 << 64) - 1
_RECORD_MASK: Final = (1 << 48) - 1
_EPOCH_DELTA_S: Final = 11_644_473_600
_CHUNK_BYTES: Final = 1 << 20


class _Device(Structure):
    _fields_ = (
        ("ops", c_void_p),
        ("state", c_ulong),
        ("name", c_void_p),
        ("private", c_void_p),
        ("heads", c_int),
        ("sectors", c_int),
    )


class _Attribute(Structure):
    """The beginning of ``struct _ntfs_attr``."""

    _fields_ = (
        ("runlist", c_void_p),
        ("inode", c_void_p),
        ("type", c_uint32),
        ("flags", ctypes.c_uint16),
        ("name", c_void_p),
        ("name_len", c_uint32),
        ("state", c_ulong),
        ("allocated_size", c_int64),
        ("data_size", c_int64),
    )


_DEVICE = POINTER(_Device)
_ON_OPEN = CFUNCTYPE(c_int, _DEVICE, c_int, use_errno=True)
_ON_CLOSE = CFUNCTYPE(c_int, _DEVICE, use_errno=True)
_ON_SEEK = CFUNCTYPE(c_int64, _DEVICE, c_int64, c_int, use_errno=True)
_ON_MOVE = CFUNCTYPE(c_int64, _DEVICE, c_void_p, c_int64, use_errno=True)
_ON_MOVE_AT = CFUNCTYPE(c_int64, _DEVICE, c_void_p, c_int64, c_int64, use_errno=True)
_ON_STAT = CFUNCTYPE(c_int, _DEVICE, c_void_p, use_errno=True)
_ON_IOCTL = CFUNCTYPE(c_int, _DEVICE, c_ulong, c_void_p, use_errno=True)
_ON_ENTRY = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int, c_int64, c_uint64, ctypes.c_uint)


class _Operations(Structure):
    _fields_ = (
        ("open", _ON_OPEN),
        ("close", _ON_CLOSE),
        ("seek", _ON_SEEK),
        ("read", _ON_MOVE),
        ("write", _ON_MOVE),
        ("pread", _ON_MOVE_AT),
        ("pwrite", _ON_MOVE_AT),
        ("sync", _ON_CLOSE),
        ("stat", _ON_STAT),
        ("ioctl", _ON_IOCTL),
    )


class _Window:
    """A range of an open file as the library's device. Nothing outside it is read or written."""

    def __init__(self, descriptor: int, offset_bytes: int, size_bytes: int, *, writable: bool) -> None:
        self._descriptor, self._offset, self._size = descriptor, offset_bytes, size_bytes
        self._writable = writable
        self._at = 0
        self.operations = _Operations(
            _ON_OPEN(self._open),
            _ON_CLOSE(self._close),
            _ON_SEEK(self._seek),
            _ON_MOVE(lambda _, buffer, count: self._move(self._read, buffer, count)),
            _ON_MOVE(lambda _, buffer, count: self._move(self._write, buffer, count)),
            _ON_MOVE_AT(lambda _, buffer, count, at: self._read(buffer, count, at)),
            _ON_MOVE_AT(lambda _, buffer, count, at: self._write(buffer, count, at)),
            _ON_CLOSE(self._sync),
            _ON_STAT(lambda _, _buffer: _failed(errno.EOPNOTSUPP)),
            _ON_IOCTL(lambda _, _request, _argument: _failed(errno.EOPNOTSUPP)),
        )

    def _open(self, device: Any, _flags: int) -> int:
        device.contents.state |= _OPEN | (0 if self._writable else _STATE_READ_ONLY)
        return 0

    def _close(self, device: Any) -> int:
        device.contents.state &= ~_OPEN
        return self._sync(device)

    def _sync(self, _device: Any) -> int:
        try:
            if self._writable:
                os.fsync(self._descriptor)
        except OSError as error:
            return _failed(error.errno or errno.EIO)
        return 0

    def _seek(self, _device: Any, offset: int, whence: int) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def _move(self, act: Any, buffer: int, count: int) -> int:
        moved: int = act(buffer, count, self._at)
        self._at += max(0, moved)
        return moved

    def _read(self, buffer: int, count: int, at: int) -> int:
        count = min(count, self._size - at)
        if at < 0 or count <= 0:
            return 0
        try:
            return os.preadv(self._descriptor, [_memory(buffer, count)], self._offset + at)
        except OSError as error:
            return _failed(error.errno or errno.EIO)

    def _write(self, buffer: int, count: int, at: int) -> int:
        if at < 0 or count < 0 or at + count > self._size or not self._writable:
            return _failed(errno.ENOSPC if self._writable else errno.EROFS)
        try:
            return os.pwrite(self._descriptor, _memory(buffer, count), self._offset + at)
        except OSError as error:
            return _failed(error.errno or errno.EIO)


def _failed(number: int) -> int:
    ctypes.set_errno(number)
    return -1


def _memory(address: int, count: int) -> Any:
    return memoryview((ctypes.c_char * count).from_address(address)).cast("B")


class Volume:
    """An open NTFS. Files and directories are identified by record number. All methods raise OSError."""

    def __init__(self, library: Any, handle: int, cluster_bytes: int) -> None:
        self._lib, self._handle, self._cluster_bytes = library, handle, cluster_bytes

    def look_up(self, folder: int, name: str) -> int | None:
        """The record of `name` in a directory, ignoring case; None if there is none."""
        text, length = _utf16(name)
        with self._inode(folder) as inode:
            found: int = self._lib.ntfs_inode_lookup_by_name(inode, text, length)
        if found != _NO_RECORD:
            return found & _RECORD_MASK
        # the library could do it, but would then return all names in lower case
        wanted = name.upper()
        return next((record for other, record, _ in self.entries(folder) if other.upper() == wanted), None)

    def entries(self, folder: int) -> list[tuple[str, int, int]]:
        """Name, record and kind (REGULAR, DIRECTORY or another) of the entries of a directory."""
        found: list[tuple[str, int, int]] = []

        def take(_: Any, name: int, length: int, form: int, _at: int, record: int, kind: int) -> int:
            number = record & _RECORD_MASK
            text = ctypes.string_at(name, 2 * length).decode("utf-16-le", "surrogatepass")
            if form & 3 != _DOS_NAME and number >= FIRST_USER_RECORD and text not in (".", ".."):
                found.append((text, number, kind))
            return 0

        callback, position = _ON_ENTRY(take), c_int64(0)
        with self._inode(folder) as inode:
            self._checked(self._lib.ntfs_readdir(inode, ctypes.byref(position), None, callback) == 0)
        return found

    def facts(self, record: int) -> tuple[int, float]:
        """Size of a file in bytes and its modification time, in seconds since 1970."""
        with self._inode(record) as inode, self._content(inode) as content:
            times = ctypes.create_string_buffer(32)
            self._lib.ntfs_inode_get_times(inode, times, len(times))
            changed = int.from_bytes(times.raw[8:16], "little") / 1e7 - _EPOCH_DELTA_S
            return max(0, content.contents.data_size), changed

    def read(self, record: int) -> Iterator[bytes]:
        """The content of a file in chunks of a megabyte."""
        buffer = ctypes.create_string_buffer(_CHUNK_BYTES)
        at = 0
        with self._inode(record) as inode, self._content(inode) as content:
            while got := self._lib.ntfs_attr_pread(content, at, _CHUNK_BYTES, buffer):
                self._checked(got > 0)
                yield buffer.raw[:got]
                at += got

    def make(self, folder: int, name: str, kind: int) -> int:
        """Create an empty file or directory; returns its record."""
        text, length = _utf16(name)
        with self._inode(folder) as inode:
            made = self._checked(self._lib.ntfs_create(inode, 0, text, length, _MODES[kind]))
            self._checked(self._lib.ntfs_inode_close(made) == 0)
        found = self.look_up(folder, name)
        if found is None:
            raise OSError(errno.EIO, "a new file was not found")
        return found

    def write(self, record: int, chunks: Iterator[bytes]) -> int:
        """Write an empty file; returns its size in bytes."""
        at = 0
        with self._inode(record) as inode, self._content(inode) as content:
            for chunk in chunks:
                done = 0
                while done < len(chunk):
                    put = self._lib.ntfs_attr_pwrite(content, at, len(chunk) - done, chunk[done:])
                    self._checked(put > 0)
                    done += put
                    at += put
        return at

    def rename(self, folder: int, old: str, new: str) -> None:
        """Rename a file within a directory."""
        record = self.look_up(folder, old)
        if record is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        text, length = _utf16(new)
        with self._inode(folder) as parent, self._inode(record) as inode:
            self._checked(self._lib.ntfs_link(inode, parent, text, length) == 0)
        self.remove(folder, old)

    def remove(self, folder: int, name: str) -> None:
        """Unlink a name; with the last one the file is removed."""
        record = self.look_up(folder, name)
        if record is None:
            return
        text, length = _utf16(name)
        parent = self._checked(self._lib.ntfs_inode_open(self._handle, folder))
        inode = self._checked(self._lib.ntfs_inode_open(self._handle, record))
        # closes both
        self._checked(self._lib.ntfs_delete(self._handle, None, inode, parent, text, length) == 0)

    def free_bytes(self) -> int:
        """Free clusters, from the file system's own bitmap."""
        free = sum(
            8 * len(chunk) - int.from_bytes(chunk, "little").bit_count() for chunk in self.read(_BITMAP)
        )
        return free * self._cluster_bytes

    @contextmanager
    def _inode(self, record: int) -> Iterator[int]:
        inode = self._checked(self._lib.ntfs_inode_open(self._handle, record))
        try:
            yield inode
        finally:
            failed = self._lib.ntfs_inode_close(inode)
        self._checked(not failed)

    @contextmanager
    def _content(self, inode: int) -> Iterator[Any]:
        content = self._checked(self._lib.ntfs_attr_open(inode, _DATA, None, 0))
        try:
            yield content
        finally:
            self._lib.ntfs_attr_close(content)

    @staticmethod
    def _checked(result: Any) -> Any:
        if not result:
            number = ctypes.get_errno() or errno.EIO
            raise OSError(number, os.strerror(number))
        return result


@contextmanager
def open_volume(descriptor: int, offset_bytes: int, *, writable: bool) -> Iterator[Volume]:
    """The NTFS that begins at `offset_bytes` of an open file, for the block.

    Raises:
        OSError: the library is missing (ENOPKG), not an NTFS, or it is damaged or was not closed.
    """
    sector_bytes, cluster_bytes, size_bytes = _geometry(os.pread(descriptor, 512, offset_bytes))
    library = _load()
    window = _Window(descriptor, offset_bytes, size_bytes + sector_bytes, writable=writable)
    device = Volume._checked(library.ntfs_device_alloc(b"stick", 0, ctypes.byref(window.operations), None))
    flags = 0 if writable else _READ_ONLY | _FORENSIC
    handle = library.ntfs_device_mount(device, flags)
    if not handle:
        number = ctypes.get_errno() or errno.EIO
        raise OSError(number, os.strerror(number))
    closed = -1
    try:
        yield Volume(library, handle, cluster_bytes)
    finally:
        closed = library.ntfs_umount(handle, 0)
    Volume._checked(closed == 0)


def _geometry(boot: bytes) -> tuple[int, int, int]:
    """Bytes of a sector, of a cluster, and of the file system without its copy of the boot sector."""
    sector = int.from_bytes(boot[11:13], "little")
    per_cluster = int.from_bytes(boot[13:14], "little")
    if boot[3:11] != b"NTFS    " or sector not in (512, 1024, 2048, 4096) or not per_cluster:
        raise OSError(errno.EINVAL, "not an NTFS")
    if per_cluster > 128:  # a negative power of two
        per_cluster = 1 << min(16, 256 - per_cluster)
    return sector, sector * per_cluster, sector * int.from_bytes(boot[40:48], "little")


def _utf16(name: str) -> tuple[bytes, int]:
    text = name.encode("utf-16-le", "surrogatepass")
    if not 0 < len(text) <= 510:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    return text + b"\0\0", len(text) // 2


def _load() -> Any:
    try:
        library = ctypes.CDLL(LIBRARY, use_errno=True)
    except OSError:
        raise OSError(errno.ENOPKG, f"{LIBRARY} is not installed") from None
    attribute = POINTER(_Attribute)
    for name, result, arguments in (
        ("device_alloc", c_void_p, (c_char_p, ctypes.c_long, POINTER(_Operations), c_void_p)),
        ("device_mount", c_void_p, (c_void_p, c_ulong)),
        ("umount", c_int, (c_void_p, c_int)),
        ("inode_lookup_by_name", c_uint64, (c_void_p, c_char_p, c_int)),
        ("readdir", c_int, (c_void_p, POINTER(c_int64), c_void_p, _ON_ENTRY)),
        ("inode_open", c_void_p, (c_void_p, c_uint64)),
        ("inode_close", c_int, (c_void_p,)),
        ("inode_get_times", c_int, (c_void_p, c_char_p, ctypes.c_size_t)),
        ("attr_open", attribute, (c_void_p, c_uint32, c_void_p, c_uint32)),
        ("attr_close", None, (attribute,)),
        ("attr_pread", c_int64, (attribute, c_int64, c_int64, c_char_p)),
        ("attr_pwrite", c_int64, (attribute, c_int64, c_int64, c_char_p)),
        ("create", c_void_p, (c_void_p, c_uint32, c_char_p, ctypes.c_uint8, c_uint32)),
        ("link", c_int, (c_void_p, c_void_p, c_char_p, ctypes.c_uint8)),
        ("delete", c_int, (c_void_p, c_char_p, c_void_p, c_void_p, c_char_p, ctypes.c_uint8)),
    ):
        function = getattr(library, f"ntfs_{name}")
        function.restype, function.argtypes = result, arguments
    library.ntfs_log_set_handler(library.ntfs_log_handler_null)  # errors are reported by errno
    return library
