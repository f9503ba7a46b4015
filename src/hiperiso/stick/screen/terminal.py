"""Switches the kernel's text console to graphics mode and back.

Source: ioctl_console(2), KDSETMODE. In graphics mode the console buffers what is written to it and draws it when text
mode returns.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

TERMINAL: Final = Path("/dev/tty0")
"""The virtual terminal in the foreground when it is opened."""

_SET_MODE = 0x4B3A
_TEXT, _GRAPHICS = 0, 1


class TextConsole:
    """Open the foreground virtual terminal; without one, nothing happens."""

    def __init__(self, path: Path = TERMINAL) -> None:
        self._descriptor = -1
        with contextlib.suppress(OSError):
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)

    def hide(self) -> None:
        """Stop the console from drawing."""
        self._set(_GRAPHICS)

    def show(self) -> None:
        """Let the console redraw, and continue drawing."""
        self._set(_TEXT)

    def close(self) -> None:
        """Show the console, and close it."""
        self.show()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _set(self, mode: int) -> None:
        with contextlib.suppress(OSError):
            if self._descriptor >= 0:
                fcntl.ioctl(self._descriptor, _SET_MODE, mode)
