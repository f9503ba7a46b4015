"""A progress bar, text and errors on a terminal. Text from a stick or a guest is shown without escape sequences."""

from __future__ import annotations

import errno
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from hiperiso.contract.store import encode_json
from hiperiso.errors import HarnessFault
from hiperiso.text import harmless


def console() -> Console:
    """Where results go."""
    return Console(highlight=False, soft_wrap=True)


class Bar:
    """A bar on standard error for the block; without a terminal, the name of each step instead."""

    def __init__(self, title: str, total_bytes: int, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not self._live,
        )
        self._task = self._progress.add_task(escape(title), total=total_bytes)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, count_bytes: int) -> None:
        """Advance by that many bytes."""
        self._progress.advance(self._task, count_bytes)

    def describe(self, text: str) -> None:
        """Set the description of the current step."""
        self._progress.update(self._task, description=escape(harmless(text)))
        if not self._live and not self._quiet:
            print(harmless(text), file=sys.stderr)


@contextmanager
def read_errors_reported(target: Path) -> Iterator[None]:
    """Report read errors of a stick in one line."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of our output has exited: not a fault of the stick
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        hint = (
            f"free some space in {tempfile.gettempdir()}, or set TMPDIR"
            if error.errno == errno.ENOSPC
            else ""
        )
        raise HarnessFault(
            f"reading {target} failed: {error.strerror or error}{place}",
            hint=hint or "the system log (dmesg) shows whether the disk is gone or worn out",
        ) from error


@contextmanager
def write_errors_reported(target: Path) -> Iterator[None]:
    """Report write errors of a stick in one line, with a hint."""
    try:
        yield
    except OSError as error:
        refused = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        hint = "hiperiso stick verify shows what is broken; update repairs it"
        raise HarnessFault(
            f"writing {target} failed: {error.strerror or error}",
            hint="permission denied: use sudo, or choose another target" if refused else hint,
        ) from error


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(msgspec.json.format(encode_json(value), indent=2).decode() + "\n")
