"""What a quiet guest does: its vCPUs and its disks, sampled rarely, and only when no channel has new data.

Asking for the registers of a vCPU costs QEMU a third of a millisecond under TCG; under KVM it stops that vCPU for
microseconds. A guest with output is never sampled.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hiperiso.contract.eventdata import CpuData, CpuRow
from hiperiso.contract.events import (
    ChainStep,
    CpuSample,
    Event,
    ProcessEvent,
    QemuEvent,
    ScreenEvent,
    ScreenText,
    TextLine,
)
from hiperiso.contract.words import EndReason
from hiperiso.machine.qmp import Qmp, QmpFault
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.observer import Work

QUIET_S: Final = 6.0
"""How long a guest must be quiet before it is sampled."""

_UNDECIDED: Final = (EndReason.TIMEOUT, EndReason.INTERRUPTED)
_TICK_S: Final = 1.5
_LEAST_S, _MOST_S, _GROWTH = 5.0, 30.0, 1.3
_SURE_S: Final = 1.5  # between two samples that prove a guest dead
_MAX_SAMPLES: Final = 400
_MAX_CPUS: Final = 32
_BASE_AGE_S: Final = 40.0
_SPEAKS: Final = (TextLine, ScreenEvent, ProcessEvent, ChainStep, QemuEvent)
_REGISTERS: Final = re.compile(
    r"\b[ER]IP=(?P<ip>[0-9a-f]{8,16}) [ER]FL=(?P<flags>[0-9a-f]{8}) .{0,40}\bCPL=(?P<cpl>[0-3]) "
    r".{0,40}\bHLT=(?P<hlt>[01])"
)
_INTERRUPTS: Final = 0x200  # RFLAGS.IF

Symbols = Callable[[list[int]], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class CpuState:
    """One vCPU at one moment."""

    index: int
    halted: bool
    interrupts: bool
    user: bool
    address: int


@dataclass(frozen=True, slots=True)
class _Counters:
    """The disk activity so far, or per second: bytes, and the total duration of reads."""

    read_bytes: float
    written_bytes: float
    reading_s: float

    def rates(self, before: _Counters, seconds: float) -> _Counters:
        pairs = (
            (self.read_bytes, before.read_bytes),
            (self.written_bytes, before.written_bytes),
            (self.reading_s, before.reading_s),
        )
        return _Counters(*(max(now - then, 0) / seconds for now, then in pairs))


def parse_registers(index: int, text: str) -> CpuState | None:
    """The state in the output of ``info registers``; None when it is not from x86."""
    match = _REGISTERS.search(text[:4000])
    if match is None:
        return None
    return CpuState(
        index,
        halted=match["hlt"] == "1",
        interrupts=bool(int(match["flags"], 16) & _INTERRUPTS),
        user=match["cpl"] == "3",
        address=int(match["ip"], 16),
    )


class StallFeed:
    """Samples the guest while it is quiet.

    Args:
        symbols: maps addresses of the guest's kernel to names; None where its memory cannot be read.
    """

    def __init__(self, qmp: Qmp, log: EventLog, symbols: Symbols | None) -> None:
        self._qmp = qmp
        self._log = log
        self._symbols = symbols
        self._last_output_s = 0.0
        self._due_s = 0.0
        self._pause_s = _LEAST_S
        self._count = 0
        self._disks: tuple[float, _Counters] | None = None  # when, and their values
        self._unsubscribe = log.subscribe(self._on_event, Rank.CHANNEL)

    def start(self) -> Sequence[Work]:
        """Sample a guest that is quiet."""
        return (self.watch(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """If the recording ends without a verdict, the current activity of the guest is all there is to report."""
        if alive and reason in _UNDECIDED:
            with contextlib.suppress(QmpFault):
                await self.sample()

    async def close(self) -> None:
        """Unsubscribe."""
        self._unsubscribe()

    async def watch(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.sleep(_TICK_S)
            now_s = self._log.now()
            if now_s - self._last_output_s >= QUIET_S and now_s >= self._due_s and self._count < _MAX_SAMPLES:
                try:
                    await self.sample()
                except QmpFault:
                    continue  # too busy, or ending

    async def sample(self) -> None:
        """Sample once, and emit.

        Raises:
            QmpFault: QEMU refused, or did not answer.
        """
        if not (await self._qmp.execute("query-status")).get("running"):
            return
        t = self._log.now()
        cpus = await self._cpus()
        rates = await self._rates(t)
        names = await self._names(cpus)
        self._count += 1
        dead = bool(cpus) and all(cpu.halted and not cpu.interrupts for cpu in cpus)
        self._due_s = t + (_SURE_S if dead else self._pause_s)
        self._pause_s = min(self._pause_s * _GROWTH, _MOST_S)
        data = CpuData(
            cpus=[_row(cpu, name) for cpu, name in zip(cpus, names, strict=True)],
            quiet_s=round(max(t - self._last_output_s, 0.0), 1),
            read_bytes_s=int(rates.read_bytes),
            written_bytes_s=int(rates.written_bytes),
            reading_share=round(rates.reading_s, 3),
        )
        text = "; ".join(_words(cpu, name) for cpu, name in zip(cpus, names, strict=True))
        if rates.read_bytes >= 1:
            text += f"; reads {rates.read_bytes / 1e6:.2f} MB/s"
        self._log.emit(CpuSample(t=t, text=text[:1000], data=data))

    async def _cpus(self) -> list[CpuState]:
        states = []
        for cpu in (await self._qmp.execute("query-cpus-fast"))[:_MAX_CPUS]:
            index = int(cpu["cpu-index"])
            arguments = {"command-line": "info registers", "cpu-index": index}
            state = parse_registers(index, str(await self._qmp.execute("human-monitor-command", arguments)))
            if state is not None:
                states.append(state)
        return states

    async def _rates(self, t: float) -> _Counters:
        """The disk activity per second since the previous sample, if that is recent."""
        before, now = self._disks, await self._counters()
        if before is None or not 0.2 <= t - before[0] <= _BASE_AGE_S:
            await asyncio.sleep(0.5)
            before, now = (t, now), await self._counters()
        self._disks = (self._log.now(), now)
        return now.rates(before[1], max(self._disks[0] - before[0], 0.1))

    async def _counters(self) -> _Counters:
        stats = [device.get("stats", {}) for device in await self._qmp.execute("query-blockstats")]
        read, written, reading_ns = (
            sum(int(one.get(name, 0)) for one in stats)
            for name in ("rd_bytes", "wr_bytes", "rd_total_time_ns")
        )
        return _Counters(read, written, reading_ns / 1e9)

    async def _names(self, cpus: list[CpuState]) -> list[str]:
        if self._symbols is None or not cpus:
            return [""] * len(cpus)
        return await self._symbols([0 if cpu.user else cpu.address for cpu in cpus])

    def _on_event(self, event: Event) -> None:
        if isinstance(event, _SPEAKS) and not (isinstance(event, ScreenText) and event.data.minor):
            self._last_output_s = max(self._last_output_s, event.t)
            self._pause_s = _LEAST_S


def _row(cpu: CpuState, name: str) -> CpuRow:
    return CpuRow(
        index=cpu.index,
        halted=cpu.halted,
        interrupts=cpu.interrupts,
        user=cpu.user,
        rip=f"{cpu.address:#x}",
        symbol=name,
    )


def _words(cpu: CpuState, name: str) -> str:
    if cpu.halted:
        doing = "halted" if cpu.interrupts else "halted with interrupts off"
    else:
        doing = "runs a program" if cpu.user else "runs"
    where = name or (f"{cpu.address:#x}" if not cpu.user else "")
    return f"vCPU {cpu.index} {doing}{' in ' if where else ''}{where}"
