"""The program that shows a guest's screen: a separate process, so that painting never delays the recording.

::

    python3 -m hiperiso.stick.screen.program SOCKET [FRAMEBUFFER]

It connects when it reads a line. It ends with its connection, or on SIGTERM, and restores the text
console. Its messages are on standard output, one word per line: see `hiperiso.stick.screen.viewer.Viewer`;
``fault TEXT`` is the last one after a failure.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final

from hiperiso.errors import HarnessFault, HiperisoError
from hiperiso.stick.screen.devices import Devices, load_mouse_driver
from hiperiso.stick.screen.framebuffer import FRAMEBUFFER, Framebuffer
from hiperiso.stick.screen.terminal import TextConsole
from hiperiso.stick.screen.viewer import Viewer

CONNECT_TIMEOUT_S: Final = 120.0
_CONNECT_PAUSE_S = 0.1
_NICE = 5  # guest and recording have priority on a single processor


def main(argv: list[str]) -> int:
    """Show until the end; 0 on success."""
    path = Path(argv[1]) if len(argv) > 1 else FRAMEBUFFER
    try:
        view(Path(argv[0]), path)
    except (HiperisoError, OSError) as error:
        _report(f"fault {error}")
        return 1
    except Exception as bug:  # one line for the user; the recording continues
        _report(f"fault internal error: {bug!r}")
        return 1
    return 0


def view(server: Path, framebuffer: Path) -> None:
    """Show the screen of the server at the socket `server` on `framebuffer`.

    Raises:
        HarnessFault: there is no server or framebuffer, or the received data is not a picture.
        OSError: the connection broke.
    """
    with contextlib.ExitStack() as stack:
        target = Framebuffer(framebuffer)
        stack.callback(target.close)
        connection = stack.enter_context(_connect(server))
        load_mouse_driver()
        devices = Devices()
        stack.callback(devices.close)
        console = TextConsole()
        stack.callback(console.close)
        viewer = Viewer(
            connection, target.surface, target.buffer, devices=devices, console=console, report=_report
        )
        viewer.run()


def _connect(server: Path) -> socket.socket:
    """Connect as soon as the server accepts."""
    deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(server))
            return connection
        except OSError as error:
            connection.close()
            if time.monotonic() > deadline_s:
                raise HarnessFault(f"cannot connect to the guest's screen: {error.strerror}") from None
        time.sleep(_CONNECT_PAUSE_S)


def _report(text: str) -> None:
    print(text, flush=True)


def _stop(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the recorder, which ends us
    os.nice(_NICE)
    if not sys.stdin.readline():
        sys.exit(0)  # there was nothing to show
    sys.exit(main(sys.argv[1:]))
