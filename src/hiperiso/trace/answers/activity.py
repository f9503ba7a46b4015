"""How often each register was read and written, in which phase of the boot; and the longest times without a record."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import sub
from typing import Final

from hiperiso.contract.tracereport import DeviceUse, RegisterUse, Silence
from hiperiso.trace.answers.registers import Register
from hiperiso.trace.reader import Batch

_NS: Final = 1_000_000_000
_MAX_REGISTERS: Final = 12
_MAX_DEVICES: Final = 60
_SILENCES: Final = 5
_MIN_SILENCE_NS: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """A phase of the boot, in ns of the trace's clock."""

    name: str
    begin_ns: int
    end_ns: int


class Activity:
    """Counts accesses; `phases` follow each other."""

    def __init__(self, phases: Sequence[Span]) -> None:
        self._phases = phases
        self._uses: Counter[Register] = Counter()
        self._by_phase: dict[str, Counter[str]] = defaultdict(Counter)
        self._first: dict[Register, int] = {}
        self._last: dict[Register, int] = {}

    def feed(self, registers: Sequence[Register], times_ns: Sequence[int]) -> None:
        """Count accesses, in order."""
        if not registers:
            return
        uses = Counter(registers)
        self._uses.update(uses)
        self._last.update(zip(registers, times_ns, strict=True))
        if not uses.keys() <= self._first.keys():
            for register, t_ns in zip(reversed(registers), reversed(times_ns), strict=True):
                if register not in self._first or t_ns <= self._first[register]:
                    self._first[register] = t_ns
        for phase, counted in self._in_phases(registers, times_ns, uses):
            for register, count in counted.items():
                self._by_phase[register.device][phase] += count

    def devices(self, zero_ns: int) -> list[DeviceUse]:
        """All devices, the most used first."""
        grouped: dict[str, list[Register]] = defaultdict(list)
        for register in self._uses:
            grouped[register.device].append(register)
        rows = [self._device(name, registers, zero_ns) for name, registers in grouped.items()]
        return sorted(rows, key=lambda row: -row.reads - row.writes)[:_MAX_DEVICES]

    def _in_phases(
        self, registers: Sequence[Register], times_ns: Sequence[int], uses: Counter[Register]
    ) -> list[tuple[str, Counter[Register]]]:
        if not self._phases:
            return []
        begin, end = times_ns[0], times_ns[-1]
        whole = next((one.name for one in self._phases if one.begin_ns <= begin and end < one.end_ns), None)
        if whole is not None:
            return [(whole, uses)]
        parts: dict[str, Counter[Register]] = defaultdict(Counter)
        for register, t_ns in zip(registers, times_ns, strict=True):
            name = next((one.name for one in self._phases if one.begin_ns <= t_ns < one.end_ns), "")
            parts[name][register] += 1
        return [(name or "after", counted) for name, counted in parts.items()]

    def _device(self, name: str, registers: list[Register], zero_ns: int) -> DeviceUse:
        places: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        for register in registers:
            places[register.name, register.address][register.write] += self._uses[register]
        ordered = sorted(places.items(), key=lambda item: -sum(item[1]))[:_MAX_REGISTERS]
        return DeviceUse(
            device=name,
            reads=sum(self._uses[register] for register in registers if not register.write),
            writes=sum(self._uses[register] for register in registers if register.write),
            first_s=_seconds(min(self._first[register] for register in registers), zero_ns),
            last_s=_seconds(max(self._last[register] for register in registers), zero_ns),
            phases=dict(self._by_phase[name]),
            registers=[
                RegisterUse(register=title, address=f"0x{address:x}", reads=reads, writes=writes)
                for (title, address), (reads, writes) in ordered
            ],
        )


class Silences:
    """Finds the longest times without a record."""

    def __init__(self) -> None:
        self.first_ns: int | None = None
        self.last_ns = 0
        self._last_event = ""
        self._found: list[tuple[int, int, str, str]] = []

    def feed(self, batch: Batch) -> None:
        """Take a batch."""
        times = sorted(t_ns for part in batch.events for t_ns in part.t_ns if t_ns)
        if not times:
            return
        if self.first_ns is None:
            self.first_ns = self.last_ns = times[0]
        least = self._found[-1][0] if len(self._found) >= _SILENCES else _MIN_SILENCE_NS
        if times[0] - self.last_ns > least:
            self._keep(self.last_ns, times[0], self._last_event, _event_at(batch, times[0]))
        if max(map(sub, times[1:], times), default=0) > least:
            for before, after in pairwise(times):
                if after - before > least:
                    self._keep(before, after, _event_at(batch, before), _event_at(batch, after))
        self.last_ns = max(self.last_ns, times[-1])
        self._last_event = _event_at(batch, times[-1])

    def found(self, zero_ns: int, end_ns: int) -> list[Silence]:
        """The longest ones first; the trace ends at `end_ns`."""
        if end_ns - self.last_ns > _MIN_SILENCE_NS:
            self._keep(self.last_ns, end_ns, self._last_event, "")
        return [
            Silence(
                start_s=_seconds(begin_ns, zero_ns),
                duration_s=round(duration_ns / _NS, 6),
                after=after,
                before=before,
            )
            for duration_ns, begin_ns, after, before in self._found
        ]

    def _keep(self, begin_ns: int, end_ns: int, after: str, before: str) -> None:
        self._found.append((end_ns - begin_ns, begin_ns, after, before))
        self._found = sorted(self._found, reverse=True)[:_SILENCES]


def _event_at(batch: Batch, t_ns: int) -> str:
    return next((part.event for part in batch.events if t_ns in part.t_ns), "")


def _seconds(t_ns: int, zero_ns: int) -> float:
    return round((t_ns - zero_ns) / _NS, 6)
