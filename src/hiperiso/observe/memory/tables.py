"""Finding the kernel's symbol table when its note does not contain its address (before Linux 6.0, or before the note).

The texts of the codes for the ten digits are adjacent, which is unique in a kernel; from there the
rest of the table is located. Two orders exist::

    until 6.4:    offsets, base, count, names, markers, [order by name], token_table, token_index
    since:        count, names, markers, token_table, token_index, offsets, [base], [order by name]

Source: scripts/kallsyms.c of Linux.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from itertools import pairwise

from hiperiso.observe.memory.kallsyms import ENCODINGS, SymbolTable, find_symbols, token_texts
from hiperiso.observe.memory.kernel import IMAGE, KernelMemory
from hiperiso.observe.memory.ram import GuestRam, Unreadable

DIGITS = b"\0".join(b"%d" % digit for digit in range(10))  # ends in no NUL: searches are ten times as fast
_BEFORE_BYTES, _AFTER_BYTES = 8 << 20, 4 << 20  # around the code of "0": more than any kernel's table
_TOKENS_BYTES = 16 << 10  # more than both token tables
_IMAGE_BYTES = 96 << 20
_FEWEST, _MOST = 5_000, 1_000_000
_MOST_WALKED = 4_000_000
_U64 = struct.Struct("<Q")


def find_table(kernel: KernelMemory) -> SymbolTable | None:
    """The table of a located kernel, whose addresses match that of ``_stext``; None when there is none."""
    stext = kernel.note.symbols["_stext"]
    start = kernel.physical(stext) & ~0xFFF
    for piece, at in _image(kernel.ram, start):
        for table in tables_around(kernel.ram, at + piece, place_of=IMAGE - kernel.phys_base):
            positions = find_symbols(table, ("_stext",))
            if "_stext" in positions and any(
                encode(table, positions["_stext"]) == stext for encode in ENCODINGS
            ):
                return table
    return None


def tables_around(ram: GuestRam, digits: int, *, place_of: int = 0) -> Iterator[SymbolTable]:
    """The candidate tables for the code of "0" at a physical address: one, or one for each order of its parts.

    ``place_of`` is added to the physical address of the offsets.
    """
    lowest = 0 if digits < ram.below_bytes else 1 << 32
    near = digits - max((digits - _TOKENS_BYTES) & ~0xFFF, lowest)  # keeps the alignment of the blob
    try:
        _tokens(
            _read_most(ram, digits - near, near, _TOKENS_BYTES), near
        )  # there are other sequences of digits
    except Unreadable:
        return
    before = digits - max((digits - _BEFORE_BYTES) & ~0xFFF, lowest)
    behind = min(_AFTER_BYTES, ram.address_of(ram.size_bytes - 1) - digits)
    blob = _read_most(ram, digits - before, before, behind)
    try:
        start, index = _tokens(blob, before)
        tokens = token_texts(blob[start:index], blob[index : index + 512])
    except Unreadable:
        return
    for count, names in _names(blob, start):
        for offsets, base in _offsets(blob, count, names, index):
            place = digits - before + offsets + place_of
            piece = blob[offsets : offsets + 4 * count]
            if len(piece) == 4 * count:
                yield SymbolTable(count, blob[names:start], tokens, piece, base, place)


def _image(ram: GuestRam, start: int) -> Iterator[tuple[int, int]]:
    """(offset of the digits in a chunk, address of the chunk) in the image that starts at a physical address."""
    step = 8 << 20
    for at in range(start, start + _IMAGE_BYTES, step):
        try:
            data = ram.read(at, step + len(DIGITS))
        except Unreadable:
            return
        place = data.find(DIGITS)
        while place >= 0:
            yield place, at
            place = data.find(DIGITS, place + 1)


def _read_most(ram: GuestRam, start: int, before: int, behind: int) -> bytes:
    try:
        return ram.read(start, before + behind)
    except Unreadable:  # the PCI hole
        return ram.read(start, before)


def _tokens(blob: bytes, digits: int) -> tuple[int, int]:
    """(start of token_table, start of token_index)."""
    at = digits
    for _ in range(256 - ord("0")):
        at = blob.find(b"\0", at, at + 256) + 1
        if at == 0:
            raise Unreadable("no token table")
    for index in range((at + 3) & ~3, at + 12, 4):
        piece = blob[index : index + 512]
        if len(piece) < 512:
            break
        starts = struct.unpack("<256H", piece)
        if starts[0] == 0 and all(a < b for a, b in pairwise(starts)):
            return digits - starts[ord("0")], index
    raise Unreadable("no token index")


def _names(blob: bytes, behind: int) -> Iterator[tuple[int, int]]:
    """(count, start) of possible name lists that end before ``behind`` and are followed by matching markers."""
    words = array("I")
    start = behind & 3
    words.frombytes(blob[start:behind])
    walked = 0
    for number in range(len(words) - 1, -1, -1):
        count = words[number]
        if not _FEWEST < count < _MOST:
            continue
        at = start + 4 * number
        if at % 4 or 2 * count > behind - at:
            continue
        for names in (at + 4, at + 8):  # aligned to 4, earlier to 8
            passed, fits = _walk(blob, names, count, behind)
            if fits:
                yield count, names
                return
            walked += passed
        if walked > _MOST_WALKED:
            return


def _walk(blob: bytes, names: int, count: int, behind: int) -> tuple[int, bool]:
    """(names passed, whether these are ``count`` names and markers that fit them)."""
    at = names
    mark = 0
    for position in range(count):
        if position == 256:
            mark = at - names
        if at + 1 >= behind:
            return position, False
        length = blob[at]
        at += 1
        if length & 0x80:
            length = length & 0x7F | blob[at] << 7
            at += 1
        if length == 0:
            return position, False
        at += length
    markers = (at + 7) & ~7, (at + 3) & ~3
    pairs = (struct.pack("<II", 0, mark), struct.pack("<QQ", 0, mark))
    return count, any(blob.startswith(pair, place) for place in markers for pair in pairs)


def _offsets(blob: bytes, count: int, names: int, index: int) -> Iterator[tuple[int, int | None]]:
    """(start of the offsets, base) in either order of the parts."""
    size = (4 * count + 7) & ~7
    for base_at in {(names - 8 - step) & ~7 for step in (0, 4, 8)}:
        if size <= base_at <= len(blob) - 8 and (base := _U64.unpack_from(blob, base_at)[0]) >= IMAGE:
            yield base_at - size, base
    for offsets in {(index + 512 + 7) & ~7, (index + 512 + 3) & ~3}:
        base_at = (offsets + 4 * count + 7) & ~7
        if base_at + 8 <= len(blob):
            base = _U64.unpack_from(blob, base_at)[0]
            yield offsets, base if base >= IMAGE else None
