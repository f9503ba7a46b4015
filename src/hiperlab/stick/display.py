"""A progress bar and text on a terminal. Text from a stick or a guest is shown without escape sequences."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

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
