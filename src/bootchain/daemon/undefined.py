"""Finds out that a step calls, again and again, what nothing defines.

``while ! media_ready; do sleep 1; done`` would never end. bash calls ``command_not_found_handle`` (see
``bootchain-sh-functions``); other shells only print a message, which is looked for in the log::

    /lib/bootchain/wait: line 7: media_ready: not found      busybox ash
    /lib/bootchain/wait: 7: media_ready: not found           dash

A script may send that elsewhere, too. So whatever a loop of a script that has been running for a while waits for gets a
program of its name in a directory at the end of ``PATH``: a shell runs it only where there is neither a function nor a
program of that name, and it reports its name to the daemon. They are removed when the step has ended.

A program that is not there may be called any number of times: it counts only where a loop waits for nothing
else, and later than a function, for the loop may end by itself.
"""

# ruff: noqa: PTH103, PTH108, PTH123, SIM105
# (pathlib costs more CPU at the start than the whole daemon.)

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_ENOUGH, _ENOUGH_OF_PROGRAM = 2, 10
_CHUNK = 1 << 16
_ENDS = (": not found", ": command not found")
_PROGRAMS = ("xfs_", "switch_root", "pivot_root")
"""Names of programs with an underscore."""
_STUB = """\
#!/bin/sh
printf 'BC1 3\\0stub\\0undefined\\0%s\\0' "${0##*/}" >>"/proc/self/fd/$BC_QUESTION"
exit 127
"""


class Undefined:
    """Counts the calls of one step that find nothing.

    Args:
        log: a descriptor of the log.
        script: the path of the step-script.
        offset_bytes: where the step began to write.
        stubs: the directory at the end of ``PATH``.
    """

    def __init__(self, log: int, script: str, offset_bytes: int, stubs: str) -> None:
        self._log = log
        self._counts: dict[str, int] = {}
        self._offset = offset_bytes
        self._awaited = awaited(script)
        self._stubs: list[str] = []
        self._make_stubs(stubs)

    def look(self) -> str:
        """Read what is new in the log. Returns why the step cannot succeed; ``""`` when nothing was found."""
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
        names = [_name_in(line) for line in text.splitlines()]
        return next(filter(None, [self.count(name) for name in names if name]), "")

    def count(self, name: str) -> str:
        """One more call of a name that finds nothing. Returns why the step cannot succeed, ``""`` as long as it may."""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        enough = count >= (_ENOUGH if is_function(name) else _ENOUGH_OF_PROGRAM)
        return reason(name) if enough and (is_function(name) or name in self._awaited) else ""

    def close(self) -> None:
        """Remove the programs: no other step may find them."""
        for path in self._stubs:
            try:
                os.unlink(path)
            except OSError:
                pass  # a step has removed it

    def _make_stubs(self, directory: str) -> None:
        """What cannot be made is missing only in this one more way of finding out."""
        try:
            os.makedirs(directory, exist_ok=True)
            for name in self._awaited:
                fd = os.open(
                    f"{directory}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o755
                )
                self._stubs.append(f"{directory}/{name}")
                with open(fd, "w", encoding="ascii") as stub:
                    stub.write(_STUB)
        except OSError:
            pass


def awaited(script: str) -> frozenset[str]:
    """The commands that loops of a script wait for, as far as one line shows that.

    Names without an underscore count only where nothing else can end the loop.
    """
    found: set[str] = set()
    try:
        with open(script, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                found.update(_in_conditions(line))
    except OSError:
        pass
    return frozenset(found)


def _in_conditions(line: str) -> Iterable[str]:
    """The names in the place of a command, from ``while`` or ``until`` to ``do``."""
    alone = "&&" not in line and "||" not in line and "break" not in line
    for separator in ";&|(){}`!":
        line = line.replace(separator, " ; ")
    words = line.split()
    begin = next((place for place, word in enumerate(words) if word in ("while", "until")), len(words))
    for before, name in zip(words[begin:], words[begin + 1 :], strict=False):
        if name == "do":
            return
        command = before in ("while", "until", ";") and name.isidentifier() and name.isascii()
        if command and (alone or is_function(name)):
            yield name


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
