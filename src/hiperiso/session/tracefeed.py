"""The trace while the guest runs: its tier may change, its file may not grow past a limit.

::

    --trace-from, --trace-until   the tier is in force between two stages (or until a text); the standard tier outside
    trace.tier                    a file in the session directory with a tier in it: in force from then on
    --trace-limit                 the file is kept under a size: recording stops (first), or the oldest part goes (last)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hiperiso.contract import files
from hiperiso.contract.eventdata import TraceData
from hiperiso.contract.events import Event, TextLine, TraceLimited, TraceTier
from hiperiso.contract.settings import Settings
from hiperiso.contract.tracereport import TraceKeep
from hiperiso.contract.words import BootStage, EndReason, TraceLevel
from hiperiso.machine.parts.trace import Trace
from hiperiso.machine.qemu import TraceBackend
from hiperiso.machine.qmp import Qmp, QmpFault
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.observer import Work
from hiperiso.trace.ring import older_part

_EVERY_S: Final = 0.25
_MB: Final = 1 << 20
_MAX_WORD: Final = 20


class TraceFeed:
    """Watches the trace of one boot.

    Args:
        directory: of the session.
        trace: the part of the machine.
        stage: how far the guest has got.
        note: sets fields of the manifest.
    """

    def __init__(
        self,
        qmp: Qmp,
        log: EventLog,
        directory: Path,
        trace: Trace,
        settings: Settings,
        *,
        stage: Callable[[], BootStage],
        note: Callable[..., None],
    ) -> None:
        self._qmp = qmp
        self._log = log
        self._directory = directory
        self._trace = trace
        self._settings = settings
        self._stage = stage
        self._note = note
        self._on = set(trace.names)
        self._window = Window(settings)
        self._limit_bytes = (settings.trace_limit or 0) * _MB
        self._stopped = False
        self._size = 0
        self._asked = ""
        self._unsubscribe = log.subscribe(self._window.on_event, Rank.CHANNEL)

    def start(self) -> Sequence[Work]:
        """Watch until cancelled."""
        return (self.watch(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """The trace goes on as long as QEMU runs."""

    async def close(self) -> None:
        """Nothing is left to do."""
        self._unsubscribe()

    async def watch(self) -> None:
        """Adapt the trace to the stage, the wishes and the limit, until cancelled or QEMU is gone."""
        with contextlib.suppress(QmpFault):
            while not self._stopped:
                await self._look()
                await asyncio.sleep(_EVERY_S)

    async def _look(self) -> None:
        if level := self._window.due(self._stage()):
            await self._set_tier(level, "the window of the trace")
        if level := self._asked_for():
            await self._set_tier(level, f"asked for in {files.TRACE_TIER}")
        if self._limit_bytes:
            await self._keep_under_limit()

    def _asked_for(self) -> TraceLevel | None:
        try:
            word = (
                (self._directory / files.TRACE_TIER)
                .read_bytes()[:_MAX_WORD]
                .decode("ascii", "replace")
                .strip()
            )
        except OSError:
            return None
        if word == self._asked:
            return None
        self._asked = word
        return TraceLevel(word) if word in set(TraceLevel) else None

    async def _set_tier(self, level: TraceLevel, why: str) -> None:
        wanted = set(self._trace.tiers.get(level, ()))
        for name in sorted(self._on ^ wanted):
            arguments = {"name": name, "enable": name in wanted, "ignore-unavailable": True}
            await self._qmp.execute("trace-event-set-state", arguments)
        self._on = wanted
        self._log.emit(TraceTier(text=level, data=TraceData(detail=why)))

    async def _keep_under_limit(self) -> None:
        try:
            size = self._trace.output.stat().st_size
        except OSError:
            return
        last = self._settings.trace_keep is TraceKeep.LAST
        growth, self._size = max(0, size - self._size), size
        limit = self._limit_bytes // 2 if last else self._limit_bytes
        if size + growth < limit:  # it grows until the next look
            return
        if last:
            dropped = older_part(self._trace.output).exists()
            await self._rotate()
            if not dropped:
                return
        else:
            await self._stop()
        if self._limit_bytes and not self._window.limited:
            self._window.limited = True
            self._note(trace_limited=self._settings.trace_keep)
            self._log.emit(
                TraceLimited(text=self._settings.trace_keep, data=TraceData(bytes=self._limit_bytes))
            )

    async def _stop(self) -> None:
        """Record nothing more."""
        self._stopped = True
        # no build of QEMU has all events, and without the last argument a missing one refuses the command
        arguments = {"name": "*", "enable": False, "ignore-unavailable": True}
        await self._qmp.execute("trace-event-set-state", arguments)

    async def _rotate(self) -> None:
        """QEMU goes on in a new file, which takes the old one's name."""
        output = self._trace.output
        following = output.with_name(f"{output.name}.next")
        command = "logfile" if self._trace.backend is TraceBackend.LOG else "trace-file set"
        answer = await self._qmp.hmp(f"{command} {following}")
        if not await asyncio.to_thread(_appeared, following):
            await self._stop()  # such as a path with a space: the limit is kept by stopping
            self._log.emit(TraceLimited(text=TraceKeep.FIRST, data=TraceData(detail=answer.strip()[:200])))
            self._note(trace_limited=TraceKeep.FIRST)
            return
        output.replace(older_part(output))
        following.replace(output)


def _appeared(path: Path) -> bool:
    """Whether a file is there; QEMU's writer may be a moment late."""
    import time

    deadline_s = time.monotonic() + 2.0
    while not path.exists():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True


class Window:
    """When the tier of the settings is in force; the standard tier is outside.

    Attributes:
        limited: whether the limit has been reported.
    """

    def __init__(self, settings: Settings) -> None:
        self.limited = False
        self._level = settings.trace
        self._begin = settings.trace_from
        self._end_stage, self._end_text = ends_of(settings.trace_until)
        self._open = self._begin is None
        self._text_seen = False

    def on_event(self, event: Event) -> None:
        """Look for the text that ends the window."""
        if self._open and self._end_text and isinstance(event, TextLine) and self._end_text in event.text:
            self._text_seen = True

    def due(self, stage: BootStage) -> TraceLevel | None:
        """The tier that is to be in force from now on; None while nothing changes."""
        if not self._open and self._begin is not None and stage.rank >= self._begin.rank:
            self._open, self._begin = True, None
            return self._level
        if self._open and (self._text_seen or (self._end_stage and stage.rank >= self._end_stage.rank)):
            self._open, self._end_stage, self._end_text, self._text_seen = False, None, "", False
            return min(self._level, TraceLevel.STANDARD, key=list(TraceLevel).index)
        return None


def ends_of(until: str | None) -> tuple[BootStage | None, str]:
    """What ``--trace-until`` names: a stage, or a text."""
    words: Mapping[str, Any] = {stage.value: stage for stage in BootStage if stage.rank}
    if not until:
        return None, ""
    return (words[until], "") if until in words else (None, until)
