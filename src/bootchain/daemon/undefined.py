"""Finds out from the log that a step calls, again and again, what nothing defines.

bash calls ``command_not_found_handle`` (see ``bootchain-sh-functions``); other shells only print a message::

    /lib/bootchain/wait: line 7: media_ready: not found      busybox ash
    /lib/bootchain/wait: 7: media_ready: not found           dash

``while ! media_ready; do sleep 1; done`` would never end. A program that is not there may be called in vain any number
of times: it counts only where a loop waits for it.
"""

# ruff: noqa: PTH123
# (pathlib costs more CPU at the start than the whole daemon.)

from __future__ import annotations

import os
import stat

_ENOUGH = 2
_CHUNK = 1 << 16
_ENDS = (": not found", ": command not found")
_PROGRAMS = ("xfs_", "switch_root", "pivot_root")
"""Names of programs with an underscore."""


class Undefined:
    """Watches the log of one step.

    Args:
        log: a descriptor of the log.
        script: the path of the step-script.
        offset_bytes: where the step began to write.
    """

    def __init__(self, log: int, script: str, offset_bytes: int) -> None:
        self._log = log
        self._script = script
        self._counts: dict[str, int] = {}
        self._offset = offset_bytes

    def look(self) -> str:
        """Why the step cannot succeed; ``""`` when nothing was found."""
        size = _size(self._log)
        if size <= self._offset:
            return ""
        start = max(self._offset, size - _CHUNK)
        self._offset = size
        try:
            with open(f"/proc/self/fd/{self._log}", "rb") as log:
                log.seek(start)
                text = log.read(size - start).decode("utf-8", "replace")
        except OSError:
            return ""
        for line in text.splitlines():
            name = _name_in(line)
            if not name:
                continue
            self._counts[name] = self._counts.get(name, 0) + 1
            if self._counts[name] >= _ENOUGH and (is_function(name) or self._waits_for(name)):
                return reason(name)
        return ""

    def _waits_for(self, name: str) -> bool:
        """Whether the condition of a loop in the script calls it."""
        try:
            with open(self._script, encoding="utf-8", errors="replace") as script:
                lines = [line.replace(";", " ").split() for line in script]
        except OSError:
            return False
        return any(name in words and words[0] in ("while", "until") for words in lines if words)


def reason(name: str) -> str:
    """What to say of a name that nothing defines."""
    return f"nothing defines {name}: neither the script nor a library that it sources"


def is_function(name: str) -> bool:
    """Whether a name is rather that of a function of the shell than of a program."""
    return "_" in name and name.replace("_", "").isalnum() and not name.startswith(_PROGRAMS)


def _name_in(line: str) -> str:
    for end in _ENDS:
        if line.endswith(end):
            return line.removesuffix(end).rpartition(": ")[2]
    return ""


def _size(fd: int) -> int:
    status = os.fstat(fd)
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
