"""A binary trace as the lines that QEMU's text backend would have written: readable by the same tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hiperiso.contract import files
from hiperiso.trace.declared import Declared
from hiperiso.trace.formats import EventFormat
from hiperiso.trace.reader import Record, TraceError, TraceReader


def text_of_trace(trace: Path) -> Callable[[bytes], bytes]:
    """What makes text of the bytes of a session's `trace`; a ``trace.log`` is text already."""
    if trace.name != files.TRACE_BIN:
        return bytes
    declared = Declared(trace)
    return TraceText(declared, declared.ahead_s).feed


class TraceText:
    """Turns the bytes of a ``trace.bin`` into lines ``pid@seconds.microseconds:event arguments``.

    Args:
        formats: of the events; one that is not among them is written without arguments.
        wall_ahead_s: how far the wall clock is ahead of the trace's.
    """

    def __init__(self, formats: Mapping[str, EventFormat], wall_ahead_s: float = 0.0) -> None:
        self.reader = TraceReader(formats)
        self._ahead_us = round(wall_ahead_s * 1e6)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; returns the lines that they complete.

        Raises:
            TraceError: this is not such a trace, or it is damaged; what is before that is returned first.
        """
        lines = []
        try:
            for batch in self.reader.feed(data):
                lines += [self.line(record) for record in batch.records() if record.event != "dropped"]
        except TraceError:
            if not lines:
                raise
        return b"".join(lines)

    def line(self, record: Record) -> bytes:
        """One record as a line."""
        us = max(0, record.t_ns // 1000 + self._ahead_us)
        text = record.form.text(record.values) if record.form else ""
        return f"{record.pid}@{us // 1_000_000}.{us % 1_000_000:06d}:{record.event} {text}\n".encode(
            errors="replace"
        )
