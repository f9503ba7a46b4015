"""The host's load while a guest runs: emitted every few seconds, so that time can be counted as available to the guest.

Source: proc(5) for /proc/stat (``steal``) and /proc/loadavg; the kernel's documentation of scheduler statistics for
``/proc/PID/task/TID/schedstat``: nanoseconds on a processor, and nanoseconds waited for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from hiperiso.contract.eventdata import LoadData
from hiperiso.contract.events import HostLoad
from hiperiso.contract.words import EndReason
from hiperiso.session.eventlog import EventLog
from hiperiso.session.observer import Work

SAMPLE_S: Final = 5.0
_FIRST_S: Final = 1.0  # the boot menu comes soon
_MAX_THREADS: Final = 600


@dataclass(frozen=True, slots=True)
class Counters:
    """What the host has counted so far: seconds on the monotonic clock, ticks of its processors, seconds of threads."""

    t: float
    all_ticks: int = 0
    stolen_ticks: int = 0
    threads: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Thread -> seconds on a processor, and seconds waited for one."""


def share_of_host(before: Counters, now: Counters, *, load: float, cpus: int) -> LoadData:
    """What happened between two readings. The thread that ran or waited most represents the guest."""
    seconds = max(now.t - before.t, 1e-3)
    ticks = max(now.all_ticks - before.all_ticks, 1)
    spent = [
        (ran - before.threads[thread][0], waited - before.threads[thread][1])
        for thread, (ran, waited) in now.threads.items()
        if thread in before.threads
    ]
    ran_s, waited_s = max(spent, key=sum, default=(0.0, 0.0))
    return LoadData(
        load=round(load, 2),
        cpus=cpus,
        stolen_share=_share((now.stolen_ticks - before.stolen_ticks) / ticks),
        waited_share=_share(waited_s / seconds),
        used_share=_share(ran_s / seconds),
    )


class HostLoadFeed:
    """Emits one event every `SAMPLE_S` seconds, at first more.

    Args:
        log: where to.
        pid: of QEMU.
        proc: where the host's process file system is.
    """

    def __init__(self, log: EventLog, pid: int, proc: Path = Path("/proc")) -> None:
        self._log = log
        self._pid = pid
        self._proc = proc
        self._before = self._read()

    def start(self) -> Sequence[Work]:
        """Sample while the guest runs."""
        return (self._watch(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:  # noqa: ARG002 - an observer's
        """The time since the last sample counts, too."""
        if alive:
            self.sample()

    async def close(self) -> None:
        """Nothing was opened."""

    async def _watch(self) -> None:
        pause_s = _FIRST_S
        while True:
            await asyncio.sleep(pause_s)
            self.sample()
            pause_s = min(2 * pause_s, SAMPLE_S)

    def sample(self) -> None:
        """Emit what happened since the previous sample."""
        now = self._read()
        with contextlib.suppress(OSError):
            data = share_of_host(self._before, now, load=os.getloadavg()[0], cpus=os.cpu_count() or 1)
            waited = f"the guest waited for a processor for {data.waited_share:.0%} of the time"
            text = f"load {data.load} on {data.cpus} processors; {waited}; {data.stolen_share:.0%} stolen"
            self._log.emit(HostLoad(text=text, data=data))
        self._before = now

    def _read(self) -> Counters:
        ticks = _numbers(self._proc / "stat")[:8]  # guest time, beyond them, is in user time already
        stolen = ticks[7] if len(ticks) > 7 else 0
        return Counters(time.monotonic(), sum(ticks), stolen, self._threads())

    def _threads(self) -> dict[int, tuple[float, float]]:
        found: dict[int, tuple[float, float]] = {}
        with contextlib.suppress(OSError):
            for task in islice((self._proc / str(self._pid) / "task").iterdir(), _MAX_THREADS):
                times = _numbers(task / "schedstat")
                if len(times) >= 2:
                    found[int(task.name)] = (times[0] / 1e9, times[1] / 1e9)
        return found


def _numbers(path: Path) -> list[int]:
    """The numbers in the first line of a file; empty where there is none."""
    try:
        with path.open("rb") as file:
            return [int(word) for word in file.readline().split() if word.isdigit()]
    except OSError:
        return []


def _share(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), 3)
