"""The layout of a stick: pure arithmetic from a size to sectors.

::

    LBA 0       protective MBR with GRUB's boot.img
    LBA 34      partition 3: BIOS boot, holds GRUB's core.img
    LBA 2048    partition 1: data (exFAT, NTFS or ext4)
    ...         partition 2: EFI system partition, FAT16, 64 MB, VTOYEFI
    end         backup GPT

Source: the interface contract, "USB Partition Layout" (data first, ESP second, 64 MB) and its two hard constraints
(label VTOYEFI, /ventoy/ventoy.cpio).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hiperiso.contract.stick import BIOS_NUMBER, DATA_NUMBER, ESP_BYTES, ESP_NUMBER
from hiperiso.errors import UsageError

SECTOR_BYTES: Final = 512
ALIGNMENT_SECTORS: Final = 2048  # 1 MiB: erase blocks of flash
ESP_SECTORS: Final = ESP_BYTES // SECTOR_BYTES
MIN_DATA_SECTORS: Final = (8 << 20) // SECTOR_BYTES
_BIOS_FIRST: Final = 34  # directly after the 32 sectors of the partition array
_BACKUP_GPT_SECTORS: Final = 33


@dataclass(frozen=True)
class Extent:
    """Sectors of a partition, both ends included."""

    first_sector: int
    last_sector: int

    @property
    def sectors(self) -> int:
        """The number of sectors."""
        return self.last_sector - self.first_sector + 1

    @property
    def offset_bytes(self) -> int:
        """The offset of its start in bytes."""
        return self.first_sector * SECTOR_BYTES

    @property
    def size_bytes(self) -> int:
        """Its size in bytes."""
        return self.sectors * SECTOR_BYTES


@dataclass(frozen=True)
class StickLayout:
    """A whole stick."""

    total_sectors: int
    data: Extent
    esp: Extent
    bios: Extent


MIN_SIZE_BYTES: Final = (2 * ALIGNMENT_SECTORS + MIN_DATA_SECTORS + ESP_SECTORS) * SECTOR_BYTES
"""The smallest stick: 76 MiB plus what the ISOs need."""


def plan_layout(size_bytes: int) -> StickLayout:
    """The layout of a stick of `size_bytes`; a partial MiB at the end stays unused.

    Raises:
        UsageError: too small, or larger than supported here for GPT and exFAT on 512-byte sectors (64 TiB).
    """
    total = size_bytes // SECTOR_BYTES
    if size_bytes < MIN_SIZE_BYTES:
        raise UsageError(
            f"{size_text(size_bytes)} is too small for a stick: the minimum is {size_text(MIN_SIZE_BYTES)}",
            hint="plus space for the ISOs: 8G is a good size for an image",
        )
    if size_bytes > 64 << 40:
        raise UsageError(f"{size_text(size_bytes)} is larger than a stick can be (64 TiB)")
    esp_end = (total - _BACKUP_GPT_SECTORS) // ALIGNMENT_SECTORS * ALIGNMENT_SECTORS
    esp_first = esp_end - ESP_SECTORS
    return StickLayout(
        total_sectors=total,
        data=Extent(ALIGNMENT_SECTORS, esp_first - 1),
        esp=Extent(esp_first, esp_end - 1),
        bios=Extent(_BIOS_FIRST, ALIGNMENT_SECTORS - 1),
    )


def layout_of(extents: Mapping[int, Extent], size_bytes: int) -> StickLayout:
    """The layout of an existing stick, from the extents of its partitions by number.

    Raises:
        UsageError: not that of a stick; all differences are reported.
    """
    if problems := layout_problems(extents):
        raise UsageError(
            f"not a hiperiso stick: {'; '.join(problems)}", hint="create one with hiperiso stick create"
        )
    return StickLayout(
        total_sectors=size_bytes // SECTOR_BYTES,
        data=extents[DATA_NUMBER],
        esp=extents[ESP_NUMBER],
        bios=extents[BIOS_NUMBER],
    )


def layout_problems(extents: Mapping[int, Extent]) -> list[str]:
    """The differences from a stick's layout, one line each."""
    names = {DATA_NUMBER: "data", ESP_NUMBER: "EFI", BIOS_NUMBER: "BIOS boot"}
    problems = [f"there is no {name} partition ({n})" for n, name in names.items() if n not in extents]
    if problems:
        return problems
    data, esp, bios = extents[DATA_NUMBER], extents[ESP_NUMBER], extents[BIOS_NUMBER]
    if esp.sectors != ESP_SECTORS:
        problems.append(
            f"the EFI partition has {size_text(esp.size_bytes)}, not {size_text(ESP_SECTORS * SECTOR_BYTES)}"
        )
    if data.first_sector > esp.first_sector:
        problems.append("the data partition is not the first")
    ordered = sorted(extents.items(), key=lambda item: item[1].first_sector)
    for (_, before), (number, after) in itertools.pairwise(ordered):
        if before.last_sector >= after.first_sector:
            problems.append(f"partition {number} overlaps the one before it")
    if bios.first_sector < _BIOS_FIRST:
        problems.append("the BIOS boot partition lies in the partition table")
    return problems


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_size(text: str) -> int:
    """Parse a size in bytes: ``8G``, ``512M``, ``1.5GiB``, ``4000000000``.

    Raises:
        UsageError: it is not a size.
    """
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?)(?:I?B)?", text.strip(), re.IGNORECASE)
    size_bytes = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size_bytes <= 0:
        raise UsageError(f"--size: {text!r} is not a size", hint="write it like 8G or 512M (powers of 1024)")
    return size_bytes // SECTOR_BYTES * SECTOR_BYTES


def size_text(size_bytes: int) -> str:
    """A size like ``7.5 GiB``.

    >>> size_text(80_000_000)
    '76.3 MiB'
    """
    value = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{int(value)} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
