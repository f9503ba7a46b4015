"""Sessions whose recorder died: the next command that reads the log root finalizes them as failed / incomplete."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.eventlines import encode_event
from hiperiso.contract.events import FaultReported, RecordingEnded
from hiperiso.contract.manifest import Analysis, Host, Manifest
from hiperiso.contract.naming import time_of_session, utc_now, utc_text
from hiperiso.contract.store import atomic_write
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import (
    EndReason,
    KvmState,
    LifecycleStage,
    SessionStatus,
    TraceLevel,
)
from hiperiso.session.closing import close_session, finalize_session
from hiperiso.session.ending import Ending
from hiperiso.session.host import environment_text
from hiperiso.session.record import SessionRecord
from hiperiso.session.runtime import remove_leftovers, runtime_directories, sweep_runtime_files

KILLED = "the recorder was killed before the session ended"

_GRACE_S = 10.0
"""A directory without a lock file is younger than this, or its recorder died between two system calls."""


@dataclass(frozen=True)
class Recovered:
    """The result for one orphan; ``error`` is empty when it was finalized."""

    path: Path
    error: str = ""


def recover_orphans(log_root: Path) -> list[Recovered]:
    """Finalize every orphaned session under `log_root`; a session that is being recorded is skipped.

    Files that dead recorders left in memory are removed, too, for any log root.

    Never raises for one bad directory: failures are returned with their error.
    """
    sweep_runtime_files()
    try:
        names = sorted(os.listdir(log_root))  # noqa: PTH208 - thousands of names, no paths
    except OSError:
        return []
    candidates = [log_root / name for name in names if _looks_orphaned(log_root, name)]
    found = [recover_session(path) for path in candidates]
    return [recovered for recovered in found if recovered is not None]


def recover_session(path: Path, *, at_once: bool = False) -> Recovered | None:
    """Finalize one session whose recorder died; None where there is nothing to do.

    Its host is the one on which it ran, according to env.txt.

    Args:
        path: the session directory.
        at_once: no other process can be about to lock it.
    """
    try:
        return Recovered(path) if _recover(path, at_once=at_once) else None
    except OSError as error:
        return Recovered(path, f"{path}: {error.strerror}")


def _looks_orphaned(log_root: Path, name: str) -> bool:
    """A log root may hold thousands of sessions that have ended: one system call for each of those."""
    try:
        os.stat(f"{log_root}/{name}/{files.SESSION_COMPLETE}")  # noqa: PTH116
    except NotADirectoryError:
        return False
    except OSError:
        return time_of_session(name) is not None and (log_root / name).is_dir()
    return False


def _recover(path: Path, *, at_once: bool) -> bool:
    """Finalize `path` unless its owner lives. Takes the lock, so two readers cannot do it at once."""
    lock_path = path / files.OWNER_LOCK
    if not (at_once or lock_path.exists() or _settled(path)):
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
        (path / files.MONITOR_PATH).unlink(missing_ok=True)
    session = StoredSession(path)
    record = SessionRecord.of(session) or SessionRecord(path, _started_manifest(path))
    host = _recorded_host(session)
    _write_missing_artifacts(session, record, host)
    if isinstance(record.manifest.analysis, Analysis):  # killed after the manifest, before the sentinel
        if record.manifest.status is SessionStatus.RUNNING:  # the guest was kept after its verdict
            record.note(status=SessionStatus.COMPLETE, end_time_utc=utc_text(utc_now()))
            record.write()
        failed = record.manifest.status is SessionStatus.FAILED
        close_session(record, LifecycleStage.FATAL_ERROR if failed else LifecycleStage.SESSION_COMPLETE)
        return
    ending = Ending(
        status=SessionStatus.FAILED,
        stage=LifecycleStage.FATAL_ERROR,
        reason=EndReason.KILLED,
        qemu_exit_code=_exit_code_seen(session),
        fault=KILLED,
    )
    _append_last_events(session)
    finalize_session(record, ending, host=host)


def _started_manifest(path: Path) -> Manifest:
    """The facts in the name of the directory, for a session without a manifest."""
    return Manifest(
        session_id=path.name,
        status=SessionStatus.STARTED,
        iso_path="",
        iso_basename=f"{path.name.rpartition('_')[0]}.iso",
        log_dir=str(path),
        start_time_utc=utc_text(time_of_session(path.name) or utc_now()),
        kvm=KvmState.UNKNOWN,
        trace_level=TraceLevel.NONE,
        guest_ram_mb=0,
        guest_cpus=0,
    )


def _recorded_host(session: StoredSession) -> Host:
    """The host according to session.json, or else env.txt."""
    if session.manifest is not None and isinstance(session.manifest.host, Host):
        return session.manifest.host
    values: dict[str, str] = {}
    for section in session.environment.values():
        values = section | values

    def number(name: str) -> int:
        return int(values[name]) if values.get(name, "").isdecimal() else 0

    return Host(
        kernel_version=values.get("kernel_version", "unknown"),
        cpu_model=values.get("cpu_model", "unknown"),
        cpu_logical_cores=number("cpu_logical_cores"),
        total_ram_mb=number("total_ram_mb"),
        virt_supported=values.get("virt_supported") == "True",
    )


def _write_missing_artifacts(session: StoredSession, record: SessionRecord, host: Host) -> None:
    if not session.has(files.ENV_TXT):
        text = environment_text({"note": {"written": "by recovery"}}, host)
        atomic_write(session.path / files.ENV_TXT, text.encode())
    if not session.has(files.STATUS_JSON):
        record.reach(LifecycleStage.FATAL_ERROR, status=SessionStatus.FAILED)


def _exit_code_seen(session: StoredSession) -> int | None:
    code = session.status.qemu_exit_code if session.status else None
    return code if isinstance(code, int) else None


def _append_last_events(session: StoredSession) -> None:
    """Append the reason for the end to events.jsonl, once, after the last complete line."""
    end = session.log_end()
    if isinstance(end.last, RecordingEnded):
        return
    n, t = (end.last.n + 1, end.last.t) if end.last else (0, 0.0)
    closing = [
        FaultReported(n=n, t=t, text=KILLED),
        RecordingEnded(n=n + 1, t=t, text=EndReason.KILLED),
    ]
    with (session.path / files.EVENTS_JSONL).open("ab") as log:
        log.truncate(end.size_bytes)  # a line torn by the end of the recorder
        log.write(b"".join(encode_event(event) + b"\n" for event in closing))
        log.flush()
        os.fsync(log.fileno())
