"""Requirements of an ELF program. Layout: the ELF-64 object file format, program headers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_HEAD_BYTES: Final = 4096
_DYNAMIC, _INTERPRETER = 2, 3


def is_static_elf(path: Path) -> bool:
    """Whether `path` is a 64-bit ELF program that needs no dynamic linker."""
    types = _segment_types(path)
    return types is not None and _INTERPRETER not in types


def is_dynamic_elf(path: Path) -> bool:
    """Whether `path` is a 64-bit ELF program or library that may need others, so that ``ldd`` applies."""
    types = _segment_types(path)
    return types is not None and _DYNAMIC in types


def _segment_types(path: Path) -> set[int] | None:
    """Types of the program headers; None if it is not a 64-bit ELF file."""
    with path.open("rb") as handle:
        head = handle.read(_HEAD_BYTES)
    if head[:5] != b"\x7fELF\x02":
        return None
    offset = int.from_bytes(head[32:40], "little")  # e_phoff
    size, count = int.from_bytes(head[54:56], "little"), int.from_bytes(head[56:58], "little")
    starts = range(offset, offset + size * count, max(size, 1))
    return {int.from_bytes(head[at : at + 4], "little") for at in starts}
