"""The booted medium: the image in a CD-ROM drive, or as the content of a disk, as ``dd`` would have written it.

A disk is writable, and systems write to their own sticks (persistence partitions, journals, boot flags). All
writes go to a temporary file of QEMU (``snapshot=on``), which is in ``TMPDIR``, has no name and ends with QEMU:
the image is opened read-only.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

from hiperiso.contract.hardware import DiskFormat, ImageKind, Medium
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootMode
from hiperiso.errors import UsageError
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, Preparation, escape, require_absolute
from hiperiso.machine.parts.firmware import medium_in_force
from hiperiso.machine.parts.loader import drive_in_ram, plan_loader

_MB: Final = 1 << 20
_DEVICES: Final = {
    # Like a real stick: removable, on a current controller.
    Medium.USB: "usb-storage,id=medium,bus=xhci.0,removable=on",
    Medium.DISK: "ide-hd,id=medium,bus=ide.0",
    Medium.NVME: "nvme,id=medium,serial=hiperiso",
    Medium.VIRTIO: "virtio-blk-pci,id=medium",
}


class Cdrom(Part, frozen=True, kw_only=True):
    """An AHCI CD-ROM drive; the image, of that format, is opened read-only. `bootindex`: its boot order, from 0."""

    image: Path
    format: DiskFormat = DiskFormat.RAW
    bootindex: int = 0

    def __post_init__(self) -> None:
        require_absolute(self.image)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return [
            *(
                "-drive",
                f"if=none,id=iso,media=cdrom,format={self.format.value},readonly=on,file={escape(self.image)}",
            ),
            *("-device", f"ide-cd,id=cd0,bus=ide.0,drive=iso,bootindex={self.bootindex}"),
        ]


class RamCdrom(Cdrom, frozen=True, kw_only=True):
    """The same with a copy of the image in the host's RAM: its medium may be pulled out.

    Attributes:
        source: the ISO.
        copy: in RAM; `image` is the same file, or an overlay over it.
        size_bytes: of the ISO.
        ram_mb: the guest's RAM, which needs room, too.
    """

    source: Path
    copy: Path
    size_bytes: int
    ram_mb: int

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        free_mb, needed_mb = free_ram_mb(self.copy.parent), self.size_bytes // _MB + 1 + self.ram_mb
        if needed_mb > free_mb:
            raise UsageError(
                f"boot mode memdisk copies the ISO to RAM: {self.size_bytes // _MB + 1} MB and the guest's "
                f"{self.ram_mb} MB do not fit {free_mb} MB",
                hint="use less --ram, or --boot-mode normal",
            )
        preparation.stack.callback(self.copy.unlink, missing_ok=True)
        shutil.copyfile(self.source, self.copy)

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        return ("boot mode memdisk: the ISO is copied to the host's RAM, and a CD-ROM drive reads it there",)


def free_ram_mb(directory: Path) -> int:
    """How much can be put into `directory`, which is in memory: what it and the machine have left."""
    info = os.statvfs(directory)
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return min(info.f_bavail * info.f_frsize // _MB, int(found[1]) // 1024 if found else 1 << 30)


class WrittenDisk(Part, frozen=True, kw_only=True):
    """A disk onto which an ISO was written, or that an image is; the guest's writes are lost in the end.

    Attributes:
        medium: the kind of disk; one with `Medium.as_disk`.
        format: of the image.
        iso: the image is an ISO.
        bootindex: its boot order, from 0.
    """

    image: Path
    medium: Medium
    format: DiskFormat = DiskFormat.RAW
    iso: bool = True
    bootindex: int = 0

    def __post_init__(self) -> None:
        require_absolute(self.image)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return [
            *("-drive", f"if=none,id=iso,format={self.format.value},snapshot=on,file={escape(self.image)}"),
            *("-device", f"{_DEVICES[self.medium]},drive=iso,bootindex={self.bootindex}"),
        ]

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        what = "the ISO as it was written to a disk; " if self.iso else ""
        return (f"medium {self.medium.value}: {what}guest writes are discarded",)


def plan_medium(settings: Settings, facts: Facts) -> Cdrom | WrittenDisk | None:
    """The drive; None where the whole image is in the guest's memory.

    Raises:
        HarnessFault, UsageError: as for `plan_loader`.
    """
    if facts.kind is ImageKind.KERNEL:
        return None
    if settings.boot_mode is BootMode.MEMDISK:
        if not drive_in_ram(settings, facts):
            return None
        copy = facts.place.ram_copy
        return RamCdrom(
            image=facts.overlay or copy,
            format=DiskFormat.QCOW2 if facts.overlay else DiskFormat.RAW,
            source=facts.iso.path,
            copy=copy,
            size_bytes=facts.iso.size_bytes,
            ram_mb=settings.ram_mb,
        )
    turn = 0 if plan_loader(settings, facts) is None else 1  # QEMU boots a kernel first
    medium = medium_in_force(settings, facts)
    if medium.as_disk:
        is_iso = facts.kind is ImageKind.ISO
        image, form = (facts.overlay, DiskFormat.QCOW2) if facts.overlay else (facts.iso.path, facts.format)
        return WrittenDisk(image=image, medium=medium, format=form, iso=is_iso, bootindex=turn)
    if facts.overlay:
        return Cdrom(image=facts.overlay, format=DiskFormat.QCOW2, bootindex=turn)
    return Cdrom(image=facts.iso.path, bootindex=turn)
