"""QEMU's binary trace (``trace.bin``, simpletrace versions 2 to 4) as batches of typed columns.

::

    header     u64 2^64-1   u64 0xf2b177cb0aa429b4   u64 version     in the byte order of the machine that wrote it
    mapping    u64 0        u64 id   u32 length   name               the event of an id; from version 4 on
    event      see hiperiso.trace.decoder; id 2^64-2, one argument: number of lost records (QEMU's buffer was full)

Before version 4 an id is the index of the event in QEMU's declarations. Times are of the monotonic clock.
Source: QEMU, docs/devel/tracing.rst, scripts/simpletrace.py, and files written by QEMU 7.2.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from hiperiso.errors import UsageError
from hiperiso.text import masked
from hiperiso.trace.decoder import DROPPED, MAX_ARGUMENTS, MAX_EVENT_BYTES, Column, Decoder, Stop, new_decoder
from hiperiso.trace.formats import EventFormat

HEADER_BYTES: Final = 24
PIECE_BYTES: Final = 1 << 19
_MAGIC: Final = (2**64 - 1, 0xF2B177CB0AA429B4)
_VERSIONS: Final = (2, 3, 4)
_MAPPING_BYTES: Final = 20
_MAX_NAME_BYTES: Final = 512
_MAX_NAMES: Final = 1 << 16
DROPPED_EVENT: Final = EventFormat("dropped", ("records",), ("unsigned",), (64,), "%llu records were lost")
DROPPED_LABELS: Final = ("Dropped_Event", "num_events_dropped")
"""What QEMU's script calls a record of losses, and its argument."""
_STORED_AS: Final[dict[str, Literal["q", "I"]]] = {"int": "q", "str": "I", "raw": "I"}

Found = TypeVar("Found")
Data = bytes | bytearray | memoryview
Values = tuple[int | str, ...]


class TraceError(UsageError):
    """The file is not a binary trace of QEMU, or is damaged at the given position."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event.

    Attributes:
        event: its name.
        t_ns: time, by the trace's clock.
        pid: the process.
        form: the declaration of its arguments; None if missing or not matching.
        values: the arguments; without a form one text: the bytes in hexadecimal, or the text of a text trace.
    """

    event: str
    t_ns: int
    pid: int
    form: EventFormat | None
    values: Values


@dataclass(frozen=True, slots=True)
class EventColumns:
    """The records of one event in a batch, a column each.

    Attributes:
        event: its name.
        form: how the arguments are declared; None where they are not: then one column has all their bytes.
        t_ns: times (u64).
        pid: processes (u32).
        row: indexes in the batch (u32).
        arguments: of each argument its values: i64 or u64 as declared; for strings u32 indices into the batch's.
    """

    event: str
    form: EventFormat | None
    t_ns: memoryview
    pid: memoryview
    row: memoryview
    arguments: tuple[memoryview, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that follow each other, event by event.

    Attributes:
        count: how many.
        events: their columns.
        strings: that the columns of strings point into.
        raw_text: whether arguments without a form are text, not bytes.
    """

    count: int
    events: tuple[EventColumns, ...]
    strings: list[bytes]
    raw_text: bool = False

    def records(self) -> Iterator[Record]:
        """One by one, in the order of the file."""
        rows: list[Record | None] = [None] * self.count
        texts = [masked(text.decode("utf-8", "replace").removesuffix("\n")) for text in self.strings]
        raw = texts if self.raw_text else [text.hex() for text in self.strings]
        for part in self.events:
            columns: list[Sequence[int | str]] = []
            for kind, column in zip(part.form.kinds if part.form else ("raw",), part.arguments, strict=True):
                if kind == "str":
                    columns.append([texts[code] for code in column])
                elif kind == "raw":
                    columns.append([raw[code] for code in column])
                else:
                    columns.append(column.tolist())
            values: Iterator[Values] = zip(*columns, strict=True) if columns else iter([()] * len(part.row))
            for row, t_ns, pid, mine in zip(part.row, part.t_ns, part.pid, values, strict=True):
                rows[row] = Record(part.event, t_ns, pid, part.form, mine)
        return (row for row in rows if row is not None)


@dataclass(frozen=True, slots=True)
class Total:
    """Of one event: how many records, and the times (ns) of the first and the last."""

    records: int
    first_ns: int
    last_ns: int


class TraceReader:
    """Reads a trace in chunks of any size. An incomplete record at the end waits for the rest.

    Args:
        formats: how arguments are declared, by event.
        numbered: the events by their numbers, for files older than version 4.
        wanted: which events are kept.
        since_ns: keep what is not before, counted from the first record.
        until_ns: keep what is not after.
        raw_text: whether arguments that are not as declared are text (from a text trace), not bytes.
        compiled: whether the compiled decoder may be used.

    Attributes:
        offset: how many bytes of the file have been read, up to the end of the last whole record.
    """

    def __init__(
        self,
        formats: Mapping[str, EventFormat],
        *,
        numbered: Sequence[str] = (),
        wanted: Callable[[str], bool] = lambda _: True,
        since_ns: int = -(1 << 63),
        until_ns: int = (1 << 63) - 1,
        raw_text: bool = False,
        compiled: bool = True,
    ) -> None:
        self.offset = 0
        self._formats = formats
        self._numbered = numbered
        self._wanted = wanted
        self._window = (since_ns, until_ns)
        self._raw_text = raw_text
        self._compiled = compiled
        self._decoder: Decoder | None = None
        self._big = False
        self._events: dict[int, tuple[str, EventFormat | None]] = {}
        self._names: dict[int, str] = {}
        self._declared: set[int] = set()
        self._rest = b""

    @property
    def torn_bytes(self) -> int:
        """How much there is of a record that has not ended, of what `feed` was given."""
        return len(self._rest)

    def feed(self, data: bytes) -> Iterator[Batch]:
        """Process the next bytes; yields the completed batches.

        Raises:
            TraceError: this is not a trace, or no record can be where one should be; what is before that comes first.
        """
        yield from self._fed(data, self.batches)

    def feed_lines(self, data: bytes) -> Iterator[bytes]:
        """As `feed`, with `lines`."""
        yield from self._fed(data, self.lines)

    def feed_counts(self, data: bytes) -> Iterator[int]:
        """As `feed`, with `skim`."""
        yield from self._fed(data, self.skim)

    def _fed(self, data: bytes, read: Callable[[Data, int], Iterator[Found]]) -> Iterator[Found]:
        data = self._rest + data if self._rest else data
        begin = self.offset
        self._rest = b""
        try:
            yield from read(data, len(data))
        finally:
            self._rest = data[self.offset - begin :]

    def batches(self, data: Data, end: int) -> Iterator[Batch]:
        """The records of `data` up to `end`, where `data` begins at `offset` of the file. Raises as `feed`."""
        for count, columns, strings in self._each(
            data, end, lambda decoder, at: _shifted(decoder.columns(data, at, end))
        ):
            if count:
                yield Batch(count, tuple(self._typed(column) for column in columns), strings, self._raw_text)

    def lines(self, data: Data, end: int) -> Iterator[bytes]:
        """The same records as ``simpletrace.py`` prints them, many lines at a time. Raises as `feed`."""
        yield from self._each(data, end, lambda decoder, at: decoder.text(data, at, end))

    def skim(self, data: Data, end: int) -> Iterator[int]:
        """The same records only counted: see `totals`. Raises as `feed`."""
        yield from self._each(data, end, lambda decoder, at: decoder.count(data, at, end))

    @property
    def begin_ns(self) -> int:
        """The time of the first record; 0 before it."""
        return self._decoder.begin_ns() if self._decoder else 0

    @property
    def lost(self) -> int:
        """The number of lost records reported by QEMU, so far."""
        return self._decoder.lost() if self._decoder else 0

    def totals(self) -> dict[str, Total]:
        """What has been read so far, by event."""
        found: dict[str, Total] = {}
        for slot, (records, first_ns, last_ns) in (self._decoder.totals() if self._decoder else {}).items():
            name = self._events[slot][0]
            other = found.get(name, Total(0, first_ns, last_ns))
            found[name] = Total(
                records + other.records, min(first_ns, other.first_ns), max(last_ns, other.last_ns)
            )
        return found

    def _each(
        self, data: Data, end: int, read: Callable[[Decoder, int], tuple[int, int, Found]]
    ) -> Iterator[Found]:
        begin, at = self.offset, 0
        if self._decoder is None:
            if not self._begin(data, end):
                return
            at = HEADER_BYTES
            self.offset = begin + at
        assert self._decoder is not None
        while True:
            at, reason, found = read(self._decoder, at)
            self.offset = begin + at
            yield found
            if reason == Stop.MORE or (reason == Stop.MAPPING and self._mapping_end(data, at, end) < 0):
                return
            if reason == Stop.DAMAGED:
                raise self._damage("invalid data instead of a record")
            if reason == Stop.UNKNOWN:
                self._number(self._integer(data, at + self._prefix, 8))
                continue
            at = self._mappings(data, at, end)

    def _begin(self, data: Data, end: int) -> bool:
        head = bytes(data[: min(end, HEADER_BYTES)])
        orders = [order for order in "<>" if struct.pack(f"{order}QQ", *_MAGIC).startswith(head[:16])]
        if not orders:
            raise TraceError("not a binary trace of QEMU")
        if len(head) < HEADER_BYTES:
            return False
        (version,) = struct.unpack(f"{orders[0]}Q", head[16:])
        if version not in _VERSIONS:
            raise TraceError(
                f"a binary trace of version {version}; known are {_VERSIONS[0]} to {_VERSIONS[-1]}"
            )
        self._big = orders[0] == ">"
        self._prefix = 8 if version >= 4 else 0
        self._by_place = version < 4
        swapped = self._big != (sys.byteorder == "big")
        self._decoder = new_decoder(version, swapped=swapped, compiled=self._compiled)
        self._decoder.window(*self._window)
        self._declare(DROPPED, DROPPED_EVENT, DROPPED_EVENT.name, DROPPED_LABELS)
        return True

    def _mappings(self, data: Data, at: int, end: int) -> int:
        """Take the records that name events from `at` on; returns where the last whole one ends."""
        while at + 8 <= end and not self._integer(data, at, 8):
            after = self._mapping_end(data, at, end)
            if after < 0:
                break
            number = self._integer(data, at + 8, 8)
            if number != DROPPED:
                self._name(number, bytes(data[at + _MAPPING_BYTES : after]).decode("utf-8", "replace"))
            self.offset += after - at
            at = after
        return at

    def _mapping_end(self, data: Data, at: int, end: int) -> int:
        """Where the record at `at`, which names an event, ends; -1 when that is not there yet."""
        start = at + _MAPPING_BYTES
        if start > end:
            return -1
        length = self._integer(data, at + 16, 4)
        if not 0 < length <= _MAX_NAME_BYTES:
            raise self._damage(f"the name of an event has {length} bytes")
        return start + length if start + length <= end else -1

    def _name(self, number: int, name: str) -> None:
        """The event of an id. QEMU names all its events; they get a slot when a record comes."""
        known = self._names.get(number)
        if known is None and len(self._names) >= _MAX_NAMES:
            raise self._damage("more events than any QEMU has")
        self._names[number] = name
        if number in self._declared and known != name:
            self._number(number)

    def _number(self, number: int) -> None:
        """Give an id its slot."""
        if self._by_place:
            name = self._numbered[number] if number < len(self._numbered) else ""
        else:
            name = masked(self._names.get(number, ""))
        self._declare(number, self._formats.get(name), name or f"event_{number}")

    def _declare(
        self, number: int, form: EventFormat | None, name: str, labels: tuple[str, ...] = ()
    ) -> None:
        if form and len(form.kinds) > MAX_ARGUMENTS:
            form = None
        kinds = "".join("s" if kind == "str" else "n" for kind in form.kinds) if form else None
        labels = labels or (name, *(form.arguments if form else ()))
        assert self._decoder is not None
        try:
            slot = self._decoder.event(number, tuple(map(str.encode, labels)), kinds, self._wanted(name))
        except ValueError:
            raise self._damage("more events than any QEMU has") from None
        self._declared.add(number)
        self._events[slot] = (name, form)
        self._events[slot + 1] = (name, None)

    def _typed(self, column: Column) -> EventColumns:
        slot, t_ns, pid, row, arguments = column
        name, form = self._events[slot]
        kinds = form.kinds if form else ("raw",)
        return EventColumns(
            event=name,
            form=form,
            t_ns=memoryview(t_ns).cast("Q"),
            pid=memoryview(pid).cast("I"),
            row=memoryview(row).cast("I"),
            arguments=tuple(
                memoryview(part).cast(_STORED_AS.get(kind, "Q"))
                for kind, part in zip(kinds, arguments, strict=True)
            ),
        )

    def _integer(self, data: Data, at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "big" if self._big else "little")

    def _damage(self, why: str) -> TraceError:
        return TraceError(f"the trace is damaged at byte {self.offset}: {why}")


def read_pieces(
    path: Path,
    read: Callable[[Data, int], Iterator[Found]],
    reader: TraceReader,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[Found]:
    """What `read`, a method of `reader`, makes of a file of any size; an incomplete record at its end is left out.

    Raises:
        OSError: the file cannot be read.
        TraceError: it is not a trace, or is damaged; what is before that comes first.
    """
    buffer = bytearray(piece_bytes + 2 * MAX_EVENT_BYTES)
    view = memoryview(buffer)
    held = 0
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(view[held : held + piece_bytes]):
            begin, held = reader.offset, held + count
            yield from read(view, held)
            used = reader.offset - begin
            held -= used
            view[:held] = bytes(view[used : used + held])


def _shifted(
    found: tuple[int, int, int, list[Column], list[bytes]],
) -> tuple[int, int, tuple[int, list[Column], list[bytes]]]:
    at, reason, count, columns, strings = found
    return at, reason, (count, columns, strings)
