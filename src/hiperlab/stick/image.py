"""An existing stick: image file, device or mounted directory, opened for reading or writing."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from hiperiso.contract.stick import CONFIG_PATH, DATA_NUMBER, ESP_NUMBER, ISO_FOLDER, OWN_FOLDER
from hiperiso.errors import HarnessFault, UsageError
from hiperlab.stick.data import DataPartition, FolderData
from hiperlab.stick.devices import held_by_kernel, inspect_device, is_block_device, loops_on, refusals
from hiperlab.stick.filesystem import open_data
from hiperlab.stick.gpt import PartitionTable, read_table
from hiperlab.stick.payload import FileRecord

STICK_MANIFEST = "EFI/hiperiso/stick.json"
"""On the EFI partition; written with all other files there, and lists them."""

MAX_CONFIG_BYTES = 4 << 20
_LOCK_WAIT_S = 5.0
"""udev locks a device briefly after it was plugged in or written."""


class StickManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a stick.

    Attributes:
        files: path on the EFI partition -> hash and size.
        boot_sector: the first 440 bytes of the disk.
        core: the content of the BIOS boot partition.
        partuuid: of the data partition that the menu was made for.
        grub: which GRUB starts under UEFI: ``own``, ``signed`` or ``given``.
    """

    files: dict[str, FileRecord]
    boot_sector: FileRecord
    core: FileRecord
    partuuid: str
    grub: str
    hiperiso_version: str
    kernel_options: str | None = None
    versions: dict[str, str] = {}
    format: int = 1


@dataclass(frozen=True)
class Stick:
    """An open image or device."""

    path: Path
    file: BinaryIO
    size_bytes: int
    table: PartitionTable

    def data(self) -> DataPartition:
        """Its data partition.

        Raises:
            HarnessFault: it is missing or damaged.
        """
        part = self.table.partitions.get(DATA_NUMBER)
        if part is None or ESP_NUMBER not in self.table.partitions:
            raise HarnessFault(f"{self.path} has no data partition", hint="not a hiperiso stick")
        return open_data(self.path, self.file, part.extent.offset_bytes)


@contextmanager
def open_stick(path: Path, *, writable: bool = False) -> Iterator[Stick]:
    """Open an image file or device for the block.

    Raises:
        UsageError: it does not exist, cannot be read, or (with `writable`) is in use.
        HarnessFault: no partition table.
    """
    if path.is_dir():
        raise UsageError(
            f"{path} is a directory: the whole stick is needed, not the mount point of a partition",
            hint=f"name the device or the image file: findmnt --target {path} shows the device",
        )
    if path.exists() and not (path.is_file() or path.is_block_device()):
        raise UsageError(f"{path} is neither a file nor a block device")
    if writable:
        check_not_in_use(path)
    try:
        descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"cannot open {path}: {error.strerror}", hint=_open_hint(path, error)) from None
    with os.fdopen(descriptor, "r+b" if writable else "rb") as file:
        if writable:
            hold(file, path)
        size = file.seek(0, os.SEEK_END)
        yield Stick(path, file, size, read_table(file, size, path))


@contextmanager
def open_data_of(target: Path, *, writable: bool = False) -> Iterator[DataPartition]:
    """The data partition of a stick given as image, device or mounted path, for the block.

    Raises:
        UsageError: it is not one, or is in use.
        HarnessFault: it is damaged.
    """
    if target.is_dir():
        expected = (OWN_FOLDER,) if writable else (OWN_FOLDER, ISO_FOLDER)
        if not any((target / folder.lstrip("/")).is_dir() for folder in expected):
            raise UsageError(
                f"{target} is not a hiperiso stick: it does not contain the directory {' or '.join(expected)}",
                hint="is the stick mounted there? name its image or device, or where its data partition is mounted",
            )
        yield FolderData(target)
        return
    with open_stick(target, writable=writable) as stick:
        yield stick.data()


def check_not_in_use(path: Path) -> None:
    """Refuse a device or image that is in use as a file system.

    Raises:
        UsageError: it is mounted, or attached to a loop device.
    """
    found = []
    if is_block_device(path):
        found = refusals(inspect_device(path), needed_bytes=0, force=True)
        if not found and held_by_kernel(path):
            found = [f"{path} is in use"]
    elif loops := loops_on(path):
        found = [f"{path} is attached to {', '.join(loops)}"]
    if found:
        raise UsageError("; ".join(found), hint="unmount it first, or name the path where it is mounted")


def hold(file: BinaryIO, path: Path) -> None:
    """Lock `file` against other writing commands until it is closed.

    Raises:
        UsageError: another command is writing.
    """
    deadline_s = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                raise UsageError(
                    f"another command is writing to {path}", hint="wait until it has ended"
                ) from None
            time.sleep(0.1)
        else:
            return


def read_config_of(data: DataPartition) -> bytes | None:
    """The content of the stick's hiperiso.json, or None if it does not exist or is too large."""
    found = data.find(CONFIG_PATH)
    if found is None or found.is_folder or found.size_bytes > MAX_CONFIG_BYTES:
        return None
    return b"".join(data.read(CONFIG_PATH))


def read_manifest(path: Path) -> StickManifest | None:
    """The manifest of a stick's system, or None if it is missing or invalid."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=StickManifest)
    except (OSError, msgspec.DecodeError):
        return None


def _open_hint(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"permission denied for {path}: use sudo, or join the group that owns it"
    return "name an image file, a device like /dev/sdX, or the path where the stick is mounted"
