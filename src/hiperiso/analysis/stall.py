"""The activity of a silent guest: idle at a prompt, spinning, waiting for its medium, or halted permanently.

Samples of its vCPUs and of its disks come while all channels are quiet, and at the end. An instruction pointer proves
little by itself: one sample may catch an idle system at work for a moment, so the last few are judged together.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from hiperiso.contract.eventdata import CpuRow
from hiperiso.contract.events import CpuSample
from hiperiso.contract.words import FindingKind

READS_BYTES_S: Final = 64 << 10  # less is housekeeping
_WAITS_SHARE: Final = 0.5  # of the time with a read under way: a medium that hardly gives anything
CERTAIN_AFTER_S: Final = 1.0
_SAMPLES: Final = 8
_CURRENT_S: Final = 30.0  # an older sample is irrelevant for the end
_IDLE_SHARE: Final = 0.6
_RESTLESS_SHARE: Final = (
    0.25  # a vCPU that is halted in fewer of its samples works, however idle the others are
)
_LOOP_BYTES: Final = 64  # where no names are known: instruction pointers this near to each other are one loop
_MAX_CPUS: Final = 512
_HEX: Final = re.compile(r"0x[0-9a-f]{1,16}")


@dataclass(frozen=True, slots=True)
class Stall:
    """The guest's activity, and the sample that shows it."""

    kind: FindingKind
    summary: str
    event: CpuSample


@dataclass(frozen=True, slots=True)
class _Cpu:
    halted: bool
    interrupts: bool
    user: bool
    symbol: str
    address: int | None


@dataclass(frozen=True, slots=True)
class _Sample:
    event: CpuSample
    cpus: tuple[_Cpu, ...]
    quiet_s: float
    read_bytes_s: float
    reading_share: float

    @property
    def waits_for_medium(self) -> bool:
        return self.read_bytes_s >= READS_BYTES_S or self.reading_share >= _WAITS_SHARE

    @property
    def is_halted_for_good(self) -> bool:
        return bool(self.cpus) and all(cpu.halted and not cpu.interrupts for cpu in self.cpus)


class StallBook:
    """The samples of the current attempt to boot."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES)

    def reset(self) -> None:
        """The machine was reset, or had output: earlier samples are obsolete."""
        self._samples.clear()

    def on_event(self, event: CpuSample) -> None:
        """Take a sample."""
        known = tuple(_cpu(row) for row in (event.data.cpus or ())[:_MAX_CPUS])
        quiet_s = _number(event.data.quiet_s)
        if self._samples and quiet_s < event.t - self._samples[-1].event.t:
            self.reset()  # there was output in between
        read_bytes_s, share = _number(event.data.read_bytes_s), _number(event.data.reading_share)
        self._samples.append(_Sample(event, known, quiet_s, read_bytes_s, share))

    def halted_for_good(self) -> Stall | None:
        """Every vCPU is halted with interrupts off, twice in a row: nothing of the machine's own can wake it."""
        certain = list(takewhile(lambda sample: sample.is_halted_for_good, reversed(self._samples)))
        if not certain or certain[0].event.t - certain[-1].event.t < CERTAIN_AFTER_S:
            return None
        where = _places(certain[:1], lambda cpu: cpu.halted)
        summary = f"every vCPU is halted with interrupts off{where}: nothing can wake the machine"
        return Stall(FindingKind.GUEST_HALTED, summary, certain[0].event)

    def current(self, t: float, last_process: str = "") -> Stall | None:
        """The guest's activity at time ``t``; None without a sample.

        Args:
            t: the time of the last event.
            last_process: name of the process that was started last, empty for none.
        """
        if not self._samples or t - self._samples[-1].event.t > _CURRENT_S:
            return None
        if stall := self.halted_for_good():
            return stall
        last = self._samples[-1]
        cpus = [cpu for sample in self._samples for cpu in sample.cpus]
        if not cpus:
            return None
        quiet = f", nothing new for {last.quiet_s:.0f} s" if last.quiet_s >= 1 else ""
        process = f", last process {last_process}" if last_process else ""
        if last.waits_for_medium:
            rate = f"{last.read_bytes_s / 1e6:.1f} MB/s"
            if last.read_bytes_s < READS_BYTES_S:
                rate = f"{last.read_bytes_s / 1e3:.1f} kB/s, each read takes long"
            summary = f"the guest waits for the medium: it still reads {rate}{quiet}{process}"
            return Stall(FindingKind.GUEST_READS, summary, last.event)
        rests = sum(cpu.halted for cpu in cpus) >= _IDLE_SHARE * len(cpus)
        if rests and not any(map(_is_restless, self._by_cpu())):
            where = _places(self._samples, lambda cpu: cpu.halted)
            summary = f"the guest is idle: its vCPUs are halted{where}{quiet}{process}"
            return Stall(FindingKind.GUEST_IDLE, summary, last.event)
        return self._busy(last, quiet, process)

    def _by_cpu(self) -> list[list[_Cpu]]:
        """The samples of each vCPU."""
        most = max((len(sample.cpus) for sample in self._samples), default=0)
        return [
            [sample.cpus[number] for sample in self._samples if number < len(sample.cpus)]
            for number in range(most)
        ]

    def _busy(self, last: _Sample, quiet: str, process: str) -> Stall:
        busy = [cpu for sample in self._samples for cpu in sample.cpus if not cpu.halted]
        if sum(cpu.user for cpu in busy) * 2 > len(busy):
            return Stall(
                FindingKind.GUEST_BUSY, f"the guest is busy in user mode{quiet}{process}", last.event
            )
        where = _places(self._samples, lambda cpu: not (cpu.halted or cpu.user))
        if len(self._samples) > 1 and where:
            return Stall(
                FindingKind.GUEST_SPINS, f"the guest spins in its kernel{where}{quiet}{process}", last.event
            )
        if len(self._samples) > 1 and (loop := _loop(busy)) is not None:
            return Stall(FindingKind.GUEST_SPINS, f"the guest spins at {loop:#x}{quiet}{process}", last.event)
        return Stall(FindingKind.GUEST_BUSY, f"the guest is busy{where}{quiet}{process}", last.event)


def _cpu(row: CpuRow) -> _Cpu:
    return _Cpu(row.halted, row.interrupts, row.user, row.symbol[:80], _address(row.rip))


def _is_restless(samples: list[_Cpu]) -> bool:
    """Whether a vCPU works: one sample may catch it at work for a moment, two prove more."""
    return len(samples) > 1 and sum(cpu.halted for cpu in samples) < _RESTLESS_SHARE * len(samples)


def _loop(busy: list[_Cpu]) -> int | None:
    """Where all of these samples are, when that is one place; None when they are not, or unknown."""
    known = [cpu.address for cpu in busy if cpu.address is not None]
    if len(known) < max(len(busy), 2) or max(known) - min(known) >= _LOOP_BYTES:
        return None
    return min(known)


def _address(value: str) -> int | None:
    """A number written as ``0x1f``."""
    return int(value, 16) if _HEX.fullmatch(value) else None


def _places(samples: Any, wanted: Any) -> str:
    """`` in NAME``, the commonest function of those vCPUs; empty when none is known."""
    names = Counter(
        cpu.symbol for sample in samples for cpu in sample.cpus if cpu.symbol and wanted(cpu)
    ).most_common(1)
    return f" in {names[0][0]}" if names else ""


def _number(value: float | None) -> float:
    return value if value is not None and 0 <= value < 1e15 else 0.0
