"""The writer of events.jsonl: numbers and times events, and notifies listeners."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

from hiperiso.contract import files
from hiperiso.contract.eventlines import line_of
from hiperiso.contract.events import NOT_YET, Event
from hiperiso.contract.store import encode_json

Listener = Callable[[Event], None]


class Rank(IntEnum):
    """The order in which listeners get an event; within a rank, the order of subscription."""

    JUDGE = 0
    """What decides: later listeners find the judge and the progress up to date."""
    CHANNEL = 1
    """Channels that adapt their poll interval to what others observe."""
    WATCHER = 2
    """Observers of the boot."""


E = TypeVar("E", bound=Event)


class EventLog:
    """Appends events to events.jsonl, a whole line at a time, on one clock, and passes each to the listeners.

    Events before `start_clock` are at t = 0.
    """

    def __init__(self, directory: Path) -> None:
        self._file = (directory / files.EVENTS_JSONL).open("ab", buffering=0)
        self._count = 0
        self._zero: float | None = None
        self._listeners: tuple[tuple[Rank, Listener], ...] = ()
        self.failure: OSError | None = None
        self.bug: Exception | None = None

    def subscribe(self, listener: Listener, rank: Rank) -> Callable[[], None]:
        """Pass each event from now on to `listener`; returns the function that unsubscribes it."""
        entry = (rank, listener)
        self._listeners = tuple(sorted((*self._listeners, entry), key=lambda entry: entry[0]))

        def unsubscribe() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not entry)

        return unsubscribe

    def start_clock(self) -> None:
        """Set t = 0 to now: QEMU starts."""
        self._zero = time.monotonic()

    def now(self) -> float:
        """Seconds since QEMU started; 0 before."""
        return 0.0 if self._zero is None else time.monotonic() - self._zero

    def emit(self, event: E) -> E:
        """Write one event and pass it to the listeners; returns it with its number and its time.

        The time is now unless the event has one. The first failed write is kept in `failure`; the
        listeners still get the event, so that the verdict of the running boot does not depend on the disk.
        """
        event = event.at(self._count, round(self.now() if event.t == NOT_YET else event.t, 4))
        self._count += 1
        if self.failure is None:
            try:
                self._file.write(encode_json(line_of(event)) + b"\n")
            except OSError as error:
                self.failure = error
        for _, listener in self._listeners:
            try:
                listener(event)
            except Exception as bug:  # re-raised by the code that waits for the boot, not lost in a callback
                self.bug = self.bug or bug
        return event

    def close(self) -> None:
        """Close the file; later events are passed on, but not written."""
        self._file.close()
        self.failure = self.failure or OSError("the event log is closed")
