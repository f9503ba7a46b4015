"""disk.json of a stored session, made from its trace and, while it is still there, its ISO."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Final

from hiperiso.contract import files
from hiperiso.contract.disk import DiskSummary
from hiperiso.contract.events import QemuStarted
from hiperiso.contract.store import atomic_write_json
from hiperiso.contract.stored import StoredSession
from hiperiso.iso.sectormap import SectorMap
from hiperiso.observe.disk.channel import DiskChannel
from hiperiso.trace.reader import TraceError
from hiperiso.trace.text import text_of_trace

_CHUNK_BYTES: Final = 1 << 20
_MAX_TRACE_BYTES: Final = 1 << 30


def disk_of_session(directory: Path) -> DiskSummary | None:
    """What the guest of a stored session read; None without a trace that contains reads.

    Files are named only when the ISO is still in place and unchanged. Time 0 is QEMU's start
    where the session records its wall-clock time, else the first read.

    Raises:
        OSError: the trace cannot be read.
    """
    traces = (directory / files.TRACE_LOG, directory / files.TRACE_BIN)
    trace = next((path for path in traces if path.is_file()), None)
    if trace is None:
        return None
    decode = text_of_trace(trace)
    session = StoredSession(directory)
    manifest = session.document
    iso = Path(str(manifest.get("iso_path") or "unknown"))
    unchanged = _unchanged(iso, str(manifest.get("start_time_utc", "")))
    channel = DiskChannel(iso, _wall_zero_s(session), None if unchanged else SectorMap.unknown)
    left = _MAX_TRACE_BYTES
    with contextlib.suppress(TraceError), trace.open("rb") as file:  # what precedes the damage counts
        while left > 0 and (data := file.read(_CHUNK_BYTES)):
            channel.feed(decode(data))
            channel.finish()
            left -= len(data)
    summary = channel.summary()
    return summary if summary.requests else None


def write_disk_json(directory: Path) -> Path | None:
    """Write disk.json if it is missing and can be derived; returns its path, or None without one.

    Raises:
        OSError: the directory cannot be read or written.
    """
    path = directory / files.DISK_JSON
    if path.is_file():
        return path
    summary = disk_of_session(directory)
    if summary is None:
        return None
    atomic_write_json(path, summary)
    return path


def _unchanged(iso: Path, start_utc: str) -> bool:
    try:
        started = datetime.fromisoformat(start_utc).timestamp()
        return iso.is_file() and iso.stat().st_mtime <= started + 1
    except (OSError, ValueError):
        return False


def _wall_zero_s(session: StoredSession) -> float | None:
    """``data.wall_s`` of the event ``started``, less that event's own time."""
    for event in session.head:
        if isinstance(event, QemuStarted) and event.data.wall_s is not None:
            return event.data.wall_s - event.t
    return None
