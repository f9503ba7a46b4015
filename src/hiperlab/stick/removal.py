"""Removes ISOs and recordings from a stick.

Recordings are first named in ``removed.jsonl`` beside the index: a removal that was interrupted is finished by the next
one, and ``collect`` leaves such sessions alone. The index keeps its lines: it is append-only.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hiperiso.config.hiperiso_json import HiperisoConfig
from hiperiso.contract import files
from hiperiso.contract.naming import time_of_session
from hiperiso.contract.stick import ISO_FOLDER, LOG_FOLDER
from hiperiso.contract.stored import StoredSession
from hiperiso.errors import UsageError
from hiperlab.sessions.remove import Kept, PruneLimits, removed_line, too_many
from hiperlab.stick.collect import plan_collect
from hiperlab.stick.data import DataPartition, StickFile, remove_tree
from hiperlab.stick.listing import list_stick
from hiperlab.stick.removed import REMOVED_PATH, removed_sessions

_MAX_NAMES: Final = 5
_WILDCARD: Final = re.compile(r"[*?\[]")
_BRACKETED: Final = re.compile(r"\[[*?\[]\]")
"""A wildcard that stands for itself, as ``glob.escape`` writes it."""


@dataclass(frozen=True)
class Removed:
    """An ISO that was removed.

    Attributes:
        path: where it was.
        size_bytes: its size.
        settings: the patterns of hiperiso.json that still name it.
    """

    path: str
    size_bytes: int
    settings: tuple[str, ...] = ()


def plan_remove(data: DataPartition, names: Iterable[str]) -> list[StickFile]:
    """The ISOs of the stick that `names` mean: paths on the stick, or names of files.

    Raises:
        UsageError: a name means none or several; all such names are reported.
    """
    isos = [iso.path for iso in list_stick(data).isos]
    found: dict[str, StickFile] = {}
    problems: list[str] = []
    for name in names:
        meant = _meant(data, name, isos)
        if len(meant) == 1:
            found[meant[0].path] = meant[0]
        elif meant:
            problems.append(f"{name} is at {', '.join(file.path for file in meant[:_MAX_NAMES])}")
        else:
            problems.append(f"{name} is not on the stick")
    if problems:
        raise UsageError("; ".join(problems), hint="hiperiso stick list shows the paths of the ISOs")
    return list(found.values())


def patterns_naming(config: HiperisoConfig, iso_path: str) -> list[str]:
    """The patterns of settings that match `iso_path` and no other path: those without wildcards."""
    return [
        rule.pattern
        for rule in config.rules
        if not (rule.parent or _WILDCARD.search(_BRACKETED.sub("", rule.pattern))) and rule.applies(iso_path)
    ]


def plan_prune(data: DataPartition, limits: PruneLimits) -> list[Kept]:
    """The recordings to remove, oldest first, with those whose removal was interrupted; `path` is on the stick.

    Raises:
        HarnessFault: the data partition is damaged.
    """
    gone = removed_sessions(data)
    kept: list[Kept] = []
    leftovers: list[Kept] = []
    for name, found in plan_collect(data, removed=frozenset()).sessions.items():
        path = Path(LOG_FOLDER, name)
        start = time_of_session(path.name)
        assert start is not None
        session = Kept(path, start, sum(file.size_bytes for file in found), running=False)
        (leftovers if path.name in gone else kept).append(session)
    kept.sort(key=lambda session: (session.start, session.path.name))
    old = too_many(kept, limits)
    return [*leftovers, *old]


def remove_session_of(data: DataPartition, path: Path, progress: Callable[[int], None] | None = None) -> None:
    """Remove one recording, and record that in removed.jsonl.

    Raises:
        HarnessFault: the data partition is damaged.
    """
    gone = removed_sessions(data)
    if path.name not in gone:
        line = removed_line(path.name, _document(data, path))
        before = b"".join(data.read(REMOVED_PATH)) if data.find(REMOVED_PATH) else b""
        if before and not before.endswith(b"\n"):
            before += b"\n"
        data.replace(REMOVED_PATH, before + line + b"\n")
    remove_tree(data, str(path), progress)


def _document(data: DataPartition, path: Path) -> Mapping[str, Any]:
    """The manifest of a session, as far as it can be read."""
    with tempfile.TemporaryDirectory(prefix="hiperiso-session-") as scratch:
        _copy_if_there(data, path, files.SESSION_JSON, Path(scratch))
        return StoredSession(Path(scratch)).document


def _copy_if_there(data: DataPartition, folder: Path, name: str, target: Path) -> None:
    if data.find(f"{folder}/{name}"):
        (target / name).write_bytes(b"".join(data.read(f"{folder}/{name}")))


def _meant(data: DataPartition, name: str, isos: list[str]) -> list[StickFile]:
    paths = [name] if name.startswith("/") else [f"{ISO_FOLDER}/{name}", *isos]
    wanted = name.strip("/").lower()
    named = [path for path in paths if path == name or path.lower().endswith(f"/{wanted}")]
    there = [found for path in dict.fromkeys(named) if (found := data.find(path)) and not found.is_folder]
    return list({file.path.lower(): file for file in there}.values())
