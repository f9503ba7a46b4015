"""Copies files onto a stick: checks the space first, then copies, reads back and compares."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hiperiso.config.menu import SUFFIXES, is_image_name
from hiperiso.contract.stick import ISO_FOLDER
from hiperiso.errors import HarnessFault, UsageError
from hiperlab.stick.data import DataPartition, read_chunks
from hiperlab.stick.exfat.records import name_problem
from hiperlab.stick.layout import size_text

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Added:
    """One ISO on the stick. ``already``: the same content existed before."""

    path: str
    size_bytes: int
    sha256: str
    already: bool = False


def plan_add(
    data: DataPartition, isos: list[Path], folder: str = ISO_FOLDER, others: Mapping[Path, str] | None = None
) -> dict[Path, str]:
    """The target path of each file.

    Args:
        data: the stick.
        isos: the ISOs.
        folder: the directory for them.
        others: further files (those of settings) with their targets.

    Raises:
        UsageError: a file is missing, empty, named twice, not named like an ISO or not allowed on the stick, or another
            one is there; all are reported. Also if there is not enough space for all of them.
    """
    problems: list[str] = []
    planned: dict[Path, str] = {}
    needed = 0
    parts = [part for part in folder.split("/") if part]
    for iso in isos:
        target = "/".join(["", *parts, iso.name])
        problem = _file_problem(iso) or name_problem(iso.name)
        if target.lower() in (path.lower() for path in planned.values()):
            problem = "is named twice"
        if problem:
            problems.append(f"{iso}: {problem}")
            continue
        planned[iso] = target
    planned |= others or {}
    for file, target in planned.items():
        size, there = file.stat().st_size, data.find(target)
        needed += size if there is None else 0
        if there is not None and (there.is_folder or there.size_bytes != size):
            problems.append(f"{target} exists on the stick with other content: rename or delete one")
    if problems:
        raise UsageError("; ".join(problems))
    if needed > data.free_bytes:
        raise UsageError(
            f"the stick has {size_text(data.free_bytes)} free, {size_text(needed)} are needed",
            hint="delete files that are no longer needed; hiperiso stick list shows the ISOs",
        )
    return planned


def add_iso(data: DataPartition, iso: Path, target: str, *, progress: Progress | None = None) -> Added:
    """Copy one ISO to `target` and read it back. `progress` gets bytes: its size for writing, again for reading.

    Raises:
        UsageError: another file of that name is on the stick.
        HarnessFault: the stick is full or gone, or the content read back differs.
    """
    size = iso.stat().st_size
    there = data.find(target)
    total = hashlib.sha256()
    if there is not None:
        for chunk in _content(iso):
            total.update(chunk)
            _advance(progress, len(chunk))
        same = (
            there.size_bytes == size
            and not there.is_folder
            and _digest(data, target, progress) == total.hexdigest()
        )
        if not same:
            raise UsageError(f"{target} exists on the stick with other content", hint="rename or delete one")
        return Added(there.path, size, total.hexdigest(), already=True)

    def hashed() -> Iterator[bytes]:
        for chunk in _content(iso):
            total.update(chunk)
            yield chunk

    data.make_folders(target.rpartition("/")[0])
    data.add(target, hashed(), size, progress)
    if _digest(data, target, progress) != total.hexdigest():
        raise HarnessFault(
            f"{target} differs from what was written when read back",
            hint="the stick is worn out or counterfeit",
        )
    return Added(target, size, total.hexdigest())


def _content(iso: Path) -> Iterator[bytes]:
    """Raises UsageError: the ISO cannot be read. Must not be mistaken for a problem of the stick."""
    try:
        yield from read_chunks(iso)
    except OSError as error:
        raise UsageError(f"cannot read {iso}: {error.strerror}") from None


def _digest(data: DataPartition, path: str, progress: Progress | None) -> str:
    total = hashlib.sha256()
    for chunk in data.read(path):
        total.update(chunk)
        _advance(progress, len(chunk))
    return total.hexdigest()


def _advance(progress: Progress | None, count: int) -> None:
    if progress:
        progress(count)


def _file_problem(iso: Path) -> str:
    try:
        status = iso.stat()
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "is not a file"
    if not status.st_size:
        return "is empty"
    if is_image_name(iso.name):
        return ""
    return f"is not named {' or '.join(SUFFIXES)}: the menu would not show it"
