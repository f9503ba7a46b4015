"""Creates the data partition's file system, with the directories and configuration of every stick."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from hiperiso.contract.stick import CONFIG_PATH, DATA_LABEL, ISO_FOLDER, LOG_FOLDER
from hiperiso.errors import HarnessFault
from hiperlab.run import SOURCE_DATE_EPOCH, run_tool
from hiperlab.stick.exfat import ExfatVolume, format_exfat
from hiperlab.stick.ext4 import format_ext4
from hiperlab.stick.gpt import Identity
from hiperlab.stick.layout import SECTOR_BYTES, Extent
from hiperlab.stick.ntfs.data import NtfsData

FILESYSTEMS: Final = ("exfat", "ntfs", "ext4")
FOLDERS: Final = (ISO_FOLDER, LOG_FOLDER)
_CHUNK_BYTES = 1 << 20


def format_data(
    target: Path, file: BinaryIO, extent: Extent, identity: Identity, *, filesystem: str, config: bytes
) -> None:
    """Create the file system of the data partition, with /ISOs, /hiperiso/logs and hiperiso.json in it.

    Raises:
        HarnessFault: a tool is missing or fails.
    """
    file.flush()
    if filesystem == "exfat":
        _format_exfat(file, extent, identity, config)
    elif filesystem == "ext4":
        _format_ext4(target, extent, identity, config)
    else:
        _format_ntfs(file, extent, config)
    file.flush()
    os.fsync(file.fileno())


def _format_exfat(file: BinaryIO, extent: Extent, identity: Identity, config: bytes) -> None:
    format_exfat(
        file,
        offset_bytes=extent.offset_bytes,
        size_bytes=extent.size_bytes,
        label=DATA_LABEL,
        serial=identity.data_serial,
    )
    volume = ExfatVolume.open(file, extent.offset_bytes)
    when = datetime.fromtimestamp(int(SOURCE_DATE_EPOCH), UTC)
    for folder in FOLDERS:
        volume.make_directories(folder, when=when)
    volume.add(CONFIG_PATH, [config], len(config), when=when)


def _format_ext4(target: Path, extent: Extent, identity: Identity, config: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="hiperiso-data-") as scratch:
        content = Path(scratch)
        content.chmod(0o755)
        for folder in FOLDERS:
            content.joinpath(*folder.split("/")).mkdir(parents=True)
        content.joinpath(*CONFIG_PATH.split("/")).write_bytes(config)
        for path in [content, *content.rglob("*")]:
            os.utime(path, (int(SOURCE_DATE_EPOCH), int(SOURCE_DATE_EPOCH)))
        format_ext4(
            target,
            offset_bytes=extent.offset_bytes,
            size_bytes=extent.size_bytes,
            label=DATA_LABEL,
            unique=identity.data,
            content=content,
        )


def _format_ntfs(file: BinaryIO, extent: Extent, config: bytes) -> None:
    """mkntfs has no offset option: it writes a separate sparse file, whose data is copied."""
    with tempfile.TemporaryDirectory(prefix="hiperiso-ntfs-") as scratch:
        image = Path(scratch, "ntfs.img")
        with image.open("wb") as empty:
            empty.truncate(extent.size_bytes)
        argv = [
            "mkntfs",
            "--quiet",
            "--fast",
            "--force",
            "--label",
            DATA_LABEL,
            "--sector-size",
            str(SECTOR_BYTES),
        ]
        argv += ["--partition-start", str(extent.first_sector), "--heads", "255", "--sectors-per-track", "63"]
        run_tool([*argv, str(image)], package="ntfs-3g", timeout_s=3600)
        with image.open("r+b") as source:
            data = NtfsData(source, 0)
            for folder in FOLDERS:
                data.make_folders(folder)
            data.add(CONFIG_PATH, [config], len(config))
            _copy_written(source, file, extent)


def _copy_written(source: BinaryIO, file: BinaryIO, extent: Extent) -> None:
    end = 0
    while True:
        try:
            start = os.lseek(source.fileno(), end, os.SEEK_DATA)
        except OSError:
            return  # ENXIO: only a hole is left
        end = os.lseek(source.fileno(), start, os.SEEK_HOLE)
        if end > extent.size_bytes:
            raise HarnessFault("mkntfs created a file system larger than its partition")
        source.seek(start)
        file.seek(extent.offset_bytes + start)
        while start < end and (chunk := source.read(min(_CHUNK_BYTES, end - start))):
            file.write(chunk)
            start += len(chunk)
