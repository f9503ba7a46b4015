"""Turning a stream of bytes into ``line`` and ``partial`` events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hiperiso.contract.words import LineForm
from hiperiso.text import TextCleaner

PARTIAL_QUIET_S = 0.15
"""An unfinished line is emitted after this long without new bytes: a prompt waits, a line being printed does not."""

_PARTIAL_LATEST_S = 1.0  # how often an unfinished line that keeps changing (a progress bar) is emitted

EmitLine = Callable[[LineForm, str, int], None]
"""``(form, text, offset_bytes)``."""


class LineChannel:
    """Feeds bytes through a `TextCleaner`; emits whole lines at once, an unfinished line when it stops growing."""

    def __init__(self, emit: EmitLine) -> None:
        self._emit = emit
        self._cleaner = TextCleaner()
        self._received_bytes = 0
        self._emitted = ""
        self._timer: asyncio.TimerHandle | None = None
        self._latest: float | None = None

    def feed(self, data: bytes) -> None:
        """Process the next bytes of the stream; must be called in the event loop."""
        self._received_bytes += len(data)
        for line in self._cleaner.feed(data):
            self._emit(LineForm.LINE, line.text, line.offset_bytes)
            self._emitted = ""
        if self._cleaner.partial.strip():
            self._schedule()

    def flush(self) -> None:
        """Emit the unfinished line: the stream has ended."""
        self._cancel()
        for line in self._cleaner.flush():
            self._emit(LineForm.LINE, line.text, line.offset_bytes)

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._latest is None:
            self._latest = now + _PARTIAL_LATEST_S
        due = min(now + PARTIAL_QUIET_S, self._latest)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due, self._emit_partial)

    def _emit_partial(self) -> None:
        self._cancel()
        text = self._cleaner.partial
        if text.strip() and text != self._emitted:
            self._emitted = text
            self._emit(LineForm.PARTIAL, text, self._received_bytes)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._latest = None
