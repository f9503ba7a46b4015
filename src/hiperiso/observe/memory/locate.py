"""Which function of the kernel an address belongs to, from the kernel's own table of symbols.

The table is in the order of addresses, so that the entry is found by halving; names have to be walked to, from the
nearest of the marks that are set once, every 256 names, in about 40 ms.
"""

from __future__ import annotations

import re
from array import array

from hiperiso.observe.memory.kallsyms import (
    Encoding,
    SymbolTable,
    encoding_of,
    find_symbols,
    table_from_note,
)
from hiperiso.observe.memory.kernel import IMAGE, KernelMemory
from hiperiso.observe.memory.ram import Unreadable
from hiperiso.observe.memory.tables import find_table

_IMAGE_BYTES = 1 << 30  # what lies behind is the room of the modules
_MARK_EVERY = 256
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.$]{0,127}")
_CODE = "Tt"
_SAME_PLACE = 16  # names of one address


class SymbolLocator:
    """Names addresses of one kernel. Made by `symbol_locator`."""

    def __init__(self, table: SymbolTable, encoding: Encoding) -> None:
        self._table = table
        self._encoding = encoding
        self._marks = _marks(table)

    def name(self, address: int) -> str:
        """The function at an address, such as ``default_idle``; empty when it is in none of the kernel's own."""
        if not IMAGE <= address < IMAGE + _IMAGE_BYTES:
            return ""
        at = self._last_at_most(address)
        start = self._address(at)
        if at < 0 or start < IMAGE:
            return ""
        for position in range(at, max(at - _SAME_PLACE, -1), -1):
            if self._address(position) != start:
                break
            decoded = self._decoded(position)
            if decoded[:1] in _CODE and _NAME.fullmatch(decoded[1:]):
                return decoded[1:]
        return ""

    def _last_at_most(self, address: int) -> int:
        low, high = 0, self._table.count
        while low < high:
            middle = (low + high) // 2
            if self._address(middle) <= address:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def _address(self, position: int) -> int:
        return (self._encoding(self._table, position) if position >= 0 else None) or 0

    def _decoded(self, position: int) -> str:
        names, at = self._table.names, self._marks[position // _MARK_EVERY]
        for _ in range(position % _MARK_EVERY):
            start, length = _entry(names, at)
            at = start + length
        start, length = _entry(names, at)
        tokens = self._table.tokens
        return b"".join(tokens[code] for code in names[start : start + length]).decode("ascii", "replace")


def symbol_locator(kernel: KernelMemory) -> SymbolLocator:
    """The locator of a kernel, in about 0.1 s: make it in a worker thread, once.

    Raises:
        Unreadable: the kernel has no table of symbols, or it cannot be read.
    """
    table = table_from_note(kernel) or find_table(kernel)
    stext = kernel.note.symbols.get("_stext")
    if table is None or stext is None:
        raise Unreadable("the kernel has no table of symbols (CONFIG_KALLSYMS)")
    position = find_symbols(table, ("_stext",)).get("_stext")
    return SymbolLocator(table, encoding_of(table, position, stext))


def _marks(table: SymbolTable) -> array[int]:
    """Where every 256th name starts. Raises `Unreadable` when the names run out of the table."""
    marks, names, at, end = array("I"), table.names, 0, len(table.names)
    for position in range(table.count):
        if position % _MARK_EVERY == 0:
            marks.append(at)
        if at + 2 > end:
            raise Unreadable("the names of symbols do not end")
        start, length = _entry(names, at)
        at = start + length
    return marks


def _entry(names: bytes, at: int) -> tuple[int, int]:
    """(start, length) of the codes of the name whose length stands at ``at``."""
    length = names[at]
    if length & 0x80:
        return at + 2, length & 0x7F | names[at + 1] << 7
    return at + 1, length
