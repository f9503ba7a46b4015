"""``hiperiso-log trace``: a trace of any size as text, JSON lines or CSV, or what is in it by event."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from hiperiso.contract import files
from hiperiso.errors import UsageError
from hiperiso.trace.declared import Declared
from hiperiso.trace.decoder import simple_line
from hiperiso.trace.formats import EventFormat, read_formats
from hiperiso.trace.reader import (
    DROPPED_EVENT,
    DROPPED_LABELS,
    HEADER_BYTES,
    PIECE_BYTES,
    Batch,
    Record,
    Total,
    TraceReader,
    read_pieces,
)
from hiperiso.trace.textlog import TextLog, pieces_of_log
from hiperiso.trace.where import Condition

COLUMNS: Final = ("t", "event", "pid", "text")
_NS_PER_S: Final = 1_000_000_000
_FAR_NS: Final = (1 << 63) - 1


@dataclass(frozen=True, kw_only=True)
class Query:
    """A selection of records.

    Attributes:
        events: glob patterns of their events; all events where there is none.
        since_s: not before, in seconds since the trace's first record.
        until_s: not after.
        where: a further condition.
    """

    events: Sequence[str] = ()
    since_s: float | None = None
    until_s: float | None = None
    where: Condition | None = None


class TraceFile:
    """A ``trace.bin`` or ``trace.log``, to be read once.

    Args:
        path: the file, or the directory of a session.
        query: the selected records.
        formats: a file with QEMU's declarations; otherwise what is beside the trace, otherwise this machine's.
        compiled: whether the compiled decoders may be used.

    Attributes:
        path: the file.
        ahead_s: how far the wall clock is ahead of the trace's.
        log: the text trace, where it is one.

    Raises:
        UsageError: the file cannot be read, or is not a trace.
    """

    def __init__(
        self, path: Path, query: Query = Query(), *, formats: Path | None = None, compiled: bool = True
    ) -> None:
        self.path = _trace_of(path)
        self._query = query
        self._again = partial(TraceFile, path, query, formats=formats, compiled=compiled)
        known, ahead_s, numbered = _formats_for(self.path, formats)
        self.log: TextLog | None = None
        if not _is_binary(self.path):
            self.log = TextLog(known, compiled=compiled)
            ahead_s = 0.0
        self.ahead_s = ahead_s
        self._known = known
        self.reader = TraceReader(
            known,
            numbered=numbered,
            wanted=lambda name: not query.events or any(fnmatchcase(name, glob) for glob in query.events),
            since_ns=_ns(query.since_s, -_FAR_NS),
            until_ns=_ns(query.until_s, _FAR_NS),
            raw_text=self.log is not None,
            compiled=compiled,
        )

    def again(self) -> TraceFile:
        """The same file, to be read once more."""
        return self._again()

    def form(self, event: str) -> EventFormat | None:
        """How the arguments of an event are declared."""
        return DROPPED_EVENT if event == DROPPED_EVENT.name else self._known.get(event)

    def batches(self, piece_bytes: int = PIECE_BYTES) -> Iterator[Batch]:
        """The records as columns; the result of the query's condition is in `meant`. Raises as `records`."""
        if self.log:
            for piece in self._pieces(self.log):
                yield from self.reader.feed(piece)
        else:
            yield from read_pieces(self.path, self.reader.batches, self.reader, piece_bytes)

    def meant(self, batch: Batch) -> list[bool] | None:
        """Of each record of a batch whether the condition holds; None where there is none."""
        where = self._query.where
        if where is None:
            return None
        begin_ns = self.reader.begin_ns
        return [where(record, (record.t_ns - begin_ns) / _NS_PER_S) for record in batch.records()]

    def records(self) -> Iterator[tuple[Record, float]]:
        """The selected records, each with the seconds since the first one of the trace.

        Raises:
            UsageError: the file cannot be read, or is damaged; what is before that comes first.
        """
        where = self._query.where
        for batch in self.batches():
            begin_ns = self.reader.begin_ns
            for record in batch.records():
                t_s = (record.t_ns - begin_ns) / _NS_PER_S
                if where is None or where(record, t_s):
                    yield record, t_s

    def lines(self) -> Iterator[bytes]:
        """The selected records, as QEMU's ``simpletrace.py`` prints them. Raises as `records`."""
        if self._query.where:
            yield from self._lines_where()
        elif self.log:
            for piece in self._pieces(self.log):
                yield from self.reader.feed_lines(piece)
        else:
            yield from read_pieces(self.path, self.reader.lines, self.reader)

    def summary(self) -> Summary:
        """A summary of the trace. Raises as `records`."""
        if self._query.where:
            return self._summary_where()
        if self.log:
            for piece in self._pieces(self.log):
                for _ in self.reader.feed_counts(piece):
                    pass
        else:
            for _ in read_pieces(self.path, self.reader.skim, self.reader):
                pass
        return self._summary(self.reader.totals())

    def _lines_where(self) -> Iterator[bytes]:
        before_ns: int | None = None
        for record, _ in self.records():
            since_ns = 0 if before_ns is None else record.t_ns - before_ns
            before_ns = record.t_ns
            yield _simple(record, since_ns)

    def _summary_where(self) -> Summary:
        totals: dict[str, Total] = {}
        for record, _ in self.records():
            before = totals.get(record.event, Total(0, record.t_ns, record.t_ns))
            totals[record.event] = Total(before.records + 1, before.first_ns, record.t_ns)
        return self._summary(totals)

    def _summary(self, totals: dict[str, Total]) -> Summary:
        begin_ns = self.reader.begin_ns
        rows = [
            EventSummary(
                event=name,
                records=total.records,
                first_s=(total.first_ns - begin_ns) / _NS_PER_S,
                last_s=(total.last_ns - begin_ns) / _NS_PER_S,
            )
            for name, total in totals.items()
            if name != "dropped"
        ]
        return Summary(
            records=sum(row.records for row in rows),
            lost=self.reader.lost,
            other_lines=self.log.others if self.log else 0,
            torn_bytes=max(0, self.path.stat().st_size - self.reader.offset) if not self.log else 0,
            events=sorted(rows, key=lambda row: (-row.records, row.event)),
        )

    def _pieces(self, log: TextLog) -> Iterator[bytes]:
        yield from pieces_of_log(self.path, log)
        if not log.lines and log.others:
            raise UsageError(f"{self.path} is not a trace of QEMU")


class EventSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One event: how many records, and when the first and the last came, in seconds since the trace's first record."""

    event: str
    records: int
    first_s: float
    last_s: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A summary of a trace.

    Attributes:
        records: how many, of the events below.
        lost: number of lost records reported by QEMU.
        other_lines: lines of a text trace that are not of a trace.
        torn_bytes: bytes of a last record that is not whole.
        events: the most frequent ones first.
    """

    records: int
    lost: int
    other_lines: int
    torn_bytes: int
    events: list[EventSummary]


def shown_trace(trace: TraceFile, form: str) -> Iterator[bytes]:
    """The records that are meant, as many lines at a time as come together.

    Args:
        trace: the file.
        form: ``json``, ``csv`` (with a line of names) or ``text``.

    Yields:
        Lines. In JSON and CSV ``t`` is in seconds of the wall clock where it is known, else of the trace's own.

    Raises:
        UsageError: the file cannot be read, or is damaged; what is before that is shown first.
    """
    if form == "text":
        yield from trace.lines()
        return
    if form == "csv":
        yield (",".join(COLUMNS) + "\n").encode()
    encode = _json if form == "json" else _csv
    for record, _ in trace.records():
        yield encode(record, trace.ahead_s)


def shown_summary(summary: Summary, form: str) -> Iterator[bytes]:
    """The summary of a trace in one of the forms of `shown_trace`."""
    if form == "json":
        yield msgspec.json.encode(summary) + b"\n"
        return
    if form == "csv":
        yield b"event,records,first_s,last_s\n"
        for row in summary.events:
            yield f"{row.event},{row.records},{row.first_s:.6f},{row.last_s:.6f}\n".encode()
        return
    yield f"{summary.records} records of {len(summary.events)} events, {summary.lost} lost\n".encode()
    if summary.torn_bytes:
        yield f"{summary.torn_bytes} bytes of a last record that is not whole\n".encode()
    if summary.other_lines:
        yield f"{summary.other_lines} lines that are not of a trace\n".encode()
    for row in summary.events:
        yield f"{row.records:>12}  {row.first_s:>12.6f} s  {row.last_s:>12.6f} s  {row.event}\n".encode()


def _json(record: Record, ahead_s: float) -> bytes:
    row: dict[str, Any] = {
        "t": round(record.t_ns / 1e9 + ahead_s, 6),
        "event": record.event,
        "pid": record.pid,
        "text": _text(record),
    }
    if record.form:
        row["args"] = dict(zip(record.form.arguments, record.values, strict=True))
    return msgspec.json.encode(row) + b"\n"


def _csv(record: Record, ahead_s: float) -> bytes:
    line = io.StringIO()
    row = (f"{record.t_ns / 1e9 + ahead_s:.6f}", record.event, record.pid, _text(record))
    csv.writer(line, lineterminator="\n").writerow(row)
    return line.getvalue().encode()


def _text(record: Record) -> str:
    return record.form.text(record.values) if record.form else str(record.values[0])


def _simple(record: Record, since_ns: int) -> bytes:
    if record.form is None:
        raw = str(record.values[0]).encode()
        return (
            simple_line((record.event.encode(),), True, since_ns, record.pid, []).rstrip(b"\n")
            + b" raw="
            + raw
            + b"\n"
        )
    values = [value.encode() if isinstance(value, str) else value % (1 << 64) for value in record.values]
    names = DROPPED_LABELS if record.event == "dropped" else (record.event, *record.form.arguments)
    labels = tuple(name.encode() for name in names)
    return simple_line(labels, True, since_ns, record.pid, values)


def _trace_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    traces = (path / files.TRACE_BIN, path / files.TRACE_LOG)
    found = next((trace for trace in traces if trace.is_file()), None)
    if found is None:
        raise UsageError(f"{path} holds neither {files.TRACE_BIN} nor {files.TRACE_LOG}")
    return found


def _is_binary(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    return head.startswith(b"\xff")


def _formats_for(trace: Path, named: Path | None) -> tuple[Mapping[str, EventFormat], float, Sequence[str]]:
    """The declarations, how far the wall clock is ahead, and the events by number (none where a session's are)."""
    declared = Declared(trace)
    if named:
        known, _ = read_formats(named)
        if not known:
            raise UsageError(
                f"{named} holds no declarations of trace events", hint="QEMU's file is trace-events-all"
            )
        return known, declared.ahead_s, tuple(known)
    return declared, declared.ahead_s, () if declared.stored else tuple(declared.machine)


def _ns(seconds: float | None, default: int) -> int:
    return default if seconds is None else max(-_FAR_NS, min(_FAR_NS, round(seconds * _NS_PER_S)))
