"""The chain's records on their way out of the machine: ``chain.jsonl`` to the kernel log, a marked line each.

::

    bootchain: {"n": 3, "t": 5.1, "event": "step", ...}      a record that fits into one line
    bootchain+ {"n": 4, "t": 5.2, "event": "start", ...      all parts of a longer one but the last, in order
    bootchain: ... }                                         the last part

The kernel puts its log on every console, so a recorder outside finds the lines on the serial line, on the screen or
in memory, and shown by ``dmesg`` in stage 2. A part neither starts nor ends with a space. The kernel takes
at most 976 bytes a record, and would drop records that come too fast unless configured otherwise.
"""

# ruff: noqa: PTH123, SIM105
# (pathlib and contextlib cost more CPU at the start than this module.)

from __future__ import annotations

import os

KMSG = "/dev/kmsg"
MARK, MARK_MORE = "bootchain: ", "bootchain+ "
MAX_PART_CHARS = 900

_RATE_LIMIT = "/proc/sys/kernel/printk_devkmsg"
_LEVEL = "<6>"
_CHUNK = 65536


def marked_lines(record: str) -> list[str]:
    """Returns the lines that carry one record (ASCII, no newlines)."""
    lines = []
    while len(record) > MAX_PART_CHARS:
        cut = MAX_PART_CHARS
        while cut > 1 and " " in (record[cut - 1], record[cut]):
            cut -= 1
        lines.append(MARK_MORE + record[:cut])
        record = record[cut:]
    return [*lines, MARK + record]


class ChainReport:
    """Follows a ``chain.jsonl`` and copies each whole line of it to the kernel log (or another file)."""

    def __init__(self, source: str, target: str = KMSG) -> None:
        self._source = source
        self._position_bytes = 0
        self._rest = b""
        self._out = -1
        if target == KMSG:
            _lift_rate_limit()
        try:
            self._out = os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_APPEND)
        except OSError:
            pass  # no /dev/kmsg: the file itself is still there

    def copy_news(self) -> None:
        """Copy what has been added since the last time."""
        if self._out < 0:
            return
        try:
            with open(self._source, "rb", buffering=0) as file:
                file.seek(self._position_bytes)
                while data := file.read(_CHUNK):
                    self._position_bytes += len(data)
                    self._take(data)
        except OSError:
            pass  # not there yet

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            for part in marked_lines(line.decode("ascii", "replace")):
                try:
                    os.write(self._out, f"{_LEVEL}{part}\n".encode("ascii", "replace"))
                except OSError:
                    pass  # the next one may go through


def _lift_rate_limit() -> None:
    try:
        with open(_RATE_LIMIT, "w", encoding="ascii") as file:
            file.write("on\n")
    except OSError:
        pass  # set on the command line, which is final
