"""serial.log as lines and as events: for sessions without other recordings, and for readers of the log itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from hiperiso.contract.eventdata import LineData
from hiperiso.contract.events import SerialLine
from hiperiso.contract.words import LineForm
from hiperiso.text import TextCleaner

CHUNK_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class SerialRow:
    """A cleaned line, the number of the physical line it begins on (from 1), and whether it was finished."""

    text: str
    line: int
    whole: bool = True


def clean_lines(path: Path) -> Iterator[SerialRow]:
    """Yield the cleaned lines of a serial log, streamed.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        yield from clean_stream(file)


def clean_stream(file: BinaryIO) -> Iterator[SerialRow]:
    """Yield the cleaned lines of an open serial log."""
    cleaner = TextCleaner()
    base = 0
    line_number = 1
    while chunk := file.read(CHUNK_BYTES):
        counted = base
        for text, offset in cleaner.feed(chunk):
            if offset > counted:
                line_number += chunk.count(b"\n", counted - base, offset - base)
                counted = offset
            yield SerialRow(text, line_number)
        line_number += chunk.count(b"\n", counted - base)
        base += len(chunk)
    for text, _ in cleaner.flush():
        yield SerialRow(text, line_number, whole=False)


def serial_events(name: str, rows: Iterable[SerialRow]) -> Iterator[SerialLine]:
    """Yield an event for each row of the serial log `name`; ``data`` holds ``file`` and ``line`` (from 1), t is 0."""
    for number, row in enumerate(rows):
        data = LineData(file=name, line=row.line)
        for form in (LineForm.LINE,) if row.whole else (LineForm.PARTIAL, LineForm.LINE):
            yield SerialLine(n=number, t=0.0, form=form, text=row.text, data=data)
