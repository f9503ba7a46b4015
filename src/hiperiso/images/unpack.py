"""Compressed images, unpacked to the cache: once for each state of the file, within bounds of size.

::

    unpacked/<hash of path, size, time>-<name without its suffix>     the image, with holes where it is zero
    unpacked/.<...>.part                                              one that is being written

A boot holds a shared lock on the file that it uses; unlocked files are removed when the cache grows too large.
"""

from __future__ import annotations

import bz2
import contextlib
import fcntl
import hashlib
import lzma
import os
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final, Protocol

from hiperiso.cache import cache_root
from hiperiso.errors import HarnessFault, IsoError, UsageError
from hiperiso.images.compression import Progress
from hiperiso.packages import install_hint

MAX_BYTES: Final = 64 << 30
"""Size of the largest image that is unpacked."""

MAX_CACHE_BYTES: Final = 32 << 30
"""The size limit of the cache of unpacked images, in bytes on the disk."""

_SPARE_BYTES: Final = 1 << 30
_PIECE_BYTES: Final = 1 << 20
_XZ_MEMORY_BYTES: Final = 512 << 20
_PROGRAM_WAIT_S: Final = 10.0


def unpack(
    path: Path,
    suffix: str,
    stack: ExitStack,
    progress: Progress,
    *,
    root: Path | None = None,
    max_bytes: int = MAX_BYTES,
    max_cache_bytes: int = MAX_CACHE_BYTES,
) -> Path:
    """The unpacked image of the compressed `path`, in the cache; locked there as long as `stack` is open.

    Args:
        path: the compressed file.
        suffix: from `compression`.
        stack: releases the image when it is closed.
        progress: called about once per megabyte of the compressed file.
        root: the directory of the cache.
        max_bytes: bound of the unpacked size.
        max_cache_bytes: size limit of the cache.

    Raises:
        IsoError: the file is damaged, or unpacks to more than `MAX_BYTES`.
        UsageError: not enough space for it.
        HarnessFault: a program is missing, or the cache cannot be written.
    """
    folder = (root or cache_root()) / "unpacked"
    info = path.stat()
    state = f"{path.resolve()}\0{info.st_size}\0{info.st_mtime_ns}\0{info.st_ino}"
    key = hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()[:16]
    name = path.name.removesuffix(suffix) or "image"
    target = folder / f"{key}-{name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _hold(target, stack):
            _unpack_to(path, suffix, target, progress, max_bytes)
            _hold(target, stack)
            _shrink(folder, target, max_cache_bytes)
        os.utime(target)
    except OSError as error:
        raise HarnessFault(f"cannot unpack to the cache {folder}: {error.strerror or error}") from None
    return target


def _hold(target: Path, stack: ExitStack) -> bool:
    """Lock a file of the cache against removal; False if it does not exist."""
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    stack.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return target.exists()


def _unpack_to(path: Path, suffix: str, target: Path, progress: Progress, max_bytes: int) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    bound = min(max_bytes, shutil.disk_usage(target.parent).free - _SPARE_BYTES)
    total = max(path.stat().st_size, 1)
    try:
        with path.open("rb") as source, part.open("wb") as out, decoder(suffix, source) as engine:
            size = 0
            for piece in engine.pieces():
                size += len(piece)
                if size > bound:
                    raise _too_large(path, bound, max_bytes)
                _write_sparse(out, piece)
                progress(
                    f"unpacking {path.name}: {100 * min(source.tell(), total) // total} %, {size >> 20} MB"
                )
            out.truncate(size)
        part.replace(target)
    except (lzma.LZMAError, zlib.error, EOFError, ValueError) as error:
        raise IsoError(
            f"the compressed image is damaged: {path} ({error})", hint="download or copy it again"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _too_large(path: Path, bound: int, max_bytes: int) -> UsageError:
    if bound >= max_bytes:
        return IsoError(f"the compressed image unpacks to more than {max_bytes >> 20} MB: {path}")
    return UsageError(
        f"not enough space to unpack {path}: the cache {cache_root()} has {max(bound, 0) >> 20} MB available",
        hint="free some space there",
    )


def _write_sparse(out: IO[bytes], piece: bytes) -> None:
    if piece.count(0) == len(piece):
        out.seek(len(piece), os.SEEK_CUR)
    else:
        out.write(piece)


def _shrink(folder: Path, keep: Path, max_bytes: int) -> None:
    """Remove the least recently used unlocked files until the rest is within the limit."""
    sizes = {
        path: path.stat() for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
    }
    used = sum(info.st_blocks * 512 for info in sizes.values())
    for path, info in sorted(sizes.items(), key=lambda item: item[1].st_mtime_ns):
        if used <= max_bytes:
            return
        if path != keep and _remove_unheld(path):
            used -= info.st_blocks * 512


def _remove_unheld(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
        return True
    return False


# ── decoders ──


class Decoder(Protocol):
    """Unpacks one file; a context manager."""

    def __enter__(self) -> Decoder: ...
    def __exit__(self, *_: object) -> None: ...
    def pieces(self) -> Iterator[bytes]:
        """Yield the unpacked content, at most about a megabyte at a time.

        Raises:
            lzma.LZMAError, zlib.error, EOFError, ValueError: it is damaged or cut short.
        """


def decoder(suffix: str, source: IO[bytes]) -> Decoder:
    """What unpacks the open file `source`: ``.xz``, ``.gz``, ``.bz2``, ``.zst``, or ``.7z``, as a tar.

    Raises:
        HarnessFault: on entering it: the program that this kind needs is missing.
    """
    return _Program(source, suffix) if suffix in _PROGRAMS else _Streams(source, suffix)


class _Engine(Protocol):
    """As lzma and bz2 have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib with the interface of the others."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


_ENGINES: Final[dict[str, Callable[[], _Engine]]] = {
    ".xz": lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES),
    ".bz2": bz2.BZ2Decompressor,
    ".gz": _Gzip,
}


class _Streams:
    """xz, gzip and bzip2 of the standard library: several concatenated streams, each followed by zeros."""

    def __init__(self, source: IO[bytes], suffix: str) -> None:
        self._source = source
        self._make = _ENGINES[suffix]

    def __enter__(self) -> _Streams:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def pieces(self) -> Iterator[bytes]:
        engine = self._make()
        try:
            while True:
                data = b""
                if engine.eof:
                    data = self._next_stream(engine.unused_data)
                    if not data:
                        return
                    engine = self._make()
                elif engine.needs_input:
                    data = self._source.read(_PIECE_BYTES)
                piece = engine.decompress(data, _PIECE_BYTES)
                if not data and not piece and not engine.eof:
                    raise EOFError("it ends too early")
                yield piece
        except OSError as error:  # what bz2 raises for data that it does not understand
            raise ValueError(str(error)) from None

    def _next_stream(self, rest: bytes) -> bytes:
        while not (found := rest.lstrip(b"\0")):
            rest = self._source.read(_PIECE_BYTES)
            if not rest:
                return b""
        return found


_PROGRAMS: Final = {
    ".zst": (("zstd", "--decompress", "--stdout", "--quiet", "--memory=512MB"), "zstd"),
    # P: names as they are, so that they can be judged
    ".7z": (("bsdtar", "-c", "-P", "-f", "-", "--format=pax", "@-"), "libarchive-tools"),
}


class _Program:
    """What the standard library has no decoder for: a program that reads the file as its standard input."""

    def __init__(self, source: IO[bytes], suffix: str) -> None:
        self._source = source
        self._argv, self._package = _PROGRAMS[suffix]

    def __enter__(self) -> _Program:
        try:
            self._child = subprocess.Popen(
                self._argv, stdin=self._source, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except FileNotFoundError:
            raise HarnessFault(
                f"{self._argv[0]} is not installed", hint=install_hint(self._package)
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdout
        assert self._child.stderr
        self._child.kill()
        self._child.stdout.close()
        self._child.stderr.close()
        self._child.wait(_PROGRAM_WAIT_S)

    def pieces(self) -> Iterator[bytes]:
        assert self._child.stdout
        assert self._child.stderr
        while piece := self._child.stdout.read(_PIECE_BYTES):
            yield piece
        words = self._child.stderr.read(4096).decode(errors="replace").strip()
        if self._child.wait(_PROGRAM_WAIT_S):
            raise ValueError(words or f"{self._argv[0]} failed")
