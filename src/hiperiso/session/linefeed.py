"""A text channel: a file that QEMU writes (serial line, debug port), followed line by line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hiperiso.contract.eventdata import LineData
from hiperiso.contract.events import StreamLine
from hiperiso.contract.words import EndReason, LineForm
from hiperiso.observe.lines import LineChannel
from hiperiso.observe.tail import FileTail
from hiperiso.session.eventlog import EventLog
from hiperiso.session.observer import Work


class LineFeed:
    """Follows a file from now on.

    Args:
        path: the file; made when missing.
        line: the event for each line of it.
        log: gets the lines.
    """

    def __init__(self, path: Path, line: type[StreamLine], log: EventLog) -> None:
        self._line = line
        self._log = log
        path.touch()
        self._channel = LineChannel(self._emit)
        self._tail = FileTail(path, self._channel.feed)
        self._closed = False

    def start(self) -> Sequence[Work]:
        """Already followed since construction."""
        return ()

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """The guest may print until QEMU ends."""

    async def close(self) -> None:
        """Emit the remaining output, including an unfinished line."""
        if not self._closed:
            self._closed = True
            self._tail.close()
            self._channel.flush()

    def _emit(self, form: LineForm, text: str, offset_bytes: int) -> None:
        self._log.emit(self._line(form=form, text=text, data=LineData(offset_bytes=offset_bytes)))
