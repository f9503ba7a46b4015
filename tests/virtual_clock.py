"""An event loop whose time passes only where nothing else is left to do: what is quiet for 150 ms costs no time.

Real descriptors work in it as ever; what comes from other processes or threads should be waited for in a real loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar


class _Selector(selectors.DefaultSelector):
    """Instead of waiting for so long, it is so much later."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.looks = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.looks += 1
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; ``looks`` counts how often it woke up."""

    def __init__(self) -> None:
        self._jumping = _Selector()
        super().__init__(self._jumping)

    @property
    def looks(self) -> int:
        return self._jumping.looks

    def time(self) -> float:
        return self._jumping.now_s


T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in such a loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
