"""Following a growing file without polling: inotify wakes the event loop, which reads what is new.

Existing content is read at once, and so is the first new data. A guest writes its serial port character by
character, and a loop iteration for each would dominate the cost: while more arrives, it is collected for
`COLLECT_S`.

Source: inotify(7). The standard library has no binding, so libc is called directly.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from pathlib import Path

COLLECT_S = 0.03
"""The maximum delay of data that follows other data."""

_IN_MODIFY = 0x2
_CHUNK_BYTES = 1 << 16


class FileTail:
    """Hands `path` to `on_data`: its current content in the next loop iteration, then every new chunk.

    Must be made in a running event loop; `path` must exist. Close it to stop.
    """

    def __init__(self, path: Path, on_data: Callable[[bytes], None]) -> None:
        self._on_data = on_data
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._inotify = _watch(path)
        except OSError:
            os.close(self._file)
            raise
        self._loop = asyncio.get_running_loop()
        self._closed = False
        # QEMU runs already: inotify does not report what it has written so far.
        self._loop.call_soon(self._read_piece)

    def drain(self) -> None:
        """Read everything that is there now."""
        while data := os.read(self._file, _CHUNK_BYTES):
            self._on_data(data)

    def close(self) -> None:
        """Read the rest, then stop."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._inotify)
        self.drain()
        os.close(self._inotify)
        os.close(self._file)

    def _changed(self) -> None:
        self._loop.remove_reader(self._inotify)
        self._look()

    def _look(self) -> None:
        if self._closed:
            return
        try:
            os.read(self._inotify, 4096)  # the content of the notifications does not matter
        except BlockingIOError:  # nothing new: the next event wakes the loop
            self._loop.add_reader(self._inotify, self._changed)
            return
        self._read_piece()

    def _read_piece(self) -> None:
        """One chunk per loop iteration: a guest that never stops writing must not starve the other channels."""
        if self._closed:
            return
        data = os.read(self._file, _CHUNK_BYTES)
        if len(data) == _CHUNK_BYTES:  # before `on_data`, which may raise, and more will come
            self._loop.call_soon(self._read_piece)
        else:
            self._loop.call_later(COLLECT_S, self._look)
        if data:
            self._on_data(data)


def _watch(path: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    if libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_MODIFY) < 0:
        error = ctypes.get_errno()
        os.close(descriptor)
        raise OSError(error, os.strerror(error), str(path))
    return descriptor
