"""The volume descriptors of an image: its sectors from 16 on.

Layouts: ECMA-119 8.1 to 8.5, ECMA-167 part 2, El Torito 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hiperiso.iso.reader import SECTOR_BYTES, ImageReader

FIRST_SECTOR: Final = 16
"""What lies before is the system area."""

_MAX_DESCRIPTORS: Final = 64
_ISO9660: Final = b"CD001"
_UDF: Final = (b"NSR02", b"NSR03")
_OTHERS: Final = (b"BEA01", b"BOOT2", b"TEA01")


@dataclass(frozen=True)
class Descriptors:
    """The descriptors, in their order on the image."""

    sectors: tuple[bytes, ...]

    @property
    def volumes(self) -> tuple[bytes, ...]:
        """Primary and supplementary volume descriptors of ISO 9660."""
        return tuple(sector for sector in self.sectors if _is_iso9660(sector) and sector[0] in (1, 2))

    @property
    def primary(self) -> bytes | None:
        """The primary volume descriptor of ISO 9660."""
        return next((sector for sector in self.volumes if sector[0] == 1), None)

    @property
    def boot_record(self) -> bytes | None:
        """The boot record of El Torito."""
        return next((sector for sector in self.sectors if _is_boot_record(sector)), None)

    @property
    def has_udf(self) -> bool:
        """Whether UDF is declared."""
        return any(sector[1:6] in _UDF for sector in self.sectors)


def read_descriptors(reader: ImageReader) -> Descriptors:
    """The descriptors of an image, up to the first sector without one. Raises `LimitReached`."""
    found: list[bytes] = []
    for number in range(FIRST_SECTOR, FIRST_SECTOR + _MAX_DESCRIPTORS):
        sector = reader.sector(number)
        if len(sector) < SECTOR_BYTES or sector[1:6] not in (_ISO9660, *_UDF, *_OTHERS):
            break
        found.append(sector)
    return Descriptors(tuple(found))


def _is_iso9660(sector: bytes) -> bool:
    return sector[1:6] == _ISO9660


def _is_boot_record(sector: bytes) -> bool:
    return _is_iso9660(sector) and sector[0] == 0 and sector[7:30] == b"EL TORITO SPECIFICATION"
