"""Sessions whose recorder died: found by whoever reads the log root next, and finalized as failed / incomplete."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hiperiso.contract import files
from hiperiso.contract.events import Event
from hiperiso.contract.manifest import Analysis, Manifest
from hiperiso.contract.naming import time_of_session, utc_now, utc_text
from hiperiso.contract.store import atomic_write
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import (
    EndReason,
    KvmState,
    LifecycleStage,
    SessionStatus,
    Source,
    TraceLevel,
)
from hiperiso.session.directory import write_status
from hiperiso.session.finalize import Ending, close_session, finalize_session
from hiperiso.session.host import environment_text
from hiperiso.session.runtime import remove_leftovers, runtime_directories

KILLED = "the recorder was killed before the session ended"

_GRACE_S = 10.0
"""A directory without a lock file is either that young or its recorder died between two system calls."""


@dataclass(frozen=True)
class Recovered:
    """What was done with one orphan; ``error`` is empty when it was finalized."""

    path: Path
    error: str = ""


def recover_orphans(log_root: Path) -> list[Recovered]:
    """Finalize every orphaned session under `log_root`; a session that somebody records is let be.

    Never raises for one bad directory: what could not be finalized comes back with its error.
    """
    recovered: list[Recovered] = []
    try:
        candidates = sorted(path for path in log_root.iterdir() if _looks_orphaned(path))
    except OSError:
        return []
    for path in candidates:
        try:
            if _recover(path):
                recovered.append(Recovered(path))
        except OSError as error:
            recovered.append(Recovered(path, f"{path}: {error.strerror}"))
    return recovered


def _looks_orphaned(path: Path) -> bool:
    return (
        time_of_session(path.name) is not None
        and path.is_dir()
        and not (path / files.SESSION_COMPLETE).exists()
    )


def _recover(path: Path) -> bool:
    """Finalize `path` unless its owner lives. Takes the lock, so two readers cannot do it at once."""
    lock_path = path / files.OWNER_LOCK
    if not lock_path.exists() and not _settled(path):
        return False
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        if (path / files.SESSION_COMPLETE).exists():
            return False  # another reader was faster
        token = os.read(lock, 64).decode(errors="replace")
        for base in runtime_directories():
            with contextlib.suppress(OSError):
                remove_leftovers(base, token)
        _finish(path)
        lock_path.unlink(missing_ok=True)
        return True
    finally:
        os.close(lock)


def _settled(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > _GRACE_S


def _finish(path: Path) -> None:
    for leftover in path.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (path / files.MONITOR_SOCK).unlink(missing_ok=True)
    session = StoredSession(path)
    started = _started_manifest(session)
    _write_missing_artifacts(path)
    if isinstance(started.analysis, Analysis):  # killed after the manifest, before the sentinel
        failed = started.status is SessionStatus.FAILED
        close_session(
            path, started, LifecycleStage.FATAL_ERROR if failed else LifecycleStage.SESSION_COMPLETE
        )
        return
    ending = Ending(
        status=SessionStatus.FAILED,
        stage=LifecycleStage.FATAL_ERROR,
        reason=EndReason.KILLED,
        qemu_exit_code=_exit_code_seen(session),
        fault=KILLED,
    )
    _append_last_events(session)
    finalize_session(path, started, ending)


def _started_manifest(session: StoredSession) -> Manifest:
    """session.json as it stands, or what the directory's own name says."""
    if session.manifest is not None:
        return session.manifest
    name = session.path.name
    return Manifest(
        session_id=name,
        status=SessionStatus.STARTED,
        iso_path="",
        iso_basename=f"{name.rpartition('_')[0]}.iso",
        log_dir=str(session.path),
        start_time_utc=utc_text(time_of_session(name) or utc_now()),
        kvm=KvmState.UNKNOWN,
        trace_level=TraceLevel.NONE,
        guest_ram_mb=0,
        guest_cpus=0,
    )


def _write_missing_artifacts(path: Path) -> None:
    if not (path / files.ENV_TXT).exists():
        atomic_write(path / files.ENV_TXT, environment_text({"note": {"written": "by recovery"}}).encode())
    if not (path / files.STATUS_JSON).exists():
        write_status(path, SessionStatus.FAILED, LifecycleStage.FATAL_ERROR)


def _exit_code_seen(session: StoredSession) -> int | None:
    code = session.status.qemu_exit_code if session.status else None
    return code if isinstance(code, int) else None


def _append_last_events(session: StoredSession) -> None:
    """Close events.jsonl with why it stops, once, after the last whole line."""
    end = session.log_end()
    if end.last is not None and end.last.kind == "end":
        return
    n, t = (end.last.n + 1, end.last.t) if end.last else (0, 0.0)
    closing = [
        Event(n=n, t=t, source=Source.HARNESS, kind="fault", text=KILLED),
        Event(n=n + 1, t=t, source=Source.HARNESS, kind="end", text=EndReason.KILLED.value),
    ]
    with (session.path / files.EVENTS_JSONL).open("ab") as log:
        log.truncate(end.size_bytes)  # what the end of the recorder tore
        log.write(b"".join(msgspec.json.encode(event) + b"\n" for event in closing))
        log.flush()
        os.fsync(log.fileno())
