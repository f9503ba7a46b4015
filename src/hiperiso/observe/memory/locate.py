"""Which kernel function an address belongs to, from the kernel's own symbol table.

The table is sorted by address, so the entry is found by binary search; names have to be found by walking from the
nearest mark that was set while the table was searched.
"""

from __future__ import annotations

import re
from array import array

from hiperiso.observe.memory.kallsyms import MARK_EVERY, Encoding, SymbolTable
from hiperiso.observe.memory.kernel import IMAGE

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.$]{0,127}")
_CODE = "Tt"
_SAME_PLACE = 16  # names for one address


class SymbolLocator:
    """Maps addresses of one kernel to function names.

    Args:
        table: its symbols.
        encoding: of their addresses.
        marks: of `find_symbols`.
    """

    def __init__(self, table: SymbolTable, encoding: Encoding, marks: array[int]) -> None:
        self._table = table
        self._encoding = encoding
        self._marks = marks

    def name(self, address: int) -> str:
        """The function at or before an address of the kernel's image; empty when there is none."""
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
        names, at = self._table.names, self._marks[position // MARK_EVERY]
        for _ in range(position % MARK_EVERY):
            start, length = _entry(names, at)
            at = start + length
        start, length = _entry(names, at)
        tokens = self._table.tokens
        return b"".join(tokens[code] for code in names[start : start + length]).decode("ascii", "replace")


def _entry(names: bytes, at: int) -> tuple[int, int]:
    """(start, length) of the codes of the name whose length stands at ``at``."""
    length = names[at]
    if length & 0x80:
        return at + 2, length & 0x7F | names[at + 1] << 7
    return at + 1, length
