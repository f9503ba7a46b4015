"""A program on a real pseudo-terminal, driven by what the terminal shows."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType

import bootchain
from waiting import DEADLINE_S, wait_until

SOURCE = Path(bootchain.__file__).parent.parent
DIALOG = [sys.executable, "-S", "-m", "bootchain.interactive"]
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])")
_READ = {"x86_64": 0, "aarch64": 63}
"""The number of read(2)."""
DOWN, UP, ESCAPE, ENTER = "\x1b[B", "\x1b[A", "\x1b", "\r"


class OnTerminal:
    """A running program whose dialogs appear on a pty of its own."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        term: str = "xterm",
        columns: int = 80,
        rows: int = 24,
        feed: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.settings = termios.tcgetattr(self.slave)
        self.shown = ""
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "TERM": term}
        own |= {"BC_TERMINAL": os.ttyname(self.slave), "BOOTCHAIN_PYTHON": sys.executable}
        self.process = subprocess.Popen(
            argv,
            env={**own, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdin
        self.process.stdin.write(feed)
        self.process.stdin.close()
        self.process.stdin = None

    def __enter__(self) -> OnTerminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self.master)
        os.close(self.slave)

    def read(self, timeout_s: float = 0.05) -> bool:
        """Take what the terminal shows now."""
        if not select.select([self.master], [], [], timeout_s)[0]:
            return False
        self.shown += os.read(self.master, 65536).decode(errors="replace")
        return True

    def see(self, text: str, timeout_s: float = DEADLINE_S) -> None:
        """Wait until a text is shown, escape sequences apart."""
        deadline = monotonic() + timeout_s
        while text not in ESCAPES.sub("", self.shown):
            assert monotonic() < deadline, f"{text!r} is not in {self.shown!r}"
            assert self.read() or self.process.poll() is None, f"{text!r} is not in {self.shown!r}"

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def rest(self) -> None:
        """Read until the program has shown all it has and waits, without a limit, for a key."""

        def waits() -> bool:
            while self.read(0):
                pass
            call = Path(f"/proc/{self.process.pid}/syscall").read_text().split()
            return call[0] == str(_READ[platform.machine()]) and int(call[1], 16) in self._terminals()

        wait_until(waits, lambda: f"it does not wait for a key: {self.shown!r}")

    def _terminals(self) -> list[int]:
        """The numbers that the program has for its terminal."""
        name = os.ttyname(self.slave)
        files = Path(f"/proc/{self.process.pid}/fd").iterdir()
        return [int(file.name) for file in files if os.path.realpath(file) == name]

    def end(self, timeout_s: float = DEADLINE_S) -> tuple[int, str, str]:
        """Wait for the end. Returns exit code, standard output and standard error."""
        deadline = monotonic() + timeout_s
        while self.process.poll() is None:
            assert monotonic() < deadline, self.shown
            self.read()
        while self.read(0):
            pass
        out, err = self.process.communicate()
        assert termios.tcgetattr(self.slave) == self.settings, "the terminal is not as it was"
        return self.process.returncode, out.decode(), err.decode()


def dialog(*arguments: str, **options: object) -> OnTerminal:
    return OnTerminal([*DIALOG, *arguments], **options)  # type: ignore[arg-type]
