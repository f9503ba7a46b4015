"""Disks in addition to the medium: the targets of an installer. New ones are in the session directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from hiperiso.contract.hardware import Board as BoardType
from hiperiso.contract.hardware import Bus, DiskFormat, Drive
from hiperiso.contract.settings import Settings
from hiperiso.errors import UsageError
from hiperiso.images.qcow2 import write_empty_qcow2
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, Preparation, escape, require_absolute

_AHCI_PORTS: Final = 6
_FIRST_TURN: Final = 10  # after the medium and other boot devices
_DEVICES: Final = {
    Bus.VIRTIO: "virtio-blk-pci",
    Bus.NVME: "nvme,serial=disk{number}",
    Bus.AHCI: "ide-hd,bus={ahci}.{port}",
    Bus.USB: "usb-storage,bus=xhci.0",
    Bus.SCSI: "scsi-hd,bus=scsi.0",
}


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """One disk: its drive as requested, its image, and the image's format."""

    drive: Drive
    image: Path
    format: DiskFormat


class Disks(Part, frozen=True, kw_only=True):
    """The disks, in the order of the settings. `keep`: new ones are kept when the session has ended.

    The board ``pc`` has IDE alone; its AHCI disks are on a controller of their own.
    """

    disks: tuple[Disk, ...]
    keep: bool = False
    board: BoardType = BoardType.Q35

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
        own_ahci = self.board is BoardType.PC and any(disk.drive.bus is Bus.AHCI for disk in self.disks)
        argv += ["-device", "ich9-ahci,id=ahci"] if own_ahci else []
        port = 0
        for number, disk in enumerate(self.disks):
            drive = disk.drive
            port += drive.bus is Bus.AHCI
            lost = ",snapshot=on" if drive.file is not None and not drive.write else ""
            device = _DEVICES[drive.bus].format(number=number, ahci="ahci" if own_ahci else "ide", port=port)
            argv += [
                *(
                    "-drive",
                    f"if=none,id=disk{number},format={disk.format.value}{lost},file={escape(disk.image)}",
                ),
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
        return f"{disk.image}; guest writes are discarded"


def plan_disks(settings: Settings, facts: Facts) -> Disks | None:
    """The disks of the settings; None where there are none.

    Raises:
        UsageError: a file that cannot be read, or depends on other files; too many disks.
    """
    disks = tuple(_disk(drive, number, facts) for number, drive in enumerate(settings.disk))
    return Disks(disks=disks, keep=settings.keep_disks, board=settings.machine) if disks else None


def _disk(drive: Drive, number: int, facts: Facts) -> Disk:
    if drive.file is None:
        return Disk(drive=drive, image=facts.place.directory / f"disk{number}.qcow2", format=DiskFormat.QCOW2)
    return Disk(drive=drive, image=drive.file, format=facts.formats[drive.file])
