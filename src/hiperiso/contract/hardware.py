# ruff: noqa: D102 - the base class documents each method
"""The guest's hardware as settings name it: medium, disks, network."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from hiperiso.contract.values import Kind, Locate

_SIZE = re.compile(r"([0-9]{1,9})([MGT])I?B?", re.IGNORECASE)
_UNITS_MB = {"M": 1, "G": 1 << 10, "T": 1 << 20}
_MAX_MB = 2 << 20


class Medium(StrEnum):
    """The drive in which the guest finds the image."""

    AUTO = "auto"
    CDROM = "cdrom"
    USB = "usb"
    DISK = "disk"
    NVME = "nvme"
    VIRTIO = "virtio"

    @property
    def as_disk(self) -> bool:
        """Whether the image is the content of a disk, as written by ``dd``."""
        return self not in (Medium.AUTO, Medium.CDROM)


class ImageKind(StrEnum):
    """What the file that is booted was taken for."""

    ISO = "iso"
    DISK = "disk"
    EFI = "efi"
    KERNEL = "kernel"
    DIRECTORY = "directory"

    @property
    def as_disk(self) -> bool:
        """Whether the guest can find it on a disk alone."""
        return self in (ImageKind.DISK, ImageKind.EFI, ImageKind.DIRECTORY)


class DiskFormat(StrEnum):
    """The format of a disk image, by QEMU's name."""

    RAW = "raw"
    QCOW2 = "qcow2"
    VHD = "vpc"
    VHDX = "vhdx"
    VMDK = "vmdk"


class Board(StrEnum):
    """The guest's board, by QEMU's name."""

    Q35 = "q35"
    PC = "pc"


class Net(StrEnum):
    """The guest's network."""

    NONE = "none"
    USER = "user"


class Nic(StrEnum):
    """The guest's network card, by QEMU's name."""

    VIRTIO = "virtio-net-pci"
    E1000 = "e1000"
    E1000E = "e1000e"
    RTL8139 = "rtl8139"
    PCNET = "pcnet"
    VMXNET3 = "vmxnet3"


class Bus(StrEnum):
    """The bus of a disk."""

    VIRTIO = "virtio"
    NVME = "nvme"
    AHCI = "ahci"
    USB = "usb"
    SCSI = "scsi"


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """A disk that the guest may write to.

    Attributes:
        size_mb: size of a new, empty disk; 0 for an existing image.
        file: an existing image; None for a new disk.
        bus: the bus to which it is attached.
        write: the guest's writes go to `file` itself; else they are discarded at the end.
    """

    size_mb: int = 0
    file: Path | None = None
    bus: Bus = Bus.VIRTIO
    write: bool = False


class DriveText(Kind):
    """A disk: ``SIZE|FILE[,bus=BUS][,write]``."""

    metavar = "SIZE|FILE[,bus=BUS][,write]"

    def parse(self, raw: Any) -> Drive:
        if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
            raise ValueError(f"{raw!r} is not a disk")
        what, *options = raw.strip().split(",")
        bus, write = Bus.VIRTIO, False
        for option in options:
            name, _, value = option.partition("=")
            if option == "write":
                write = True
            elif name == "bus" and value in tuple(Bus):
                bus = Bus(value)
            else:
                raise ValueError(f"{option!r} in {raw!r} is not write or bus={'|'.join(Bus)}")
        match = _SIZE.fullmatch(what)
        if match is None:
            return Drive(file=Path(what), bus=bus, write=write)
        size_mb = int(match[1]) * _UNITS_MB[match[2].upper()]
        if not 0 < size_mb <= _MAX_MB or write:
            raise ValueError(f"{raw!r} is not a new disk of 1M to 2T (write is for a file)")
        return Drive(size_mb=size_mb, bus=bus)

    def text(self, value: Drive) -> str:
        what = f"{value.size_mb}M" if value.file is None else str(value.file)
        return f"{what},bus={value.bus.value}{',write' if value.write else ''}"

    def plain(self, value: Drive) -> str:
        return self.text(value)

    def located(self, value: Drive, locate: Locate) -> Drive:
        if value.file is None:
            return value
        return msgspec.structs.replace(value, file=locate(str(value.file)))
