"""The answers of a stored session: its trace, placed on the clock of its other channels."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import structs

from hiperiso.contract import files
from hiperiso.contract.events import QemuExited, QemuStarted, RecordingEnded
from hiperiso.contract.report import Phase
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.tracereport import TraceReport
from hiperiso.contract.words import EndReason, TraceLevel
from hiperiso.errors import UsageError
from hiperiso.trace.answers.activity import Span
from hiperiso.trace.answers.answers import Answers
from hiperiso.trace.show import TraceFile
from hiperiso.trace.tiers import NOT_RECORDED

BUDGET_S: Final = 60.0
"""How long reading a trace may take at the end of a recording."""
NO_CULPRIT: Final = frozenset(
    {
        EndReason.EXPECTED_STAGE,
        EndReason.EXPECTED_TEXT,
        EndReason.PANIC,
        EndReason.POWERED_OFF,
        EndReason.RESET_LOOP,
        EndReason.MENU_WAITS,
        EndReason.MENU_LISTED,
        EndReason.MENU_ENTRY_MISSING,
        EndReason.PASSPHRASE,
        EndReason.HANDED_OVER,
    }
)
"""Ends of a recording that no device is the reason of."""
_LOADED: Final = frozenset({"firmware"})


def answers_of_session(
    directory: Path,
    *,
    phases: Sequence[Phase] = (),
    end_reason: EndReason | None = None,
    success: bool = False,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
    compiled: bool = True,
) -> TraceReport | None:
    """What the trace of a session says; None without a trace that can be read.

    Args:
        directory: of the session.
        phases: of its boot.
        end_reason: why its recording ended.
        success: whether the boot was one.
        budget_s: how long it may take; then the answers are those of the beginning.
        clock: seconds that pass.
        compiled: whether the compiled decoders may be used.
    """
    try:
        trace = TraceFile(directory, compiled=compiled)
    except UsageError:
        return None
    session = StoredSession(directory)
    answers: Answers | None = None
    complete = True
    zero_ns = zero_of_session(session, trace.ahead_s)
    records = 0
    end_s = clock() + budget_s
    try:
        for batch in trace.batches():
            if answers is None:
                zero_ns = trace.reader.begin_ns if zero_ns is None else zero_ns
                answers = _answers(zero_ns, phases)
            answers.feed(batch)
            records += batch.count
            if clock() > end_s:
                complete = False
                break
    except (UsageError, OSError):  # damaged: what precedes it counts
        complete = False
    if answers is None or zero_ns is None:
        return None
    recorded_s = _end_s(session)
    found = answers.found(None if recorded_s is None or not complete else zero_ns + round(recorded_s * 1e9))
    if success or not complete or end_reason in NO_CULPRIT:
        found = structs.replace(found, suspect=None)
    detailed = session.document.get("trace_level") == TraceLevel.DETAILED
    return TraceReport(
        file=trace.path.name,
        records=records,
        lost=trace.reader.lost,
        complete=complete,
        unseen=list(NOT_RECORDED) if detailed else [],
        **{name: getattr(found, name) for name in found.__struct_fields__},
    )


def _answers(zero_ns: int, phases: Sequence[Phase]) -> Answers:
    spans = [
        Span(
            phase.name,
            zero_ns + round(phase.start_s * 1e9),
            zero_ns + round(phase.start_s * 1e9) + phase.duration_ms * 1_000_000,
        )
        for phase in phases
        if phase.name != "desktop"  # lies beside the others
    ]
    ends = [span.end_ns for span in spans if span.name in _LOADED]
    return Answers(zero_ns, spans, ends[0]) if ends else Answers(zero_ns, spans)


def zero_of_session(session: StoredSession, ahead_s: float) -> int | None:
    """QEMU's start, by the trace's clock."""
    for event in session.head:
        if isinstance(event, QemuStarted) and event.data.wall_s is not None:
            return round((event.data.wall_s - event.t - ahead_s) * 1e9)
    return None


def _end_s(session: StoredSession) -> float | None:
    """When the recording ended."""
    end: float | None = None
    if session.size_bytes(files.EVENTS_JSONL):
        for event in session.events():
            if isinstance(event, RecordingEnded | QemuExited):
                end = event.t
                break
    return end
