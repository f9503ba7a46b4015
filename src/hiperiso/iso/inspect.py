"""The properties that an ISO declares in its descriptors.

Only descriptors are read (a few dozen sectors at fixed positions), never a directory: it takes milliseconds
regardless of the size, and broken path tables or directories do not matter. That is why the general-purpose library,
which walks the whole tree when it opens an image, is not used here; the tests compare with it.

Layouts: ECMA-119 (ISO 9660) 8.2-8.5, El Torito 1.0 section 2, ECMA-167 / UDF 2.60, UEFI 2.10 chapter 5 (GPT).
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hiperiso.errors import IsoError
from hiperiso.iso import udf_volume as udf
from hiperiso.iso.descriptors import FIRST_SECTOR, read_descriptors
from hiperiso.iso.eltorito import BootEntry, Platform, read_boot_entries
from hiperiso.iso.reader import SECTOR_BYTES, ImageReader, LimitReached
from hiperiso.text import ascii_field

_DEADLINE_S = 20.0
_ESP_TYPE = bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b")  # C12A7328-F81F-11D2-BA4B-00A0C93EC93B on disk
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


@dataclass(frozen=True, kw_only=True)
class IsoInfo:
    """The content of the descriptors.

    Attributes:
        path: as given.
        size_bytes: of the file.
        volume_id, publisher, application: cleaned to printable ASCII; empty where absent.
        iso9660, udf: which file systems the image declares.
        boot_entries: the El Torito catalogue, in its order.
        missing_bytes: by how much the volume size in the descriptor exceeds the file size; 0 for a whole image.
        mbr_boot: boots as a disk too, through boot code in its first sector.
        gpt: has a GUID partition table.
        esp: has an EFI system partition in its MBR or GPT.
        created_utc: when the volume was made, as the ISO 9660 descriptor says; empty where it does not.
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
    created_utc: str = ""

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
        IsoError: no such file, a directory or another non-file, empty, unreadable, or not an ISO image.
    """
    descriptor = open_image(path)
    try:
        return inspect_image(path, descriptor)
    finally:
        os.close(descriptor)


def open_image(path: Path) -> int:
    """Open a file or block device for reading; returns its descriptor.

    Raises:
        IsoError: no such file, a directory or another non-file, or it may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IsoError(f"no such ISO: {path}", hint="check the path", missing=True) from error
    except PermissionError as error:
        raise IsoError(
            f"the ISO cannot be read, permission denied: {path}", hint=f"chmod a+r {path}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = error.strerror if isinstance(error, OSError) else error
        raise IsoError(f"the ISO cannot be read: {path} ({why})") from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or stat.S_ISBLK(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsoError(f"the ISO is a directory: {path}", hint="name the .iso file inside it")
    raise IsoError(f"the ISO is neither a file nor a block device: {path}")


def inspect_image(path: Path, descriptor: int) -> IsoInfo:
    """Like `inspect_iso`, for an open image; `path` is used in messages.

    Raises:
        IsoError: empty, unreadable, or not an ISO image.
    """
    reader = ImageReader(descriptor, deadline_s=_DEADLINE_S)
    try:
        return _inspect(path, reader)
    except LimitReached:
        raise IsoError(
            f"the ISO cannot be read: {path} (its first sectors take longer than {_DEADLINE_S:g} s)",
            hint="check the drive that it is on",
        ) from None


# ── reading ──


def _inspect(path: Path, reader: ImageReader) -> IsoInfo:
    size_bytes = reader.size_bytes
    if size_bytes == 0:
        raise IsoError(f"the ISO is empty: {path}", hint="download or copy it again")
    system_area = reader.read(0, FIRST_SECTOR * SECTOR_BYTES)
    descriptors = read_descriptors(reader)
    if reader.error:
        raise IsoError(f"the ISO cannot be read: {path} ({reader.error})")
    primary, boot_record = descriptors.primary, descriptors.boot_record
    if primary is None and not descriptors.has_udf:
        raise _not_an_iso(path, size_bytes, system_area)
    volume = udf.read_volume(reader) if descriptors.has_udf else None
    volume_bytes = _volume_bytes(primary) if primary else volume.end_bytes if volume else udf.SMALLEST_BYTES
    return IsoInfo(
        path=path,
        size_bytes=size_bytes,
        volume_id=ascii_field(primary[40:72])
        if primary
        else ascii_field(volume.name.encode())
        if volume
        else "",
        publisher=ascii_field(primary[318:446]) if primary else "",
        application=ascii_field(primary[574:702]) if primary else "",
        iso9660=primary is not None,
        udf=descriptors.has_udf,
        boot_entries=read_boot_entries(reader, boot_record) if boot_record else (),
        missing_bytes=max(0, volume_bytes - size_bytes),
        mbr_boot=system_area[510:512] == b"\x55\xaa" and any(system_area[:64]),
        gpt=system_area[512:520] == b"EFI PART",
        esp=_has_esp(system_area),
        created_utc=_date(primary[813:830]) if primary else "",
    )


def _date(field: bytes) -> str:
    """A date and time of ECMA-119 8.4.26.1, ``YYYYMMDDHHMMSScc`` and an offset in quarters of an hour, in UTC."""
    digits = field[:14].decode("ascii", "replace")
    if not digits.isdecimal() or len(field) < 17:
        return ""
    offset = timedelta(minutes=15 * struct.unpack("b", field[16:17])[0])
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC) - offset
    except (ValueError, OverflowError):  # zeros: not specified
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment.year >= 1970 else ""


def _volume_bytes(primary: bytes) -> int:
    blocks = struct.unpack_from("<I", primary, 80)[0]
    block_bytes = struct.unpack_from("<H", primary, 128)[0]
    return int(blocks) * int(block_bytes or SECTOR_BYTES)


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
    if size_bytes <= (FIRST_SECTOR + 1) * SECTOR_BYTES:
        return IsoError(
            f"not an ISO image, too short with {size_bytes} bytes: {path}", hint="download or copy it again"
        )
    if head[510:512] == b"\x55\xaa":
        return IsoError(
            f"not an ISO image but a disk image: {path}", hint="only ISO 9660 and UDF images can be booted"
        )
    return IsoError(f"not an ISO 9660 or UDF image: {path}", hint="check the file, or download it again")
