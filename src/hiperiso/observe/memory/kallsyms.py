"""The kernel's own symbol table in memory (CONFIG_KALLSYMS).

::

    names:        per symbol a length (1 byte, or 2 when the first has bit 7 set) and that many codes
    token_table:  256 texts ending in NUL; token_index: 256 u16, where each code's text starts
    offsets:      per symbol 4 bytes, in the order of the names
    markers:      where each 256th name starts (not read: `find_symbols` passes them all)

The decoded name starts with the letter of its type. How offsets become addresses has changed: relative to a base, with
the sign marking those that are (``signed``); relative to a base (``unsigned``); relative to the entry itself
(``place``). The encoding that yields the known address of a known symbol is the right one.

Names are not decoded: each wanted name is encoded in every way the tokens allow, and the encodings are searched.

Source: kernel/kallsyms.c and scripts/kallsyms.c of Linux.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from hiperiso.observe.memory.kernel import KernelMemory
from hiperiso.observe.memory.ram import Unreadable

MARK_EVERY = 256
_TYPES = "TtDdBbRrVvWwAa"
_MAX_SYMBOLS = 2_000_000
_MAX_SPELLINGS = 50_000  # of one name, begun or whole
_MAX_NAMES_BYTES = 15 << 20
_INDEX = struct.Struct("<256H")
_NOTED = (
    "kallsyms_names",
    "kallsyms_num_syms",
    "kallsyms_token_table",
    "kallsyms_token_index",
    "kallsyms_offsets",
)


@dataclass(frozen=True)
class SymbolTable:
    """A parsed table.

    Attributes:
        count: how many symbols.
        names: all compressed names, possibly followed by other data.
        tokens: the text of each code.
        offsets: 4 bytes a symbol.
        base: what offsets are relative to; None where the kernel has none.
        place: the address of ``offsets``, physical or virtual: symbols get addresses of the same kind.
    """

    count: int
    names: bytes
    tokens: tuple[bytes, ...]
    offsets: bytes
    base: int | None
    place: int


def table_from_note(kernel: KernelMemory) -> SymbolTable | None:
    """The table of a kernel whose note says where it is (Linux 6.0 and later), else None. Raises `Unreadable`."""
    symbols = kernel.note.symbols
    if any(name not in symbols for name in _NOTED):
        return None
    names, count_at, texts, index, offsets = (symbols[name] for name in _NOTED)
    count = kernel.u32(count_at)
    if not 0 < count <= _MAX_SYMBOLS or not 0 < texts - names <= _MAX_NAMES_BYTES:
        raise Unreadable("no symbol table")
    base_at = symbols.get("kallsyms_relative_base")
    return SymbolTable(
        count,
        kernel.read(names, texts - names),
        token_texts(
            kernel.read(texts, min(index - texts, 16 << 10) if index > texts else 0), kernel.read(index, 512)
        ),
        kernel.read(offsets, 4 * count),
        None if base_at is None else kernel.u64(base_at),
        offsets,
    )


def token_texts(table: bytes, index: bytes) -> tuple[bytes, ...]:
    """The text of each code. Raises `Unreadable` when it is not a token table."""
    starts = _INDEX.unpack(index)
    if starts[0] != 0 or any(a >= b for a, b in pairwise(starts)) or starts[255] >= len(table):
        raise Unreadable("no token table")
    return tuple(table[start : start + 256].partition(b"\0")[0] for start in starts)


def find_symbols(
    table: SymbolTable, wanted: Iterable[str], *, marks: array[int] | None = None
) -> dict[str, int]:
    """The position of each wanted symbol in the table, the first where there are several; missing ones are left out.

    Args:
        marks: receives the start of every `MARK_EVERY`th name: names can only be found by walking.

    Raises:
        Unreadable: the names run past the end of the table.
    """
    spellings = {code: name for name in wanted for code in _spellings(name, table.tokens)}
    found: dict[str, int] = {}
    names, at, end = table.names, 0, len(table.names)
    for position in range(table.count):
        if at + 2 > end:
            raise Unreadable("the names of symbols do not end")
        if marks is not None and not position % MARK_EVERY:
            marks.append(at)
        length = names[at]
        at += 1
        if length & 0x80:
            length = length & 0x7F | names[at] << 7
            at += 1
        name = spellings.get(names[at : at + length])
        if name is not None:
            found.setdefault(name, position)
        at += length
    return found


def encoding_of(table: SymbolTable, position: int | None, address: int) -> Encoding:
    """The encoding that puts the symbol at ``position`` at ``address``. Raises `Unreadable` when there is none."""
    for encoding in ENCODINGS:
        if position is not None and encoding(table, position) == address:
            return encoding
    raise Unreadable("the addresses of symbols are encoded in an unknown way")


def _signed(table: SymbolTable, position: int) -> int | None:
    if table.base is None:
        return None
    offset: int = struct.unpack_from("<i", table.offsets, 4 * position)[0]
    return offset if offset >= 0 else table.base - 1 - offset


def _unsigned(table: SymbolTable, position: int) -> int | None:
    if table.base is None:
        return None
    return int(table.base + struct.unpack_from("<I", table.offsets, 4 * position)[0])


def _place(table: SymbolTable, position: int) -> int | None:
    return int(table.place + 4 * position + struct.unpack_from("<i", table.offsets, 4 * position)[0])


Encoding = Callable[[SymbolTable, int], int | None]
ENCODINGS: tuple[Encoding, ...] = (_signed, _unsigned, _place)


def _spellings(name: str, tokens: tuple[bytes, ...]) -> Iterator[bytes]:
    """Every sequence of codes that decodes to a type's letter and ``name``. Raises `Unreadable` for too many."""
    by_first: dict[int, list[tuple[int, bytes]]] = {}
    for code, text in enumerate(tokens):
        if text:
            by_first.setdefault(text[0], []).append((code, text))
    room = _MAX_SPELLINGS
    for letter in _TYPES:
        whole = letter.encode() + name.encode()
        pending = [(0, b"")]
        while pending:
            at, codes = pending.pop()
            if at == len(whole):
                yield codes
                continue
            room -= 1
            if room < 0:
                raise Unreadable("too many encodings of a symbol")
            pending += [
                (at + len(text), codes + bytes((code,)))
                for code, text in by_first.get(whole[at], ())
                if whole.startswith(text, at)
            ]
