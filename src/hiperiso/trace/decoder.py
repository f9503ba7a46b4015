"""Records of a binary trace to columns, counts or text, one piece of the file at a time.

``hiperiso.trace._records``, built if a compiler is available, is the fast implementation; `PythonDecoder` here gives
the same results without it. Both leave rare records to their caller: the header, the records that name events, unknown
ids.

::

    record      u64 1 (from version 4 on)   u64 id   u64 ns   u32 length   u32 pid   arguments
                length counts from the id on; versions 2 and 3 have no kind before it, version 2 has 0 for the pid
    arguments   numbers u64; strings u32 length and bytes; without padding
"""

from __future__ import annotations

import struct
from array import array
from enum import IntEnum
from typing import Final, Protocol

Column = tuple[int, bytes, bytes, bytes, tuple[bytes, ...]]
"""Slot; times in ns (u64), pids (u32), places among the records of the piece (u32); a column an argument: numbers
as u64, strings as u32 indices into the strings of the piece. All of them as this machine stores them."""

COUNTED_BYTES: Final = 24
MAX_EVENT_BYTES: Final = 1 << 18
DROPPED: Final = (1 << 64) - 2
MAX_ARGUMENTS: Final = 16
_MAX_OTHER: Final = 64
_DIRECT: Final = 1 << 16
_MAX_SLOTS: Final = 4 << 16


class Stop(IntEnum):
    """Why a decoder stopped."""

    MORE = 0
    """The rest of the record is missing."""
    MAPPING = 1
    """A record that names an event."""
    UNKNOWN = 2
    """An event whose id has no slot yet."""
    DAMAGED = 3
    """Invalid data instead of a record."""


class Decoder(Protocol):
    """The records of one trace, piece by piece. All calls with `begin` and `end` return where they stopped, and why."""

    def event(self, number: int, labels: tuple[bytes, ...], kinds: str | None, wanted: bool, /) -> int:
        """Give an id its slot; slot + 1 takes its records whose arguments are not as declared.

        Args:
            number: the id.
            labels: the event's name, then its arguments'.
            kinds: ``n`` for a number, ``s`` for a string; None where they are not declared.
            wanted: whether its records are kept.

        Raises:
            ValueError: no further id can be taken.
        """

    def window(self, since_ns: int, until_ns: int, /) -> None:
        """Keep the records within, counted from the first one of the file."""

    def columns(
        self, data: bytes | bytearray | memoryview, begin: int, end: int, /
    ) -> tuple[int, int, int, list[Column], list[bytes]]:
        """Also how many records, their columns, and the strings of the piece."""

    def count(self, data: bytes | bytearray | memoryview, begin: int, end: int, /) -> tuple[int, int, int]:
        """Also how many records."""

    def text(self, data: bytes | bytearray | memoryview, begin: int, end: int, /) -> tuple[int, int, bytes]:
        """Also the lines that QEMU's ``simpletrace.py`` prints for them."""

    def begin_ns(self) -> int:
        """The time of the first record; 0 before it."""

    def lost(self) -> int:
        """The number of lost records reported by QEMU, so far."""

    def totals(self) -> dict[int, tuple[int, int, int]]:
        """Of each slot with records so far: how many, and the times in ns of the first and the last one read."""


def new_decoder(version: int, *, swapped: bool, compiled: bool = True) -> Decoder:
    """A decoder for files of this version (2 to 4), `swapped` where their byte order is not this machine's."""
    if compiled:
        try:
            from hiperiso.trace import _records
        except ImportError:
            pass
        else:
            return _records.Decoder(version, swapped)
    return PythonDecoder(version, swapped=swapped)


class _Slot:
    def __init__(self, number: int, labels: tuple[bytes, ...], kinds: str | None, *, wanted: bool) -> None:
        self.number, self.labels, self.kinds, self.wanted = number, labels, kinds, wanted
        self.fixed_bytes = None if kinds is None or "s" in kinds else 8 * len(kinds)
        self.total = self.first_ns = self.last_ns = 0


class _Rows:
    def __init__(self, slot: _Slot) -> None:
        self.slot = slot
        self.t_ns, self.pid, self.row = array("Q"), array("I"), array("I")
        kinds = "s" if slot.kinds is None else slot.kinds
        self.arguments = tuple(array("Q" if kind == "n" else "I") for kind in kinds)

    def column(self) -> Column:
        arguments = tuple(part.tobytes() for part in self.arguments)
        return self.slot.number, self.t_ns.tobytes(), self.pid.tobytes(), self.row.tobytes(), arguments


_Record = tuple[_Slot, int, int, list[int | bytes]]


class PythonDecoder:
    """See `Decoder`."""

    def __init__(self, version: int, *, swapped: bool) -> None:
        self._big = swapped != (struct.pack("=H", 1) == b"\0\1")
        order = ">" if self._big else "<"
        self._kind = struct.Struct(f"{order}Q") if version >= 4 else None
        self._head = struct.Struct(f"{order}QQII")
        self._u32 = struct.Struct(f"{order}I")
        self._u64 = struct.Struct(f"{order}Q")
        self._numbers = [struct.Struct(f"{order}{count}Q") for count in range(MAX_ARGUMENTS + 1)]
        self._slots: list[_Slot] = []
        self._by_id: dict[int, _Slot] = {}
        self._begin_ns: int | None = None
        self._lost = 0
        self._printed_ns: int | None = None
        self._since_ns, self._until_ns = -(1 << 63), (1 << 63) - 1

    def event(self, number: int, labels: tuple[bytes, ...], kinds: str | None, wanted: bool, /) -> int:
        """See `Decoder.event`."""
        if (
            len(labels) != len(kinds or "") + 1
            or len(labels) > MAX_ARGUMENTS + 1
            or set(kinds or "") - set("ns")
        ):
            raise ValueError("labels and kinds do not match")
        others = sum(known >= _DIRECT for known in self._by_id) if number >= _DIRECT else 0
        if len(self._slots) > _MAX_SLOTS or (number not in self._by_id and others >= _MAX_OTHER):
            raise ValueError("too many events")
        slot = _Slot(len(self._slots), labels, kinds, wanted=wanted)
        self._slots += [slot, _Slot(slot.number + 1, labels, None, wanted=wanted)]
        self._by_id[number] = slot
        return slot.number

    def window(self, since_ns: int, until_ns: int, /) -> None:
        """See `Decoder.window`."""
        self._since_ns, self._until_ns = since_ns, until_ns

    def columns(
        self, data: bytes | bytearray | memoryview, begin: int, end: int, /
    ) -> tuple[int, int, int, list[Column], list[bytes]]:
        """See `Decoder.columns`."""
        at, reason, records = self._walk(data, begin, end)
        codes: dict[bytes, int] = {}
        found: dict[int, _Rows] = {}
        for row, (slot, t_ns, pid, values) in enumerate(records):
            rows = found.get(slot.number) or found.setdefault(slot.number, _Rows(slot))
            rows.t_ns.append(t_ns)
            rows.pid.append(pid)
            rows.row.append(row)
            for column, value in zip(rows.arguments, values, strict=True):
                column.append(codes.setdefault(value, len(codes)) if isinstance(value, bytes) else value)
        return at, reason, len(records), [rows.column() for rows in found.values()], list(codes)

    def count(self, data: bytes | bytearray | memoryview, begin: int, end: int, /) -> tuple[int, int, int]:
        """See `Decoder.count`."""
        at, reason, records = self._walk(data, begin, end)
        return at, reason, len(records)

    def text(self, data: bytes | bytearray | memoryview, begin: int, end: int, /) -> tuple[int, int, bytes]:
        """See `Decoder.text`."""
        at, reason, records = self._walk(data, begin, end)
        lines = []
        for slot, t_ns, pid, values in records:
            since_ns = 0 if self._printed_ns is None else t_ns - self._printed_ns
            self._printed_ns = t_ns
            lines.append(simple_line(slot.labels, slot.kinds is not None, since_ns, pid, values))
        return at, reason, b"".join(lines)

    def begin_ns(self) -> int:
        """See `Decoder.begin_ns`."""
        return self._begin_ns or 0

    def lost(self) -> int:
        """See `Decoder.lost`."""
        return self._lost

    def totals(self) -> dict[int, tuple[int, int, int]]:
        """See `Decoder.totals`."""
        return {slot.number: (slot.total, slot.first_ns, slot.last_ns) for slot in self._slots if slot.total}

    def _walk(
        self, data: bytes | bytearray | memoryview, at: int, end: int
    ) -> tuple[int, Stop, list[_Record]]:
        if not 0 <= at <= end <= len(data):
            raise ValueError("begin and end are not within the data")
        records: list[_Record] = []
        prefix = 8 if self._kind else 0
        while True:
            if self._kind and end - at >= prefix:
                (kind,) = self._kind.unpack_from(data, at)
                if kind != 1:
                    return at, Stop.DAMAGED if kind else Stop.MAPPING, records
            if end - at < prefix + COUNTED_BYTES:
                return at, Stop.MORE, records
            number, t_ns, length, pid = self._head.unpack_from(data, at + prefix)
            if not COUNTED_BYTES <= length <= MAX_EVENT_BYTES:
                return at, Stop.DAMAGED, records
            if end - at < prefix + length:
                return at, Stop.MORE, records
            slot = self._by_id.get(number)
            if slot is None:
                return at, Stop.UNKNOWN, records
            start, at = at + prefix + COUNTED_BYTES, at + prefix + length
            self._take(slot, t_ns, pid, data[start:at], records)

    def _take(
        self, slot: _Slot, t_ns: int, pid: int, data: bytes | bytearray | memoryview, records: list[_Record]
    ) -> None:
        if self._begin_ns is None:
            self._begin_ns = t_ns
        since_ns = (t_ns - self._begin_ns + (1 << 63)) % (1 << 64) - (1 << 63)
        if not slot.wanted or not self._since_ns <= since_ns <= self._until_ns:
            return
        values = self._values(slot, data)
        if values is None:
            slot, values = self._slots[slot.number + 1], [bytes(data)]
        elif slot is self._by_id.get(DROPPED) and isinstance(values[0], int):
            self._lost = (self._lost + values[0]) % (1 << 64)
        slot.first_ns = slot.first_ns if slot.total else t_ns
        slot.total += 1
        slot.last_ns = t_ns
        records.append((slot, t_ns, pid, values))

    def _values(self, slot: _Slot, data: bytes | bytearray | memoryview) -> list[int | bytes] | None:
        """The arguments, None where they are not as declared."""
        if slot.fixed_bytes is not None:
            return (
                [*self._numbers[slot.fixed_bytes // 8].unpack(data)]
                if len(data) == slot.fixed_bytes
                else None
            )
        if slot.kinds is None:
            return None
        values: list[int | bytes] = []
        at = 0
        for kind in slot.kinds:
            part = self._u64 if kind == "n" else self._u32
            if at + part.size > len(data):
                return None
            (number,) = part.unpack_from(data, at)
            at += part.size
            if kind == "s":
                values.append(bytes(data[at : at + number]))
                at += number
            else:
                values.append(number)
        return values if at == len(data) else None


def simple_line(
    labels: tuple[bytes, ...], declared: bool, since_ns: int, pid: int, values: list[int | bytes]
) -> bytes:
    """One record as ``simpletrace.py`` prints it: name, microseconds since the record before, pid, arguments."""
    parts = [b"%s %.3f pid=%d" % (labels[0], since_ns / 1000.0, pid)]
    if not declared:
        parts += [b"raw=%s" % bytes(value).hex().encode() for value in values if isinstance(value, bytes)]
    else:
        for label, value in zip(labels[1:], values, strict=True):
            text = repr(value).encode() if isinstance(value, bytes) else b"0x%x" % value
            parts.append(b"%s=%s" % (label, text))
    return b" ".join(parts) + b"\n"
