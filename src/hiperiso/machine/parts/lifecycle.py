"""What QEMU does when the guest resets, shuts down or panics, and the clock of the guest.

Reset, shutdown and panic keep the process (and the guest's memory) until the recorder ends it; QMP reports them.
"""

from __future__ import annotations

from hiperiso.contract.settings import Settings
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part


class Lifecycle(Part, frozen=True):
    """The machine outlives its guest."""

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return ["-action", "reboot=reset,shutdown=pause,panic=pause", "-rtc", "base=utc"]


def plan_lifecycle(settings: Settings, facts: Facts) -> Lifecycle:
    """The same for all machines."""
    return Lifecycle()
