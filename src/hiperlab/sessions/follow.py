"""Follows a boot that another process records, through its files: in another terminal, in a CI job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from hiperiso.analysis.judge import Judge
from hiperiso.contract.events import Event
from hiperiso.contract.manifest import Analysis
from hiperiso.contract.stored import StoredSession
from hiperiso.session.progress import progress_of
from hiperiso.session.request import BootProgress
from hiperlab.sessions.find import is_running

_PAUSE_S = 0.2


def follow_events(
    session: StoredSession, pause: Callable[[float], None] = time.sleep
) -> Iterator[tuple[Event, BootProgress]]:
    """Yield the events of a session with how far the guest was, those that stand there first, until it has ended.

    A session whose recorder was killed has ended; one whose guest is left running has, when its verdict is written.
    """
    judge, offset_bytes = Judge(), 0
    while True:
        now = StoredSession(session.path)  # asked before reading: what comes until then is read
        judged = now.manifest is not None and isinstance(now.manifest.analysis, Analysis)
        over = judged or not is_running(now)
        events, offset_bytes = session.tail(offset_bytes)
        for event in events:
            judge.feed(event)
            yield event, progress_of(judge)
        if over and not events:
            return
        if not events:
            pause(_PAUSE_S)
