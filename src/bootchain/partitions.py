"""Identifiers of partitions, read from the partition table of their disk; pure over a function that reads.

GPT as the UEFI specification has it (5.3); on MBR the kernel makes an identifier of the signature of the disk and the
number of the partition (block/partitions/msdos, documented in admin-guide/kernel-parameters under ``root=``).
"""

from __future__ import annotations

from struct import unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[int, int], bytes]


def read_partition(read: Read, number: int, block_bytes: int = 512) -> tuple[str, str]:
    """PARTUUID and name of one partition, from a GPT or an MBR.

    Args:
        read: gives up to ``count`` bytes at an offset.
        number: of the partition, from 1.
        block_bytes: size of a logical block.

    Returns:
        Two empty strings when there is no such table or entry.
    """
    try:
        mbr = read(0, 512).ljust(512, b"\0")
        header = read(block_bytes, 92).ljust(92, b"\0")
        if header[:8] == b"EFI PART":
            start, count, size = unpack_from("<QII", header, 72)
            if not 1 <= number <= count or not 128 <= size <= 4096 or start >= 1 << 40:
                return "", ""
            entry = read(start * block_bytes + (number - 1) * size, 128).ljust(128, b"\0")
            if not any(entry[:16]):
                return "", ""
            return _guid(entry[16:32]), entry[56:128].decode("utf-16-le", "replace").split("\0", 1)[0]
    except OSError:
        return "", ""
    signature = unpack_from("<I", mbr, 440)[0]
    if mbr[510:] != b"\x55\xaa" or not signature or 0xEE in (mbr[450 + 16 * entry] for entry in range(4)):
        return "", ""
    return f"{signature:08x}-{number:02x}", ""


def _guid(raw: bytes) -> str:
    first, second, third = unpack_from("<IHH", raw)
    return f"{first:08x}-{second:04x}-{third:04x}-{raw[8:10].hex()}-{raw[10:].hex()}"
