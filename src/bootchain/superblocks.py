r"""Labels and UUIDs of file systems, read from their superblocks; pure over a function that reads.

=============  ==========================================================================================
kind           where the knowledge comes from
=============  ==========================================================================================
iso9660        ECMA-119 8.4 (volume descriptors from sector 16), Joliet for a label in UCS-2
udf            ECMA-167 3/10 and 4/14 (anchor at block 256, volume descriptor sequence)
ext2 ... ext4  kernel documentation, filesystems/ext4/super.rst
xfs, btrfs     on-disk format documents of both
vfat, exfat    Microsoft's fatgen103 and exFAT specification
ntfs           the $Volume record of the MFT (Linux-NTFS documentation)
swap           mkswap(8): version 2 header; the signature of a hibernated system is swap too
erofs, f2fs    kernel documentation, filesystems/
squashfs       has neither label nor UUID
=============  ==========================================================================================

Members of arrays and volume groups (``linux_raid_member``, ``LVM2_member``) are recognised, so that the
file system inside them is not used.
"""

from __future__ import annotations

from struct import unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[int, int], bytes]

HEAD_BYTES = 0x12000
"""What is read of each device: up to the superblock of btrfs, which is the farthest."""

_MAX_READ = 1 << 20
_MAX_CLUSTERS = 64


class Identity:
    """What a superblock says.

    Attributes:
        kind: type of the file system, as blkid calls it.
        labels: its names; more than one where a format holds several (ISO 9660 and Joliet).
        uuid: as blkid prints it; ``""`` when there is none.
    """

    __slots__ = ("kind", "labels", "uuid")

    def __init__(self, kind: str, labels: tuple[str, ...] = (), uuid: str = "") -> None:
        self.kind = kind
        self.labels = tuple(label for label in labels if label)
        self.uuid = uuid


def identify(read: Read, size_bytes: int = 0) -> Identity | None:
    """Find out what a device holds.

    Args:
        read: gives up to ``count`` bytes at an offset, fewer at the end; may raise OSError.
        size_bytes: of the device, for the superblocks at its end; 0 when unknown.

    Returns:
        None when nothing is known; never raises, whatever the bytes are.
    """
    image = _Image(read, size_bytes)
    if not any(image.head):
        return None
    for probe in _PROBES:
        found = probe(image)
        if found is not None:
            return found
    return None


class _Image:
    """Reads that always give as many bytes as asked for, with zeros where there are none."""

    def __init__(self, read: Read, size_bytes: int) -> None:
        self._read = read
        self.size_bytes = size_bytes
        self.head = self.at(0, HEAD_BYTES)

    def at(self, offset: int, count: int) -> bytes:
        count = min(count, _MAX_READ)
        data = b""
        if 0 <= offset < 1 << 62:
            try:
                data = self._read(offset, count)
            except OSError:
                data = b""
        return data[:count].ljust(count, b"\0")

    def u16(self, offset: int) -> int:
        return int(unpack_from("<H", self.head, offset)[0])

    def u32(self, offset: int) -> int:
        return int(unpack_from("<I", self.head, offset)[0])

    def u64(self, offset: int) -> int:
        return int(unpack_from("<Q", self.head, offset)[0])

    def text(self, offset: int, count: int) -> str:
        return _text(self.head[offset : offset + count])

    def uuid(self, offset: int) -> str:
        return _uuid(self.head[offset : offset + 16])


def _member(image: _Image) -> Identity | None:
    magic = (b"\xfc\x4e\x2b\xa9", b"\xa9\x2b\x4e\xfc")
    places = [0, 4096]
    if image.size_bytes >= 1 << 17:
        places.append((image.size_bytes & ~0xFFFF) - 0x10000)
        places.append(((image.size_bytes >> 9) - 16 & ~7) << 9)
    for place in places:
        if image.at(place, 4) in magic:
            return Identity("linux_raid_member")
    for sector in range(0, 2048, 512):
        if (
            image.head[sector : sector + 8] == b"LABELONE"
            and image.head[sector + 24 : sector + 32] == b"LVM2 001"
        ):
            return Identity("LVM2_member")
    return None


def _luks(image: _Image) -> Identity | None:
    if image.head[:6] != b"LUKS\xba\xbe":
        return None
    label = image.text(24, 48) if image.head[6:8] == b"\0\2" else ""
    return Identity("crypto_LUKS", (label,), image.text(168, 40))


def _swap(image: _Image) -> Identity | None:
    for page in (0x1000, 0x2000, 0x4000, 0x8000, 0x10000):
        if image.head[page - 10 : page] in (b"SWAPSPACE2", b"S1SUSPEND\0"):
            return Identity("swap", (image.text(1052, 16),), image.uuid(1036))
    return None


def _squashfs(image: _Image) -> Identity | None:
    return Identity("squashfs") if image.head[:4] == b"hsqs" else None


def _xfs(image: _Image) -> Identity | None:
    if image.head[:4] != b"XFSB":
        return None
    return Identity("xfs", (image.text(108, 12),), image.uuid(32))


def _btrfs(image: _Image) -> Identity | None:
    if image.head[0x10040:0x10048] != b"_BHRfS_M":
        return None
    return Identity("btrfs", (image.text(0x1012B, 256),), image.uuid(0x10020))


def _ext(image: _Image) -> Identity | None:
    if image.u16(1080) != 0xEF53:
        return None
    compat, incompat, ro_compat = (image.u32(1024 + offset) for offset in (92, 96, 100))
    kind = "ext2"
    if incompat & 0x8:
        kind = "jbd"  # a journal alone
    elif incompat & ~0x17 or ro_compat & ~0x7:
        kind = "ext4"
    elif compat & 0x4:
        kind = "ext3"
    return Identity(kind, (image.text(1144, 16),), image.uuid(1128))


def _erofs(image: _Image) -> Identity | None:
    if image.u32(1024) != 0xE0F5E1E2:
        return None
    return Identity("erofs", (image.text(1088, 16),), image.uuid(1072))


def _f2fs(image: _Image) -> Identity | None:
    if image.u32(1024) != 0xF2F52010:
        return None
    return Identity("f2fs", (_wide(image.head[1148 : 1148 + 1024], "utf-16-le"),), image.uuid(1132))


def _iso9660(image: _Image) -> Identity | None:
    labels: list[str] = []
    uuid = ""
    found = False
    for sector in range(16, 32):
        descriptor = image.at(sector * 2048, 2048)
        if descriptor[1:6] != b"CD001" or descriptor[0] == 255:
            break
        if descriptor[0] == 1 and not found:
            found = True
            labels.append(_text(descriptor[40:72]).rstrip(" "))
            uuid = _iso_date(descriptor[830:846]) or _iso_date(descriptor[813:829])
        elif descriptor[0] == 2 and descriptor[88:91] in (b"%/@", b"%/C", b"%/E"):
            labels.append(_wide(descriptor[40:72], "utf-16-be").rstrip(" "))
    udf = _udf(image)
    if not found:
        return udf
    return Identity("iso9660", (*labels, *(udf.labels if udf else ())), uuid)


def _iso_date(digits: bytes) -> str:
    if not digits.isdigit() or not digits.strip(b"0"):
        return ""
    text = digits.decode("ascii")
    return "-".join((text[:4], *(text[at : at + 2] for at in range(4, 16, 2))))


def _udf(image: _Image) -> Identity | None:
    recognition = {image.at(sector * 2048, 6)[1:] for sector in range(16, 24)}
    if not recognition & {b"NSR02", b"NSR03"}:
        return None
    for block in (2048, 512, 4096, 1024):
        anchor = image.at(256 * block, 512)
        tag, location = unpack_from("<H10xI", anchor)
        if tag == 2 and location == 256:
            length, start = unpack_from("<II", anchor, 16)
            return _udf_volume(image, start * block, min(length // block, 64), block)
    return Identity("udf")


def _udf_volume(image: _Image, start: int, count: int, block: int) -> Identity:
    volume = logical = uuid = ""
    for number in range(count):
        descriptor = image.at(start + number * block, 512)
        tag = descriptor[0] | descriptor[1] << 8
        if tag == 1:
            volume = _dstring(descriptor[24:56])
            uuid = _udf_uuid(_dstring(descriptor[72:200]))
        elif tag == 6:
            logical = _dstring(descriptor[84:212])
        elif tag in (0, 8):
            break
    return Identity("udf", (logical, volume) if volume != logical else (logical,), uuid)


def _udf_uuid(volume_set: str) -> str:
    """The first 16 characters of the volume set identifier, which should be hexadecimal digits."""
    start = volume_set[:16].lower()
    if len(start) == 16 and not start.strip("0123456789abcdef"):
        return start
    return volume_set.encode("utf-8", "surrogateescape")[:8].hex()


def _dstring(field: bytes) -> str:
    length = min(field[-1], len(field) - 1)
    if length < 1:
        return ""
    if field[0] == 16:
        return _wide(field[1:length], "utf-16-be")
    return field[1:length].decode("latin-1").split("\0", 1)[0]


def _exfat(image: _Image) -> Identity | None:
    if image.head[3:11] != b"EXFAT   ":
        return None
    sector_shift, cluster_shift = image.head[108], image.head[109]
    serial = _serial(image.u32(100))
    if not 9 <= sector_shift <= 12 or sector_shift + cluster_shift > 25:
        return Identity("exfat", (), serial)
    fat = image.u32(80) << sector_shift
    heap = image.u32(88) << sector_shift
    cluster_bytes = 1 << sector_shift + cluster_shift
    for cluster in _clusters(image, image.u32(96), fat, 0xFFFFFFF7):
        directory = image.at(heap + (cluster - 2) * cluster_bytes, min(cluster_bytes, 1 << 16))
        for at in range(0, len(directory), 32):
            kind = directory[at]
            if kind == 0:
                return Identity("exfat", (), serial)
            if kind == 0x83:
                count = min(directory[at + 1], 11)
                return Identity(
                    "exfat", (_wide(directory[at + 2 : at + 2 + 2 * count], "utf-16-le"),), serial
                )
    return Identity("exfat", (), serial)


def _ntfs(image: _Image) -> Identity | None:
    if image.head[3:11] != b"NTFS    ":
        return None
    uuid = f"{image.u64(72):016X}"
    sector, clusters, record = image.u16(11), image.head[13], image.head[64]
    cluster_bytes = sector * (clusters if clusters <= 128 else 1 << min(256 - clusters, 12))
    record_bytes = record * cluster_bytes if record < 128 else 1 << min(256 - record, 16)
    if sector not in (256, 512, 1024, 2048, 4096) or not 512 <= record_bytes <= 1 << 16:
        return Identity("ntfs", (), uuid)
    volume = _fixed_up(image.at(image.u64(48) * cluster_bytes + 3 * record_bytes, record_bytes))
    return Identity("ntfs", (_ntfs_name(volume),), uuid)


def _ntfs_name(record: bytearray) -> str:
    """The resident attribute $VOLUME_NAME of an MFT record."""
    if record[:4] != b"FILE":
        return ""
    at = unpack_from("<H", record, 20)[0]
    while at + 24 <= len(record):
        kind, length = unpack_from("<II", record, at)
        if kind == 0xFFFFFFFF or length < 24:
            break
        if kind == 0x60:
            count, start = unpack_from("<IH", record, at + 16)
            return _wide(bytes(record[at + start : at + start + min(count, 256)]), "utf-16-le")
        at += length
    return ""


def _fixed_up(data: bytes) -> bytearray:
    """Put the last two bytes of each sector back from the update sequence array."""
    record = bytearray(data)
    start, count = unpack_from("<HH", record, 4)
    for number in range(1, min(count, len(record) // 512 + 1)):
        saved = record[start + 2 * number : start + 2 * number + 2]
        if len(saved) == 2:
            record[number * 512 - 2 : number * 512] = saved
    return record


def _vfat(image: _Image) -> Identity | None:
    head = image.head
    sector, per_cluster, reserved, fats = image.u16(11), head[13], image.u16(14), head[16]
    usable = sector in (512, 1024, 2048, 4096) and per_cluster and not per_cluster & (per_cluster - 1)
    if not usable or not reserved or fats not in (1, 2) or head[21] < 0xF0 or head[510:512] != b"\x55\xaa":
        return None
    if head[82:87] == b"FAT32":
        serial, label = _serial(image.u32(67)), head[71:82]
        fat, data = reserved * sector, (reserved + fats * image.u32(36)) * sector
        size = per_cluster * sector
        places = [
            (data + (cluster - 2) * size, size)
            for cluster in _clusters(image, image.u32(44), fat, 0x0FFFFFF7)
        ]
    elif head[54:57] == b"FAT":
        serial, label = _serial(image.u32(39)), head[43:54]
        places = [((reserved + fats * image.u16(22)) * sector, image.u16(17) * 32)]
    else:
        return None
    stored = b"" if label == b"NO NAME    " else label
    return Identity("vfat", (_vfat_root_label(image, places) or _text(stored).rstrip(" "),), serial)


def _vfat_root_label(image: _Image, places: list[tuple[int, int]]) -> str:
    for start, count in places:
        directory = image.at(start, min(count, 1 << 16))
        for at in range(0, len(directory) - 31, 32):
            first, attributes = directory[at], directory[at + 11]
            if first == 0:
                return ""
            if first != 0xE5 and attributes & 0x08 and attributes & 0x3F != 0x0F:
                name = directory[at : at + 11]
                return _text(b"\xe5" + name[1:] if first == 5 else name).rstrip(" ")
    return ""


def _clusters(image: _Image, first: int, fat: int, end: int) -> list[int]:
    """The chain of a directory in a file allocation table, as far as it is sane."""
    chain: list[int] = []
    cluster = first
    while 2 <= cluster < end and len(chain) < _MAX_CLUSTERS and cluster not in chain:
        chain.append(cluster)
        cluster = unpack_from("<I", image.at(fat + cluster * 4, 4))[0] & (end | 0xF)
    return chain


def _serial(number: int) -> str:
    return f"{number >> 16:04X}-{number & 0xFFFF:04X}"


def _uuid(raw: bytes) -> str:
    if not any(raw):
        return ""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _wide(raw: bytes, encoding: str) -> str:
    return raw[: len(raw) & ~1].decode(encoding, "replace").split("\0", 1)[0]


# Containers come first: what is inside them is not for mounting.
_PROBES = (
    _member,
    _luks,
    _swap,
    _squashfs,
    _xfs,
    _btrfs,
    _ext,
    _erofs,
    _f2fs,
    _iso9660,
    _exfat,
    _ntfs,
    _vfat,
)
