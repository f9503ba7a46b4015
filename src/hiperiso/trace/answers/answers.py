"""All answers of one trace, batch by batch; memory is bounded by the devices there are, not by the trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from hiperiso.contract.tracereport import TraceAnswers
from hiperiso.trace.answers.activity import Activity, Silences, Span
from hiperiso.trace.answers.firmware import FirmwareSteps
from hiperiso.trace.answers.loops import LoopFinder, shown_loops
from hiperiso.trace.answers.progress import Medium, Progress
from hiperiso.trace.answers.states import States
from hiperiso.trace.reader import Batch

_FAR_NS: Final = 1 << 62


@dataclass
class Answers:
    """Takes the batches of a trace in order.

    Args:
        zero_ns: the time 0 of the answers, by the trace's clock.
        phases: of the boot.
        firmware_end_ns: when the firmware had handed over.
    """

    zero_ns: int
    phases: Sequence[Span] = ()
    firmware_end_ns: int = _FAR_NS
    _silences: Silences = field(default_factory=Silences)
    _loops: LoopFinder = field(default_factory=LoopFinder)
    _progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self._activity = Activity(self.phases)
        self._states = States(self.zero_ns)
        self._firmware = FirmwareSteps(self.firmware_end_ns)

    def feed(self, batch: Batch) -> None:
        """Take the next batch."""
        self._silences.feed(batch)
        seen = self._states.feed(batch)
        if seen.read_ns:
            self._firmware.medium_read(seen.read_ns)
        self._activity.feed(seen.registers, seen.times_ns)
        self._firmware.feed(seen.registers, seen.times_ns)
        self._loops.feed(seen.states, seen.state_times_ns)
        self._progress.asked(seen.asked)
        self._progress.feed(seen.states, seen.state_times_ns)

    def found(self, end_ns: int | None = None) -> TraceAnswers:
        """The answers, once; the recording ended at `end_ns`, by default with the last record."""
        last_ns = self._silences.last_ns
        end_ns = max(last_ns, last_ns if end_ns is None else end_ns)
        loops = self._loops.finish()
        talking_to = self._progress.talking_to()
        medium = Medium(self._states.drives.pending_ns, self._states.drives.errors)
        return TraceAnswers(
            first_s=self._seconds(self._silences.first_ns or 0),
            last_s=self._seconds(last_ns),
            devices=self._activity.devices(self.zero_ns),
            drives=self._states.drives.used(),
            pci=self._states.devices.functions(),
            firmware=self._firmware.steps(self.zero_ns),
            silences=self._silences.found(self.zero_ns, end_ns),
            loops=shown_loops(loops, self.zero_ns),
            last=self._progress.last_accesses(self.zero_ns),
            talking_to=talking_to.device if talking_to else "",
            suspect=self._progress.suspect(end_ns, self.zero_ns, medium, loops),
        )

    def _seconds(self, t_ns: int) -> float:
        return round((t_ns - self.zero_ns) / 1e9, 6)
