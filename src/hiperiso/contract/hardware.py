"""The guest's hardware as settings name it: medium, network."""

from __future__ import annotations

from enum import StrEnum


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
        """Whether the image is what a disk holds, as if it was written there by ``dd``."""
        return self not in (Medium.AUTO, Medium.CDROM)


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
