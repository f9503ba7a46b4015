"""Standard output whose reader may leave: a command then does its work all the same, and exits as it would have."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

from hiperiso.streams import open_standard_streams


class _UntilClosed(io.FileIO):
    """Writes to a descriptor until its reader has gone, then discards."""

    def write(self, data: Any, /) -> int:
        """As in the base class; discarded data counts as written."""
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), self.fileno())
            return memoryview(data).nbytes


def outlive_the_reader() -> None:
    """Let ``hiperiso boot x.iso | head -1`` continue to its end: its exit code is the result of the boot."""
    open_standard_streams()
    stdout = sys.__stdout__
    if stdout is None or sys.stdout is not stdout:
        return
    stdout.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_UntilClosed(stdout.fileno(), "w", closefd=False)),
        encoding=stdout.encoding,
        errors=stdout.errors,
        line_buffering=stdout.line_buffering,
    )
