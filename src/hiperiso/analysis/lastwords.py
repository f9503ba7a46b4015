"""The last lines of a guest, of each active channel, or those around its failure: quoted by a report."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hiperiso.contract.events import Event, FirmwareLine, KernelLine, ScreenText, SerialLine
from hiperiso.contract.report import Quote
from hiperiso.contract.words import Source
from hiperiso.text import plain

QUOTED_LINES: Final = 10
_BEFORE: Final = 3  # of them, above the line that reports the failure
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
        self._failures: dict[Source, _Failure] = {}

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
            text = event.text[:_MAX_LINE_CHARS]
            self._lines.setdefault(source, deque(maxlen=QUOTED_LINES)).append(text)
            if failure := self._failures.get(source):
                failure.take(text)
            self._last_s[source] = event.t
            if source is Source.SERIAL:
                self._partial = ""

    def failed(self, source: Source, boot: int) -> None:
        """The last line of a channel reported a failure that ended the boot; the first one of a boot counts."""
        lines, known = self._lines.get(source), self._failures.get(source)
        if lines and (known is None or known.boot < boot):
            self._failures[source] = _Failure(boot, list(lines)[-_BEFORE - 1 :])

    def take_serial(self, lines: Iterable[str]) -> None:
        """Note the end of a block of a serial log, whose lines are no events."""
        held = self._lines.setdefault(Source.SERIAL, deque(maxlen=QUOTED_LINES))
        held.extend(line.rstrip()[:_MAX_LINE_CHARS] for line in lines if line.strip())
        self._last_s.setdefault(Source.SERIAL, 0.0)

    def quotes(self, *, failed: bool = False) -> list[Quote]:
        """The ends of the channels that count, the most recently active first.

        Where the boot ``failed`` and a channel went on past that, the lines around its failure.

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
        quotes: list[Quote] = []
        for source in order:
            quote = self._quote(source, found[source], failed=failed)
            if not any(set(quote.lines) <= set(other.lines) for other in quotes):  # the same on two channels
                quotes.append(quote)
        return quotes

    def _quote(self, source: Source, lines: list[str], *, failed: bool) -> Quote:
        failure = self._failures.get(source) if failed else None
        if failure and failure.later >= QUOTED_LINES:
            return Quote(channel=source, lines=list(map(plain, failure.lines)), at_failure=True)
        return Quote(channel=source, lines=list(map(plain, lines)))


@dataclass
class _Failure:
    """The lines around a failure, and how many followed it."""

    boot: int
    lines: list[str]
    later: int = 0

    def take(self, text: str) -> None:
        self.later += 1
        if len(self.lines) < QUOTED_LINES:
            self.lines.append(text)
