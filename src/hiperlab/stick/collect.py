"""Copies the sessions of a stick into the log root of the workstation, compares and re-evaluates them; none is ever
lost.

Each is completed by a rename, with ``collected.json`` beside its files: its origin and the hash of every
file as it was on the stick, by which it is recognised later. A session of the same name with other content gets the
next free name, like two boots in one second. One whose recorder died (a stick that was pulled out) is finalized here
as it would have been on the stick.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from hiperiso.contract import files
from hiperiso.contract.naming import session_name, time_of_session
from hiperiso.contract.stick import LOG_FOLDER
from hiperiso.contract.store import atomic_write_json, file_lock, fsync_directory
from hiperiso.contract.stored import StoredSession
from hiperiso.errors import HarnessFault, HiperisoError, UsageError
from hiperiso.session.record import rename_record
from hiperlab.stick.arrival import check_session, index_arrival, judge_arrival, recover_arrival
from hiperlab.stick.data import DataPartition, StickFile
from hiperlab.stick.payload import FileRecord, file_record
from hiperlab.stick.removed import removed_sessions

COLLECTED_JSON: Final = "collected.json"
_LOCK = ".collect.lock"
_PARTIAL = ".collect-"
_SAFE_NAME = re.compile(r"[A-Za-z0-9.+_-]{1,200}")
_MAX_ATTEMPTS = 1000
_MAX_DEPTH = 4  # of directories for single ISOs
_VANISHING = frozenset({files.MONITOR_SOCK, files.MONITOR_PATH, files.OWNER_LOCK})
"""Files of a running recorder, which are not evidence."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """collected.json: the origin of a session, and its files at that time."""

    source: str
    session_id: str
    files: dict[str, FileRecord]


@dataclass(frozen=True)
class Collected:
    """The result for one session of the stick.

    Attributes:
        session_id: its name on the stick.
        path: its local path; None if it could not be copied.
        already: it had been collected before.
        recovered: its recorder had died; it was finalized here.
        problems: deviations from the contract, or why it could not be copied.
    """

    session_id: str
    path: Path | None
    already: bool = False
    recovered: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class CollectPlan:
    """The sessions on a stick, and the directories that are not sessions."""

    sessions: dict[str, list[StickFile]] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for found in self.sessions.values() for file in found)


def plan_collect(data: DataPartition, removed: frozenset[str] | None = None) -> CollectPlan:
    """Find the sessions of a stick, without those whose removal was interrupted.

    Args:
        data: the data partition.
        removed: the names of the removed ones; None for those in removed.jsonl.

    Raises:
        HarnessFault: the data partition is damaged.
    """
    gone = removed_sessions(data) if removed is None else removed
    sessions: dict[str, list[StickFile]] = {}
    passed_over: set[str] = set()
    for file in data.walk(LOG_FOLDER):
        path = file.path.removeprefix(f"{LOG_FOLDER}/")
        if "/" not in path and not file.is_folder:
            continue  # index.jsonl and similar files
        folder = _session_folder(path)
        if not folder:
            passed_over.add(path.partition("/")[0])
            continue
        if folder.rpartition("/")[2] in gone:
            continue
        found = sessions.setdefault(folder, [])
        rest = path.removeprefix(folder).lstrip("/")
        if rest and not file.is_folder and rest not in _VANISHING:
            found.append(file)
    of_isos = {folder.partition("/")[0] for folder in sessions}
    return CollectPlan(dict(sorted(sessions.items())), tuple(sorted(passed_over - of_isos)))


def _session_folder(path: str) -> str:
    """The directory of the session that a path lies in, possibly in a log directory of one ISO; empty without one."""
    parts = path.split("/")
    for number, name in enumerate(parts[:_MAX_DEPTH], start=1):
        if not _SAFE_NAME.fullmatch(name):
            return ""
        if time_of_session(name) is not None:
            return "/".join(parts[:number])
    return ""


def collect(
    data: DataPartition,
    plan: CollectPlan,
    log_root: Path,
    *,
    source: str,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Collected]:
    """Copy every planned session into `log_root`, one after the other; a failure does not stop the others.

    Raises:
        HarnessFault: the log root cannot be made or written.
    """
    with ExitStack() as stack:
        try:
            log_root.mkdir(parents=True, exist_ok=True)
            stack.enter_context(file_lock(log_root / _LOCK))
        except OSError as error:
            raise HarnessFault(
                f"cannot write to {log_root}: {error.strerror}", hint="choose another --log-root"
            ) from None
        for leftover in log_root.glob(f"{_PARTIAL}*"):
            shutil.rmtree(leftover, ignore_errors=True)  # of an interrupted collect
        for name, found in plan.sessions.items():
            try:
                yield _collect_one(data, name, found, log_root, source=source, progress=progress)
            except (HiperisoError, OSError) as error:
                text = error.message if isinstance(error, HiperisoError) else error.strerror or str(error)
                yield Collected(name.rpartition("/")[2], None, problems=(f"not copied: {text}",))


def _collect_one(
    data: DataPartition,
    folder: str,
    found: list[StickFile],
    log_root: Path,
    *,
    source: str,
    progress: Callable[[int], None] | None,
) -> Collected:
    name = folder.rpartition("/")[2]
    partial = log_root / f"{_PARTIAL}{name}"
    try:
        records = _copy(data, folder, found, partial, progress)
        path, already = _place(log_root, name, records)
        if not already:
            atomic_write_json(partial / COLLECTED_JSON, Origin(source=source, session_id=name, files=records))
            rename_record(StoredSession(partial), path)  # collected.json keeps the old name
            partial.rename(path)
            fsync_directory(log_root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _settle(name, path, already=already)


def _settle(name: str, path: Path, *, already: bool) -> Collected:
    """Post-process a session in the log root. Idempotent."""
    recovered = False
    problems: list[str] = []
    if not (path / files.SESSION_COMPLETE).exists():
        recovered = True
        problems += recover_arrival(path)
    elif not already:
        problems += judge_arrival(path)
    problems += check_session(path)
    problems += index_arrival(path)
    return Collected(name, path, already=already, recovered=recovered, problems=tuple(problems))


def _copy(
    data: DataPartition,
    folder: str,
    found: list[StickFile],
    partial: Path,
    progress: Callable[[int], None] | None,
) -> dict[str, FileRecord]:
    """Copy the files of a session; returns their hashes by path within it."""
    partial.mkdir()
    records: dict[str, FileRecord] = {}
    for file in found:
        relative = PurePosixPath(file.path).relative_to(f"{LOG_FOLDER}/{folder}")
        if ".." in relative.parts or any("\\" in part or "\0" in part for part in relative.parts):
            raise UsageError(f"the file name {str(relative)!r} is not safe to copy")
        target = partial.joinpath(*relative.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as copy:
            for chunk in data.read(file.path):
                copy.write(chunk)
                if progress:
                    progress(len(chunk))
            copy.flush()
            os.fsync(copy.fileno())
        records[str(relative)] = file_record(target)
        if file.size_bytes != records[str(relative)].size_bytes:
            raise HarnessFault(
                f"{file.path} differs in size from its directory entry", hint="check the stick"
            )
    return records


def _place(log_root: Path, name: str, records: dict[str, FileRecord]) -> tuple[Path, bool]:
    """The target of the session, and whether it exists already."""
    start = time_of_session(name)
    assert start is not None
    base = name.rpartition("_")[0]
    for attempt in range(1, _MAX_ATTEMPTS):
        path = log_root / (name if attempt == 1 else session_name(base, start, attempt=attempt))
        if not path.exists():
            return path, False
        origin = _origin(path)
        if origin is not None and origin.session_id == name and origin.files == records:
            return path, True
    raise HarnessFault(f"there are {_MAX_ATTEMPTS} sessions named {name}", hint="choose another --log-root")


def _origin(path: Path) -> Origin | None:
    try:
        return msgspec.json.decode((path / COLLECTED_JSON).read_bytes(), type=Origin)
    except (OSError, msgspec.DecodeError):
        return None
