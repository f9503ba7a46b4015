"""The medium that is booted: the ISO in a CD-ROM drive."""

from __future__ import annotations

from pathlib import Path

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootMode
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, escape, require_absolute
from hiperiso.machine.parts.loader import plan_loader


class Cdrom(Part, frozen=True, kw_only=True):
    """An AHCI CD-ROM drive; the image is opened read-only. `bootindex`: its turn, 0 the first."""

    image: Path
    bootindex: int = 0

    def __post_init__(self) -> None:
        require_absolute(self.image)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return [
            *("-drive", f"if=none,id=iso,media=cdrom,format=raw,readonly=on,file={escape(self.image)}"),
            *("-device", f"ide-cd,id=cd0,bus=ide.0,drive=iso,bootindex={self.bootindex}"),
        ]


def plan_medium(settings: Settings, facts: Facts) -> Cdrom | None:
    """The drive; None where the whole image lies in the guest's memory.

    Raises:
        HarnessFault, UsageError: as `plan_loader`.
    """
    if settings.boot_mode is BootMode.MEMDISK:
        return None
    first = plan_loader(settings, facts) is None  # QEMU gives a kernel the first place
    return Cdrom(image=facts.iso.path, bootindex=0 if first else 1)
