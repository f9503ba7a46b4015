"""The disk channel: which files of the ISO the guest reads, from QEMU's trace, emitted once a second."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.store import atomic_write_json
from hiperiso.contract.words import EndReason
from hiperiso.iso.image import IsoImage
from hiperiso.machine.machine import Machine
from hiperiso.machine.parts.trace import Trace
from hiperiso.observe.disk.channel import DiskChannel
from hiperiso.session.eventlog import EventLog
from hiperiso.session.observer import Work
from hiperiso.trace.reader import TraceError
from hiperiso.trace.text import text_of_trace

_EVERY_S = 1.0
_PIECE_BYTES = 1 << 20
_LIVE_BYTES_PER_S = 4 << 20
"""A trace that grows faster (the full tier) is read only by the analysis, at the end."""


class DiskFeed:
    """Follows trace.log or trace.bin of one boot.

    Args:
        wall_zero_s: seconds since the epoch at the start of QEMU.
    """

    def __init__(
        self, iso: IsoImage, trace_log: Path, wall_zero_s: float, log: EventLog, directory: Path
    ) -> None:
        self._channel = DiskChannel(iso.path, wall_zero_s, lambda: iso.sector_map)
        self._trace_log = trace_log
        self._decode = text_of_trace(trace_log)
        self._position = 0
        self._log = log
        self._summary_path = directory / files.DISK_JSON
        self._live = True
        self.on_reads: Callable[[list[tuple[str, float]]], None] | None = None
        """Called once a second with the path and time of every file read; events name only the largest files."""

    def start(self) -> Sequence[Work]:
        """Follow the trace."""
        return (self.watch(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """The trace continues as long as QEMU runs."""

    async def close(self) -> None:
        """Emit the rest and write disk.json; not written if nothing was read, or the trace was too large to follow."""
        await asyncio.to_thread(self._close)

    async def watch(self) -> None:
        """Emit what was read, once a second, until cancelled."""
        await asyncio.to_thread(self._channel.load)
        while self._live:
            await asyncio.sleep(_EVERY_S)
            began = self._position
            await asyncio.to_thread(self._read_on, began + _LIVE_BYTES_PER_S)
            self._live = self._position < began + _LIVE_BYTES_PER_S
            if self.on_reads:
                self.on_reads(self._channel.touched())
            self._emit(self._log.now())

    def _close(self) -> None:
        if not self._live:
            return
        self._live = False
        self._read_on(self._position + _LIVE_BYTES_PER_S)
        self._emit(float("inf"))
        summary = self._channel.summary()
        if summary.requests:
            with contextlib.suppress(OSError):  # a full disk is reported by the next writer
                atomic_write_json(self._summary_path, summary)

    def _read_on(self, end: int) -> None:
        try:
            with self._trace_log.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._position:  # the oldest part has gone
                    self._position, self._decode = 0, text_of_trace(self._trace_log)
                file.seek(self._position)
                while self._position < end and (data := file.read(_PIECE_BYTES)):
                    self._position += len(data)
                    self._channel.feed(self._decode(data))
        except (OSError, TraceError):
            self._live = False  # the trace is gone

    def _emit(self, until_s: float) -> None:
        seen = self._channel.finish() if until_s == float("inf") else self._channel.drain(until_s)
        for event in seen:
            self._log.emit(event)


def disk_feed(
    machine: Machine, iso: IsoImage, wall_zero_s: float, log: EventLog, directory: Path
) -> DiskFeed | None:
    """The feed for a machine that writes a trace and has the ISO in a drive; else None."""
    trace = machine.find(Trace)
    if trace is None:
        return None
    return DiskFeed(iso, trace.output, wall_zero_s, log, directory)
