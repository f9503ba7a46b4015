"""Trace recording: the list of events for QEMU, and the output file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import TraceLevel
from hiperiso.errors import UsageError
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, Preparation, escape, require_absolute
from hiperiso.machine.qemu import TraceBackend
from hiperiso.trace.formats import write_formats
from hiperiso.trace.tiers import NOT_RECORDED, write_names


class Trace(Part, frozen=True, kw_only=True):
    """A trace of QEMU.

    Attributes:
        names: the events that are recorded from the start.
        tiers: the events of each tier, for a change while the guest runs.
        missing: events of the tier that this QEMU does not have.
        unseen: ports whose accesses the tier does not record.
        events: file with one event name per line.
        output: ``trace.log`` with the log backend, ``trace.bin`` with the simple one.
        backend: which of the two this QEMU has.
        qemu: the binary, with the declarations of its events beside it.

    Raises:
        UsageError: a relative path, or one that QEMU cannot write its trace to.
    """

    names: tuple[str, ...]
    tiers: Mapping[TraceLevel, tuple[str, ...]]
    missing: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    events: Path
    output: Path
    backend: TraceBackend
    qemu: Path

    def __post_init__(self) -> None:
        require_absolute(self.events, self.output)
        if self.backend is TraceBackend.LOG and "%" in str(self.output):
            raise UsageError(
                f"QEMU cannot write its trace to a path with a percent sign: {self.output}",
                hint="use a log root without % in its path",
            )

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        write_names(self.events, self.names)
        # the text backend counts in wall-clock time, the binary one in monotonic time
        ahead_s = time.time() - time.monotonic() if self.backend is TraceBackend.SIMPLE else 0.0
        write_formats(self.events.with_name(files.TRACE_FORMATS), self.qemu, self._all_names(), ahead_s)

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        if not self.missing:
            return ()
        return (f"the trace is without events that this QEMU does not have: {', '.join(self.missing)}",)

    def _all_names(self) -> frozenset[str]:
        return frozenset(self.names).union(*self.tiers.values())

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        events = f"events={escape(self.events)}"
        if self.backend is TraceBackend.SIMPLE:
            return ["-trace", f"{events},file={escape(self.output)}"]
        return ["-trace", events, "-D", str(self.output), "-msg", "timestamp=on"]


def plan_trace(settings: Settings, facts: Facts) -> Trace | None:
    """The trace of the requested tier; None without one."""
    if facts.trace_backend is None:
        return None
    directory = facts.place.directory
    binary = facts.trace_backend is TraceBackend.SIMPLE
    windowed = settings.trace_from is not None and settings.trace is not TraceLevel.NONE
    return Trace(
        names=facts.trace_tiers[TraceLevel.STANDARD if windowed else settings.trace],
        tiers=facts.trace_tiers,
        missing=facts.trace_missing,
        unseen=NOT_RECORDED if settings.trace is TraceLevel.DETAILED else (),
        events=directory / files.TRACE_EVENTS,
        output=directory / (files.TRACE_BIN if binary else files.TRACE_LOG),
        backend=facts.trace_backend,
        qemu=facts.qemu,
    )
