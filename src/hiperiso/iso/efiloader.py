"""Who signed the EFI boot loader of an ISO, and its SBAT generations: what Secure Boot decides by.

Names are taken from the signature as they stand there; the signature itself is checked by the firmware. Sources:
Microsoft, *PE Format* (attribute certificate table); RFC 5280 (common names); shim, SBAT.md.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from hiperiso.iso.image import IsoImage
from hiperiso.text import plain

_PATHS: Final = ("/EFI/BOOT/BOOTX64.EFI", "/EFI/BOOT/bootx64.efi")
_MAX_BYTES: Final = 8 << 20
_COMMON_NAME: Final = b"\x06\x03\x55\x04\x03"
_AUTHORITY: Final = re.compile(r"\b(?:CA|PCA)\b.*\d{4}|\bCA\b")
_OTHERS: Final = re.compile(r"Time-?Stamp|\bRoot\b|\bsigner\b", re.IGNORECASE)
_SBAT_ROWS: Final = 12


def loader_notes(image: IsoImage) -> list[str]:
    """One line about the boot loader that UEFI starts from a CD; none where there is no such file."""
    for tree in (image.efi_tree(), image.tree()):
        for path in _PATHS:
            program = tree.read(path, _MAX_BYTES) if tree is not None else b""
            if program:
                return [f"the EFI boot loader {path}: {'; '.join(describe(program))}"]
    return []


def describe(program: bytes) -> list[str]:
    """Who signed a PE program, and its SBAT entries."""
    names = signers(program)
    signed = (
        f"signed under {', '.join(names)}"
        if names
        else "not signed: Secure Boot refuses it, unless its hash is trusted"
    )
    entries = sbat(program)
    return [signed, *([f"SBAT {', '.join(entries)}"] if entries else [])]


def signers(program: bytes) -> list[str]:
    """The authorities in the signature of a PE program, else all names in it; empty for one that is not signed."""
    try:
        (pe,) = struct.unpack_from("<I", program, 0x3C)
        (magic,) = struct.unpack_from("<H", program, pe + 24)
        table = pe + 24 + (112 if magic == 0x20B else 96) + 4 * 8
        offset, size = struct.unpack_from("<II", program, table)
    except struct.error:
        return []
    area = program[offset : offset + size] if offset and program[pe : pe + 4] == b"PE\0\0" else b""
    names = list(dict.fromkeys(_common_names(area)))
    return [name for name in names if _AUTHORITY.search(name) and not _OTHERS.search(name)] or names


def _common_names(area: bytes) -> list[str]:
    found: list[str] = []
    at = area.find(_COMMON_NAME)
    while at >= 0 and len(found) < 64:
        begin = at + len(_COMMON_NAME)
        if begin + 2 <= len(area) and area[begin] in (0x0C, 0x13, 0x14, 0x16) and area[begin + 1] < 0x80:
            raw = area[begin + 2 : begin + 2 + area[begin + 1]]
            found.append(plain(raw.decode("utf-8", "replace"), 100))
        at = area.find(_COMMON_NAME, begin)
    return found


def sbat(program: bytes) -> list[str]:
    """The entries of the ``.sbat`` section: ``shim 4``."""
    try:
        (pe,) = struct.unpack_from("<I", program, 0x3C)
        count, optional = struct.unpack_from("<H12xH", program, pe + 6)
        for number in range(min(count, 64)):
            at = pe + 24 + optional + 40 * number
            if program[at : at + 8].rstrip(b"\0") == b".sbat":
                size, offset = struct.unpack_from("<II", program, at + 16)
                return _rows(program[offset : offset + min(size, 1 << 16)])
    except struct.error:
        pass
    return []


def _rows(section: bytes) -> list[str]:
    lines = section.partition(b"\0")[0].decode("utf-8", "replace").splitlines()
    rows = [line.split(",") for line in lines[:_SBAT_ROWS]]
    return [plain(f"{row[0]} {row[1]}", 80) for row in rows if len(row) > 1]
