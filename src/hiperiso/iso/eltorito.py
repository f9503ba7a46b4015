"""The boot catalogue of El Torito: what firmware may start. Layout: El Torito 1.0, section 2."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hiperiso.iso.reader import SECTOR_BYTES, ImageReader

_MAX_CATALOG_BYTES: Final = 16 * SECTOR_BYTES
_MEDIA: Final = ("none", "floppy-1.2M", "floppy-1.44M", "floppy-2.88M", "disk")
_FLOPPY_BYTES: Final = {"floppy-1.2M": 1_228_800, "floppy-1.44M": 1_474_560, "floppy-2.88M": 2_949_120}


class Platform(StrEnum):
    """El Torito platform of a boot entry."""

    X86 = "x86"
    EFI = "efi"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class BootEntry:
    """One entry of the El Torito catalogue.

    Attributes:
        platform: which firmware may start it.
        bootable: the entry's boot indicator.
        media: ``none`` (no emulation), ``floppy-*`` or ``disk``: what the BIOS emulates.
        load_sector: where the image starts, in 2048-byte sectors.
        load_count: 512-byte sectors that the BIOS loads.
    """

    platform: Platform
    bootable: bool
    media: str
    load_sector: int
    load_count: int

    @property
    def size_bytes(self) -> int:
        """The size from the catalogue: the full size for an emulated floppy, else the sectors to load."""
        return _FLOPPY_BYTES.get(self.media, max(self.load_count, 1) * 512)


def catalog_sector(boot_record: bytes) -> int:
    """Where the catalogue is, in sectors of 2048 bytes."""
    return int.from_bytes(boot_record[71:75], "little")


def read_boot_entries(reader: ImageReader, boot_record: bytes) -> tuple[BootEntry, ...]:
    """The entries of the boot catalogue; everything after a malformed record is ignored, as firmware does."""
    catalog = reader.read(catalog_sector(boot_record) * SECTOR_BYTES, _MAX_CATALOG_BYTES)
    records = [catalog[at : at + 32] for at in range(0, len(catalog) - 31, 32)]
    if len(records) < 2 or records[0][0] != 1 or records[0][30:32] != b"\x55\xaa":
        return ()
    entries = [_boot_entry(records[1], records[0][1])]
    at = 2
    while at < len(records) and records[at][0] in (0x90, 0x91):  # section header: more follow, last
        header = records[at]
        at += 1
        for _ in range(struct.unpack_from("<H", header, 2)[0]):
            if at >= len(records):
                break
            entries.append(_boot_entry(records[at], header[1]))
            more = bool(records[at][1] & 0x20)  # extension records follow
            at += 1
            while more and at < len(records) and records[at][0] == 0x44:
                more = bool(records[at][1] & 0x20)
                at += 1
        if header[0] == 0x91:
            break
    return tuple(entries)


def _boot_entry(record: bytes, platform_id: int) -> BootEntry:
    media = record[1] & 0x0F
    load_count, load_sector = struct.unpack_from("<HI", record, 6)
    return BootEntry(
        platform={0: Platform.X86, 0xEF: Platform.EFI}.get(platform_id, Platform.OTHER),
        bootable=record[0] == 0x88,
        media=_MEDIA[media] if media < len(_MEDIA) else "unknown",
        load_sector=load_sector,
        load_count=load_count,
    )
