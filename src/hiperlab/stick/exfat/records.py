"""The structures of exFAT: checksums, up-case table, boot sector, directory entry sets. Pure.

A directory is an array of 32-byte slots; a file is a set of them::

    0x85 file: attributes, times, checksum of the set
    0xC0 stream: name length and hash, first cluster, length, "contiguous" flag
    0xC1 name: 15 UTF-16 units each

A slot of type 0 ends the directory; a type below 0x80 is a deleted slot.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

SLOT_BYTES: Final = 32
SECTOR_BYTES: Final = 512
BOOT_REGION_SECTORS: Final = 12
SIGNATURE: Final = b"EXFAT   "

END_OF_CHAIN: Final = 0xFFFFFFFF
BAD_CLUSTER: Final = 0xFFFFFFF7
FIRST_CLUSTER: Final = 2

TYPE_BITMAP, TYPE_UPCASE, TYPE_LABEL = 0x81, 0x82, 0x83
TYPE_FILE, TYPE_STREAM, TYPE_NAME = 0x85, 0xC0, 0xC1
DIRECTORY_ATTRIBUTE, ARCHIVE_ATTRIBUTE = 0x10, 0x20
FLAG_ALLOCATED, FLAG_CONTIGUOUS = 0x01, 0x02
DIRTY_FLAG: Final = 0x02
MAX_NAME_UNITS: Final = 255
UNITS_PER_SLOT: Final = 15

FLAGS_OFFSET, PERCENT_OFFSET = 106, 112
"""Bytes of the boot sector that the checksum excludes, because they change while the volume is in use."""

_FORBIDDEN = frozenset('"*/:<>?\\|') | {chr(code) for code in range(32)}


def checksum32(data: bytes, skip: Sequence[int] = ()) -> int:
    """The 32-bit rotating checksum of boot regions and the up-case table."""
    total = 0
    for index, byte in enumerate(data):
        if index not in skip:
            total = (((total << 31) | (total >> 1)) + byte) & 0xFFFFFFFF
    return total


def checksum16(data: bytes | bytearray, skip: Sequence[int] = ()) -> int:
    """The 16-bit rotating checksum of entry sets and name hashes."""
    total = 0
    for index, byte in enumerate(data):
        if index not in skip:
            total = (((total << 15) | (total >> 1)) + byte) & 0xFFFF
    return total


def build_upcase() -> list[int]:
    """The up-case mapping of every UTF-16 unit, by Unicode's simple rules."""
    table = list(range(0x10000))
    for unit in table.copy():
        if not 0xD800 <= unit <= 0xDFFF:
            upper = chr(unit).upper()
            if len(upper) == 1 and ord(upper) < 0x10000:
                table[unit] = ord(upper)
    return table


def compress_upcase(table: Sequence[int]) -> bytes:
    """The table as stored: 0xFFFF and a count represent that many units that map to themselves."""
    units: list[int] = []
    index = 0
    while index < 0x10000:
        end = index
        while end < 0x10000 and table[end] == end:
            end += 1
        if end - index >= 2:
            units += [0xFFFF, min(end - index, 0xFFFF)]
            index += min(end - index, 0xFFFF)
        else:
            units.append(table[index])
            index += 1
    return struct.pack(f"<{len(units)}H", *units)


def expand_upcase(data: bytes) -> list[int]:
    """The whole mapping from its stored form; units not in the table map to themselves."""
    table = list(range(0x10000))
    units = struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])
    at = index = 0
    while index < len(units) and at < 0x10000:
        if units[index] == 0xFFFF and index + 1 < len(units):
            at += units[index + 1]
            index += 2
        else:
            table[at] = units[index]
            at += 1
            index += 1
    return table


def name_problem(name: str) -> str:
    """Why `name` cannot be a file name on exFAT, or ``""``."""
    try:
        units = len(name.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if not 0 < units <= MAX_NAME_UNITS:
        return f"is not 1 to {MAX_NAME_UNITS} characters long"
    if name in (".", "..") or name.endswith((" ", ".")):
        return "is . or .. or ends in a space or dot, which Windows cannot open"
    bad = sorted(set(name) & _FORBIDDEN)
    return f"has {bad[0]!r}, which exFAT does not allow" if bad else ""


def fold_name(name: str, upcase: Sequence[int]) -> bytes:
    """The up-cased name in UTF-16: equal for names that are the same file."""
    raw = name.encode("utf-16-le", "surrogatepass")
    units = struct.unpack(f"<{len(raw) // 2}H", raw)
    return struct.pack(f"<{len(units)}H", *(upcase[unit] for unit in units))


@dataclass(frozen=True)
class BootSector:
    """The fields of the main boot sector. Offsets and lengths in sectors of ``sector_bytes``."""

    partition_offset: int
    volume_sectors: int
    fat_offset: int
    fat_sectors: int
    heap_offset: int
    cluster_count: int
    root_cluster: int
    serial: int
    sector_bytes: int = SECTOR_BYTES
    cluster_sectors: int = 8
    fats: int = 1
    flags: int = 0
    percent_in_use: int = 0xFF

    @property
    def cluster_bytes(self) -> int:
        """Bytes of a cluster."""
        return self.sector_bytes * self.cluster_sectors

    def encode(self) -> bytes:
        """The sector."""
        sector = bytearray(SECTOR_BYTES)
        sector[:11] = b"\xeb\x76\x90" + SIGNATURE
        struct.pack_into(
            "<QQIIIIIIHHBBBBB",
            sector,
            64,
            self.partition_offset,
            self.volume_sectors,
            self.fat_offset,
            self.fat_sectors,
            self.heap_offset,
            self.cluster_count,
            self.root_cluster,
            self.serial,
            0x100,  # revision 1.0
            self.flags,
            self.sector_bytes.bit_length() - 1,
            self.cluster_sectors.bit_length() - 1,
            self.fats,
            0x80,
            self.percent_in_use,
        )
        sector[120:510] = b"\xf4" * 390  # HLT: nothing to boot here
        sector[510:] = b"\x55\xaa"
        return bytes(sector)

    @classmethod
    def decode(cls, sector: bytes) -> BootSector | None:
        """The fields, or None if the sector is not exFAT or is inconsistent."""
        if len(sector) < SECTOR_BYTES or sector[3:11] != SIGNATURE or sector[510:512] != b"\x55\xaa":
            return None
        values = struct.unpack_from("<QQIIIIIIHHBBBBB", sector, 64)
        if not (9 <= values[10] <= 12 and values[10] + values[11] <= 25 and values[12] in (1, 2)):
            return None
        return cls(
            partition_offset=values[0],
            volume_sectors=values[1],
            fat_offset=values[2],
            fat_sectors=values[3],
            heap_offset=values[4],
            cluster_count=values[5],
            root_cluster=values[6],
            serial=values[7],
            sector_bytes=1 << values[10],
            cluster_sectors=1 << values[11],
            fats=values[12],
            flags=values[9],
            percent_in_use=values[14],
        )


def boot_region(boot: BootSector) -> bytes:
    """The twelve sectors of a boot region, checksum included."""
    extended = (bytes(SECTOR_BYTES - 4) + b"\0\0\x55\xaa") * 8
    region = boot.encode() + extended + bytes(2 * SECTOR_BYTES)
    total = checksum32(region, skip=(FLAGS_OFFSET, FLAGS_OFFSET + 1, PERCENT_OFFSET))
    return region + struct.pack("<I", total) * (SECTOR_BYTES // 4)


def encode_set(
    name: str,
    *,
    attributes: int,
    cluster: int,
    size_bytes: int,
    contiguous: bool,
    when: datetime,
    upcase: Sequence[int],
) -> bytes:
    """The entry set of a file or directory."""
    raw = name.encode("utf-16-le")
    units = len(raw) // 2
    name_slots = -(-units // UNITS_PER_SLOT)
    stamp, hundredths = _stamp(when)
    flags = FLAG_ALLOCATED | (FLAG_CONTIGUOUS if contiguous and cluster else 0)
    utc = 0x80  # "offset from UTC is valid, and 0"
    entry = bytearray(
        struct.pack(
            "<BBHHHIIIBBBBB7x",
            TYPE_FILE, 1 + name_slots, 0, attributes, 0, stamp, stamp, stamp, hundredths, hundredths, utc, utc, utc,
        )
    )  # fmt: skip
    entry += struct.pack(
        "<BBBBHHQIIQ",
        TYPE_STREAM, flags, 0, units, checksum16(fold_name(name, upcase)), 0, size_bytes, 0, cluster, size_bytes,
    )  # fmt: skip
    for slot in range(name_slots):
        entry += struct.pack("<BB30s", TYPE_NAME, 0, raw[slot * 30 : slot * 30 + 30])
    struct.pack_into("<H", entry, 2, checksum16(entry, skip=(2, 3)))
    return bytes(entry)


def resized_set(entry: bytes, *, size_bytes: int) -> bytes:
    """The set of a directory that has grown and is no longer contiguous."""
    changed = bytearray(entry)
    changed[33] &= ~FLAG_CONTIGUOUS
    struct.pack_into("<Q", changed, 40, size_bytes)
    struct.pack_into("<Q", changed, 56, size_bytes)
    struct.pack_into("<H", changed, 2, checksum16(changed, skip=(2, 3)))
    return bytes(changed)


@dataclass(frozen=True)
class Found:
    """A file or directory from its entry set.

    Attributes:
        slot: index of its first slot in the directory.
        raw: the whole set.
        valid_bytes: how much of the data was ever written; the rest reads as zeros.
    """

    name: str
    slot: int
    raw: bytes
    is_directory: bool
    cluster: int
    size_bytes: int
    valid_bytes: int
    contiguous: bool
    modified: datetime | None


def decode_sets(data: bytes) -> list[Found]:
    """The files and directories of a directory's bytes; damaged sets are skipped."""
    found: list[Found] = []
    slot, slots = 0, len(data) // SLOT_BYTES
    while slot < slots:
        kind = data[slot * SLOT_BYTES]
        if kind == 0:
            break
        count = 1
        if kind == TYPE_FILE:
            count = 1 + data[slot * SLOT_BYTES + 1]
            entry = _decode_set(data[slot * SLOT_BYTES : (slot + count) * SLOT_BYTES], slot, count)
            if entry is None:
                count = 1
            else:
                found.append(entry)
        slot += count
    return found


def _decode_set(raw: bytes, slot: int, count: int) -> Found | None:
    if count < 3 or len(raw) != count * SLOT_BYTES or raw[32] != TYPE_STREAM:
        return None
    units = raw[35]
    if any(raw[index * SLOT_BYTES] != TYPE_NAME for index in range(2, 2 + -(-units // UNITS_PER_SLOT))):
        return None
    if checksum16(raw, skip=(2, 3)) != struct.unpack_from("<H", raw, 2)[0] or not units:
        return None
    text = b"".join(raw[index * SLOT_BYTES + 2 : (index + 1) * SLOT_BYTES] for index in range(2, count))
    (attributes,) = struct.unpack_from("<H", raw, 4)
    (valid,) = struct.unpack_from("<Q", raw, 40)
    cluster, size = struct.unpack_from("<IQ", raw, 52)
    return Found(
        name=text[: units * 2].decode("utf-16-le", "replace"),
        slot=slot,
        raw=raw,
        is_directory=bool(attributes & DIRECTORY_ATTRIBUTE),
        cluster=cluster,
        size_bytes=size,
        valid_bytes=min(valid, size),
        contiguous=bool(raw[33] & FLAG_CONTIGUOUS),
        modified=_unstamp(struct.unpack_from("<I", raw, 12)[0]),
    )


def _stamp(when: datetime) -> tuple[int, int]:
    """The 32-bit time of two-second steps, and the hundredths within."""
    moment = when.astimezone(UTC)
    year = min(max(moment.year, 1980), 2107)
    date = ((year - 1980) << 9) | (moment.month << 5) | moment.day
    time = (moment.hour << 11) | (moment.minute << 5) | (moment.second // 2)
    return (date << 16) | time, (moment.second % 2) * 100


def _unstamp(stamp: int) -> datetime | None:
    date, time = stamp >> 16, stamp & 0xFFFF
    try:
        return datetime(
            1980 + (date >> 9),
            date >> 5 & 15,
            date & 31,
            time >> 11,
            time >> 5 & 63,
            (time & 31) * 2,
            tzinfo=UTC,
        )
    except ValueError:
        return None
