"""What an ISO says about itself.

Only descriptors are read (a few dozen sectors at fixed places), never a directory: the answer takes milliseconds
whatever the size, and broken path tables or directories do not matter. That is why the general-purpose library,
which walks the whole tree when it opens an image, is not used here; the tests compare with it.

Layouts: ECMA-119 (ISO 9660) 8.2-8.5, El Torito 1.0 section 2, ECMA-167 / UDF 2.60, UEFI 2.10 chapter 5 (GPT).
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from hiperiso.errors import IsoError
from hiperiso.iso import udf_volume as udf

SECTOR_BYTES = 2048
_FIRST_DESCRIPTOR = 16
_MAX_DESCRIPTORS = 64
_MAX_CATALOG_BYTES = 16 * SECTOR_BYTES
_ESP_TYPE = bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b")  # C12A7328-F81F-11D2-BA4B-00A0C93EC93B on disk
_MEDIA = ("none", "floppy-1.2M", "floppy-1.44M", "floppy-2.88M", "disk")
_OTHER_FORMATS = (
    (b"\x1f\x8b", "gzip-compressed"),
    (b"\xfd7zXZ\x00", "xz-compressed"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed"),
    (b"BZh", "bzip2-compressed"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"QFI\xfb", "a qcow2 disk image"),
    (b"\x7fELF", "a program"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
)


class Platform(StrEnum):
    """El Torito platform of a boot entry."""

    X86 = "x86"
    EFI = "efi"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class BootEntry:
    """One entry of the El Torito catalogue.

    Attributes:
        platform: who may start it.
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


@dataclass(frozen=True, kw_only=True)
class IsoInfo:
    """What the descriptors say.

    Attributes:
        path: as given.
        size_bytes: of the file.
        volume_id, publisher, application: cleaned to printable ASCII; empty where absent.
        iso9660, udf: which file systems the image declares.
        boot_entries: the El Torito catalogue, in its order.
        missing_bytes: how much more the volume descriptor promises than the file holds; 0 for a whole image.
        mbr_boot: boots as a disk too, through boot code in its first sector.
        gpt: has a GUID partition table.
        esp: has an EFI system partition in its MBR or GPT.
    """

    path: Path
    size_bytes: int
    volume_id: str
    publisher: str
    application: str
    iso9660: bool
    udf: bool
    boot_entries: tuple[BootEntry, ...]
    missing_bytes: int
    mbr_boot: bool
    gpt: bool
    esp: bool

    @property
    def truncated(self) -> bool:
        """Whether the file is shorter than the volume it holds."""
        return self.missing_bytes > 0

    def boots(self, platform: Platform) -> bool:
        """Whether the catalogue has a bootable entry for `platform`."""
        return any(entry.bootable and entry.platform is platform for entry in self.boot_entries)


def inspect_iso(path: Path) -> IsoInfo:
    """Read the descriptors of the ISO 9660 or UDF image at `path`.

    Raises:
        IsoError: no such file, a directory or another non-file, empty, unreadable, or no such image.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsoError(f"the ISO is a directory: {path}", hint="name the .iso file inside it")
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            raise IsoError(f"the ISO is neither a file nor a block device: {path}")
        with path.open("rb") as file:
            return _inspect(path, file)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IsoError(f"no such ISO: {path}", hint="check the path", missing=True) from error
    except PermissionError as error:
        raise IsoError(
            f"the ISO cannot be read, permission denied: {path}", hint=f"chmod a+r {path}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise IsoError(f"the ISO cannot be read: {path} ({error})") from error


# ── reading ──


def _inspect(path: Path, file: BinaryIO) -> IsoInfo:
    size_bytes = file.seek(0, os.SEEK_END)
    if size_bytes == 0:
        raise IsoError(f"the ISO is empty: {path}", hint="download or copy it again")
    system_area = _read(file, 0, _FIRST_DESCRIPTOR * SECTOR_BYTES)
    primary, boot_record, has_udf = _descriptors(file)
    if primary is None and not has_udf:
        raise _not_an_iso(path, size_bytes, system_area)
    volume = udf.read_volume(file) if has_udf else None
    volume_bytes = _volume_bytes(primary) if primary else volume.end_bytes if volume else udf.SMALLEST_BYTES
    esp = _has_esp(system_area)
    return IsoInfo(
        path=path,
        size_bytes=size_bytes,
        volume_id=_text(primary[40:72]) if primary else _text(volume.name.encode()) if volume else "",
        publisher=_text(primary[318:446]) if primary else "",
        application=_text(primary[574:702]) if primary else "",
        iso9660=primary is not None,
        udf=has_udf,
        boot_entries=_boot_catalog(file, boot_record) if boot_record else (),
        missing_bytes=max(0, volume_bytes - size_bytes),
        mbr_boot=system_area[510:512] == b"\x55\xaa" and any(system_area[:64]),
        gpt=system_area[512:520] == b"EFI PART",
        esp=esp,
    )


def _descriptors(file: BinaryIO) -> tuple[bytes | None, bytes | None, bool]:
    """The primary volume descriptor, the El Torito boot record, and whether UDF is declared."""
    primary = boot_record = None
    has_udf = False
    for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MAX_DESCRIPTORS):
        sector = _read(file, number * SECTOR_BYTES, SECTOR_BYTES)
        if len(sector) < SECTOR_BYTES:
            break
        mark = sector[1:6]
        if mark == b"CD001":
            if sector[0] == 1 and primary is None:
                primary = sector
            elif sector[0] == 0 and sector[7:30] == b"EL TORITO SPECIFICATION" and boot_record is None:
                boot_record = sector
        elif mark in (b"NSR02", b"NSR03"):
            has_udf = True
        elif mark not in (b"BEA01", b"BOOT2", b"TEA01"):
            break
    return primary, boot_record, has_udf


def _volume_bytes(primary: bytes) -> int:
    blocks = struct.unpack_from("<I", primary, 80)[0]
    block_bytes = struct.unpack_from("<H", primary, 128)[0]
    return int(blocks) * int(block_bytes or SECTOR_BYTES)


def _boot_catalog(file: BinaryIO, boot_record: bytes) -> tuple[BootEntry, ...]:
    """Entries of the catalogue; what follows a malformed record is left out, as firmware leaves it."""
    start = struct.unpack_from("<I", boot_record, 71)[0]
    catalog = _read(file, start * SECTOR_BYTES, _MAX_CATALOG_BYTES)
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


def _has_esp(system_area: bytes) -> bool:
    if system_area[510:512] == b"\x55\xaa" and any(system_area[446 + 16 * n + 4] == 0xEF for n in range(4)):
        return True
    if system_area[512:520] != b"EFI PART":
        return False
    # Only entries in the system area count; images for CDs keep their whole table there.
    first, count, entry_bytes = struct.unpack_from("<QII", system_area, 512 + 72)
    if entry_bytes < 128:
        return False
    starts = (first * 512 + number * entry_bytes for number in range(min(count, 128)))
    return any(system_area[at : at + 16] == _ESP_TYPE for at in starts)


def _not_an_iso(path: Path, size_bytes: int, head: bytes) -> IsoError:
    for magic, what in _OTHER_FORMATS:
        if head.startswith(magic):
            return IsoError(f"not an ISO image but {what}: {path}", hint="unpack it or name the .iso file")
    if size_bytes <= (_FIRST_DESCRIPTOR + 1) * SECTOR_BYTES:
        return IsoError(
            f"not an ISO image, too short with {size_bytes} bytes: {path}", hint="download or copy it again"
        )
    if head[510:512] == b"\x55\xaa":
        return IsoError(
            f"not an ISO image but a disk image: {path}", hint="only ISO 9660 and UDF images can be booted"
        )
    return IsoError(f"not an ISO 9660 or UDF image: {path}", hint="check the file, or download it again")


def _read(file: BinaryIO, offset_bytes: int, size_bytes: int) -> bytes:
    file.seek(offset_bytes)
    return file.read(size_bytes)


def _text(field: bytes) -> str:
    """A padded text field as printable ASCII; anything else in it becomes ``?``."""
    raw = field.split(b"\0")[0].strip()
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in raw)
