"""The initramfs as one compressed file, in the forms that a distribution's kernel unpacks."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import IO, cast

from hiperiso.errors import HarnessFault

_CHUNK_BYTES = 1 << 20


class Compression(StrEnum):
    """How the initramfs is packed; its file name is the contract's in any case."""

    ZSTD = "zstd"
    XZ = "xz"
    GZIP = "gzip"


_BEST = {Compression.ZSTD: 19, Compression.XZ: 9, Compression.GZIP: 9}


def pack(
    archive: bytes,
    target: Path,
    *,
    compression: Compression,
    level: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Compress `archive` into `target`; the same bytes and level give the same file.

    Args:
        archive: a cpio archive.
        target: the file to write.
        compression: the form.
        level: how hard to try; the best that the kernel takes when None.
        progress: called with the bytes that were taken in.

    Raises:
        HarnessFault: the tool is missing or fails.
        OSError: the file cannot be written.
    """
    chosen = level or _BEST[compression]
    with target.open("wb") as file:
        if compression is Compression.GZIP:
            with gzip.GzipFile("", "wb", chosen, fileobj=file, mtime=0) as packed:
                _feed(archive, cast("IO[bytes]", packed), progress)
        else:
            _through(_argv(compression, chosen), archive, file, progress)


def _argv(compression: Compression, level: int) -> list[str]:
    if compression is Compression.ZSTD:
        return ["zstd", "-q", "-c", "-T2", f"-{level}", "-"]
    # The kernel checks CRC32 alone, and unpacks a single stream.
    return ["xz", "-q", "-c", "-T1", "--check=crc32", "--x86", f"--lzma2=preset={level},dict=16MiB", "-"]


def _through(
    argv: list[str], archive: bytes, file: IO[bytes], progress: Callable[[int], None] | None
) -> None:
    package = "xz-utils" if argv[0] == "xz" else argv[0]
    if shutil.which(argv[0]) is None:
        raise HarnessFault(f"{argv[0]} is not installed", hint=f"apt-get install {package}")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            _feed(archive, process.stdin, progress)
            process.stdin.close()
        except BrokenPipeError:
            pass  # its exit code and words say why
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode != 0:
        raise HarnessFault(f"{argv[0]} failed ({process.returncode}): {said}")


def _feed(archive: bytes, file: IO[bytes], progress: Callable[[int], None] | None) -> None:
    for start in range(0, len(archive), _CHUNK_BYTES):
        file.write(archive[start : start + _CHUNK_BYTES])
        if progress:
            progress(min(_CHUNK_BYTES, len(archive) - start))
