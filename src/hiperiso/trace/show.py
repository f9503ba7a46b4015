"""``hiperiso-log trace``: a trace of any size as text, JSON lines or CSV, record by record."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hiperiso.contract import files
from hiperiso.errors import UsageError
from hiperiso.text import masked
from hiperiso.trace.formats import EventFormat, read_formats
from hiperiso.trace.simpletrace import MAGIC, SimpleTraceReader, TraceRecord

COLUMNS: Final = ("t", "event", "pid", "text")
_CHUNK_BYTES: Final = 1 << 20
_MAX_LINE_BYTES: Final = 4096
_LINE: Final = re.compile(r"(?:(\d{1,10})@)?(\d{1,12}\.\d{1,9}):(\w{1,128}) ?(.*)")


def told_trace(path: Path, form: str) -> Iterator[str]:
    """The records of a ``trace.bin`` or ``trace.log`` as lines.

    Args:
        path: the file.
        form: ``json``, ``csv`` (with a line of names) or ``text``.

    Yields:
        One line a record. ``t`` is in seconds of the wall clock where it is known, else of the trace's own.

    Raises:
        UsageError: the file cannot be read or is no trace; a trace that is damaged is told up to there.
    """
    rows = _rows(path)
    first = next(rows, None)  # what is no trace is refused before anything is said
    if form == "csv":
        yield ",".join(COLUMNS)
    for row in itertools.chain([first] if first else [], rows):
        yield _told(row, form)


def _told(row: dict[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(row, ensure_ascii=False)
    if form == "csv":
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row[column] for column in COLUMNS)
        return line.getvalue()
    return f"{row['pid']}@{row['t']:.6f}:{row['event']} {row['text']}".rstrip()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
        yield from _binary(path) if head.startswith(b"\xff") else _text(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _binary(path: Path) -> Iterator[dict[str, Any]]:
    formats, ahead_s = read_formats(path.with_name(files.TRACE_FORMATS))
    reader = SimpleTraceReader()
    with path.open("rb") as file:
        while data := file.read(_CHUNK_BYTES):
            lost = reader.dropped
            for record in reader.feed(data):
                yield _row(record, formats.get(record.name), ahead_s or 0.0)
            if reader.dropped > lost:
                yield {
                    "t": 0.0,
                    "event": "dropped",
                    "pid": 0,
                    "text": f"{reader.dropped - lost} records lost",
                }
    reader.feed(b"")  # raises for damage behind the last record


def _row(record: TraceRecord, known: EventFormat | None, ahead_s: float) -> dict[str, Any]:
    row = {
        "t": round(record.t_ns / 1e9 + ahead_s, 6),
        "event": record.name,
        "pid": record.pid,
        "text": known.text(record.arguments) if known else record.arguments.hex(),
    }
    if known:
        row["args"] = dict(zip(known.arguments, known.values(record.arguments), strict=False))
    return row


def _text(path: Path) -> Iterator[dict[str, Any]]:
    empty = True
    with path.open("rb") as file:
        while data := file.readline(_MAX_LINE_BYTES):
            line = data.decode("utf-8", "replace").rstrip("\r\n")
            match = _LINE.match(line)
            if match:
                empty = False
                text = masked(match[4])
                yield {"t": float(match[2]), "event": match[3], "pid": int(match[1] or 0), "text": text}
    if empty and path.stat().st_size:
        raise UsageError(f"{path} is no trace of QEMU")
