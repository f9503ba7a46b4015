"""How a disk image starts: boot code in its first sector, an EFI system partition, or both.

Sources: UEFI 2.10 chapter 5 (GPT, protective MBR, the attribute of legacy boot); GRUB manual, "BIOS installation" (the
BIOS boot partition); mkfs.fat (the program in the boot sector of a file system that nothing boots from).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

from hiperiso.iso.fat import read_fat
from hiperiso.iso.inspect import IsoInfo
from hiperiso.iso.reader import ImageReader

_SECTOR: Final = 512
_SIGNATURE: Final = b"\x55\xaa"
_ESP_TYPE: Final = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").bytes_le
_BIOS_BOOT: Final = UUID("21686148-6449-6e6f-744e-656564454649").bytes_le
_LEGACY_BOOT: Final = 1 << 2
_NOT_BOOTABLE: Final = b"This is not a bootable disk"
_DEFAULT_PROGRAM: Final = "/EFI/BOOT/BOOTX64.EFI"
_MAX_ENTRIES: Final = 128


def disk_info(path: Path, reader: ImageReader, head: bytes) -> IsoInfo:
    """The facts in the first sectors `head` of the disk image of `reader`; none for an empty `head`.

    A GUID partition table with an EFI system partition and nothing for a BIOS (no BIOS boot partition, no partition
    marked for legacy boot) is only started by UEFI, regardless of its first sector: partitioning tools put a
    program there that only prints a message.
    """
    gpt = head[_SECTOR : _SECTOR + 8] == b"EFI PART"
    partitions = list(_gpt_partitions(head)) if gpt else []
    fat = read_fat(reader.read) if head and not gpt else None
    esp = any(kind == _ESP_TYPE for kind, _ in partitions) or 0xEF in _mbr_types(head)
    esp = esp or (fat is not None and bool(fat.find(_DEFAULT_PROGRAM)))
    code = head[510:512] == _SIGNATURE and any(head[:64]) and _NOT_BOOTABLE not in head[:_SECTOR]
    for_bios = any(kind == _BIOS_BOOT or flags & _LEGACY_BOOT for kind, flags in partitions)
    return IsoInfo(
        path=path,
        size_bytes=reader.size_bytes,
        volume_id="",
        publisher="",
        application="",
        iso9660=False,
        udf=False,
        boot_entries=(),
        missing_bytes=0,
        mbr_boot=code and (for_bios or not (gpt and esp)),
        gpt=gpt,
        esp=esp,
    )


def _mbr_types(head: bytes) -> list[int]:
    if head[510:512] != _SIGNATURE:
        return []
    return [head[446 + 16 * number + 4] for number in range(4)]


def _gpt_partitions(head: bytes) -> Iterator[tuple[bytes, int]]:
    """Type and attributes of each partition whose entry lies in `head`."""
    first, count, entry_bytes = struct.unpack_from("<QII", head, _SECTOR + 72)
    if entry_bytes < 128 or entry_bytes > 4096:
        return
    for number in range(min(count, _MAX_ENTRIES)):
        at = first * _SECTOR + number * entry_bytes
        entry = head[at : at + 128]
        if len(entry) == 128 and any(entry[:16]):
            yield entry[:16], struct.unpack_from("<Q", entry, 48)[0]
