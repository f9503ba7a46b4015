"""How long the guest waited for its medium: from each read command to its completion.

An ATAPI drive executes one command at a time, so a start and the next end belong together. Where an end was not
recorded, or ends are not recorded at all (other buses, older sessions, records that QEMU dropped), the sum
is a lower bound, and `WaitMeter.is_exact` is False.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class WaitMeter:
    """Adds up the waiting times. Times are in seconds, on any one clock.

    Attributes:
        waited_s: the sum over all commands that ended.
        longest_s: the longest of them.
        ended: how many there were.
        lost: commands without an end before the next one began.
    """

    waited_s: float = 0.0
    longest_s: float = 0.0
    ended: int = 0
    lost: int = 0
    _since_s: float | None = None

    def begin(self, t_s: float) -> None:
        """A read command has reached the drive."""
        self.lost += self._since_s is not None
        self._since_s = t_s

    def end(self, t_s: float) -> None:
        """The drive has ended its command, of whatever kind, or was reset."""
        if self._since_s is None:
            return
        waited_s = max(0.0, t_s - self._since_s)
        self.waited_s += waited_s
        self.longest_s = max(self.longest_s, waited_s)
        self.ended += 1
        self._since_s = None

    @property
    def is_exact(self) -> bool:
        """Whether every command but one still under way has its end."""
        return self.ended > 0 and not self.lost
