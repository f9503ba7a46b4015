"""Sessions are removed whole: renamed first, so that an interrupted removal leaves no partial session in the list.

index.jsonl is append-only, and its lines are the contract's: what was removed goes to removed.jsonl beside it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hiperiso.contract import files
from hiperiso.contract.naming import time_of_session, utc_now, utc_text
from hiperiso.contract.store import append_line, encode_json
from hiperiso.contract.stored import StoredSession
from hiperiso.errors import HarnessFault, UsageError
from hiperlab.sessions.find import is_running
from hiperlab.sessions.select import age, size_bytes

_REMOVING: Final = ".removing-"


@dataclass(frozen=True)
class Kept:
    """One session as `prune` weighs it."""

    path: Path
    start: datetime
    size_bytes: int
    running: bool


@dataclass(frozen=True)
class PruneLimits:
    """Up to which limits sessions are kept.

    Attributes:
        keep: how many of the latest are kept.
        max_bytes: how much is kept, the latest first.
        before: sessions started before are removed.
    """

    keep: int | None = None
    max_bytes: int | None = None
    before: datetime | None = None


def prune_limits(
    keep: int | None, max_size: str, older_than: str, *, what: str, more: str = ""
) -> PruneLimits:
    """The limits of a command's options.

    Args:
        keep: that of ``--keep``.
        max_size: that of ``--max-size``, empty for none.
        older_than: that of ``--older-than``, empty for none.
        what: what is kept, in words.
        more: a further hint.

    Raises:
        UsageError: no limit is given, or one is invalid.
    """
    if keep is None and not max_size and not older_than:
        raise UsageError(
            f"nothing selects the {what} to keep",
            hint=f"give --keep N, --max-size SIZE or --older-than AGE{more}",
        )
    return PruneLimits(
        keep=keep,
        max_bytes=size_bytes(max_size, option="--max-size") if max_size else None,
        before=utc_now() - age(older_than, option="--older-than") if older_than else None,
    )


def removed_line(name: str, document: Mapping[str, Any]) -> bytes:
    """The line of removed.jsonl for a session with this manifest, as far as it can be read."""
    facts = {fact: document.get(fact) for fact in ("result", "iso_basename", "start_time_utc")}
    return encode_json({"session_id": name, "removed_time_utc": utc_text(utc_now())} | facts)


def remove_session(session: StoredSession) -> None:
    """Remove a session that has ended, and record it in removed.jsonl.

    Raises:
        UsageError: a recorder still writes to it.
        HarnessFault: it cannot be removed.
    """
    path = session.path
    if is_running(session):
        raise UsageError(
            f"{path.name} still runs",
            hint="end it with Ctrl-C where it runs; an orphan ends with `hiperiso list`",
        )
    gone = path.with_name(f"{_REMOVING}{path.name}")
    line = removed_line(path.name, session.document)
    try:
        path.rename(gone)
        append_line(path.parent / files.REMOVED_JSONL, path.parent / files.INDEX_LOCK, line)
        shutil.rmtree(gone)
    except OSError as error:
        raise HarnessFault(
            f"{path.name} cannot be removed: {error.strerror}", hint=f"check who may write to {path.parent}"
        ) from None


def remove_leftovers(log_root: Path) -> None:
    """Remove the rest of an earlier, interrupted removal."""
    for path in log_root.glob(f"{_REMOVING}*"):
        shutil.rmtree(path, ignore_errors=True)


def weigh(sessions: Iterator[StoredSession]) -> list[Kept]:
    """The sessions with their sizes on the disk, oldest first."""
    found = [
        Kept(session.path, start, disk_bytes(session.path), is_running(session))
        for session in sessions
        if (start := time_of_session(session.path.name)) is not None
    ]
    return sorted(found, key=lambda kept: (kept.start, kept.path.name))


def too_many(sessions: Sequence[Kept], limits: PruneLimits) -> list[Kept]:
    """The sessions to remove (oldest first); never a running one. Pure."""
    gone: list[Kept] = []
    held_bytes = sum(session.size_bytes for session in sessions)
    for number, session in enumerate(sessions):
        left = len(sessions) - number
        goes = (
            (limits.keep is not None and left > limits.keep)
            or (limits.max_bytes is not None and held_bytes > limits.max_bytes)
            or (limits.before is not None and session.start < limits.before)
        )
        if goes and not session.running:
            gone.append(session)
            held_bytes -= session.size_bytes
    return gone


def disk_bytes(path: Path) -> int:
    """The disk usage of a directory; unreadable parts are ignored."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(f"{folder}/{name}").st_blocks * 512
            except OSError:
                continue
    return total
