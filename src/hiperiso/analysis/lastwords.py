"""The last lines of a guest, of each active channel: quoted by a report."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from hiperiso.contract.events import Event, FirmwareLine, KernelLine, ScreenText, SerialLine
from hiperiso.contract.report import Quote
from hiperiso.contract.words import Source
from hiperiso.text import plain

QUOTED_LINES: Final = 10
_MAX_LINE_CHARS: Final = 400
_LATER_S: Final = 2.0
"""How much later than the serial line the kernel's log must continue to count as not printed there."""


class LastWords:
    """Remembers the end of each channel, in bounded memory."""

    def __init__(self) -> None:
        self._lines: dict[Source, deque[str]] = {}
        self._last_s: dict[Source, float] = {}
        self._partial = ""
        self._screen: list[str] = []

    def take(self, event: Event) -> None:
        """Record the text of an event, if any."""
        if isinstance(event, ScreenText):
            rows = [row.rstrip()[:_MAX_LINE_CHARS] for row in event.text.splitlines() if row.strip()]
            if rows:
                self._screen = rows[-QUOTED_LINES:]
                self._last_s[Source.SCREEN] = event.t
        elif isinstance(event, SerialLine) and event.partial:
            self._partial = event.text[:_MAX_LINE_CHARS]
        elif isinstance(event, SerialLine | KernelLine | FirmwareLine) and event.text:
            source = event.WORDS[0]
            self._lines.setdefault(source, deque(maxlen=QUOTED_LINES)).append(event.text[:_MAX_LINE_CHARS])
            self._last_s[source] = event.t
            if source is Source.SERIAL:
                self._partial = ""

    def take_serial(self, lines: Iterable[str]) -> None:
        """Note the end of a block of a serial log, whose lines are no events."""
        held = self._lines.setdefault(Source.SERIAL, deque(maxlen=QUOTED_LINES))
        held.extend(line.rstrip()[:_MAX_LINE_CHARS] for line in lines if line.strip())
        self._last_s.setdefault(Source.SERIAL, 0.0)

    def quotes(self) -> list[Quote]:
        """The ends of the channels that count, the most recently active first.

        The firmware's log counts if no other channel was active; the kernel's if it continues after the serial line.
        """
        found = {source: list(lines) for source, lines in self._lines.items()}
        if self._partial:
            found[Source.SERIAL] = [*found.get(Source.SERIAL, []), self._partial][-QUOTED_LINES:]
        if self._screen:
            found[Source.SCREEN] = self._screen
        if len(found) > 1:
            found.pop(Source.FIRMWARE, None)
        serial_s = self._last_s.get(Source.SERIAL, float("-inf"))
        if Source.SERIAL in found and self._last_s.get(Source.KERNEL, serial_s) <= serial_s + _LATER_S:
            found.pop(Source.KERNEL, None)
        order = sorted(found, key=lambda source: self._last_s.get(source, 0.0), reverse=True)
        return [Quote(channel=source, lines=[plain(line) for line in found[source]]) for source in order]
