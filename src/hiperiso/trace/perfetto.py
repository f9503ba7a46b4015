"""A trace as trace-event JSON, which Perfetto and Chrome's viewer open.

Each record is an instant (``"ph": "i"``) with its arguments, on a track of its event in its process. Beside them are
tracks of devices (a slice, ``"X"``, for each time in which one is used without a pause of a millisecond) and drives (a
counter, ``"C"``, of the bytes in each second), and, for the trace of a session, its phases, stages, kernel log and the
files that were read. Times are microseconds since QEMU started, or since the trace's first record where no session says
when that was. Format: "Trace Event Format", JSON object form.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from hiperiso.contract.events import IsoRead, KernelLine
from hiperiso.contract.stored import StoredSession
from hiperiso.text import plain
from hiperiso.trace.answers.session import zero_of_session
from hiperiso.trace.answers.states import Seen, States
from hiperiso.trace.reader import Batch, Record
from hiperiso.trace.show import TraceFile

_EXACT: Final = 1 << 53
"""Integers beyond are not exact in a viewer that reads JSON into doubles: these become hexadecimal texts."""
_PAUSE_NS: Final = 1_000_000
_BOOT, _DRIVES, _DEVICES = 1_000_000_001, 1_000_000_002, 1_000_000_003
_PROCESSES: Final = {_BOOT: "Boot", _DRIVES: "Drives", _DEVICES: "Devices"}
"""Numbers beyond those of processes."""
_MAX_TEXT: Final = 500

Row = dict[str, Any]


def shown_timeline(trace: TraceFile) -> Iterator[bytes]:
    """The selected records, and the tracks beside them, as one JSON object, in chunks.

    Raises:
        UsageError: the file cannot be read, or is damaged.
    """
    yield b'{"displayTimeUnit":"ms","traceEvents":[\n'
    separator = b""
    for row in _rows(trace):
        yield separator + msgspec.json.encode(row)
        separator = b",\n"
    yield b"\n]}\n"


def _rows(trace: TraceFile) -> Iterator[Row]:
    for pid, name in _PROCESSES.items():
        yield {"name": "process_name", "ph": "M", "pid": pid, "tid": 0, "args": {"name": name}}
    session = trace.path.parent
    yield from _boot(session)
    zero_ns = zero_of_session(StoredSession(session), trace.ahead_s)
    tracks = _Tracks()
    slices = _Slices(tracks)
    states: States | None = None
    for batch in trace.batches():
        if states is None:
            zero_ns = trace.reader.begin_ns if zero_ns is None else zero_ns
            states = States(zero_ns)
            slices.zero_ns = zero_ns
        yield from slices.feed(states.feed(batch))
        for record in _meant(trace, batch):
            yield from tracks.named(record.pid, record.event)
            yield _instant(record, tracks.number(record.pid, record.event), slices.zero_ns)
    yield from slices.finish()
    if states is not None:
        yield from _drives(states)


def _meant(trace: TraceFile, batch: Batch) -> Iterator[Record]:
    meant = trace.meant(batch)
    records = batch.records()
    return records if meant is None else (one for one, wanted in zip(records, meant, strict=True) if wanted)


def _instant(record: Record, tid: int, zero_ns: int) -> Row:
    names = record.form.arguments if record.form else ("raw",)
    return {
        "name": record.event,
        "cat": "qemu",
        "ph": "i",
        "s": "t",
        "ts": round((record.t_ns - zero_ns) / 1e3, 3),
        "pid": record.pid,
        "tid": tid,
        "args": dict(zip(names, map(_exact, record.values), strict=True)),
    }


class _Tracks:
    """Numbers the tracks of a process."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str], int] = {}

    def named(self, pid: int, name: str) -> Iterator[Row]:
        """The row that names a track, when it is new."""
        if (pid, name) not in self._numbers:
            tid = self._numbers[pid, name] = len(self._numbers) + 1
            yield {"name": "thread_name", "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}

    def number(self, pid: int, name: str) -> int:
        """The number of a track."""
        return self._numbers[pid, name]


class _Slices:
    """Accesses to slices: one for each time in which a device is used without a pause."""

    def __init__(self, tracks: _Tracks) -> None:
        self.zero_ns = 0
        self._tracks = tracks
        self._open: dict[str, list[int]] = {}

    def feed(self, seen: Seen) -> Iterator[Row]:
        """The slices that the next accesses end."""
        for register, t_ns in zip(seen.registers, seen.times_ns, strict=True):
            row = self._open.get(register.device)
            if row is not None and t_ns - row[1] > _PAUSE_NS:
                yield from self._slice(register.device, row)
                row = None
            if row is None:
                row = self._open[register.device] = [t_ns, t_ns, 0, 0]
            row[1] = t_ns
            row[2 + register.write] += 1

    def finish(self) -> Iterator[Row]:
        """The slices that are left."""
        for device, row in self._open.items():
            yield from self._slice(device, row)

    def _slice(self, device: str, row: list[int]) -> Iterator[Row]:
        yield from self._tracks.named(_DEVICES, device)
        begin_ns, end_ns, reads, writes = row
        yield {
            "name": device,
            "cat": "device",
            "ph": "X",
            "ts": round((begin_ns - self.zero_ns) / 1e3, 3),
            "dur": max(1.0, round((end_ns - begin_ns) / 1e3, 3)),
            "pid": _DEVICES,
            "tid": self._tracks.number(_DEVICES, device),
            "args": {"reads": reads, "writes": writes},
        }


def _drives(states: States) -> Iterator[Row]:
    for drive in states.drives.used():
        before = -1
        for second, _, read, _, written in drive.over_time:
            if second > before + 1:  # nothing in between
                yield _counter(drive.drive, before + 1, 0, 0)
            yield _counter(drive.drive, second, read, written)
            before = second
        yield _counter(drive.drive, before + 1, 0, 0)


def _counter(drive: str, second: int, read: int, written: int) -> Row:
    return {
        "name": f"{drive} (bytes a second)",
        "cat": "drive",
        "ph": "C",
        "ts": second * 1e6,
        "pid": _DRIVES,
        "tid": 0,
        "args": {"read": read, "written": written},
    }


def _boot(directory: Path) -> Iterator[Row]:
    """The tracks of a session: its clock is that of QEMU's start."""
    session = StoredSession(directory)
    if not session.exists:
        return
    for tid, name in enumerate(("phases", "stages", "kernel log", "files read"), start=1):
        yield {"name": "thread_name", "ph": "M", "pid": _BOOT, "tid": tid, "args": {"name": name}}
    if report := session.report:
        for phase in report.phases:
            yield _span(phase.name, 1, phase.start_s, phase.duration_ms / 1000)
        for stage in report.stages:
            if stage.t is not None:
                yield _moment(stage.stage, 2, stage.t, stage.evidence.text)
    for event in session.events():
        if isinstance(event, KernelLine):
            yield _moment(event.text, 3, event.t, event.text)
        elif isinstance(event, IsoRead):
            begin_s = event.t if event.data.first_s is None else event.data.first_s
            yield _span(event.text, 4, begin_s, event.t - begin_s, bytes=event.data.bytes or 0)


def _span(name: str, tid: int, begin_s: float, duration_s: float, **values: int) -> Row:
    return {
        "name": plain(name, _MAX_TEXT),
        "cat": "boot",
        "ph": "X",
        "ts": round(begin_s * 1e6, 3),
        "dur": max(1.0, round(duration_s * 1e6, 3)),
        "pid": _BOOT,
        "tid": tid,
        "args": values,
    }


def _moment(name: str, tid: int, t_s: float, text: str) -> Row:
    return {
        "name": plain(name, 100),
        "cat": "boot",
        "ph": "i",
        "s": "t",
        "ts": round(t_s * 1e6, 3),
        "pid": _BOOT,
        "tid": tid,
        "args": {"text": plain(text, _MAX_TEXT)},
    }


def _exact(value: int | str) -> int | str:
    return hex(value) if isinstance(value, int) and abs(value) > _EXACT else value
