"""What the page shows, read from a session directory within bounds: any file may be missing, huge, torn or hostile."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hiperiso.analysis.html.markup import weight
from hiperiso.contract import files
from hiperiso.contract.disk import DiskSummary
from hiperiso.contract.events import (
    Event,
    FaultReported,
    HarnessEvent,
    HostLoad,
    IsoRead,
    KernelLine,
    MachinePlanned,
    ProcessEvent,
    QemuEvent,
    QemuStderr,
    ScreenEvent,
    ScreenImage,
    ScreenText,
    StreamLine,
    UnknownEvent,
    is_partial,
)
from hiperiso.contract.report import Evidence, Report
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import Severity, Source
from hiperiso.text import clean_text

_HEAD_BYTES: Final = 330_000
_TAIL_BYTES: Final = 330_000
_EVIDENCE_BYTES: Final = 100_000
_ROW_COST_BYTES: Final = 110  # what a row takes beside its text
_MAX_TEXT_CHARS: Final = 1000
_MAX_TICKS: Final = 2500
_MAX_SCREENS: Final = 2000
_MAX_ANCHORS: Final = 50_000
_OF_THE_PLAN: Final = ("accel", "firmware")
_WARNING_WORDS: Final = re.compile(
    r"\b(?:warn(?:ing)?|error|failed|failure|fatal|panic|bug|oops|segfault|unable|cannot|timed? ?out"
    r"|corrupt(?:ed)?)\b",
    re.IGNORECASE,
)

DEBUG, INFO, NOTICE, WARNING, ERROR = range(5)
LEVEL_NAMES: Final = ("debug", "info", "notice", "warning", "error")
_KERNEL_LEVELS: Final = dict.fromkeys(("emerg", "alert", "crit", "err"), ERROR) | {
    name: LEVEL_NAMES.index(name) for name in ("warning", "notice", "info", "debug")
}
"""Of the kernel's own levels, as events name them."""
_LEVEL_OF_SEVERITY: Final = {
    Severity.INFO: NOTICE,
    Severity.WARNING: WARNING,
    Severity.ERROR: ERROR,
    Severity.FATAL: ERROR,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the log. ``anchor`` is its id on the page."""

    anchor: str
    t: float
    source: str
    kind: str
    text: str
    level: int
    screen: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen of the film strip. ``path`` is relative to the directory, and checked when it is read."""

    n: int
    t: float
    kind: str
    path: str
    text: str
    columns: int
    minor: bool


@dataclass
class Lane:
    """One channel on the timeline: the times at which it said something, with the worst level of each."""

    ticks: dict[int, int] = field(default_factory=dict)
    step_ms: int = 1
    count: int = 0

    def add(self, t: float, level: int) -> None:
        """Note something at `t`."""
        self.count += 1
        slot = int(max(t, 0) * 1000) // self.step_ms
        self.ticks[slot] = max(self.ticks.get(slot, 0), level)
        while len(self.ticks) > _MAX_TICKS:
            self.step_ms *= 2
            merged: dict[int, int] = {}
            for old, value in self.ticks.items():
                merged[old // 2] = max(merged.get(old // 2, 0), value)
            self.ticks = merged


@dataclass
class Recording:
    """Everything for the page, bounded."""

    session: StoredSession
    scale: float  # of every budget of the page
    manifest: dict[str, Any]
    report: Report | None
    disk: DiskSummary | None
    tasks: list[dict[str, Any]]
    rows: list[Row] = field(default_factory=list)
    rows_left_out: int = 0
    shown: set[str] = field(default_factory=set)
    lanes: dict[str, Lane] = field(default_factory=dict)
    disk_bytes: dict[int, int] = field(default_factory=dict)
    screens: list[Screen] = field(default_factory=list)
    screens_left_out: int = 0
    end_s: float = 0.0
    anchors: dict[int, str] = field(default_factory=dict)
    """Of sessions without events: line of serial.log to anchor."""

    def text(self, name: str, limit_bytes: int) -> str:
        """The beginning of a text file, cleaned; empty where there is none."""
        data = self.session.read(name, limit_bytes + 1)
        cut = "\n[truncated here]" if len(data) > limit_bytes else ""
        return "\n".join(clean_text(line) for line in data[:limit_bytes].split(b"\n")) + cut if data else ""


def evidence_anchor(recording: Recording, evidence: Evidence) -> str | None:
    """The id of the line on the page that `evidence` names; None where the page does not hold it."""
    anchor = f"e{evidence.event}" if evidence.event is not None else recording.anchors.get(evidence.line or 0)
    return anchor if anchor in recording.shown else None


def read_recording(directory: Path, scale: float = 1.0) -> Recording:
    """Read a session directory; a smaller `scale` keeps less of everything.

    Raises:
        OSError: events.jsonl or serial.log exists and cannot be read.
    """
    session = StoredSession(directory)
    recording = Recording(session, scale, dict(session.document), session.report, session.disk, session.tasks)
    evidence = _evidence(recording.report)
    keeper = _Keeper(recording, evidence)
    for event in _without_finished_prompts(session.recording(), evidence):
        keeper.take(event)
    keeper.close()
    return recording


class _Keeper:
    """Takes the events in order; keeps the first, the last, and those that the verdict rests on."""

    def __init__(self, recording: Recording, evidence: dict[int, int]) -> None:
        self._recording = recording
        self._evidence = evidence
        self._room = int(_HEAD_BYTES * recording.scale)
        self._tail_room = int(_TAIL_BYTES * recording.scale)
        self._evidence_room = int(_EVIDENCE_BYTES * recording.scale)
        self._tail: deque[Row] = deque()
        self._tail_bytes = 0
        self._kept_evidence: list[Row] = []

    def take(self, event: Event) -> None:
        recording = self._recording
        level = max(_level(event), self._evidence.get(event.n, DEBUG))
        t = event.t if 0 <= event.t < 1e7 else 0.0
        recording.end_s = max(recording.end_s, t)
        recording.lanes.setdefault(_lane_of(event), Lane()).add(t, level)
        if isinstance(event, MachinePlanned):
            for name in _OF_THE_PLAN:  # the manifest has them once it is closed, after this page
                recording.manifest.setdefault(name, getattr(event.data, name))
        elif isinstance(event, IsoRead):
            size = event.data.bytes or 0
            if 0 < size < 1 << 50 and len(recording.disk_bytes) < 20_000:
                recording.disk_bytes[int(t)] = recording.disk_bytes.get(int(t), 0) + size
        elif isinstance(event, ScreenEvent):
            self._screen(event)
        elif (
            isinstance(event, StreamLine)
            and (line := event.data.line) is not None
            and len(recording.anchors) < _MAX_ANCHORS
        ):
            recording.anchors.setdefault(line, f"e{event.n}")
        self._keep(_row(event, t, level))

    def _screen(self, event: ScreenEvent) -> None:
        if len(self._recording.screens) >= _MAX_SCREENS:
            self._recording.screens_left_out += 1
            return
        columns, minor = 80, False
        if isinstance(event, ScreenText):
            minor = bool(event.data.minor)
            columns = event.data.cols if event.data.cols and 0 < event.data.cols <= 512 else columns
        body = event.text[:20_000]
        self._recording.screens.append(Screen(event.n, event.t, event.kind, event.path, body, columns, minor))

    def _keep(self, row: Row) -> None:
        cost = _cost(row)
        if self._room > 0:
            self._room -= cost
            self._recording.rows.append(row)
            return
        self._tail.append(row)
        self._tail_bytes += cost
        while self._tail_bytes > self._tail_room:
            old = self._tail.popleft()
            self._tail_bytes -= _cost(old)
            if int(old.anchor[1:]) in self._evidence and self._evidence_room > 0:
                self._evidence_room -= _cost(old)
                self._kept_evidence.append(old)
            else:
                self._recording.rows_left_out += 1

    def close(self) -> None:
        left_out = self._recording.rows_left_out
        if left_out:
            note = f"{left_out} lines are left out here; all of them are in {files.EVENTS_JSONL}"
            following = [*self._kept_evidence, *self._tail]
            at = following[0].t if following else self._recording.end_s
            self._recording.rows.append(Row("left-out", at, "note", "note", note, NOTICE))
        self._recording.rows += [*self._kept_evidence, *self._tail]
        self._recording.shown = {row.anchor for row in self._recording.rows}


def _cost(row: Row) -> int:
    return weight(row.text) + _ROW_COST_BYTES


def _row(event: Event, t: float, level: int) -> Row:
    body, screen = event.text, ""
    if isinstance(event, ScreenEvent):
        screen = f"s{event.n}"
        lines = [line for line in event.text.split("\n") if line.strip()]
        body = (
            "a picture"
            if isinstance(event, ScreenImage)
            else " ⏎ ".join(line.strip() for line in lines)[:160]
        )
    elif isinstance(event, IsoRead):
        size, requests = (_or_unknown(value) for value in (event.data.bytes, event.data.requests))
        body = f"{event.text}: {size} bytes, {requests} requests"
    elif isinstance(event, QemuEvent | HarnessEvent | UnknownEvent) and (values := event.values):
        given = [(key, value) for key, value in values.items() if value is not None and value != []]
        facts = ", ".join(f"{key}={_short(value)}" for key, value in given[:12])
        body = event.text if isinstance(event, HostLoad) else f"{event.text} {facts}".strip()
    if len(body) > _MAX_TEXT_CHARS:
        body = body[:_MAX_TEXT_CHARS] + " […]"
    return Row(f"e{event.n}", t, _lane_of(event), event.kind, body, level, screen)


def _lane_of(event: Event) -> str:
    """The channel that an event is shown in: one for all that this version does not know."""
    return event.source if event.source in set(Source) else "unknown"


def _or_unknown(value: int | None) -> str:
    return "?" if value is None else str(value)


def _short(value: object) -> str:
    """In words, not as Python writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ("; ".join(map(str, value)) if isinstance(value, list) else str(value))[:120]


def _level(event: Event) -> int:
    if isinstance(event, KernelLine):
        level = _KERNEL_LEVELS.get(event.data.level or "")
        if level is not None:
            return level
    if isinstance(event, HarnessEvent):
        is_stderr = isinstance(event, QemuStderr)
        return ERROR if isinstance(event, FaultReported) else WARNING if is_stderr else INFO
    if isinstance(event, ScreenEvent | IsoRead | ProcessEvent):
        return INFO
    return WARNING if _WARNING_WORDS.search(event.text[:_MAX_TEXT_CHARS]) else INFO


def _evidence(report: Report | None) -> dict[int, int]:
    """Numbers of the events that the verdict rests on, with the level that their findings give them."""
    found: dict[int, int] = {}
    if report is not None:
        for stage in report.stages:
            if stage.evidence.event is not None:
                found.setdefault(stage.evidence.event, NOTICE)
        for finding in report.findings:
            level = _LEVEL_OF_SEVERITY[finding.severity]
            for item in finding.evidence:
                if item.event is not None:
                    found[item.event] = max(found.get(item.event, DEBUG), level)
    return found


def _without_finished_prompts(events: Iterable[Event], evidence: dict[int, int]) -> Iterator[Event]:
    """Leave out unfinished lines whose finished form follows on the same channel."""
    held: dict[str, Event] = {}
    for event in events:
        before = held.pop(event.source, None)
        if before is not None and (before.n in evidence or not event.text.startswith(before.text)):
            yield before
        if is_partial(event):
            held[event.source] = event
        else:
            yield event
    yield from sorted(held.values(), key=lambda event: event.n)
