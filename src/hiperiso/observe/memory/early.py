"""Finding a kernel that has no note yet: one that stopped in its first second.

The note appears at subsys_initcall. A kernel that panics before is found by its table of symbols, which is part of the
image: the table gives the addresses, the name of the kernel at ``init_uts_ns`` proves them, and the kernel's type
information (BTF) gives the layout of its log. Without BTF it is not found.

Reads all memory, a quarter of a second for 300 MB: only used when the cheap search finds nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from itertools import islice

from hiperiso.observe.memory.btf import Btf
from hiperiso.observe.memory.kallsyms import ENCODINGS, SymbolTable, find_symbols
from hiperiso.observe.memory.kernel import IMAGE, IMAGE_ALIGN, release_at
from hiperiso.observe.memory.ram import GuestRam, Unreadable
from hiperiso.observe.memory.tables import DIGITS, tables_around
from hiperiso.observe.memory.vmcoreinfo import Note

_SYMBOLS = (
    *("_stext", "init_uts_ns", "init_top_pgt", "prb", "printk_rb_static", "__start_BTF", "__stop_BTF"),
    "__pgtable_l5_enabled",
)
_NEEDED = frozenset(_SYMBOLS) - {"__pgtable_l5_enabled"}
_MEMBERS = {
    "printk_ringbuffer": ("desc_ring", "text_data_ring"),
    "prb_desc_ring": ("count_bits", "descs", "infos", "head_id", "tail_id"),
    "prb_desc": ("state_var", "text_blk_lpos"),
    "prb_data_blk_lpos": ("begin", "next"),
    "printk_info": ("seq", "ts_nsec", "text_len", "caller_id"),
    "prb_data_ring": ("size_bits", "data"),
}
_MAX_DIGITS, _MAX_TABLES = 1024, 16
_IMAGE_BYTES = 128 << 20
_MAX_BTF_BYTES = 15 << 20
_RELEASE = re.compile(r"[0-9]+\.[0-9]+[\x21-\x7e]{0,58}")


def find_early_notes(ram: GuestRam, *, until_s: float | None = None) -> Iterator[Note]:
    """What the notes of the kernels in memory would contain, as far as reading their logs needs it.

    Gives up at ``until_s`` of the monotonic clock.
    """
    tables = 0
    for digits in islice(ram.find(DIGITS, until_s=until_s), _MAX_DIGITS):
        if until_s is not None and time.monotonic() >= until_s:
            return
        try:
            for table in tables_around(ram, digits):
                tables += 1
                if tables > _MAX_TABLES:
                    return
                note = _note(ram, table, digits)
                if note is not None:
                    yield note
                    break
        except Unreadable:
            continue


def _note(ram: GuestRam, table: SymbolTable, digits: int) -> Note | None:
    positions = find_symbols(table, _SYMBOLS)
    if not positions.keys() >= _NEEDED:
        return None
    for encode in ENCODINGS:
        symbols = {name: encode(table, position) for name, position in positions.items()}
        known = {name: address for name, address in symbols.items() if address is not None}
        if len(known) < len(symbols):
            continue
        for phys_base, virtual in _placements(ram, known, digits):
            release = _release(ram, virtual["init_uts_ns"] - IMAGE + phys_base)
            if release:
                return _described(ram, virtual, phys_base, release)
    return None


def _placements(
    ram: GuestRam, symbols: Mapping[str, int], digits: int
) -> Iterator[tuple[int, dict[str, int]]]:
    """(phys_base, virtual addresses) candidates for addresses of either kind."""
    stext = symbols["_stext"]
    if stext >= IMAGE:  # virtual: the table lies somewhere in the image
        first = (digits - (stext - IMAGE)) & ~(IMAGE_ALIGN - 1)
        for phys_base in range(first, first - _IMAGE_BYTES, -IMAGE_ALIGN):
            yield phys_base, dict(symbols)
        return
    try:  # physical: the kernel's pointer to its first ring is virtual
        pointer = ram.u64(symbols["prb"])
    except Unreadable:
        return
    shift = pointer - symbols["printk_rb_static"]
    if shift % IMAGE_ALIGN == 0 and IMAGE <= stext + shift < IMAGE + (1 << 30):
        yield IMAGE - shift, {name: address + shift for name, address in symbols.items()}


def _release(ram: GuestRam, uts: int) -> str:
    try:
        release = release_at(ram, uts)
    except Unreadable:
        return ""
    return release if _RELEASE.fullmatch(release) else ""


def _described(ram: GuestRam, symbols: dict[str, int], phys_base: int, release: str) -> Note | None:
    start, size = symbols["__start_BTF"] - IMAGE + phys_base, symbols["__stop_BTF"] - symbols["__start_BTF"]
    if not 0 < size <= _MAX_BTF_BYTES:
        return None
    btf = Btf(ram.read(start, size))
    offsets: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for structure, members in _MEMBERS.items():
        bytes_ = btf.size(structure)
        if bytes_ is not None:
            sizes[structure] = bytes_
        for member in members:
            at = btf.offset(structure, member)
            if at is not None:
                offsets[f"{structure}.{member}"] = at
    levels = symbols.get("__pgtable_l5_enabled")
    five = levels is not None and ram.u32(levels - IMAGE + phys_base) == 1
    numbers = {"phys_base": phys_base, "pgtable_l5_enabled": int(five)}
    return Note(0, release, "", symbols, offsets, sizes, numbers)
