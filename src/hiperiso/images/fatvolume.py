"""A small FAT volume with a label, written in memory: for what a guest looks for by the volume's label.

The stick has no mkfs.vfat and no mtools, so this is plain Python; the bytes depend on the arguments alone.
Source: Microsoft, *FAT: General Overview of On-Disk Format* 1.03.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Final

from hiperiso.errors import UsageError

MAX_VOLUME_BYTES: Final = 512 << 20
"""The most content of a volume."""

_SECTOR: Final = 512
_ROOT_ENTRIES: Final = 512
_MAX_FAT12: Final = 4084
_MAX_FAT16: Final = 65524
_DATE: Final = 0x0021  # 1 January 1980
_DIRECTORY, _LABEL, _ARCHIVE, _LONG = 0x10, 0x08, 0x20, 0x0F
_LONG_UNITS: Final = 13
_NOT_BOOTABLE: Final = b"\xcd\x18\xf4\xeb\xfd"
"""Where the boot sector jumps to: int 18h (a BIOS then tries its next device), and a halt in a loop."""

_SHORT: Final = re.compile(r"[A-Z0-9_~-]{1,8}(\.[A-Z0-9_~-]{1,3})?")
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f"*:<>?\\|]|[. ]$')

_Tree = dict[str, "_Tree | bytes"]


def fat_volume(files: Mapping[str, bytes], label: str) -> bytes:
    """The image of a volume with `files`: content by path, such as ``{"drivers/list": b"..."}``.

    Raises:
        UsageError: a name or label that FAT does not allow, two names that differ in case alone, too much content.
    """
    if not re.fullmatch(r"[A-Z0-9_-]{1,11}", label):
        raise UsageError(f"not a label of a FAT volume: {label!r}", hint="use up to 11 of A-Z, 0-9, _ and -")
    content = sum(len(data) for data in files.values())
    if content > MAX_VOLUME_BYTES:
        raise UsageError(f"{content >> 20} MB of files: more than {MAX_VOLUME_BYTES >> 20} MB for a volume")
    return _Writer(_tree(files), label, content).image()


def _tree(files: Mapping[str, bytes]) -> _Tree:
    root: _Tree = {}
    for path, data in sorted(files.items()):
        *folders, name = path.split("/")
        place = root
        for part in (*folders, name):
            if not _is_name(part):
                raise UsageError(f"not a name on a FAT volume: {path!r}", hint="rename the file")
        for folder in folders:
            place = _folder(place, folder, path)
        if _same(place, name) is not None:
            raise UsageError(f"two files of one name, where case is ignored: {path!r}", hint="rename one")
        place[name] = data
    return root


def _is_name(part: str) -> bool:
    try:
        units = part.encode("utf-16-le")
    except UnicodeEncodeError:  # bytes that are not UTF-8
        return False
    return bool(part) and not _FORBIDDEN.search(part) and len(units) <= 2 * 255


def _same(place: _Tree, name: str) -> str | None:
    return next((known for known in place if known.upper() == name.upper()), None)


def _folder(place: _Tree, name: str, path: str) -> _Tree:
    found = place.setdefault(_same(place, name) or name, {})
    if isinstance(found, bytes):
        raise UsageError(f"a file and a directory of one name: {path!r}", hint="rename one")
    return found


class _Writer:
    """One volume: clusters are handed out in the order of the paths."""

    def __init__(self, tree: _Tree, label: str, content: int) -> None:
        self._tree, self._label = tree, label
        self._cluster = _SECTOR
        while content // self._cluster > _MAX_FAT16 // 4:
            self._cluster *= 2
        self._data = bytearray()
        self._table = [0xFFF8, 0xFFFF]

    def image(self) -> bytes:
        label = _entry(self._label.encode().ljust(11), _LABEL, 0, 0)
        root = label + self._entries(self._tree)
        if len(root) > _ROOT_ENTRIES * 32:
            raise UsageError("too many files at the root of a FAT volume", hint="put them into a directory")
        # At least a megabyte, and a size at which no reader can doubt the width of the table.
        clusters = max(len(self._table) - 2 + 16, (1 << 20) // self._cluster)
        wide = clusters > _MAX_FAT12 - 16
        clusters = max(clusters, _MAX_FAT12 + 100) if wide else clusters
        if clusters > _MAX_FAT16:
            raise UsageError("too many files for a FAT volume", hint="use fewer files")
        table = self._packed(clusters, wide=wide)
        sectors = 1 + 2 * (len(table) // _SECTOR) + _ROOT_ENTRIES * 32 // _SECTOR
        sectors += clusters * (self._cluster // _SECTOR)
        head = self._boot_sector(sectors, len(table) // _SECTOR, wide=wide)
        whole = head + table * 2 + root.ljust(_ROOT_ENTRIES * 32, b"\0") + self._data
        return whole.ljust(sectors * _SECTOR, b"\0")

    def _packed(self, clusters: int, *, wide: bool) -> bytes:
        values = self._table + [0] * (clusters + 2 - len(self._table))
        if wide:
            table = struct.pack(f"<{len(values)}H", *values)
        else:
            values += [0] * (len(values) % 2)
            pairs = zip(values[::2], values[1::2], strict=True)
            table = b"".join((a & 0xFFF | (b & 0xFFF) << 12).to_bytes(3, "little") for a, b in pairs)
        return table.ljust(-(-len(table) // _SECTOR) * _SECTOR, b"\0")

    def _boot_sector(self, sectors: int, table_sectors: int, *, wide: bool) -> bytes:
        small = sectors if sectors < 1 << 16 else 0
        head = b"\xeb\x3c\x90" + b"HIPERISO"
        head += struct.pack(
            "<HBHBHHBH", _SECTOR, self._cluster // _SECTOR, 1, 2, _ROOT_ENTRIES, small, 0xF8, table_sectors
        )
        head += struct.pack("<HHII", 32, 64, 0, 0 if small else sectors)
        head += struct.pack("<BBBI", 0x80, 0, 0x29, 0x48495045) + self._label.encode().ljust(11)
        head += b"FAT16   " if wide else b"FAT12   "
        return (head + _NOT_BOOTABLE).ljust(510, b"\0") + b"\x55\xaa"

    def _store(self, data: bytes) -> int:
        """The first cluster of `data`; 0 for nothing."""
        count = -(-len(data) // self._cluster)
        if not count:
            return 0
        first = len(self._table)
        self._table += [*range(first + 1, first + count), 0xFFFF]
        self._data += data.ljust(count * self._cluster, b"\0")
        return first

    def _entries(self, tree: _Tree, own: int = 0) -> bytes:
        parts = []
        for number, (name, value) in enumerate(tree.items(), 1):
            if isinstance(value, bytes):
                kind, size, first = _ARCHIVE, len(value), self._store(value)
            else:
                kind, size, first = _DIRECTORY, 0, self._directory(value, own)
            parts.append(_named(name, number, kind, first, size))
        return b"".join(parts)

    def _directory(self, tree: _Tree, parent: int) -> int:
        """Store a directory; its size is known before its entries are, which name its cluster as their parent."""
        size = 64 + sum(len(_named(name, number, 0, 0, 0)) for number, name in enumerate(tree, 1))
        first = self._store(b"\1" * size)
        start = len(self._data) - -(-size // self._cluster) * self._cluster
        dots = _entry(b".".ljust(11), _DIRECTORY, first, 0) + _entry(b"..".ljust(11), _DIRECTORY, parent, 0)
        self._data[start : start + size] = dots + self._entries(tree, first)
        return first


def _named(name: str, number: int, kind: int, first: int, size: int) -> bytes:
    """The entries of one file: the long name, where it needs one, and the short one."""
    if _SHORT.fullmatch(name):
        stem, _, suffix = name.partition(".")
        return _entry(f"{stem:8}{suffix:3}".encode(), kind, first, size)
    short = f"F{number:05X}~1".encode().ljust(11)
    checksum = 0
    for byte in short:
        checksum = ((checksum & 1) << 7 | checksum >> 1) + byte & 0xFF
    units = name.encode("utf-16-le")
    count = -(-len(units) // (2 * _LONG_UNITS))
    if len(units) < count * 2 * _LONG_UNITS:
        units = (units + b"\0\0").ljust(count * 2 * _LONG_UNITS, b"\xff")
    parts = []
    for order in range(count, 0, -1):
        piece = units[(order - 1) * 26 : order * 26]
        mark = order | (0x40 if order == count else 0)
        parts.append(
            struct.pack("<B10sBBB12sH4s", mark, piece[:10], _LONG, 0, checksum, piece[10:22], 0, piece[22:])
        )
    return b"".join(parts) + _entry(short, kind, first, size)


def _entry(short: bytes, kind: int, first: int, size: int) -> bytes:
    return struct.pack("<11sBBBHHHHHHHI", short, kind, 0, 0, 0, _DATE, _DATE, 0, 0, _DATE, first, size)
