"""The partition table: written by sgdisk, read here (reading a stick must not need root or tools).

Source: UEFI specification 2.10, section 5.3.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from hiperiso.contract.stick import BIOS_LABEL, BIOS_NUMBER, DATA_NUMBER, ESP_LABEL, ESP_NUMBER
from hiperiso.errors import HarnessFault
from hiperlab.run import run_tool
from hiperlab.stick.layout import SECTOR_BYTES, Extent, StickLayout

TYPE_DATA: Final = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
TYPE_LINUX: Final = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
TYPE_ESP: Final = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
TYPE_BIOS: Final = "21686148-6449-6E6F-744E-656564454649"

_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_MAX_ENTRIES = 1024
_MBR_ENTRY = struct.Struct("<B3sB3sII")
_MBR_ENTRIES_AT = 446


@dataclass(frozen=True)
class Partition:
    """One entry of the table. ``uuid`` in lower case, as Linux names it."""

    number: int
    type_uuid: str
    uuid: str
    extent: Extent
    name: str

    @property
    def is_linux(self) -> bool:
        """Whether it is marked as a Linux file system."""
        return self.type_uuid == TYPE_LINUX


@dataclass(frozen=True)
class PartitionTable:
    """A table with valid checksums. ``from_backup``: only the one at the end was valid."""

    disk_uuid: str
    partitions: dict[int, Partition]
    from_backup: bool = False


@dataclass(frozen=True)
class Identity:
    """The unique ids of a stick."""

    disk: uuid.UUID
    data: uuid.UUID
    esp: uuid.UUID
    bios: uuid.UUID

    @classmethod
    def fresh(cls) -> Identity:
        """Random ids: two sticks must never be confused."""
        return cls.from_seed(uuid.uuid4().hex)

    @classmethod
    def from_seed(cls, seed: str) -> Identity:
        """Ids derived from a seed, for reproducible images."""
        space = uuid.uuid5(uuid.NAMESPACE_URL, f"hiperiso:stick:{seed}")
        return cls(*(uuid.uuid5(space, name) for name in ("disk", "data", "esp", "bios")))

    @classmethod
    def of_table(cls, table: PartitionTable) -> Identity:
        """The ids of an existing stick."""
        parts = (table.partitions[number].uuid for number in (DATA_NUMBER, ESP_NUMBER, BIOS_NUMBER))
        return cls(uuid.UUID(table.disk_uuid), *map(uuid.UUID, parts))

    @property
    def data_serial(self) -> int:
        """Serial number of the data partition's file system."""
        return self.data.int & 0xFFFFFFFF

    @property
    def esp_serial(self) -> int:
        """Serial number of the EFI partition's file system."""
        return self.esp.int & 0xFFFFFFFF


def write_table(
    target: Path, layout: StickLayout, identity: Identity, *, data_name: str, linux_data: bool
) -> None:
    """Write protective MBR, table and backup; everything on `target` is erased.

    Raises:
        HarnessFault: sgdisk is missing or fails.
    """
    parts = (
        (DATA_NUMBER, layout.data, TYPE_LINUX if linux_data else TYPE_DATA, data_name, identity.data),
        (ESP_NUMBER, layout.esp, TYPE_ESP, ESP_LABEL, identity.esp),
        (BIOS_NUMBER, layout.bios, TYPE_BIOS, BIOS_LABEL, identity.bios),
    )
    argv = ["sgdisk", "--clear", "--set-alignment=1", f"--disk-guid={identity.disk}"]
    for number, extent, kind, name, unique in parts:
        argv += [
            f"--new={number}:{extent.first_sector}:{extent.last_sector}",
            f"--typecode={number}:{kind}",
            f"--change-name={number}:{name}",
            f"--partition-guid={number}:{unique}",
        ]
    # --clear fails on an unreadable table, whose content is irrelevant.
    run_tool(["sgdisk", "--zap-all", _place(target)], package="gdisk", accept=frozenset({0, 2}))
    run_tool([*argv, _place(target)], package="gdisk")


def restore_start(file: BinaryIO, size_bytes: int) -> None:
    """Rewrite the table at the start from the one at the end, which is not changed: a power cut loses neither.

    Other data (boot code in the first sector, the gap before the first partition) is not changed.

    Raises:
        HarnessFault: there is no valid table at the end.
        OSError: the disk cannot be written.
    """
    last_lba = size_bytes // SECTOR_BYTES - 1
    if _read(file, last_lba * SECTOR_BYTES) is None:
        raise _no_table("the image")
    file.seek(last_lba * SECTOR_BYTES)
    fields = list(_HEADER.unpack(file.read(_HEADER.size)))
    entries_lba, count, entry_bytes = fields[10:13]
    file.seek(entries_lba * SECTOR_BYTES)
    entries = file.read(count * entry_bytes)
    fields[2:4] = _HEADER.size, 0
    fields[5:7] = 1, last_lba  # the position of this header, and of the other one
    fields[10] = 2
    fields[3] = zlib.crc32(_HEADER.pack(*fields))
    protective = _MBR_ENTRY.pack(0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(last_lba, 0xFFFFFFFF))
    for offset_bytes, data in (
        (2 * SECTOR_BYTES, entries),
        (SECTOR_BYTES, _HEADER.pack(*fields).ljust(SECTOR_BYTES, b"\0")),
        (_MBR_ENTRIES_AT, protective.ljust(4 * _MBR_ENTRY.size, b"\0") + b"\x55\xaa"),
    ):
        file.seek(offset_bytes)
        file.write(data)
    file.flush()


def rename_partition(target: Path, number: int, name: str) -> None:
    """Rename a partition in the table.

    Raises:
        HarnessFault: sgdisk is missing or fails.
    """
    run_tool(["sgdisk", f"--change-name={number}:{name}", _place(target)], package="gdisk")


def read_table(file: BinaryIO, size_bytes: int, name: str | Path = "the image") -> PartitionTable:
    """The table of a disk or image, from its end if the one at its start is damaged.

    Raises:
        HarnessFault: neither can be read.
    """
    first = _read(file, SECTOR_BYTES)
    if first is not None:
        return first
    last = _read(file, (size_bytes // SECTOR_BYTES - 1) * SECTOR_BYTES) if size_bytes > SECTOR_BYTES else None
    if last is None:
        raise _no_table(name)
    return PartitionTable(last.disk_uuid, last.partitions, from_backup=True)


def _no_table(name: str | Path) -> HarnessFault:
    return HarnessFault(
        f"{name} has no partition table (GPT)",
        hint="not a hiperiso stick, or its creation was interrupted: recreate it with hiperiso stick create",
    )


def _place(target: Path) -> str:
    """The path from the root: sgdisk would parse a name like ``-x.img`` as options, and silently do nothing."""
    return str(target.absolute())


def _read(file: BinaryIO, header_at: int) -> PartitionTable | None:
    file.seek(header_at)
    raw = file.read(SECTOR_BYTES)
    if len(raw) < SECTOR_BYTES or raw[:8] != b"EFI PART":
        return None
    fields = _HEADER.unpack_from(raw)
    size, checksum, entries_lba, count, entry_bytes, entries_crc = fields[2], fields[3], *fields[10:14]
    if not 92 <= size <= SECTOR_BYTES or not 0 < count <= _MAX_ENTRIES or not 128 <= entry_bytes <= 4096:
        return None
    if zlib.crc32(raw[:16] + bytes(4) + raw[20:size]) != checksum:
        return None
    file.seek(entries_lba * SECTOR_BYTES)
    table = file.read(count * entry_bytes)
    if zlib.crc32(table) != entries_crc:
        return None
    partitions = {}
    for index in range(count):
        kind, unique, start, end, _, name = _ENTRY.unpack_from(table, index * entry_bytes)
        if any(kind) and start <= end:
            partitions[index + 1] = Partition(
                number=index + 1,
                type_uuid=str(uuid.UUID(bytes_le=kind)).upper(),
                uuid=str(uuid.UUID(bytes_le=unique)),
                extent=Extent(start, end),
                name=name.decode("utf-16-le", "replace").split("\0")[0],
            )
    return PartitionTable(str(uuid.UUID(bytes_le=fields[9])), partitions)
