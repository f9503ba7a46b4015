"""A guest that was left running, at the user's terminal: its first serial port, until Ctrl-] is pressed.

What the guest prints is untrusted: of its escape sequences only those pass that draw (`SafeOutput`). None passes that
makes a terminal answer, sets its title or its clipboard, or reaches beyond the screen.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import re
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LEAVE: Final = b"\x1d"  # Ctrl-], as telnet has it
_CHUNK_BYTES: Final = 4096
_MAX_SEQUENCE: Final = 64
_PRINTS: Final = frozenset("\b\t\n\r\a")
_ESCAPES: Final = frozenset("78DEHM=>c")
_DRAWS: Final = re.compile(r"[0-9;]{0,40}[@A-HJ-MPSTXZ`adefghlmrsu]")
_MODES: Final = re.compile(r"\?(?:1|3|5|6|7|12|25|47|1047|1048|1049)[hl]")
_STRINGS: Final = frozenset("]PX^_")


class SafeOutput:
    """Passes text and the escape sequences that draw; a sequence may be split over several pieces."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._sequence = ""
        self._string = False

    def feed(self, data: bytes) -> str:
        """The part of a piece of output that may be written to a terminal."""
        return "".join(filter(None, map(self._take, self._decoder.decode(data))))

    def _take(self, char: str) -> str:
        if self._string:
            self._string = not (char == "\a" or (self._sequence == "\x1b" and char == "\\"))
            self._sequence = "\x1b" if self._string and char == "\x1b" else ""
            return ""
        if char == "\x1b":
            self._sequence = char
            return ""
        if not self._sequence:
            is_text = char in _PRINTS or char.isprintable()
            return char if is_text else ""
        self._sequence += char
        return self._finished()

    def _finished(self) -> str:
        """The sequence, if it is complete and draws."""
        sequence, second = self._sequence, self._sequence[1]
        if second in _STRINGS:
            self._string, self._sequence = True, ""
            return ""
        if second == "[":
            if len(sequence) == 2 or (not "@" <= sequence[-1] <= "~" and len(sequence) < _MAX_SEQUENCE):
                return ""
            allowed = bool(_DRAWS.fullmatch(sequence[2:]) or _MODES.fullmatch(sequence[2:]))
        elif second in "()":
            if len(sequence) == 2:
                return ""
            allowed = sequence[2] in "0AB"
        else:
            allowed = second in _ESCAPES
        self._sequence = ""
        return sequence if allowed else ""


async def attach(serial: Path, on_leave: Callable[[], None], *, terminal: int = -1, out: int = -1) -> None:
    """Connect a terminal with a guest's serial port, until the guest ends or the user leaves.

    Args:
        serial: the Unix socket that is the port.
        on_leave: called when Ctrl-] is pressed.
        terminal: the descriptor that is read, in raw mode meanwhile; -1 for standard input.
        out: the descriptor that is written; -1 for standard output.

    Raises:
        OSError: the port cannot be reached.
    """
    terminal = sys.stdin.fileno() if terminal < 0 else terminal
    out = sys.stdout.fileno() if out < 0 else out
    reader, writer = await asyncio.open_unix_connection(str(serial))
    loop = asyncio.get_running_loop()
    left = asyncio.Event()

    def typed() -> None:
        data = os.read(terminal, _CHUNK_BYTES)
        before, leave, _ = data.partition(LEAVE)
        if before:
            writer.write(before)
        if leave or not data:
            loop.remove_reader(terminal)
            left.set()
            on_leave()

    with _raw(terminal):
        loop.add_reader(terminal, typed)
        printing = asyncio.create_task(_print(reader, out))
        leaving = asyncio.create_task(left.wait())
        try:
            await asyncio.wait([printing, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(terminal)
            for task in (printing, leaving):
                task.cancel()
            await asyncio.gather(printing, leaving, return_exceptions=True)
            writer.close()
            with contextlib.suppress(OSError):  # the guest has ended
                await writer.wait_closed()
            os.write(out, b"\x1b[0m\r\n")


async def _print(reader: asyncio.StreamReader, out: int) -> None:
    safe = SafeOutput()
    while data := await reader.read(_CHUNK_BYTES):
        text = safe.feed(data).encode()
        while text:
            text = text[os.write(out, text) :]


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
