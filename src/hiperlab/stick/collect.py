"""Sessions of a stick brought into the log root of the workstation: copied, compared, judged again; never one lost.

Each arrives whole, by a rename, with ``collected.json`` beside its files: where it came from and the hash of every
file as it was on the stick. By it a session is known again. A session of the same name with other content gets the
next free name, as two boots in one second do. One whose recorder died (a stick that was pulled out) is finalized here
as it would have been there.
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

COLLECTED_JSON: Final = "collected.json"
_LOCK = ".collect.lock"
_PARTIAL = ".collect-"
_SAFE_NAME = re.compile(r"[A-Za-z0-9.+_-]{1,200}")
_MAX_ATTEMPTS = 1000
_VANISHING = frozenset({files.MONITOR_SOCK, files.OWNER_LOCK})
"""What belongs to a recorder that lives, and is no evidence."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """collected.json: where a session came from, and its files as they were there."""

    source: str
    session_id: str
    files: dict[str, FileRecord]


@dataclass(frozen=True)
class Collected:
    """What became of one session of the stick.

    Attributes:
        session_id: its name on the stick.
        path: where it is now; None where it could not be copied.
        already: it had been collected before.
        recovered: its recorder had died; it was finalized here.
        problems: what is not as the contract says, or why it could not be copied.
    """

    session_id: str
    path: Path | None
    already: bool = False
    recovered: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class CollectPlan:
    """The sessions that are on a stick, and folders there that are none."""

    sessions: dict[str, list[StickFile]] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for found in self.sessions.values() for file in found)


def plan_collect(data: DataPartition) -> CollectPlan:
    """Find the sessions of a stick.

    Raises:
        HarnessFault: the data partition is damaged.
    """
    sessions: dict[str, list[StickFile]] = {}
    passed_over: set[str] = set()
    for file in data.walk(LOG_FOLDER):
        name, _, rest = file.path.removeprefix(f"{LOG_FOLDER}/").partition("/")
        if not rest and not file.is_folder:
            continue  # index.jsonl and its like
        if not _SAFE_NAME.fullmatch(name) or time_of_session(name) is None:
            passed_over.add(name)
            continue
        found = sessions.setdefault(name, [])
        if rest and not file.is_folder and rest not in _VANISHING:
            found.append(file)
    return CollectPlan(dict(sorted(sessions.items())), tuple(sorted(passed_over)))


def collect(
    data: DataPartition,
    plan: CollectPlan,
    log_root: Path,
    *,
    source: str,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Collected]:
    """Bring every planned session into `log_root`, one after the other; one that fails does not stop the others.

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
            shutil.rmtree(leftover, ignore_errors=True)  # of a collect that was cut off
        for name, found in plan.sessions.items():
            try:
                yield _collect_one(data, name, found, log_root, source=source, progress=progress)
            except (HiperisoError, OSError) as error:
                text = error.message if isinstance(error, HiperisoError) else error.strerror or str(error)
                yield Collected(name, None, problems=(f"not copied: {text}",))


def _collect_one(
    data: DataPartition,
    name: str,
    found: list[StickFile],
    log_root: Path,
    *,
    source: str,
    progress: Callable[[int], None] | None,
) -> Collected:
    partial = log_root / f"{_PARTIAL}{name}"
    try:
        records = _copy(data, name, found, partial, progress)
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
    """What has to be true of a session once it is in the log root; done again, it changes nothing."""
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
    name: str,
    found: list[StickFile],
    partial: Path,
    progress: Callable[[int], None] | None,
) -> dict[str, FileRecord]:
    """Copy the files of a session; returns their hashes by path within it."""
    partial.mkdir()
    records: dict[str, FileRecord] = {}
    for file in found:
        relative = PurePosixPath(file.path).relative_to(f"{LOG_FOLDER}/{name}")
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
            raise HarnessFault(f"{file.path} has another size than the stick says", hint="check the stick")
    return records


def _place(log_root: Path, name: str, records: dict[str, FileRecord]) -> tuple[Path, bool]:
    """Where the session goes, and whether it is there already."""
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
