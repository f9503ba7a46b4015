"""Disks beside the medium: what an installer installs to. New ones lie in the session directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from hiperiso.contract.hardware import Bus, Drive
from hiperiso.contract.settings import Settings
from hiperiso.errors import UsageError
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, Preparation, escape, require_absolute
from hiperiso.machine.qcow2 import MAGIC, names_other_files, write_empty_qcow2

_AHCI_PORTS: Final = 6
_FIRST_TURN: Final = 10  # after the medium, and whatever else wants to be first
_DEVICES: Final = {
    Bus.VIRTIO: "virtio-blk-pci",
    Bus.NVME: "nvme,serial=disk{number}",
    Bus.AHCI: "ide-hd,bus=ide.{port}",
    Bus.USB: "usb-storage,bus=xhci.0",
    Bus.SCSI: "scsi-hd,bus=scsi.0",
}
_OTHER_FORMATS: Final = (
    (b"KDMV", "VMDK"),
    (b"# Disk DescriptorFile", "VMDK"),
    (b"vhdxfile", "VHDX"),
    (b"conectix", "VHD"),
    (b"<<< ", "VDI"),
)


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """One disk: its drive as asked for, its image, and the image's format (``raw``, ``qcow2``)."""

    drive: Drive
    image: Path
    format: str


class Disks(Part, frozen=True, kw_only=True):
    """The disks, in the order of the settings. `keep`: new ones stay when the session has ended."""

    disks: tuple[Disk, ...]
    keep: bool = False

    def __post_init__(self) -> None:
        require_absolute(*(disk.image for disk in self.disks))
        ports = sum(disk.drive.bus is Bus.AHCI for disk in self.disks)
        if ports >= _AHCI_PORTS:
            raise UsageError(
                f"{ports} disks on AHCI: the controller has room for {_AHCI_PORTS - 1} beside the medium"
            )

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        for disk in self.disks:
            if disk.drive.file is None:
                write_empty_qcow2(disk.image, disk.drive.size_mb << 20)
                if not self.keep:
                    preparation.stack.callback(disk.image.unlink, missing_ok=True)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        scsi = any(disk.drive.bus is Bus.SCSI for disk in self.disks)
        argv = ["-device", "virtio-scsi-pci,id=scsi"] if scsi else []
        port = 0
        for number, disk in enumerate(self.disks):
            drive = disk.drive
            port += drive.bus is Bus.AHCI
            lost = ",snapshot=on" if drive.file is not None and not drive.write else ""
            device = _DEVICES[drive.bus].format(number=number, port=port)
            argv += [
                *("-drive", f"if=none,id=disk{number},format={disk.format}{lost},file={escape(disk.image)}"),
                *("-device", f"{device},drive=disk{number},bootindex={_FIRST_TURN + number}"),
            ]
        return argv

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        return tuple(f"disk {number}: {self._note(disk)}" for number, disk in enumerate(self.disks))

    def _note(self, disk: Disk) -> str:
        if disk.drive.file is None:
            return f"new, {disk.drive.size_mb} MB, {'kept in the session' if self.keep else 'not kept'}"
        if disk.drive.write:
            return f"{disk.image}, the guest writes to it"
        return f"{disk.image}; what the guest writes is lost"


def plan_disks(settings: Settings, facts: Facts) -> Disks | None:
    """The disks of the settings; None where there are none.

    Raises:
        UsageError: a file that cannot be read, or takes data from other files; too many disks.
    """
    disks = tuple(_disk(drive, number, facts) for number, drive in enumerate(settings.disk))
    return Disks(disks=disks, keep=settings.keep_disks) if disks else None


def _disk(drive: Drive, number: int, facts: Facts) -> Disk:
    if drive.file is None:
        return Disk(drive=drive, image=facts.place.directory / f"disk{number}.qcow2", format="qcow2")
    head = facts.heads.get(drive.file, b"")
    other_format = next((name for magic, name in _OTHER_FORMATS if head.startswith(magic)), "")
    if other_format:
        raise UsageError(
            f"the disk {drive.file} is a {other_format} image; raw and qcow2 can be used",
            hint=f"qemu-img convert -O qcow2 {drive.file} NEW",
        )
    other = names_other_files(head)
    if other:
        raise UsageError(
            f"the disk {drive.file} takes data from {other}",
            hint="merge them: qemu-img convert -O qcow2 OLD NEW",
        )
    return Disk(drive=drive, image=drive.file, format="qcow2" if head.startswith(MAGIC) else "raw")
