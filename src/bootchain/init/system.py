"""The system calls of PID 1 that Python has no function for: mount(2), umount2(2), inotify(7).

Sources: the manual pages; numbers from ``linux/mount.h`` and ``linux/inotify.h``.
"""

# ruff: noqa: PTH123
# (pathlib costs more CPU at the start than this module.)

from __future__ import annotations

import ctypes
import os

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_MOVE = 8192
_MNT_DETACH = 2
_IN_MODIFY = 2
_IN_CLOEXEC, _IN_NONBLOCK = os.O_CLOEXEC, os.O_NONBLOCK

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2). Raises OSError."""
    done = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )
    _check(done, target)


def detach(target: str) -> None:
    """Take a mount out of the tree; it ends when it is not used any more. Raises OSError."""
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), target)


def watch_writes(path: str) -> int:
    """A descriptor that becomes readable when a file is written to. Raises OSError."""
    fd: int = _libc.inotify_init1(_IN_CLOEXEC | _IN_NONBLOCK)
    _check(fd, path)
    _check(_libc.inotify_add_watch(fd, os.fsencode(path), _IN_MODIFY), path)
    return fd


def root_kind() -> str:
    """The file system type of ``/``, ``""`` when unknown."""
    kind = ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields = line.split(" ")
                if len(fields) > 6 and fields[4] == "/":
                    kind = fields[fields.index("-") + 1]
    except (OSError, ValueError):
        pass
    return kind


def _check(done: int, name: str) -> None:
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
