"""The EFI system partition: built as a file, written whole, read back as files. mkfs.vfat and mtools do the work.

Writing it as a whole makes an interruption detectable: its first sector is cleared before and written after everything
else.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from hiperiso.contract.stick import ESP_LABEL
from hiperiso.errors import HarnessFault
from hiperlab.run import SOURCE_DATE_EPOCH, has_tool, run_tool
from hiperlab.stick.layout import SECTOR_BYTES, Extent

SPARE_BYTES: Final = 15 << 20
"""The space that must stay free."""

_CHUNK_BYTES = 1 << 20
_MAX_FILES = 500


def empty_cpio() -> bytes:
    """A cpio archive (newc) without members: a GRUB built for Ventoy needs the file to exist, but does not read it."""
    name = b"TRAILER!!!\0"
    header = b"070701" + b"".join(
        b"%08X" % value for value in (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(name), 0)
    )
    archive = header + name
    return archive.ljust(-(-len(archive) // 512) * 512, b"\0")


def build_esp(image: Path, extent: Extent, files: Mapping[str, bytes | Path], *, serial: int) -> None:
    """Create the partition's content as the file `image`: FAT16, labelled VTOYEFI, with `files` (path -> content).

    The same arguments give the same bytes.

    Raises:
        HarnessFault: the files do not fit, or a tool is missing or fails.
    """
    with image.open("wb") as file:
        file.truncate(extent.size_bytes)
    argv = [
        "mkfs.vfat",
        "--invariant",
        "-F",
        "16",
        "-n",
        ESP_LABEL,
        "-i",
        f"{serial:08x}",
        "-h",
        str(extent.first_sector),
        "-s",
        "4",
    ]
    run_tool([*argv, str(image)], package="dosfstools")
    folders = sorted(
        {str(parent) for path in files for parent in PurePosixPath(path).parents if str(parent) != "."}
    )
    environment = {"TZ": "UTC"}
    run_tool(
        ["mmd", "-i", str(image), *(f"::/{f}" for f in folders)], package="mtools", environment=environment
    )
    with tempfile.TemporaryDirectory(prefix="hiperiso-esp-", dir=image.parent) as scratch:
        for folder in folders:
            names = sorted(path for path in files if str(PurePosixPath(path).parent) == folder)
            staged = [_stage(Path(scratch), path, files[path]) for path in names]
            if staged:
                argv = ["mcopy", "-m", "-i", str(image), *map(str, staged), f"::/{folder}/"]
                run_tool(argv, package="mtools", environment=environment)
                for path in staged:
                    path.unlink()


def free_bytes_of(image: Path) -> int:
    """Bytes of free clusters in a FAT16 image."""
    with image.open("rb") as file:
        boot = file.read(SECTOR_BYTES)
        sector, cluster_sectors, reserved, fats = struct.unpack_from("<HBHB", boot, 11)
        roots, small = struct.unpack_from("<HH", boot, 17)
        (fat_sectors,) = struct.unpack_from("<H", boot, 22)
        total = small or struct.unpack_from("<I", boot, 32)[0]
        heap = reserved + fats * fat_sectors + -(-roots * 32 // sector)
        clusters = (total - heap) // cluster_sectors
        file.seek(reserved * sector)
        table = file.read(2 * (clusters + 2))
    entries = struct.unpack(f"<{len(table) // 2}H", table)
    free: int = entries[2:].count(0) * cluster_sectors * sector
    return free


def write_esp(
    file: BinaryIO, extent: Extent, image: Path, *, progress: Callable[[int], None] | None = None
) -> None:
    """Write the image into its partition; until the last sector is written there is no file system in it.

    Raises:
        OSError: the disk is full or gone.
    """
    file.seek(extent.offset_bytes)
    file.write(bytes(SECTOR_BYTES))
    _sync(file)
    with image.open("rb") as source:
        first = source.read(SECTOR_BYTES)
        while chunk := source.read(_CHUNK_BYTES):
            file.write(chunk)
            if progress:
                progress(len(chunk))
    _sync(file)
    file.seek(extent.offset_bytes)
    file.write(first)
    _sync(file)


def esp_problem(boot: bytes) -> str:
    """Why the first sector is not that of a stick's EFI partition, or ``""``."""
    if not any(boot):
        return "it is empty: writing it was interrupted"
    if boot[510:512] != b"\x55\xaa" or boot[54:62] != b"FAT16   ":
        return "it is not FAT16"
    if boot[43:54] != ESP_LABEL.encode().ljust(11):
        label = boot[43:54].decode("ascii", "replace").strip()
        return f"its label is {label!r}, not {ESP_LABEL}"
    return ""


@contextmanager
def extracted_esp(file: BinaryIO, extent: Extent) -> Iterator[tuple[Path, Path]]:
    """A copy of the partition and its files, as (image, directory), for the block.

    Raises:
        HarnessFault: mtools is missing or finds the file system damaged.
    """
    with tempfile.TemporaryDirectory(prefix="hiperiso-esp-") as scratch:
        image, folder = Path(scratch, "esp.img"), Path(scratch, "files")
        folder.mkdir()
        file.seek(extent.offset_bytes)
        left = extent.size_bytes
        with image.open("wb") as copy:
            while left > 0 and (chunk := file.read(min(_CHUNK_BYTES, left))):
                copy.write(chunk)
                left -= len(chunk)
        if left:
            raise HarnessFault("the image ends within its EFI partition", hint="it was copied incompletely")
        run_tool(["mcopy", "-s", "-n", "-i", str(image), "::/", str(folder)], package="mtools")
        yield image, folder


def files_below(folder: Path) -> dict[str, Path]:
    """Relative path -> file, for every regular file below `folder`."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path for path in paths[:_MAX_FILES]}


def fat_complaint(image: Path) -> str:
    """The problems found by fsck.fat, or ``""``; also if fsck.fat is missing."""
    if not has_tool("fsck.fat"):
        return ""
    try:
        run_tool(["fsck.fat", "-n", str(image)], package="dosfstools")
    except HarnessFault as fault:
        return fault.message
    return ""


def _stage(scratch: Path, path: str, content: bytes | Path) -> Path:
    staged = scratch / PurePosixPath(path).name
    staged.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    os.utime(staged, (int(SOURCE_DATE_EPOCH), int(SOURCE_DATE_EPOCH)))
    return staged


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
