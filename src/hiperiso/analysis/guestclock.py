"""Time as the guest had it: a host that is busy with other things, or lent its processors out, gives it less.

Deadlines of the guest are counted on this clock, in seconds of a machine at native speed that it has for itself.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from hiperiso.contract.eventdata import LoadData
from hiperiso.contract.events import HostLoad, MachinePlanned
from hiperiso.contract.report import HostUse
from hiperiso.contract.settings import TCG_TIMEOUT_SCALE
from hiperiso.contract.words import AccelChoice

LEAST_RATE: Final = 1 / 3
"""A second of a busy host counts at least this much, so that every wait ends."""

_MAX_SAMPLES: Final = 20_000


def rate(host: LoadData) -> float:
    """How much of a second the guest got: 0 to 1."""
    return min(max((1 - (host.waited_share or 0.0)) * (1 - (host.stolen_share or 0.0)), 0.0), 1.0)


class GuestClock:
    """Knows from `MachinePlanned` whether the guest is emulated, and from `HostLoad` how much of each second it got."""

    def __init__(self) -> None:
        self.scale = 1.0
        """How many seconds of an emulated guest count as one."""
        self._rate = 1.0
        self._sums = [0.0, 0.0, 0.0]  # seconds, those waited, those stolen
        self._most_load = 0.0
        self._cpus = 0
        self._times = [0.0]
        self._passed = [0.0]  # at these times, in seconds that the guest had

    @property
    def is_emulated(self) -> bool:
        """Whether the guest's CPU is emulated."""
        return self.scale != 1.0

    def on_plan(self, event: MachinePlanned) -> None:
        """Take how the machine was chosen."""
        if event.data.accel == AccelChoice.TCG:
            self.scale = TCG_TIMEOUT_SCALE

    def on_event(self, event: HostLoad) -> None:
        """Take what the guest got since the sample before."""
        waited, stolen = event.data.waited_share or 0.0, event.data.stolen_share or 0.0
        self._rate = max(rate(event.data), LEAST_RATE)
        seconds = max(event.t - self._times[-1], 0.0)
        self._sums = [
            total + seconds * share for total, share in zip(self._sums, (1.0, waited, stolen), strict=True)
        ]
        self._most_load = max(self._most_load, event.data.load or 0.0)
        self._cpus = event.data.cpus or self._cpus
        if event.t > self._times[-1] and len(self._times) < _MAX_SAMPLES:
            self._passed.append(self._passed[-1] + (event.t - self._times[-1]) * self._rate)
            self._times.append(event.t)

    @property
    def use(self) -> HostUse | None:
        """The load of the host; None if it was not measured."""
        seconds, waited_s, stolen_s = self._sums
        if not seconds:
            return None
        return HostUse(
            cpus=self._cpus,
            load_max=self._most_load,
            waited_share=round(waited_s / seconds, 3),
            stolen_share=round(stolen_s / seconds, 3),
        )

    def after(self, t: float, seconds: float) -> float:
        """When the guest will have had that many seconds since `t`, if the host's load stays the same."""
        return self._reaches(self._at(t) + seconds * self.scale)

    def limit(self, seconds: float) -> float:
        """When the guest will have had a processor for so long since its start, however fast it is emulated."""
        return self._reaches(seconds)

    def _reaches(self, target: float) -> float:
        number = bisect_right(self._passed, target)
        if number < len(self._passed):
            share = (target - self._passed[number - 1]) / (self._passed[number] - self._passed[number - 1])
            return self._times[number - 1] + share * (self._times[number] - self._times[number - 1])
        return self._times[-1] + (target - self._passed[-1]) / self._rate

    def _at(self, t: float) -> float:
        t = max(t, 0.0)
        number = bisect_right(self._times, t)
        if number < len(self._times):
            rate = (self._passed[number] - self._passed[number - 1]) / (
                self._times[number] - self._times[number - 1]
            )
            return self._passed[number - 1] + (t - self._times[number - 1]) * rate
        return self._passed[-1] + (t - self._times[-1]) * self._rate
