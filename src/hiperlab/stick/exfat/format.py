"""Creates an empty exFAT: deterministic, the same arguments give the same bytes."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import BinaryIO

from hiperiso.errors import UsageError
from hiperlab.stick.exfat.records import (
    BOOT_REGION_SECTORS,
    END_OF_CHAIN,
    FIRST_CLUSTER,
    SECTOR_BYTES,
    TYPE_BITMAP,
    TYPE_LABEL,
    TYPE_UPCASE,
    BootSector,
    boot_region,
    build_upcase,
    checksum32,
    compress_upcase,
)

_ZEROS = bytes(1 << 20)
_MAX_LABEL_UNITS = 11


def format_exfat(file: BinaryIO, *, offset_bytes: int, size_bytes: int, label: str, serial: int) -> None:
    """Make an empty exFAT at `offset_bytes`. The boot sector is written last: until then there is no file system.

    Raises:
        UsageError: too small, or the label is longer than 11 characters.
        OSError: the disk is full or gone.
    """
    boot, label_units = _geometry(offset_bytes, size_bytes, serial), label.encode("utf-16-le")
    if len(label_units) > 2 * _MAX_LABEL_UNITS:
        raise UsageError(f"the label {label!r} is longer than {_MAX_LABEL_UNITS} characters")
    upcase = compress_upcase(build_upcase())
    bitmap_bytes = -(-boot.cluster_count // 8)
    bitmap_clusters = -(-bitmap_bytes // boot.cluster_bytes)
    upcase_clusters = -(-len(upcase) // boot.cluster_bytes)
    used = bitmap_clusters + upcase_clusters + 1
    upcase_first = FIRST_CLUSTER + bitmap_clusters
    boot = replace(boot, root_cluster=upcase_first + upcase_clusters)

    _fill(file, offset_bytes, 2 * BOOT_REGION_SECTORS * SECTOR_BYTES)
    fat = [0xFFFFFFF8, 0xFFFFFFFF]
    for length in (bitmap_clusters, upcase_clusters, 1):
        fat += [*range(len(fat) + 1, len(fat) + length), END_OF_CHAIN]
    fat_at = offset_bytes + boot.fat_offset * SECTOR_BYTES
    _fill(file, fat_at, boot.fat_sectors * SECTOR_BYTES)
    _write(file, fat_at, struct.pack(f"<{len(fat)}I", *fat))

    heap = offset_bytes + boot.heap_offset * SECTOR_BYTES
    _fill(file, heap, used * boot.cluster_bytes)
    _write(file, heap, _first_bits(used))
    _write(file, heap + bitmap_clusters * boot.cluster_bytes, upcase)
    root = struct.pack("<BB22s8x", TYPE_LABEL, len(label_units) // 2, label_units)
    root += struct.pack("<BB18xIQ", TYPE_BITMAP, 0, FIRST_CLUSTER, bitmap_bytes)
    root += struct.pack("<B3xI12xIQ", TYPE_UPCASE, checksum32(upcase), upcase_first, len(upcase))
    _write(file, heap + (used - 1) * boot.cluster_bytes, root)
    file.flush()
    region = boot_region(boot)
    _write(file, offset_bytes + len(region), region)
    _write(file, offset_bytes + SECTOR_BYTES, region[SECTOR_BYTES:])
    _write(file, offset_bytes, region[:SECTOR_BYTES])
    file.flush()


def cluster_bytes_for(size_bytes: int) -> int:
    """The cluster size that Windows chooses by default: 4 KiB, 32 KiB from 256 MiB, 128 KiB from 32 GiB on."""
    if size_bytes <= 256 << 20:
        return 4 << 10
    return 32 << 10 if size_bytes <= 32 << 30 else 128 << 10


def _geometry(offset_bytes: int, size_bytes: int, serial: int) -> BootSector:
    cluster_sectors = cluster_bytes_for(size_bytes) // SECTOR_BYTES
    volume = size_bytes // SECTOR_BYTES
    align = 2048 if volume > 1 << 17 else 128
    fat_offset = align
    most = max(0, volume - fat_offset) // cluster_sectors
    fat_sectors = -(-(most + FIRST_CLUSTER) * 4 // SECTOR_BYTES)
    heap_offset = -(-(fat_offset + fat_sectors) // align) * align
    clusters = (volume - heap_offset) // cluster_sectors
    if clusters < 64:
        raise UsageError(f"{size_bytes} bytes are too small for exFAT")
    return BootSector(
        partition_offset=offset_bytes // SECTOR_BYTES,
        volume_sectors=volume,
        fat_offset=fat_offset,
        fat_sectors=fat_sectors,
        heap_offset=heap_offset,
        cluster_count=clusters,
        root_cluster=0,
        serial=serial,
        cluster_sectors=cluster_sectors,
        percent_in_use=0,
    )


def _first_bits(count: int) -> bytes:
    return ((1 << count) - 1).to_bytes(-(-count // 8), "little")


def _write(file: BinaryIO, offset_bytes: int, data: bytes) -> None:
    file.seek(offset_bytes)
    file.write(data)


def _fill(file: BinaryIO, offset_bytes: int, size_bytes: int) -> None:
    file.seek(offset_bytes)
    while size_bytes > 0:
        size_bytes -= file.write(_ZEROS[: min(size_bytes, len(_ZEROS))])
