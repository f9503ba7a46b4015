"""A trace as trace-event JSON, which Perfetto and Chrome's viewer open.

Processes are those of the trace, tracks its events: each record is an instant (``"ph": "i"``) with its arguments,
times in microseconds since the trace's first record. Format: "Trace Event Format", JSON object form.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from hiperiso.trace.show import TraceFile

_EXACT: Final = 1 << 53
"""Integers beyond are not exact in a viewer that reads JSON into doubles: these become hexadecimal texts."""


def shown_timeline(trace: TraceFile) -> Iterator[bytes]:
    """The selected records as one JSON object, in chunks.

    Raises:
        UsageError: the file cannot be read, or is damaged.
    """
    tracks: dict[tuple[int, str], int] = {}
    yield b'{"displayTimeUnit":"ms","traceEvents":[\n'
    first = True
    for record, t_s in trace.records():
        place = (record.pid, record.event)
        if place not in tracks:
            tracks[place] = len(tracks) + 1
            yield _line(_name(record.pid, tracks[place], record.event), first=first)
            first = False
        yield _line(
            {
                "name": record.event,
                "cat": "qemu",
                "ph": "i",
                "s": "t",
                "ts": round(t_s * 1e6, 3),
                "pid": record.pid,
                "tid": tracks[place],
                "args": dict(
                    zip(
                        record.form.arguments if record.form else ("raw",),
                        map(_exact, record.values),
                        strict=True,
                    )
                ),
            },
            first=first,
        )
    yield b"]}\n"


def _name(pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"name": "thread_name", "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}


def _line(event: dict[str, Any], *, first: bool) -> bytes:
    return (b"" if first else b",\n") + msgspec.json.encode(event)


def _exact(value: int | str) -> int | str:
    return hex(value) if isinstance(value, int) and abs(value) > _EXACT else value
