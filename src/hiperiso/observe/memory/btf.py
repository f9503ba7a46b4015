"""The kernel's own description of its types (BTF), for the few structures that are read here.

::

    header: magic 0xeb9f, version, flags, header length, offset and length of the types, of the strings
    type:   name, info = vlen | kind << 24 | flag << 31, size or type; then what its kind needs, 12 bytes a member
    member: name, type, offset in bits (flag set: width of a bit field << 24 | offset)

Source: Documentation/bpf/btf.rst of Linux.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator

from hiperiso.observe.memory.ram import Unreadable

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MAGIC = 0xEB9F
_INT, _ARRAY, _STRUCT, _UNION, _ENUM, _FUNC_PROTO, _VAR, _DATASEC, _DECL_TAG, _ENUM64 = (
    1,
    3,
    4,
    5,
    6,
    13,
    14,
    15,
    17,
    19,
)
_BYTES_AN_ENTRY = {_STRUCT: 12, _UNION: 12, _ENUM: 8, _FUNC_PROTO: 8, _DATASEC: 12, _ENUM64: 12}
_TRAILING_BYTES = {_INT: 4, _ARRAY: 12, _VAR: 4, _DECL_TAG: 4}
_TRANSPARENT = frozenset((8, 9, 10, 11, 18))  # typedef, volatile, const, restrict, type tag
_MAX_NESTING = 16
_MOST_MEMBERS = 20_000  # of one structure, including those of its anonymous members


class Btf:
    """The types of one kernel.

    Args:
        data: from ``__start_BTF`` to ``__stop_BTF``.

    Raises:
        Unreadable: not BTF.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) < _HEADER.size:
            raise Unreadable("no type information")
        magic, _, _, header, types, types_bytes, strings, strings_bytes = _HEADER.unpack_from(data)
        start, names = header + types, header + strings
        if magic != _MAGIC or start + types_bytes > len(data) or names + strings_bytes > len(data):
            raise Unreadable("no type information")
        self._types = data[start : start + types_bytes]
        self._strings = data[names : names + strings_bytes]
        self._places = _places(self._types)

    def offset(self, structure: str, *path: str) -> int | None:
        """The offset of a member in bytes, through nested structures; None when there is no such member.

        Raises:
            Unreadable: a structure contains itself.
        """
        kind = self._named(structure)
        total = 0
        for name in path:
            if kind is None:
                return None
            found = next(
                (
                    (at, inner)
                    for member, at, inner in self._members(kind, 0, [_MOST_MEMBERS])
                    if member == name
                ),
                None,
            )
            if found is None:
                return None
            total, kind = total + found[0], found[1]
        return total if kind is not None else None

    def size(self, structure: str) -> int | None:
        """The size of a structure in bytes; None when there is none of this name."""
        kind = self._named(structure)
        return None if kind is None else int(_TYPE.unpack_from(self._types, self._places[kind])[2])

    def _named(self, structure: str) -> int | None:
        """The type number of a struct or union with members."""
        at = self._strings.find(b"\0" + structure.encode() + b"\0") + 1
        if at == 0:
            return None
        name = at.to_bytes(4, "little")
        places = self._places
        position = self._types.find(name)
        while position >= 0:
            number = _index(places, position)
            if number is not None:
                info = _TYPE.unpack_from(self._types, position)[1]
                if info >> 24 & 31 in (_STRUCT, _UNION) and info & 0xFFFF:
                    return number
            position = self._types.find(name, position + 1)
        return None

    def _members(self, number: int, depth: int, room: list[int]) -> Iterator[tuple[str, int, int]]:
        """(name, offset in bytes, type number) of each member, those of anonymous members included."""
        for _ in range(_MAX_NESTING):
            if not 0 < number < len(self._places):
                return
            place = self._places[number]
            _, info, target = _TYPE.unpack_from(self._types, place)
            if info >> 24 & 31 not in _TRANSPARENT:
                break
            number = target
        if info >> 24 & 31 not in (_STRUCT, _UNION) or depth > _MAX_NESTING:
            return
        for index in range(info & 0xFFFF):
            room[0] -= 1
            if room[0] < 0:
                raise Unreadable("the type information is circular")
            name, kind, bits = _TYPE.unpack_from(self._types, place + 12 + 12 * index)
            at = (bits & 0xFFFFFF if info >> 31 else bits) // 8
            if name:
                yield self._text(name), at, kind
            else:
                for inner, inner_at, inner_kind in self._members(kind, depth + 1, room):
                    yield inner, at + inner_at, inner_kind

    def _text(self, at: int) -> str:
        end = self._strings.find(b"\0", at, at + 512)
        return self._strings[at:end].decode("ascii", "replace") if end >= 0 else ""


def _places(types: bytes) -> array[int]:
    """Where each type starts, by its number; type 0 is void. Raises `Unreadable` when they do not fill the section."""
    places = array("I", [0])
    append = places.append
    words = array("I", types[: len(types) & ~3])
    a_type = [3 + _TRAILING_BYTES.get(kind, 0) // 4 for kind in range(32)]  # in words
    an_entry = [_BYTES_AN_ENTRY.get(kind, 0) // 4 for kind in range(32)]
    at, end = 0, len(words)
    while at + 3 <= end:
        append(4 * at)
        info = words[at + 1]
        kind = info >> 24 & 31
        at += a_type[kind] + an_entry[kind] * (info & 0xFFFF)
    if 4 * at != len(types):
        raise Unreadable("the type information does not end")
    return places


def _index(places: array[int], position: int) -> int | None:
    """The number of the type that starts at ``position``."""
    low, high = 1, len(places)
    while low < high:
        middle = (low + high) // 2
        if places[middle] < position:
            low = middle + 1
        else:
            high = middle
    return low if low < len(places) and places[low] == position else None
