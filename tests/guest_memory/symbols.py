"""Tables of symbols and type information, written as the kernel's build does."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_LETTERS = {"_stext": "T", "init_task": "D"}
_TOKENS = {0x80: "ta", 0x81: "pri", 0x82: "init_", 0x83: "in", 0x84: "sym", 0x85: "dummy"}


def tokens() -> tuple[bytes, bytes]:
    """(token_table, token_index): the printable characters stand for themselves, a few codes for more."""
    texts = [chr(code) if 33 <= code < 127 else _TOKENS.get(code, "") for code in range(256)]
    table, starts = b"", []
    for text in texts:
        starts.append(len(table))
        table += text.encode() + b"\0"
    return table, struct.pack("<256H", *starts)


def compressed(name: str) -> bytes:
    """A name as codes, longest tokens first, with its length."""
    codes, rest = b"", name
    while rest:
        code = next((code for code, text in _TOKENS.items() if rest.startswith(text)), ord(rest[0]))
        codes += bytes((code,))
        rest = rest[len(_TOKENS.get(code, "x")) :]
    length = bytes((len(codes),)) if len(codes) < 128 else bytes((len(codes) & 0x7F | 0x80, len(codes) >> 7))
    return length + codes


@dataclass
class Table:
    """A table of symbols in one piece, to be put at ``address`` (physical) of an image mapped at ``virtual``.

    ``encoding`` is ``signed``, ``unsigned`` or ``place``; the second and third have the later order of the parts.
    """

    symbols: dict[str, int]  # virtual addresses
    encoding: str
    virtual: int  # address of the piece
    fillers: int = 6000
    places: dict[str, int] = field(default_factory=dict)
    letters: dict[str, str] = field(default_factory=lambda: _LETTERS)

    def build(self) -> bytes:
        base = min(self.symbols.values())
        all_symbols = {f"dummy_{number}": base + 16 * number for number in range(self.fillers)} | self.symbols
        names, markers = b"", []
        for position, name in enumerate(all_symbols):
            if position % 256 == 0:
                markers.append(len(names))
            names += compressed(self.letters.get(name, _LETTERS.get(name, "d")) + name)
        table, index = tokens()
        values = list(all_symbols.values())
        packed_names = self._padded(names) + self._padded(struct.pack(f"<{len(markers)}I", *markers))
        packed_tokens = self._padded(table) + index
        count = struct.pack("<II", len(values), 0)
        if self.encoding == "signed":
            offsets = b"".join(struct.pack("<i", base - 1 - value) for value in values)
            return self._padded(offsets) + struct.pack("<Q", base) + count + packed_names + packed_tokens
        head = count + packed_names + packed_tokens
        start = self.virtual + len(head)
        if self.encoding == "unsigned":
            offsets = b"".join(struct.pack("<I", value - base) for value in values)
            return head + self._padded(offsets) + struct.pack("<Q", base)
        offsets = b"".join(
            struct.pack("<i", value - start - 4 * position) for position, value in enumerate(values)
        )
        return head + self._padded(offsets) + bytes(8)

    def _padded(self, data: bytes) -> bytes:
        return data + bytes(-len(data) % 8)


Member = tuple[str, int, str]  # name (empty: anonymous), offset in bytes, structure or empty for a number


def btf(structures: dict[str, tuple[int, list[Member]]]) -> bytes:
    """Type information: a number, then these structures (size, members); names in angle brackets are anonymous."""
    strings = bytearray(b"\0")

    def text(name: str) -> int:
        if not name or name.startswith("<"):
            return 0
        at = strings.find(b"\0" + name.encode() + b"\0")
        if at < 0:
            at = len(strings) - 1
            strings.extend(name.encode() + b"\0")
        return at + 1

    numbers = {name: number for number, name in enumerate(structures, start=2)}
    types = struct.pack("<IIII", text("long"), 1 << 24, 8, 64)
    for name, (size, members) in structures.items():
        types += struct.pack("<III", text(name), 4 << 24 | len(members), size)
        for member, offset, kind in members:
            types += struct.pack("<III", text(member), numbers.get(kind, 1), offset * 8)
    head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    return head + types + bytes(strings)
