"""A handle to end one or several boots from outside, and the signals with which a command ends its boot."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupt:
    """Ends every boot that it was passed to. Any thread may set it, also before a boot starts; it stays set.

    The recording then ends as ``interrupted``, and its session is finalized like any other.
    """

    def __init__(self) -> None:
        self._set = False
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def set(self) -> None:
        """End the boots."""
        with self._lock:
            self._set = True
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            with contextlib.suppress(RuntimeError):  # its loop is closed: nothing waits for it
                loop.call_soon_threadsafe(event.set)

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set

    async def wait(self) -> None:
        """Return when it is set."""
        entry = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            if self._set:
                return
            self._waiting.append(entry)
        try:
            await entry[1].wait()
        finally:
            with self._lock:
                if entry in self._waiting:
                    self._waiting.remove(entry)


@contextmanager
def interrupted_by_signals() -> Iterator[Interrupt]:
    """For commands, in the event loop of the main thread: Ctrl-C and a polite kill end the guest, not the recording."""
    interrupted = Interrupt()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield interrupted
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
