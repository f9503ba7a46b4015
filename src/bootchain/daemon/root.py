"""The end of a chain: the result becomes the root of stage 2, and the logs go along."""

# ruff: noqa: PTH103, PTH119, PTH123, PTH208, SIM105
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os

from bootchain.daemon.results import mount as _mount
from bootchain.layout import has_result, is_mounted

_MS_BIND, _MS_MOVE, _MS_REC = 0x1000, 0x2000, 0x4000
_DEVICE_RESULT = frozenset(("DEVNAME", "dev"))


class RootError(Exception):
    """The result cannot become the root."""


def hand_over(results: list[str], rootmnt: str) -> str:
    """Move the first directory that holds a result to the root mount.

    Args:
        results: result directories, the nearest to the end of the chain first; ``""`` is passed over.

    Returns:
        One line for the log: what has become of it.

    Raises:
        RootError: there is no result, or it cannot be moved.
    """
    if is_mounted(rootmnt):
        return f"stage 2 is mounted at {rootmnt} already"
    source = next((path for path in results if path and (has_result(path) or _has_files(path))), "")
    if not source:
        raise RootError(f"there is no root: no result to move to {rootmnt}, and nothing is mounted there")
    real = os.path.realpath(source)
    if real == "/" or f"{rootmnt}/".startswith(f"{real}/"):
        raise RootError(f"cannot move {source} to {rootmnt}: it is {real}, which holds {rootmnt} itself")
    try:
        os.makedirs(rootmnt, exist_ok=True)
        if is_mounted(real):
            return _move(source, real, rootmnt)
        _mount(real, rootmnt, _MS_BIND | _MS_REC)
    except OSError as error:
        raise RootError(f"cannot move {source} to {rootmnt}: {error.strerror}") from error
    return f"{source} is bound to {rootmnt}"


def _move(source: str, real: str, rootmnt: str) -> str:
    try:
        _mount(real, rootmnt, _MS_MOVE)
    except OSError:
        # A mount below a shared one cannot be moved.
        _mount(real, rootmnt, _MS_BIND | _MS_REC)
        return f"{source} is bound to {rootmnt}"
    return f"{source} is moved to {rootmnt}"


def _has_files(directory: str) -> bool:
    """Whether a directory holds files of its own, more than the device that waitdev leaves there."""
    try:
        return not _DEVICE_RESULT.issuperset(os.listdir(directory))
    except OSError:
        return False


def copy_logs(logs: list[str], rootmnt: str, test_name: str) -> list[str]:
    """Copy the logs to ``var/log`` of stage 2 and, for a self-test, leave ``BC-TEST.passed`` beside them.

    Returns:
        Lines for the log: what was copied, or could not be.
    """
    try:
        directory = _open_inside(rootmnt, ("var", "log"))
    except OSError as error:
        return [f"cannot copy the log to {rootmnt}/var/log: {error.strerror}"]
    notes = []
    try:
        if test_name:
            _store(directory, "BC-TEST.passed", f"{test_name}\n".encode("utf-8", "surrogateescape"))
            notes.append(f"self-test {test_name!r} passed")
        for path in logs:
            with open(path, "rb") as log:
                _store(directory, os.path.basename(path), log.read())
            notes.append(f"{path} is copied to {rootmnt}/var/log")
    except OSError as error:
        notes.append(f"cannot copy the log to {rootmnt}/var/log: {error.strerror}")
    finally:
        os.close(directory)
    return notes


def _open_inside(root: str, parts: tuple[str, ...]) -> int:
    """Open a directory below root, making what is missing, and following no link: stage 2 is not ours."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    here = os.open(root, flags)
    for part in parts:
        try:
            try:
                os.mkdir(part, 0o755, dir_fd=here)
            except FileExistsError:
                pass
            below = os.open(part, flags | os.O_NOFOLLOW, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def _store(directory: int, name: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o644, dir_fd=directory)
    with open(fd, "wb") as out:
        out.write(data)
