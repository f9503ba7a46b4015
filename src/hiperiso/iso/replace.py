"""Files of an image replaced: which sectors change, planned over the image, which is never written.

Every file system that shows the file is changed: its directory record in ISO 9660 (with its Rock Ridge name) and in
Joliet, its file entry in UDF. Where the new content fits into the sectors of the old, and no other file shares
them, it is put there; else past the end, and the volumes are made that much larger. What firmware finds by its
sector follows: the boot catalogue of El Torito, and the boot information tables that isolinux (8 bytes into the file;
genisoimage(1), -boot-info-table) and GRUB (at 2548; grub-core/boot/i386/pc/cdboot.S) read.

Layouts: ECMA-119 8.4.8, 9.1; SUSP 1.12; RRIP ZF (zisofs); El Torito 1.0, 2.2.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from hiperiso.contract.replacement import Replacement
from hiperiso.errors import UsageError
from hiperiso.iso import replace_fat, replace_udf
from hiperiso.iso.changes import Changes, Piece
from hiperiso.iso.contents import Contents, Extent
from hiperiso.iso.descriptors import FIRST_SECTOR, read_descriptors
from hiperiso.iso.eltorito import catalog_sector
from hiperiso.iso.image import IsoImage, files_below
from hiperiso.iso.reader import SECTOR_BYTES

EFI_PREFIX: Final = "efi:"
"""Before a path: a file inside the EFI boot image, not one of the ISO."""

_MAX_FILE_BYTES: Final = (1 << 32) - SECTOR_BYTES
_MULTI_EXTENT: Final = 0x80
_CHECKSUM_NAMES: Final = (
    *(
        "md5sum.txt",
        "md5sums",
        "md5sum",
        "sha256sum.txt",
        "sha256sums",
        "sha512sums",
        "sha1sums",
        "sha1sum.txt",
    ),
    *("checksum", "checksums", ".checksum.md5", "checksum.md5", "sha256sum", "sha512sum.txt", "md5sum.md5"),
)
_MAX_CHECKSUM_BYTES: Final = 4 << 20
_GRUB_TABLE: Final = 2548
_MBR_POINTER: Final = 432


def plan_replacements(image: IsoImage, wanted: Sequence[Replacement]) -> list[str]:
    """Replace files of the open image: from now on it is read with the changes. Returns notes for the session.

    Raises:
        UsageError: there is no such file, or it cannot be replaced; a new file cannot be read, or is too large.
        HarnessFault: the image cannot be read.
    """
    changes = Changes(image.info.size_bytes)
    notes: list[str] = []
    for one in wanted:
        size_bytes = _size_of(one.new)
        notes += _replace(image, changes, one, size_bytes)
    _grow_volumes(image, changes)
    image.change(changes)
    return [*notes, *_checksum_notes(image, wanted)]


def _size_of(file: Path) -> int:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe has no writer
        status = os.fstat(descriptor)
        os.close(descriptor)
    except OSError as error:
        raise UsageError(
            f"conf_replace: {file} cannot be read: {error.strerror}", hint="check the path behind new="
        ) from None
    if not stat.S_ISREG(status.st_mode):
        what = "a directory" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        raise UsageError(f"conf_replace: {file} is {what}", hint="name a file")
    size_bytes = status.st_size
    if size_bytes > _MAX_FILE_BYTES:
        raise UsageError(
            f"conf_replace: {file} has {size_bytes} bytes; a file of an ISO has at most {_MAX_FILE_BYTES}"
        )
    return size_bytes


def _replace(image: IsoImage, changes: Changes, one: Replacement, size_bytes: int) -> list[str]:
    tree = image.tree()
    real = "" if one.org.startswith(EFI_PREFIX) else tree.find(one.org)
    if real:
        notes = _Planner(image, changes).replace(real, one.new, size_bytes)
        return [
            f"replaced in the ISO: {real} by {one.new} ({tree.size_bytes(real)} bytes by {size_bytes})",
            *notes,
        ]
    inside = one.org.removeprefix(EFI_PREFIX)
    start_bytes = image.efi_start_bytes()
    if start_bytes is not None:
        old_bytes = replace_fat.replace(image, changes, start_bytes, inside, one.new.read_bytes())
        if old_bytes is not None:
            return [
                f"replaced in the EFI boot image: {inside} by {one.new} ({old_bytes} bytes by {size_bytes})"
            ]
    raise UsageError(
        f"conf_replace: the ISO has no file {one.org}",
        hint="the path is as a mount of the ISO shows it; efi:/path is inside its EFI boot image",
    )


def _checksum_notes(image: IsoImage, wanted: Sequence[Replacement]) -> Iterator[str]:
    """Known checksum files that name a replaced file; Fedora's checksum of the whole medium."""
    tree = image.tree()
    for path in tree:
        folder, _, name = path.rpartition("/")
        if name.lower() not in _CHECKSUM_NAMES or folder.count("/") > 2:
            continue
        listed = tree.read(path, _MAX_CHECKSUM_BYTES)
        names = [one.org for one in wanted if os.fsencode(one.org.rpartition("/")[2]) in listed]
        if names:
            yield f"warning: {path} has checksums of {', '.join(names)}: a check of the medium will fail"
    primary = image.reader().sector(FIRST_SECTOR)
    if b"ISO MD5SUM = " in primary:
        yield "warning: the ISO has a checksum of itself (implantisomd5): a check of the medium will fail"


class _Planner:
    """Replaces one file in all file systems of an image."""

    def __init__(self, image: IsoImage, changes: Changes) -> None:
        self._image = image
        self._changes = changes
        self._contents: Contents = image.contents
        self._descriptor = image.descriptor

    def replace(self, path: str, new: Path, size_bytes: int) -> list[str]:
        """Replace the file at that path of the best tree."""
        nodes, notes = self._nodes(path)
        old = self._extents(nodes[0])
        begin = self._place(nodes, old, size_bytes)
        moved = begin * SECTOR_BYTES != (old[0].offset_bytes if old else -1)
        if size_bytes:
            self._changes.pieces.append(Piece(start=begin, file=new, size_bytes=size_bytes))
        for node in nodes:
            if self._is_udf(node):
                replace_udf.point(
                    self._image, self._changes, self._contents.records[node][0], begin, size_bytes
                )
            else:
                self._point(self._contents.records[node], begin, size_bytes)
        if old:
            notes += self._follow(old[0].offset_bytes // SECTOR_BYTES, begin, old, size_bytes, moved=moved)
        return notes

    def _nodes(self, path: str) -> tuple[list[int], list[str]]:
        """The node of the file in each file system; the best tree's first."""
        systems = [files_below(self._contents, system.root) for system in self._contents.file_systems]
        best = max(systems, key=len)
        first = best[path]
        found, notes = [first], []
        for system, files in zip(self._contents.file_systems, systems, strict=True):
            if files is best:
                continue
            other = self._partner(first, path, files)
            if other is not None:
                found.append(other)
            elif files:
                notes.append(
                    f"{path} is not replaced in the file system {system.kind}, where it was not found"
                )
        return found, notes

    def _partner(self, first: int, path: str, files: dict[str, int]) -> int | None:
        """The same file in another file system: by its sectors, among files that share them by its name."""
        old = self._extents(first)
        named = [node for name, node in files.items() if name.casefold() == path.casefold()]
        same = [node for node in files.values() if old and self._extents(node)[:1] == old[:1]]
        if not old or not old[0].size_bytes:
            return named[0] if named else None
        if len(same) == 1:
            return same[0]
        last = path.rpartition("/")[2].casefold()
        alike = [node for node in same if self._contents.nodes[node].name.casefold() == last]
        return next((node for node in named if node in same), alike[0] if len(alike) == 1 else None)

    def _extents(self, node: int) -> list[Extent]:
        return self._contents.extents.get(node, [])

    def _is_udf(self, node: int) -> bool:
        while self._contents.nodes[node].parent >= 0:
            node = self._contents.nodes[node].parent
        return any(system.root == node and system.kind == "udf" for system in self._contents.file_systems)

    def _place(self, nodes: list[int], old: list[Extent], size_bytes: int) -> int:
        """The first sector of the new content: where the old was, if it fits and no other file has it; else the end."""
        if not size_bytes:
            return max(0, old[0].offset_bytes // SECTOR_BYTES) if old else 0
        whole = len(old) == 1 and old[0].offset_bytes >= 0 and old[0].offset_bytes % SECTOR_BYTES == 0
        capacity = -(-old[0].size_bytes // SECTOR_BYTES) if whole else 0
        needed = -(-size_bytes // SECTOR_BYTES)
        if whole and 0 < needed <= capacity:
            begin = old[0].offset_bytes // SECTOR_BYTES
            if not self._shared(nodes, begin, capacity):
                return begin
        return self._changes.end

    def _shared(self, nodes: list[int], begin: int, sectors: int) -> bool:
        """Whether anything else lies in these sectors: another name of them, or an earlier replacement."""
        low, high = begin * SECTOR_BYTES, (begin + sectors) * SECTOR_BYTES
        for node, extents in self._contents.extents.items():
            if node not in nodes and any(
                extent.offset_bytes < high and extent.offset_bytes + extent.size_bytes > low
                for extent in extents
            ):
                return True
        return any(
            one.start < begin + sectors and one.start + one.sectors > begin for one in self._changes.pieces
        )

    # ── records ──

    def _read(self, offset_bytes: int, size_bytes: int) -> bytes:
        return self._changes.read(self._descriptor, offset_bytes, size_bytes)

    def _write(self, offset_bytes: int, data: bytes) -> None:
        self._changes.write(self._descriptor, offset_bytes, data)

    def _point(self, records: list[int], begin: int, size_bytes: int) -> None:
        """Let the first directory record of a file point there; further ones (multi-extent) are taken out."""
        for offset in sorted(records[1:], reverse=True):
            self._take_out(offset)
        at = self._now_at(records[0])
        raw = bytearray(self._read(at, self._read(at, 1)[0]))
        block = begin * (SECTOR_BYTES // _block_bytes(self._image))
        raw[1] = 0  # no extended attributes before the data
        raw[2:10] = _both(block)
        raw[10:18] = _both(size_bytes)
        raw[25] &= ~_MULTI_EXTENT
        raw[26:28] = b"\0\0"  # not interleaved
        self._write(at, _not_compressed(bytes(raw)))

    def _now_at(self, offset_bytes: int) -> int:
        """The place of a record, from its place on the image: earlier replacements took records out of its sector."""
        base = offset_bytes // SECTOR_BYTES * SECTOR_BYTES
        taken = self._changes.taken.items()
        return offset_bytes - sum(length for at, length in taken if base <= at < offset_bytes)

    def _take_out(self, offset_bytes: int) -> None:
        at = self._now_at(offset_bytes)
        base = at // SECTOR_BYTES * SECTOR_BYTES
        length = self._read(at, 1)[0]
        rest = self._read(at + length, base + SECTOR_BYTES - at - length)
        self._write(at, rest + bytes(length))
        self._changes.taken[offset_bytes] = length

    # ── what follows a file ──

    def _follow(
        self, old: int, new: int, extents: list[Extent], size_bytes: int, *, moved: bool
    ) -> list[str]:
        """What points to the file by its sector: the boot catalogue, the file's own table, the first sector."""
        record = read_descriptors(self._image.reader()).boot_record
        if record is None:
            return []
        old_bytes = sum(extent.size_bytes for extent in extents)
        is_boot_image = self._follow_catalog(catalog_sector(record), old, new, old_bytes, size_bytes)
        if not is_boot_image:
            return []
        self._follow_tables(old, new, old_bytes, size_bytes)
        if not moved:
            return []
        for scale, plus in ((4, 0), (4, 4)):  # isohybrid's, GRUB's: in units of 512 bytes
            pointer = int.from_bytes(self._read(_MBR_POINTER, 4), "little")
            if pointer == old * scale + plus:
                self._write(_MBR_POINTER, (new * scale + plus).to_bytes(4, "little"))
                break
        return ["the boot image has moved to the end: as a disk, partition tables still lead to the old one"]

    def _follow_catalog(self, catalog: int, old: int, new: int, old_bytes: int, size_bytes: int) -> bool:
        found = False
        for at in range(catalog * SECTOR_BYTES + 32, (catalog + 1) * SECTOR_BYTES, 32):
            entry = bytearray(self._read(at, 32))
            if entry[0] not in (0x88, 0x00) or int.from_bytes(entry[8:12], "little") != old:
                continue
            found = True
            entry[8:12] = new.to_bytes(4, "little")
            if int.from_bytes(entry[6:8], "little") == -(-old_bytes // 512):
                entry[6:8] = min(-(-size_bytes // 512), 0xFFFF).to_bytes(2, "little")
            self._write(at, bytes(entry))
        return found

    def _follow_tables(self, old: int, new: int, old_bytes: int, size_bytes: int) -> None:
        """Fill the tables inside the new content, where the old content had them."""
        reader_of_old = os.pread(self._descriptor, 4096, old * SECTOR_BYTES)
        start = new * SECTOR_BYTES
        if struct.unpack_from("<III", reader_of_old.ljust(64, b"\0"), 8) == (FIRST_SECTOR, old, old_bytes):
            whole = self._read(start, size_bytes)
            padded = whole[64:] + bytes(-len(whole) % 4)
            total = sum(struct.unpack(f"<{len(padded) // 4}I", padded[: len(padded) // 4 * 4])) & 0xFFFFFFFF
            self._write(start + 8, struct.pack("<IIII", FIRST_SECTOR, new, size_bytes, total) + bytes(40))
        if len(reader_of_old) > _GRUB_TABLE + 8 and size_bytes > _GRUB_TABLE + 8:
            (pointer,) = struct.unpack_from("<Q", reader_of_old, _GRUB_TABLE)
            if pointer == old * 4 + 5:
                self._write(start + _GRUB_TABLE, struct.pack("<Q", new * 4 + 5))


def _grow_volumes(image: IsoImage, changes: Changes) -> None:
    """The volumes reach to the end of the changed image."""
    if changes.end <= -(-image.info.size_bytes // SECTOR_BYTES):
        return
    replace_udf.grow(image, changes)
    blocks = changes.end * (SECTOR_BYTES // _block_bytes(image))
    for number, sector in enumerate(read_descriptors(image.reader()).sectors):
        if (
            sector[1:6] == b"CD001"
            and sector[0] in (1, 2)
            and int.from_bytes(sector[80:84], "little") < blocks
        ):
            changes.write(image.descriptor, (FIRST_SECTOR + number) * SECTOR_BYTES + 80, _both(blocks))


def _block_bytes(image: IsoImage) -> int:
    primary = read_descriptors(image.reader()).primary
    size = int.from_bytes(primary[128:130], "little") if primary else SECTOR_BYTES
    return size if size in (512, 1024, 2048) else SECTOR_BYTES


def _both(value: int) -> bytes:
    """A number in both byte orders (ECMA-119 7.3.3)."""
    return struct.pack("<I", value) + struct.pack(">I", value)


def _not_compressed(record: bytes) -> bytes:
    """The record without a ZF field (zisofs): it becomes padding (SUSP 5.2)."""
    at = 33 + record[32] + (1 - record[32] % 2)
    out = bytearray(record)
    while at + 4 <= len(out) and 4 <= out[at + 2] <= len(out) - at:
        if out[at : at + 2] == b"ZF":
            out[at : at + 2] = b"PD"
        at += out[at + 2]
    return bytes(out)
