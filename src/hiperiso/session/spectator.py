"""A person who watches and may use the guest's screen during the recording, whose end is then deferred."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hiperiso.analysis.expectation import Decision
from hiperiso.contract.words import EndReason

LOOK_S: Final = 1.0
"""How often a spectator's flags are polled: setting them wakes nothing."""

_CAN_WAIT: Final = (
    EndReason.EXPECTED_STAGE,
    EndReason.EXPECTED_TEXT,
    EndReason.BOOT_FAILED,
    EndReason.STUCK,
    EndReason.TIMEOUT,
)
"""After these the guest still runs: a login prompt, an installer question, a usable rescue shell."""


@dataclass(kw_only=True)
class Spectator:
    """The person. The flags may be set by any thread.

    Attributes:
        socket: where QEMU serves the screen (RFB), in a directory that no other user can read.
        on_running: called once, when QEMU has answered; it gets no more work before that.
        grace_s: how long a guest with a decided outcome waits for a first key.
        active: keys were pressed: the guest continues until it is switched off, fails permanently, or the person
            leaves.
        left: the person has left this guest.
    """

    socket: Path
    on_running: Callable[[], None] = lambda: None
    grace_s: float = 0.0
    active: bool = False
    left: bool = False

    def due_s(self, decision: Decision, *, off: bool) -> float:
        """When a recording that could end by `decision` does so; `off`: the guest has ended its machine."""
        if off or decision.reason not in _CAN_WAIT:
            return decision.at_s
        if self.active:
            return float("inf")
        return decision.at_s + (0.0 if decision.reason is EndReason.TIMEOUT else self.grace_s)
