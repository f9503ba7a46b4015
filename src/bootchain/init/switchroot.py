"""From the initramfs into stage 2: check, move the mounts, empty the initramfs, change the root, become its init.

Everything that can go wrong is tried before anything is destroyed. Source: switch_root(8) and
Documentation/filesystems/ramfs-rootfs-initramfs.rst.
"""

# ruff: noqa: PTH112, PTH114, PTH116, PTH123, SIM105
# (pathlib and contextlib cost more CPU at the start than this module.)

from __future__ import annotations

import os
import signal
import stat

from bootchain.init import system
from bootchain.layout import is_mounted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

INITS = ("/sbin/init", "/etc/init", "/bin/init", "/bin/sh")
"""What the kernel itself tries, in its order."""

_MOVED = ("/dev", "/proc", "/sys", "/run")
_LEFT = ("/tmp", "/image")  # noqa: S108 -- the second: programs of an initramfs that keeps them in an image
_IN_MEMORY = frozenset(("rootfs", "ramfs", "tmpfs"))
_LAYERS = ("lowerdir=", "upperdir=", "workdir=")


class SwitchError(Exception):
    """Stage 2 cannot be started; nothing has been destroyed. The message says why."""


def choose_init(newroot: str, wanted: str) -> str:
    """The init of stage 2: ``init=`` where it is given, else the first that is there.

    Raises:
        SwitchError: there is none, or the one that was asked for cannot be run.
    """
    for path in [wanted] if wanted else INITS:
        if path.startswith("/") and _can_run(newroot, path):
            return path
    if wanted:
        raise SwitchError(f"init={wanted} cannot be run: no such program below {newroot}")
    raise SwitchError(f"{newroot} has no init (none of {' '.join(INITS)})")


def check_root(newroot: str) -> None:
    """See whether ``newroot`` can become the root. Raises SwitchError."""
    if os.getpid() != 1:
        raise SwitchError("only process 1 can hand over to stage 2")
    if not is_mounted(newroot):
        raise SwitchError(f"nothing is mounted on {newroot}")
    kind = system.root_kind()
    if kind not in _IN_MEMORY:
        raise SwitchError(f"the root is of type {kind or 'unknown'}, no initramfs: it will not be emptied")


def switch_root(newroot: str, argv: list[str], environment: dict[str, str]) -> NoReturn:
    """Leave the initramfs for good. Call :func:`check_root` and :func:`choose_init` before.

    Raises:
        OSError: the kernel refused; the initramfs may be empty by then.
    """
    keep = protected_paths(_mountinfo())
    old, new = os.stat("/"), os.stat(newroot)
    for path in _MOVED:
        _move(path, newroot)
    for path in _LEFT:
        try:
            system.detach(path)
        except OSError:
            pass
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir(newroot)
    if old.st_dev != new.st_dev:  # else stage 2 is a directory of the initramfs itself
        _empty(root, old.st_dev, "", keep)
    os.close(root)
    system.mount(".", "/", flags=system.MS_MOVE)
    os.chroot(".")
    os.chdir("/")
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and that is inherited
        signal.signal(number, signal.SIG_DFL)
    os.execve(argv[0], argv, environment)  # noqa: S606


def protected_paths(mountinfo: Iterable[str]) -> frozenset[str]:
    """Directories of the root file system that must stay: mount points (what is bound there may be of the same file
    system), and what a mount is made of: layers of an overlay, sources of bind mounts.
    """
    rows = [line.rstrip("\n").split(" ") for line in mountinfo]
    rows = [row for row in rows if len(row) > 6 and "-" in row]
    root_device = next((row[2] for row in rows if row[4] == "/"), "")
    kept = set()
    for row in rows:
        kept.add(_unescape(row[4]))
        if row[2] == root_device and row[3] != "/":
            kept.add(_unescape(row[3]))
        for option in row[-1].split(","):
            for layer in _LAYERS:
                if option.startswith(layer):
                    kept.update(_unescape(path) for path in option[len(layer) :].split(":"))
    return frozenset(path.rstrip("/") for path in kept if path.startswith("/") and path != "/")


def _can_run(newroot: str, path: str) -> bool:
    """Whether a program can be run with ``newroot`` as the root; links are followed there and not here."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.chroot(newroot)
            os.chdir("/")
            mode = os.stat(path).st_mode
            code = 0 if stat.S_ISREG(mode) and os.access(path, os.X_OK) else 1
        except OSError:
            pass
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def _move(path: str, newroot: str) -> None:
    """Take a mount along, or leave it behind where stage 2 has no place for it or has its own."""
    if not is_mounted(path):
        return
    target = f"{newroot}{path}"
    try:
        if os.path.isdir(target) and not os.path.islink(target) and not is_mounted(target):
            system.mount(path, target, flags=system.MS_MOVE)
        else:
            system.detach(path)
    except OSError:
        try:
            system.detach(path)
        except OSError:
            pass


def _empty(directory: int, device: int, above: str, keep: frozenset[str]) -> bool:
    """Remove what is in a directory, neither leaving the file system nor following links.

    Returns:
        Whether it is empty now.
    """
    empty = True
    for name in os.listdir(directory):
        path = f"{above}/{name}"
        try:
            status = os.lstat(name, dir_fd=directory)
            if status.st_dev != device or path in keep:
                empty = False
            elif not stat.S_ISDIR(status.st_mode):
                os.unlink(name, dir_fd=directory)
            elif _empty_below(directory, name, device, path, keep):
                os.rmdir(name, dir_fd=directory)
            else:
                empty = False
        except OSError:  # it stays in memory: that is all the harm
            empty = False
    return empty


def _empty_below(directory: int, name: str, device: int, path: str, keep: frozenset[str]) -> bool:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    below = os.open(name, flags, dir_fd=directory)
    try:
        return _empty(below, device, path, keep)
    finally:
        os.close(below)


def _mountinfo() -> list[str]:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            return list(lines)
    except OSError:
        return []


def _unescape(text: str) -> str:
    for octal, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, char)
    return text
