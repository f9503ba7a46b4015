"""A person who sees the guest's screen while it is recorded, and may use it: then the end of the recording can wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hiperiso.analysis.expectation import Decision
from hiperiso.contract.words import EndReason

LOOK_S: Final = 1.0
"""So often the flags of a spectator are looked at: they are set without a word."""

_CAN_WAIT: Final = (
    EndReason.EXPECTED_STAGE,
    EndReason.EXPECTED_TEXT,
    EndReason.BOOT_FAILED,
    EndReason.STUCK,
    EndReason.TIMEOUT,
)
"""After these the guest still runs: a login waits, an installer asks, a rescue shell can be used."""


@dataclass(kw_only=True)
class Spectator:
    """The person. The flags may be set by any thread.

    Attributes:
        socket: where QEMU serves the screen (RFB), in a directory that nobody else can read.
        on_running: called once, when QEMU has answered: only then is it given more to do.
        grace_s: for so long a guest that has given its answer waits for a first key.
        active: keys were pressed: the guest goes on until it is switched off, fails for good, or the person leaves.
        left: the person wants no more of this guest.
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
