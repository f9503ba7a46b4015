"""The definition of a sample: a recipe for an ISO, and the expected outcome of a boot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hiperiso.contract.words import BootResult, BootStage, FailureDomain, FirmwareKind
from hiperlab.debian.packages import Asset, Sources


class Loader(StrEnum):
    """How the ISO is made bootable."""

    AS_PACKAGED = "as_packaged"  # the one file of the recipe is the ISO
    GRUB = "grub"  # BIOS and UEFI
    GRUB_BIOS = "grub_bios"
    GRUB_UEFI = "grub_uefi"
    ISOLINUX = "isolinux"
    BOOT_SECTOR = "boot_sector"  # El Torito without emulation of the file boot.bin
    STAND_IN = "stand_in"  # El Torito with standin.bin first, and ISOLINUX as the second boot image
    EFI = "efi"  # UEFI alone: all files are in the EFI boot image, a FAT file system
    NONE = "none"


@dataclass(frozen=True)
class Outcome:
    """The expected result of a recording of the sample."""

    stage: BootStage
    result: BootResult
    domain: FailureDomain = FailureDomain.NONE


@dataclass(frozen=True)
class FromAsset:
    """A file of a distribution package; ``fraction`` below 1 keeps only the first part of it."""

    asset: Asset
    fraction: float = 1.0


@dataclass(frozen=True)
class Initramfs:
    """An initramfs: busybox with its applets, ``files`` (path -> text, ``+x`` when it starts with ``#!``), and what
    ``trees`` names (archive folder -> folder of a package). ``fraction`` below 1 cuts the packed archive short."""

    files: Mapping[str, str]
    trees: Mapping[str, Asset] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    fraction: float = 1.0


@dataclass(frozen=True)
class SystemRoot:
    """An initramfs that is a whole small distribution: ``packages`` and all they depend on, and ``files`` over it."""

    packages: tuple[str, ...]
    files: Mapping[str, str]
    links: Mapping[str, str] = field(default_factory=dict)


class Built(ABC):
    """Content with its own builder; a frozen dataclass, whose ``repr`` is part of the recipe."""

    @abstractmethod
    def data(self, sources: Sources, scratch: Path) -> bytes:
        """Returns the content. ``scratch`` is a directory for intermediate files."""

    @abstractmethod
    def identity(self, sources: Sources) -> str:
        """Returns a hash, or a version, of all inputs other than the fields."""


Content = str | bytes | FromAsset | Initramfs | SystemRoot | Built


@dataclass(frozen=True)
class Recipe:
    """A bootable ISO as a value: loader, files (path in the ISO -> content) and the volume label."""

    loader: Loader
    files: Mapping[str, Content]
    label: str = "SAMPLE"


@dataclass(frozen=True)
class Sample:
    """One ISO that the tests, the demo and the benchmarks boot.

    Attributes:
        name: what the user types.
        description: one line.
        recipe: how it is built.
        outcomes: the expected outcome of a boot, by firmware; others are not tested.
        seconds_estimate: wall seconds to that outcome under emulation with two cores.
        serial_silent: under BIOS nothing may appear on the serial port.
    """

    name: str
    description: str
    recipe: Recipe
    outcomes: Mapping[FirmwareKind, Outcome]
    seconds_estimate: int
    serial_silent: bool = False

    @property
    def firmware(self) -> tuple[FirmwareKind, ...]:
        """The firmware kinds with a known outcome."""
        return tuple(self.outcomes)

    def outcome(self, firmware: FirmwareKind | str) -> Outcome:
        """Returns the expected outcome of a boot under ``firmware``. Raises KeyError if there is none."""
        return self.outcomes[FirmwareKind(firmware)]
