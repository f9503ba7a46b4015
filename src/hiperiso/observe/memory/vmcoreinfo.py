"""The VMCOREINFO note: how a Linux kernel describes itself to readers of its memory.

A page-aligned text that the kernel builds at subsys_initcall, a second or less after it starts::

    OSRELEASE=6.1.0-53-amd64
    BUILD-ID=...
    PAGESIZE=4096
    SYMBOL(init_uts_ns)=ffffffff8ea1b9e0
    OFFSET(printk_info.seq)=0
    SIZE(printk_info)=88
    NUMBER(phys_base)=-134217728
    ...

Only complete notes are accepted: the kernel appends line by line, and the architecture's lines come last.

Source: Documentation/admin-guide/kdump/vmcoreinfo.rst of Linux.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from hiperiso.observe.memory.ram import PAGE, GuestRam, Unreadable

MAGIC = b"OSRELEAS"
MAX_NOTES = 64
_LINE = re.compile(r"(SYMBOL|OFFSET|SIZE|NUMBER|LENGTH)\(([A-Za-z0-9_.]{1,80})\)=(-?[0-9a-fA-Fx]{1,20})")
_RELEASE = re.compile(r"OSRELEASE=([0-9][\x21-\x7e]{2,63})")
_BUILD_ID = re.compile(r"BUILD-ID=([0-9a-f]{8,64})")
_U64 = (1 << 64) - 1


@dataclass(frozen=True)
class Note:
    """A parsed note.

    Attributes:
        address: physical address of its page.
        release: as ``uname -r`` prints it.
        build_id: of the kernel, in hexadecimal; empty before Linux 5.9.
        symbols: virtual addresses.
        offsets: of members, by ``struct.member``.
        sizes: of structures.
        numbers: everything else.
    """

    address: int
    release: str
    build_id: str
    symbols: dict[str, int]
    offsets: dict[str, int]
    sizes: dict[str, int]
    numbers: dict[str, int]


def find_notes(ram: GuestRam, *, within: Iterable[tuple[int, int]] | None = None) -> Iterator[Note]:
    """The complete notes in memory, also stale ones of a kernel that is gone; `MAX_NOTES` at most.

    Args:
        within: only these parts of the memory that has data.
    """
    pages = ram.pages_starting(MAGIC) if within is None else ram.pages_starting_in(within, MAGIC)
    for address in islice(pages, MAX_NOTES):  # a guest may fill its memory with them
        try:
            note = parse_note(ram.read(address, PAGE), address)
        except Unreadable:  # half a page at the end of the file
            continue
        if note is not None:
            yield note


def parse_note(page: bytes, address: int = 0) -> Note | None:
    """The note in this page; None when there is none, or it is not complete yet."""
    text = page.partition(b"\0")[0].decode("ascii", "replace")
    lines = text.split("\n")
    release = _RELEASE.fullmatch(lines[0])
    if release is None:
        return None
    tables: dict[str, dict[str, int]] = {"SYMBOL": {}, "OFFSET": {}, "SIZE": {}, "NUMBER": {}, "LENGTH": {}}
    build_id = ""
    for line in lines[1:-1]:  # what comes after the last newline may be half a line
        match = _LINE.fullmatch(line)
        if match:
            value = _number(match[3], base=16 if match[1] == "SYMBOL" else 10)
            if value is not None:
                tables[match[1]][match[2]] = value
        elif found := _BUILD_ID.fullmatch(line):
            build_id = found[1]
    symbols, numbers = tables["SYMBOL"], tables["NUMBER"]
    if "init_uts_ns" not in symbols or not {"init_top_pgt", "swapper_pg_dir"} & symbols.keys():
        return None
    if (
        "phys_base" not in numbers and "phys_base" not in symbols
    ):  # the architecture's lines are not there yet
        return None
    return Note(address, release[1], build_id, symbols, tables["OFFSET"], tables["SIZE"], numbers)


def _number(text: str, *, base: int) -> int | None:
    try:
        value = int(text, base)
    except ValueError:
        return None
    return value if -(1 << 63) <= value <= _U64 else None
