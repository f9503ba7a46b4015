"""The real file system behind addressing, and where step-scripts are found."""

# ruff: noqa: PTH100, PTH113, PTH115, PTH116, PTH120, PTH123, PTH208
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os
import stat
import sys

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The directory of the bootchain package."""

SHELL_DIR = f"{PACKAGE}/shell"
FALLBACK_DIR = f"{SHELL_DIR}/fallback"
"""Libraries of the shell that an initramfs may have itself: those win."""

BUILTIN_STEPS = f"{PACKAGE}/steps"

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFBLK: "block",
    stat.S_IFCHR: "char",
    stat.S_IFLNK: "link",
}


class RealFileSystem:
    """:class:`bootchain.addressing.FileSystem` on this machine."""

    def kind(self, path: str) -> str:
        """``file dir block char link other``, or ``""`` when missing."""
        try:
            mode = os.lstat(path).st_mode
        except (OSError, ValueError):
            return ""
        return _KINDS.get(stat.S_IFMT(mode), "other")

    def readlink(self, path: str) -> str:
        """The text of a link, ``""`` when it is gone."""
        try:
            return os.readlink(path)
        except OSError:
            return ""

    def first_line(self, path: str) -> str:
        """The first line of a small file, stripped."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return ""
        try:
            text = os.read(fd, 4096).decode("utf-8", "surrogateescape")
        except OSError:
            return ""
        finally:
            os.close(fd)
        return text.split("\n", 1)[0].strip()

    def realpath(self, path: str) -> str:
        """The path without links."""
        return os.path.realpath(path)

    def names(self, path: str) -> list[str]:
        """What is in a directory, ``[]`` when it cannot be read."""
        try:
            return os.listdir(path)
        except OSError:
            return []

    def device_name(self, path: str) -> str:
        """``/dev/NAME`` of a device node, from sysfs; ``""`` when that name is not the same device."""
        try:
            status = os.stat(path)
        except OSError:
            return ""
        block = stat.S_ISBLK(status.st_mode)
        number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        try:
            with open(f"/sys/dev/{'block' if block else 'char'}/{number}/uevent", encoding="utf-8") as lines:
                name = next((line[8:].strip() for line in lines if line.startswith("DEVNAME=")), "")
            node = os.stat(f"/dev/{name}")
        except OSError:
            return ""
        same = name and node.st_rdev == status.st_rdev and stat.S_ISBLK(node.st_mode) == block
        return f"/dev/{name}" if same else ""


def find_step(name: str, directories: tuple[str, ...]) -> list[str]:
    """The command of a step: ``NAME``, ``NAME.sh`` or ``NAME.py`` in the first directory that has one.

    Raises:
        LookupError: there is none, or the name is not a plain file name; the message gives the reason.
        OSError: its first line cannot be read.
    """
    if not name or "/" in name or name.startswith(".") or "\0" in name:
        raise LookupError(f"{name!r} is not the name of a step-script")
    for directory in directories:
        for suffix in ("", ".sh", ".py"):
            path = f"{directory}/{name}{suffix}"
            if os.path.isfile(path):
                return _command(path, suffix)
    raise LookupError(f"no step-script {name!r} in {':'.join(directories)}")


def step_names(directories: tuple[str, ...]) -> set[str]:
    """The names of all step-scripts there are."""
    names: set[str] = set()
    for directory in (*directories, BUILTIN_STEPS):
        try:
            names.update(name.removesuffix(".sh").removesuffix(".py") for name in os.listdir(directory))
        except OSError:
            continue
    return names


def _command(path: str, suffix: str) -> list[str]:
    if suffix == ".py":
        return [sys.executable, "-S", path]
    if suffix == ".sh" and not os.access(path, os.X_OK):
        return [*_interpreter(path), path]
    return [path]


def _interpreter(path: str) -> list[str]:
    """What the first line of a script asks for; packages do not always keep the right to execute."""
    with open(path, "rb") as script:
        first = script.readline(256)
    words = os.fsdecode(first[2:]).strip().split(None, 1) if first.startswith(b"#!") else []
    return words or ["/bin/sh"]
