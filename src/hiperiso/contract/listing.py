"""The manifests of all sessions of a log root, fast: thousands in well under a second.

Only session.json is opened, by one system call each; a session whose manifest cannot be read that way is examined by
`StoredSession`, which says what is wrong with it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.contract import files
from hiperiso.contract.manifest import Manifest
from hiperiso.contract.stored import MAX_JSON_BYTES, StoredSession

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def manifests_in(log_root: Path) -> tuple[list[Manifest], list[tuple[Path, str]]]:
    """All session.json files directly below `log_root`, by name, and those that cannot be read, with the reason.

    Raises:
        OSError: the log root exists and cannot be read.
    """
    manifests: list[Manifest] = []
    unreadable: list[tuple[Path, str]] = []
    decode = msgspec.json.Decoder(Manifest).decode
    root = os.fspath(log_root)
    try:
        names = sorted(os.listdir(root))  # noqa: PTH208 - thousands of names, no paths
    except FileNotFoundError:
        return [], []
    for name in names:
        try:
            data = _content(f"{root}/{name}/{files.SESSION_JSON}")
            if data:
                manifests.append(decode(data))
                continue
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
            pass
        session = StoredSession(log_root / name)
        if session.manifest is not None:
            manifests.append(session.manifest)
        unreadable += [(session.path / problem.file, problem.text) for problem in session.problems]
    return manifests, unreadable


def _content(path: str) -> bytes:
    """A regular file; empty for anything else, and for a file that is too large."""
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_JSON_BYTES:
            return b""
        return os.read(descriptor, status.st_size + 1)
    finally:
        os.close(descriptor)
