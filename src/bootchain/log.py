"""The two logs of the daemon: text for people, ``chain.jsonl`` for programs.

Each line is one ``write`` on a descriptor in append mode, so that steps can write to the same text log and a crash
of the daemon loses nothing. ``t`` is seconds since the boot of the kernel.

Lines of ``chain.jsonl`` (keys beside ``n``, ``t`` and ``event``):

==========  ============================================================================================
event       keys
==========  ============================================================================================
start       mode, chain, cmdline
resume      foreground: the terminal
step        number, step, callnum, try, code (null when skipped; negative: signal), skipped, duration_ms,
            remaining: the chain still to come
chain       step, remaining: the chain was replaced
finish      outcome (ready, failed, exhausted, stopped, error), message, exit_code, root
==========  ============================================================================================
"""

# ruff: noqa: PTH103, PTH113, PTH120, PTH123
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os
from time import CLOCK_BOOTTIME, clock_gettime

try:
    # The C half of json alone: json itself imports re, which costs as much as the daemon.
    from _json import encode_basestring_ascii as quote
except ImportError:  # another Python
    from json.encoder import py_encode_basestring_ascii as quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Plain = str | int | float | bool | None | Iterable[str]

_OPEN = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC


class Log:
    """The text log and the structured log.

    Attributes:
        fd: descriptor of the text log, for the standard error of steps.
        written: number of lines in the structured log so far (the ``n`` of the next one).
        broken: whether the text log could not be written (no room, its terminal gone).
    """

    def __init__(self, path: str, chain_path: str, *, written: int = 0) -> None:
        self.path = path
        self.chain_path = chain_path
        self.written = written
        self.problems: list[str] = []
        self.broken = False
        self.fd = self._open(path)
        if self.fd < 0:
            self.fd = os.dup(2)
        self._chain_fd = self._open(chain_path)
        if not written:
            self.written = self._lines_before()

    def note(self, text: str) -> None:
        """Write one line to the text log, control characters made visible."""
        if not text.isprintable():
            text = text.encode("unicode_escape").decode("ascii")
        line = f"[{clock_gettime(CLOCK_BOOTTIME):12.6f}] bootchained: {text}\n"
        self.broken = not _write(self.fd, line.encode("utf-8", "backslashreplace"))

    def record(self, event: str, fields: dict[str, Plain]) -> None:
        """Write one line to the structured log."""
        if self._chain_fd < 0:
            return
        body = "".join(f', "{key}": {_plain(value)}' for key, value in fields.items())
        now = clock_gettime(CLOCK_BOOTTIME)
        line = f'{{"n": {self.written}, "t": {now:.6f}, "event": "{event}"{body}}}\n'
        self.written += 1
        _write(self._chain_fd, line.encode("ascii"))

    def _lines_before(self) -> int:
        """How many lines a daemon that crashed has left; a torn one is closed."""
        if not os.path.isfile(self.chain_path):
            return 0
        try:
            with open(self.chain_path, "rb") as before:
                data = before.read()
        except OSError:
            return 0
        if data and not data.endswith(b"\n"):
            _write(self._chain_fd, b"\n")
            data += b"\n"
        return data.count(b"\n")

    def _open(self, path: str) -> int:
        try:
            os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
            return os.open(path, _OPEN, 0o644)
        except OSError as error:
            self.problems.append(f"cannot write {path}: {error.strerror}")
            return -1


def _plain(value: Plain) -> str:
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return f"[{', '.join([quote(name) for name in value])}]"


def _write(fd: int, data: bytes) -> bool:
    """A log that cannot be written (disk full, terminal gone) must not stop the boot. Returns whether it could."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        return False
    return True
