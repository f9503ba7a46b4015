"""The consoles of the machine: output goes to all of them, and a key on any of them counts.

Source: Documentation/ABI/testing/sysfs-tty: ``/sys/class/tty/console/active`` lists them, the one used by
``/dev/console`` last.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from hiperiso.text import plain

ACTIVE: Final = Path("/sys/class/tty/console/active")
_MAX_LINE_CHARS = 200
_IN_EVERY_FONT: Final = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "…": "~", "–": "-"})
"""The kernel's font shows a square for these."""


class Tone(StrEnum):
    """What a line means for the person who reads it; its value is its attributes, as in the control sequence SGR."""

    PLAIN = ""
    GOOD = "1;32"
    CAUTION = "33"
    BAD = "1;31"


@dataclass(frozen=True)
class Line:
    """A line of a console."""

    text: str
    tone: Tone = Tone.PLAIN


class Consoles:
    """Terminals that are written to and read from together."""

    def __init__(self, paths: Collection[Path]) -> None:
        """Open those of `paths` that can be opened."""
        self._terminals: list[tuple[Path, int]] = []
        for path in paths:
            with contextlib.suppress(OSError):
                flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
                self._terminals.append((path, os.open(path, flags)))

    @classmethod
    def of_this_machine(cls, active: Path = ACTIVE) -> Consoles:
        """The active consoles of the kernel."""
        try:
            names = active.read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError):
            names = []
        # tty0 is the foreground terminal: output belongs to the first one.
        return cls([Path("/dev", "tty1" if name == "tty0" else name) for name in names])

    @property
    def paths(self) -> list[str]:
        """The terminals, the main one last."""
        return [str(path) for path, _ in self._terminals]

    def say(self, text: str, tone: Tone = Tone.PLAIN, *, cut: bool = False) -> None:
        """Write lines of one tone, without control sequences; see `show`."""
        self.show([Line(line, tone) for line in text.split("\n")], cut=cut)

    def show(self, lines: Sequence[Line], *, cut: bool = True) -> None:
        """Write lines, without control sequences; with `cut`, each is truncated to the width of the terminal."""
        for _, descriptor in self._terminals:
            width = _width(descriptor) if cut else _MAX_LINE_CHARS
            shown = ((plain(line.text, width).translate(_IN_EVERY_FONT), line.tone) for line in lines)
            data = "".join(f"{_styled(text, tone)}\r\n" for text, tone in shown).encode()
            _write_within(descriptor, data, 2.0)

    def key(self, wanted: str, timeout_s: float) -> str:
        """Wait for one of the keys in `wanted` (lower case; ``""`` is any); ``""`` if none is pressed in time."""
        deadline_s = time.monotonic() + timeout_s
        waiting = [descriptor for _, descriptor in self._terminals]
        with contextlib.ExitStack() as stack:
            for descriptor in waiting:
                stack.enter_context(_raw(descriptor))
            while waiting and (left_s := deadline_s - time.monotonic()) > 0:
                for descriptor in select.select(waiting, [], [], left_s)[0]:
                    data = _read(descriptor)
                    if data is None:
                        waiting.remove(descriptor)  # hung up
                        continue
                    for char in data.decode("ascii", "replace").lower():
                        if char in (wanted or char):
                            return char
        return ""

    def close(self) -> None:
        """Close the terminals."""
        for _, descriptor in self._terminals:
            os.close(descriptor)
        self._terminals.clear()


def _styled(line: str, tone: Tone) -> str:
    return f"\x1b[{tone}m{line}\x1b[0m" if tone and line else line


def _width(descriptor: int) -> int:
    """Characters per row; unknown for a serial line."""
    try:
        columns = os.get_terminal_size(descriptor).columns
    except OSError:
        columns = 0
    return min(columns or _MAX_LINE_CHARS, _MAX_LINE_CHARS)


def _write_within(descriptor: int, data: bytes, timeout_s: float) -> None:
    """Write; what a terminal does not accept in time (flow control, not connected) is dropped."""
    deadline_s = time.monotonic() + timeout_s
    while data and (left_s := deadline_s - time.monotonic()) > 0:
        if not select.select([], [descriptor], [], left_s)[1]:
            return
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            continue
        except OSError:
            return


def _read(descriptor: int) -> bytes | None:
    try:
        return os.read(descriptor, 64) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def _raw(descriptor: int) -> contextlib.ExitStack:
    """Turn off line mode and echo; ``close`` of the returned object restores them."""
    stack = contextlib.ExitStack()
    with contextlib.suppress(termios.error):
        before = termios.tcgetattr(descriptor)
        changed = list(before)
        changed[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(descriptor, termios.TCSANOW, changed)
        stack.callback(termios.tcsetattr, descriptor, termios.TCSANOW, before)
    return stack
