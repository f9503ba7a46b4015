"""What the QEMU process is allowed to do.

The sandbox denies new processes, other user ids and scheduling changes. With a GTK window new processes are allowed:
the toolkit starts helpers (session bus, accessibility), and QEMU would die of SIGSYS.
"""

from __future__ import annotations

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import Display
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part
from hiperiso.machine.parts.screen import plan_screen


class Sandbox(Part, frozen=True):
    """QEMU's system call filter; `spawn`: QEMU may start processes."""

    spawn: bool = False

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        spawn = "allow" if self.spawn else "deny"
        return ["-sandbox", f"on,obsolete=deny,elevateprivileges=deny,spawn={spawn},resourcecontrol=deny"]


def plan_sandbox(settings: Settings, facts: Facts) -> Sandbox:
    """The filter for these settings."""
    return Sandbox(spawn=plan_screen(settings, facts).display is Display.GTK)
