"""A bar for work that is counted in pieces, on terminals only."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import Progress


class PackingBar:
    """A bar on standard error for the block, from the first call of `show` on."""

    def __init__(self, title: str = "packing") -> None:
        self._progress = Progress(
            console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
        )
        self._task = self._progress.add_task(title, total=None, visible=False)

    def __enter__(self) -> PackingBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, done: int, total: int) -> None:
        """So many pieces of so many are done."""
        self._progress.update(self._task, completed=done, total=total, visible=True)
