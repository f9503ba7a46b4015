"""Where the results of the steps live.

::

    mntdir/              /dev/bootchain, or /dev/pipeline in compatibility mode
      src/step0/         datadir of step 0: where it keeps what it works with
      dst/step0/         destdir of step 0: its result; prevdir of the next step
      dst/step1 -> ...   a result that was passed on (bypass_results)
      passed/NAME        a file for each step that has been passed at least once
      undefined/NAME       a program that reports a call of what nothing defines (see daemon/undefined.py)
      next/step0.1       a line chainsteps="a,b" in it, written by try 1 of step 0, replaces the chain
"""

# ruff: noqa: PTH102, PTH103, PTH112, PTH114, PTH123
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os


class Layout:
    """The paths under one mntdir; pure."""

    __slots__ = ("_dst", "_src", "mntdir")

    def __init__(self, mntdir: str) -> None:
        self.mntdir = mntdir
        self._src = f"{mntdir}/src/step"
        self._dst = f"{mntdir}/dst/step"

    def datadir(self, number: int) -> str:
        """The working directory of a step."""
        return f"{self._src}{number}"

    def destdir(self, number: int) -> str:
        """The result of a step."""
        return f"{self._dst}{number}"

    def prevdir(self, number: int | None) -> str:
        """The result before, ``""`` when there is none (first step, or after ``noop``)."""
        return "" if number is None else f"{self._dst}{number}"

    @property
    def passed(self) -> str:
        """The directory with the names of the steps that have been passed."""
        return f"{self.mntdir}/passed"

    @property
    def stubs(self) -> str:
        """The directory at the end of ``PATH``: programs by names that nothing defines."""
        return f"{self.mntdir}/undefined"

    def next_chain(self, number: int, attempt: int) -> str:
        """The file by which a try of a step asks for another chain: what an earlier one left running has another."""
        return f"{self.mntdir}/next/step{number}.{attempt}"


def prepare(layout: Layout) -> None:
    """Make the two parents of all step directories. Raises OSError."""
    for name in ("src", "dst", "passed", "next"):
        # Others must not plant results or read the images in work.
        os.makedirs(f"{layout.mntdir}/{name}", mode=0o755, exist_ok=True)


def make_step(layout: Layout, number: int) -> bool:
    """Make both directories of a step.

    Returns:
        True when the step has its result already: something is mounted on destdir, or it is a link.
        A directory made just now cannot be a mount point, so the usual case costs no look-up.

    Raises:
        OSError: they cannot be made.
    """
    data = layout.datadir(number)
    try:
        os.mkdir(data)
    except FileExistsError:
        if not os.path.isdir(data):
            raise
    try:
        os.mkdir(layout.destdir(number))
    except FileExistsError:
        return has_result(layout.destdir(number))
    return False


def has_result(directory: str) -> bool:
    """Whether a result directory holds a mount or is a link to one."""
    if os.path.islink(directory):
        return os.path.isdir(directory)
    return is_mounted(directory)


def is_mounted(directory: str) -> bool:
    """Whether something is mounted on a directory, bind mounts of the same file system included."""
    try:
        here = os.lstat(directory)
        above = os.lstat(f"{directory}/..")
    except OSError:
        return False
    if here.st_dev != above.st_dev or here.st_ino == above.st_ino:
        return True
    return os.path.realpath(directory) in _mount_points()


def mounted_type(path: str) -> str:
    """The type of the file system that a path is on, ``""`` when that cannot be said."""
    return max(
        (
            (len(point), count, kind)
            for count, (point, kind) in enumerate(_mounts())
            if f"{os.path.realpath(path)}/".startswith(f"{point.rstrip('/')}/")
        ),
        default=(0, 0, ""),
    )[2]


def _mount_points() -> set[str]:
    return {point for point, _ in _mounts()}


def _mounts() -> list[tuple[str, str]]:
    """Place and type of each mount, in order."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            return [
                (_unescape(line.split(" ", 5)[4]), line.partition(" - ")[2].partition(" ")[0])
                for line in lines
            ]
    except OSError:
        return []


def _unescape(path: str) -> str:
    for octal, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(octal, char)
    return path
