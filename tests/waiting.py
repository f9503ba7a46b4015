"""How tests wait: for what happens, never for time that passes.

A deadline matters only where a test fails, so it is generous: a machine that is half as fast, or busy with something
else, must not make a test fail. The one place with a pause; ``tests/house/test_waiting.py`` keeps it so.
"""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 240.0
"""How long one event may take."""
POLL_S = 0.02
"""Between two looks at what gives no notice of its own: files, processes of others, memory of a guest."""


def wait_until(
    true: Callable[[], bool],
    what: str | Callable[[], str],
    *,
    deadline_s: float = DEADLINE_S,
    poll_s: float = POLL_S,
) -> None:
    """Return as soon as it is true. Raises AssertionError with `what` when it has not come true in time."""
    end_s = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < end_s, what if isinstance(what, str) else what()
        time.sleep(poll_s)


async def await_until(true: Callable[[], bool], what: str, *, deadline_s: float = DEADLINE_S) -> None:
    """The same in a running loop."""
    end_s = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < end_s, what
        await asyncio.sleep(POLL_S / 4)


def wait_for_text(path: Path, words: str = "") -> str:
    """Wait until a file has something in it, with `words` among it. Returns its text."""

    def text() -> str:
        return path.read_text(errors="replace") if path.exists() else ""

    wait_until(lambda: bool(now := text()) and words in now, lambda: f"no {words!r} in {path}: {text()!r}")
    return text()


def runs(pid: int) -> bool:
    """Whether a process of this number is there and no zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(pid: int) -> None:
    """Wait until a process of anybody has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], DEADLINE_S)[0], f"process {pid} has not ended"
    finally:
        os.close(fd)
