"""The location of the files of an ISO 9660 volume: plain names, Joliet, Rock Ridge; no length or link is trusted.

Layouts: ECMA-119 chapters 8 and 9; Joliet 1.0; SUSP 1.12 (CE, SP); RRIP 1.12 (NM, SL, CL, RE).

The general-purpose library rejects an image as a whole for one malformed record. Here a directory that cannot be
read only loses its own content.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from hiperiso.contract.disk import Place
from hiperiso.iso.contents import RANK_DIRECTORY, RANK_FILE, Contents, Extent
from hiperiso.iso.descriptors import Descriptors
from hiperiso.iso.reader import SECTOR_BYTES, ImageReader

_DIRECTORY, _MULTI_EXTENT = 0x02, 0x80
_MAX_DIRECTORY_BYTES: Final = 8 << 20
_MAX_CONTINUATIONS: Final = 16
_MAX_DEPTH: Final = 64
_JOLIET: Final = (b"%/@", b"%/C", b"%/E")


@dataclass(frozen=True)
class Volume:
    """The root directory and encoding of a volume descriptor."""

    kind: str
    block_bytes: int
    root: bytes
    skip: int = 0  # bytes before the system use fields of each record

    @property
    def joliet(self) -> bool:
        """Whether names are UCS-2."""
        return self.kind == "joliet"

    @property
    def rock_ridge(self) -> bool:
        """Whether the names in Rock Ridge fields are used."""
        return self.kind == "rock_ridge"


@dataclass(frozen=True)
class _Record:
    """A directory record."""  # without a docstring, dataclasses would import inspect at start-up on a stick

    name: str
    block: int
    size_bytes: int
    flags: int
    child_block: int = 0  # of a relocated directory
    moved: bool = False
    link: str = ""
    offset_bytes: int = 0


def volumes(reader: ImageReader, descriptors: Descriptors) -> list[Volume]:
    """The declared volumes, the one with the best names first."""
    found: list[Volume] = []
    for sector in descriptors.volumes:
        block_bytes = int.from_bytes(sector[128:130], "little")
        if block_bytes not in (512, 1024, 2048):
            block_bytes = SECTOR_BYTES
        kind = "iso9660" if sector[0] == 1 else "joliet" if sector[88:91] in _JOLIET else "iso9660_1999"
        volume = Volume(kind, block_bytes, sector[156:190])
        if kind == "iso9660":
            skip = _rock_ridge_skip(reader, volume)
            if skip is not None:
                volume = Volume("rock_ridge", block_bytes, sector[156:190], skip)
        if all(volume.kind != other.kind for other in found):
            found.append(volume)
    order = ("rock_ridge", "joliet", "iso9660_1999", "iso9660")
    return sorted(found, key=lambda volume: order.index(volume.kind))


def walk(reader: ImageReader, volume: Volume, contents: Contents) -> None:
    """Add every directory and file of `volume` to the contents.

    Raises:
        LimitReached: the medium is too large or crafted to be endless; what was found is in the contents.
    """
    root = contents.add_root(volume.kind)
    block, size_bytes = _extent(volume.root)
    queue = deque([(block, size_bytes, root, 0)])
    seen = {block}
    while queue:
        block, size_bytes, node, depth = queue.popleft()
        contents.claim(node, *_sectors(volume, block, size_bytes), RANK_DIRECTORY)
        open_file: tuple[str, int] | None = (
            None  # a file of several extents: all but its last record are flagged
        )
        for record in _records(reader, volume, block, size_bytes):
            if record.flags & _DIRECTORY or record.child_block:
                where = record.child_block or record.block
                if where in seen or depth >= _MAX_DEPTH or record.moved:
                    continue
                seen.add(where)
                length = _own_length(reader, volume, where) if record.child_block else record.size_bytes
                lba = where * volume.block_bytes // SECTOR_BYTES
                child = contents.add(node, record.name, Place.DIRECTORY, size_bytes=length, lba=lba)
                queue.append((where, length, child, depth + 1))
                continue
            lba = record.block * volume.block_bytes // SECTOR_BYTES
            if open_file and open_file[0] == record.name:
                child = open_file[1]
                contents.grow(child, record.size_bytes)
            else:
                child = contents.add(node, record.name, Place.FILE, size_bytes=record.size_bytes, lba=lba)
            if record.link:
                contents.links[child] = record.link
            extent = Extent(record.block * volume.block_bytes, record.size_bytes)
            contents.extents.setdefault(child, []).append(extent)
            contents.records.setdefault(child, []).append(record.offset_bytes)
            open_file = (record.name, child) if record.flags & _MULTI_EXTENT else None
            contents.claim(child, *_sectors(volume, record.block, record.size_bytes), RANK_FILE)


def _sectors(volume: Volume, block: int, size_bytes: int) -> tuple[int, int]:
    """First 2048-byte sector, and the number of sectors."""
    start = block * volume.block_bytes
    first = start // SECTOR_BYTES
    return first, -(-(start + size_bytes) // SECTOR_BYTES) - first if size_bytes else 0


def _extent(record: bytes) -> tuple[int, int]:
    """First block of the data (past the extended attributes) and its length in bytes."""
    return int.from_bytes(record[2:6], "little") + record[1], int.from_bytes(record[10:14], "little")


def _own_length(reader: ImageReader, volume: Volume, block: int) -> int:
    record = reader.read(block * volume.block_bytes, 34)
    return _extent(record)[1] if len(record) == 34 else 0


def _records(reader: ImageReader, volume: Volume, block: int, size_bytes: int) -> Iterator[_Record]:
    """The records of a directory, without those for itself and its parent."""
    start = block * volume.block_bytes
    size_bytes = min(size_bytes, _MAX_DIRECTORY_BYTES)
    for offset in range(0, size_bytes, SECTOR_BYTES):  # no record crosses a sector
        sector = reader.read(start + offset, min(SECTOR_BYTES, size_bytes - offset))
        if not sector:
            return
        at = 0
        while at + 34 <= len(sector) and sector[at] >= 34:
            raw, offset_bytes = sector[at : at + sector[at]], start + offset + at
            at += sector[at]
            if len(raw) < 33 + raw[32] or raw[33 : 33 + raw[32]] in (b"\0", b"\1"):
                continue
            yield replace(_record(reader, volume, raw), offset_bytes=offset_bytes)


def _record(reader: ImageReader, volume: Volume, raw: bytes) -> _Record:
    identifier = raw[33 : 33 + raw[32]]
    block, size_bytes = _extent(raw)
    plain = _Record(_plain_name(volume, identifier), block, size_bytes, raw[25])
    return _rock_ridge(reader, volume, raw, plain) if volume.rock_ridge else plain


def _plain_name(volume: Volume, identifier: bytes) -> str:
    text = identifier.decode("utf-16-be" if volume.joliet else "latin-1", "replace")
    name, _, version = text.rpartition(";")
    text = name if name and version.isdigit() else text
    return text if volume.joliet else text.removesuffix(".")


# ── Rock Ridge ──


def _rock_ridge_skip(reader: ImageReader, volume: Volume) -> int | None:
    """How many bytes of each system use area to skip, or None where the root directory does not announce SUSP."""
    block, _ = _extent(volume.root)
    record = reader.read(block * volume.block_bytes, 256)
    area = record[34 : record[0]] if len(record) > 34 else b""
    for skip in (0, 15):  # 15: past the fields of CD-ROM XA
        field = area[skip : skip + 7]
        if field[:2] == b"SP" and field[4:6] == b"\xbe\xef":
            return field[6] if len(field) > 6 else 0
    return None


def _rock_ridge(reader: ImageReader, volume: Volume, raw: bytes, plain: _Record) -> _Record:
    """The record, updated from its Rock Ridge fields."""
    name, child_block, moved = b"", 0, False
    links: list[bytes] = []
    begin = 33 + raw[32] + (1 - raw[32] % 2) + volume.skip
    for signature, payload in _fields(reader, volume, raw[begin:]):
        if signature == b"NM" and payload and not payload[0] & 0x06:
            name += payload[1:] if len(name) < 1024 else b""
        elif signature == b"SL" and len(links) < _MAX_CONTINUATIONS:
            links.append(payload[1:])
        elif signature == b"CL" and len(payload) >= 4:
            child_block = int.from_bytes(payload[:4], "little")
        elif signature == b"RE":
            moved = True
    return replace(
        plain,
        name=name.decode("utf-8", "replace").replace("/", "\ufffd") or plain.name,
        child_block=child_block,
        moved=moved,
        link=_link_text(b"".join(links)),
    )


def _link_text(components: bytes) -> str:
    """The target of a symbolic link, from the component records of its SL fields (RRIP 1.12, 4.1.3)."""
    parts: list[str] = []
    at = 0
    goes_on = False
    while at + 2 <= len(components):
        flags, length = components[at], components[at + 1]
        text = components[at + 2 : at + 2 + length].decode("utf-8", "replace")
        at += 2 + length
        text = "." if flags & 0x02 else ".." if flags & 0x04 else "" if flags & 0x08 else text
        if goes_on:
            parts[-1] += text
        else:
            parts.append(text)
        goes_on = bool(flags & 0x01)
    return "/".join(parts) if parts != [""] else "/"


def _fields(reader: ImageReader, volume: Volume, area: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The system use fields of a record, continued areas included."""
    for _ in range(_MAX_CONTINUATIONS):
        at, following = 0, b""
        while at + 4 <= len(area) and 4 <= area[at + 2] <= len(area) - at:
            signature, payload = area[at : at + 2], area[at + 4 : at + area[at + 2]]
            at += area[at + 2]
            if signature == b"ST":
                break
            if signature == b"CE" and len(payload) >= 24:
                block, offset, length = (int.from_bytes(payload[k : k + 4], "little") for k in (0, 8, 16))
                if offset < volume.block_bytes:
                    following = reader.read(block * volume.block_bytes + offset, min(length, SECTOR_BYTES))
            else:
                yield signature, payload
        if not following:
            return
        area = following
