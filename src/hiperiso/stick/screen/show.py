"""The guest's screen on this machine's screen, from the recorder's side: a program that is started and ended."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import Vga
from hiperiso.errors import HarnessFault
from hiperiso.machine.qemu import check_vnc, find_qemu
from hiperiso.session.child import start_child
from hiperiso.session.runtime import RuntimeFiles
from hiperiso.session.spectator import Spectator
from hiperiso.stick.screen.framebuffer import FRAMEBUFFER, Framebuffer
from hiperiso.stick.screen.terminal import TextConsole
from hiperiso.text import plain

HINT: Final = (
    "the guest's screen is shown here when it starts\n"
    "  press both Ctrl keys to switch to this log and back; q in this log ends the guest"
)
_NOT_SHOWN: Final = "note: the guest's screen is recorded, but not shown here"
_END_GRACE_S = 5.0
_MAX_LINE_CHARS = 300


@contextlib.contextmanager
def shown_on_framebuffer(
    settings: Settings, say: Callable[[str], None], *, grace_s: float, framebuffer: Path = FRAMEBUFFER
) -> Iterator[Spectator | None]:
    """Context manager: shows the guest of one recording on `framebuffer`.

    Yields the spectator; None if nothing can be shown: a message has the reason, and the recording continues.

    Args:
        settings: how to boot.
        say: prints a message, from any thread.
        grace_s: see `Spectator`.
        framebuffer: the framebuffer.
    """
    if why := _hindrance(settings, framebuffer):
        say(f"{_NOT_SHOWN}: {why}")
        yield None
        return
    with contextlib.ExitStack() as stack:
        runtime = RuntimeFiles.create()
        stack.callback(runtime.remove)
        spectator = Spectator(socket=runtime.path("vnc"), grace_s=grace_s)
        try:
            program = _Program(spectator, framebuffer, say)
        except (OSError, HarnessFault) as error:
            say(f"{_NOT_SHOWN}: {error}")
            yield None
            return
        stack.callback(program.close)
        spectator.on_running = program.go
        say(HINT)
        yield spectator


def _hindrance(settings: Settings, framebuffer: Path) -> str:
    """The reason why nothing can be shown, or ``""``."""
    if settings.vga is Vga.NONE:
        return "it has no display adapter"
    try:
        Framebuffer(framebuffer).close()
        check_vnc(find_qemu())
    except HarnessFault as fault:
        return fault.message
    return ""


class _Program:
    """The running program; a thread reads its messages."""

    def __init__(self, spectator: Spectator, framebuffer: Path, say: Callable[[str], None]) -> None:
        self._spectator = spectator
        self._say = say
        self._process = _start(spectator.socket, framebuffer)
        self._thread = threading.Thread(target=self._listen, name="screen", daemon=True)
        self._thread.start()

    def go(self) -> None:
        """Make the program connect: QEMU runs."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended, with a message
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """End it. The text console is back afterwards, however the program ended."""
        self._process.terminate()
        try:
            self._process.wait(_END_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join(_END_GRACE_S)
        assert self._process.stdin is not None
        self._process.stdin.close()
        TextConsole().close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        fault = ""
        with self._process.stdout as lines:
            for raw in lines:
                line = plain(raw.decode(errors="replace").strip(), _MAX_LINE_CHARS)
                if line == "pressed":
                    self._spectator.active = True
                elif line == "end":
                    self._spectator.left = True
                else:
                    fault = line.removeprefix("fault ")
        if code := self._process.wait():
            TextConsole().close()  # a killed program did not restore it
            self._say(f"{_NOT_SHOWN} any more: {fault or f'its program ended with {code}'}")


def _start(server: Path, framebuffer: Path) -> subprocess.Popen[bytes]:
    return start_child(
        [sys.executable, "-m", "hiperiso.stick.screen.program", str(server), str(framebuffer)],
        number=signal.SIGTERM,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
