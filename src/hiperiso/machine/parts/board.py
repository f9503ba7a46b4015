"""The board: machine type, accelerator, RAM and processors.

A *shared* mapping lets the recorder read the guest's memory, at no measurable cost.
"""

from __future__ import annotations

import re
from pathlib import Path

from bootchain.nearest import nearest
from hiperiso.contract.hardware import Board as BoardType
from hiperiso.contract.settings import CPU_FEATURE, MAX_CPUS, Settings
from hiperiso.errors import UsageError
from hiperiso.machine.facts import Accel, Facts
from hiperiso.machine.part import Part, escape, require_absolute
from hiperiso.machine.parts.firmware import plan_firmware
from hiperiso.packages import QEMU

_ADDRESS_LEAF = "min-xlevel=0x80000008"


class Board(Part, frozen=True, kw_only=True):
    """The board.

    Attributes:
        ram_path: file that becomes the guest's RAM (shared mapping, made by QEMU with mode 0600-ish umask rules);
            None for an anonymous shared memory file.
        cpu: the CPU model; None for everything the accelerator supports.
        cpu_features: names to add to the CPU model (``vmx``), or with ``-`` to remove from it (``-avx2``).
        type: q35 (PCI Express, AHCI), or the pc of before (i440FX, IDE).
        smm: the board has System Management Mode in use (what Secure Boot firmware needs).

    Raises:
        UsageError: a relative path, a bad feature name, or sizes out of range.
    """

    accel: Accel
    ram_mb: int
    cpus: int
    ram_path: Path | None = None
    cpu: str | None = None
    cpu_features: tuple[str, ...] = ()
    type: BoardType = BoardType.Q35
    smm: bool = False

    def __post_init__(self) -> None:
        require_absolute(self.ram_path)
        if self.smm and self.type is not BoardType.Q35:
            raise UsageError(
                "this UEFI firmware needs a q35 board (System Management Mode)", hint="use --machine q35"
            )
        if self.ram_mb < 1:
            raise UsageError(f"guest RAM must be at least 1 MB, not {self.ram_mb}")
        if not 1 <= self.cpus <= MAX_CPUS:
            raise UsageError(f"guest CPUs must be 1 to {MAX_CPUS}, not {self.cpus}")
        for feature in self.cpu_features:
            if not re.fullmatch(CPU_FEATURE, feature):
                raise UsageError(f"not a CPU feature name: {feature!r}", hint="names look like vmx or sse4.2")

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        smm = ",smm=on" if self.smm else ""
        ram = f"id=ram,size={self.ram_mb}M,share=on"
        backend = f"memory-backend-file,{ram},mem-path={escape(self.ram_path)}" if self.ram_path else None
        model = self.cpu or ("host" if self.accel is Accel.KVM else "max")
        return [
            *("-machine", f"{self.type.value},accel={self.accel.value},memory-backend=ram{smm}"),
            *("-m", f"{self.ram_mb}M"),
            *("-object", backend or f"memory-backend-memfd,{ram}"),
            *("-smp", str(self.cpus)),
            *("-cpu", ",".join([model, *map(_switched, self.cpu_features), *self._levels()])),
        ]

    def _levels(self) -> tuple[str, ...]:
        """Keeps the leaf with the width of addresses in an emulated CPU from which a feature is taken.

        QEMU ends the extended leaves at the last one that a feature needs (without ``svm`` before 0x80000008). Linux
        then takes addresses for 48 bits wide also with 57 of them (``la57``), and refuses to copy from its own
        memory: paths in /proc read ``xxx``, and no program starts. Source: target/i386/cpu.c, arch/x86/mm/maccess.c.
        """
        removed = any(feature.startswith("-") for feature in self.cpu_features)
        return (_ADDRESS_LEAF,) if removed and self.accel is Accel.TCG else ()

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        if self.ram_path:
            return ()
        return ("guest RAM is anonymous shared memory: too little space in /dev/shm for a file",)


def _switched(feature: str) -> str:
    """A feature as QEMU's option has it: always with a sign."""
    return feature if feature[0] in "+-" else f"+{feature}"


def _check_features(wanted: tuple[str, ...], known: frozenset[str]) -> None:
    """Raises UsageError: QEMU does not know a feature, in either spelling (``sse4_1``, ``sse4-1``)."""
    unknown = [
        name for name in wanted if not {name.lstrip("+-"), name.lstrip("+-").replace("_", "-")} & known
    ]
    if not unknown:
        return
    near = [match for name in unknown if (match := nearest(name.lstrip("+-"), sorted(known)))]
    raise UsageError(
        f"this QEMU knows no CPU feature {', '.join(unknown)}",
        hint=f"nearest: {', '.join(near)}" if near else f"`{QEMU} -cpu help` lists them",
    )


def plan_board(settings: Settings, facts: Facts) -> Board:
    """The board for these settings.

    Raises:
        HarnessFault, UsageError: as for `plan_firmware`; a bad size, or a feature that QEMU does not know.
    """
    if facts.cpu_features is not None:
        _check_features(settings.cpu_features, facts.cpu_features)
    return Board(
        accel=facts.accel,
        ram_mb=settings.ram_mb,
        cpus=settings.cpus,
        ram_path=facts.place.private_path("ram") if facts.place.ram_fits else None,
        cpu=settings.cpu,
        cpu_features=settings.cpu_features,
        type=settings.machine,
        smm=plan_firmware(settings, facts).smm,
    )
