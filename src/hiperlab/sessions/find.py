"""Finds a session: by a directory, a name, its unique beginning, or ``last``."""

from __future__ import annotations

import fcntl
import os
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from hiperiso.cache import expanded
from hiperiso.contract import files
from hiperiso.contract.naming import time_of_session
from hiperiso.contract.stored import MARKS, StoredSession
from hiperiso.errors import UsageError
from hiperlab.places import default_log_root

LAST: Final = "last"
_MAX_NAMED: Final = 5


def named_log_root(text: str | None) -> Path:
    """The log root that is named, else the default one.

    Raises:
        UsageError: it is named and is not a directory.
    """
    if not text:
        return default_log_root()
    root = expanded(text).absolute()
    if not root.is_dir():
        raise UsageError(f"no such log root: {root}")
    return root


def session_names(log_root: Path) -> list[str]:
    """The names of the sessions of a log root, in the order in which they were started.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with os.scandir(log_root) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"the log root {log_root} cannot be read: {error.strerror}") from None
    # The time stamp ends a name; what has none is older than all, for it is not ours.
    return sorted(
        (name for name in names if time_of_session(name)), key=lambda name: (name.rpartition("_")[2], name)
    )


def find_session(text: str, log_root: Path) -> StoredSession:
    """The session for `text`.

    Raises:
        UsageError: there is none, or more than one begins so; the hint names what is near.
    """
    if (path := expanded(text)).is_dir() and (os.sep in text or text in (".", "..")):
        return _checked(path)
    names = session_names(log_root)
    if text == LAST:
        if not names:
            raise UsageError(f"no sessions in {log_root}", hint="`hiperiso boot FILE.iso` makes one")
        return StoredSession(log_root / names[-1])
    if text in names:
        return StoredSession(log_root / text)
    begun = [name for name in names if name.startswith(text)] if text else []
    if len(begun) == 1:
        return StoredSession(log_root / begun[0])
    if begun:
        shown = ", ".join(begun[-_MAX_NAMED:])
        raise UsageError(f"{len(begun)} sessions begin with {text!r}", hint=f"among them {shown}")
    if path.is_dir():
        return _checked(path)
    near = get_close_matches(text[:200], [*names, LAST], n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "`hiperiso list` shows the sessions"
    raise UsageError(f"no session {text!r} in {log_root}", hint=hint)


def is_running(session: StoredSession) -> bool:
    """Whether a recorder writes to it: not ended, and its owner's lock is held, or cannot be examined."""
    if session.complete:
        return False
    try:
        lock = os.open(session.path / files.OWNER_LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _checked(path: Path) -> StoredSession:
    session = StoredSession(path.absolute())
    if not session.exists:
        raise UsageError(f"not a session directory: {path}", hint=f"it holds none of {', '.join(MARKS)}")
    return session
