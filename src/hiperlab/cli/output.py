"""Standard output whose reader may leave: a command then does its work all the same, and exits as it would have."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any


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
    _open_standard_streams()
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


def _open_standard_streams() -> None:
    """Streams that were closed (``>&-``) discard: no file of ours may get their descriptors."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        if getattr(sys, name) is None:
            stream = io.TextIOWrapper(
                io.FileIO(number, mode, closefd=False), encoding="utf-8", line_buffering=True
            )
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def drop_output() -> None:
    """Discard what could not be written to standard output, so that the interpreter does not try once more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)
