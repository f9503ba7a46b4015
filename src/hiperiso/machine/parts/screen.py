"""The display adapter, and where its picture is shown.

A served screen keeps its path: QEMU's VNC server takes no descriptor. It listens before QMP answers.
"""

from __future__ import annotations

from pathlib import Path

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import Display, Vga
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, escape, require_socket_path


class Screen(Part, frozen=True, kw_only=True):
    """The guest's screen.

    Attributes:
        vnc_socket: a unix socket that serves the screen; with ``display=none`` in addition, without a tablet and
            with keys identified by position only. None: ``display=vnc`` listens on 127.0.0.1 at the first free display.
    """

    vga: Vga = Vga.STD
    display: Display = Display.NONE
    vnc_socket: Path | None = None

    def __post_init__(self) -> None:
        if self.vnc_socket:
            require_socket_path(self.vnc_socket)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        argv = ["-vga", self.vga.value]
        if self.display is Display.NONE:
            # A spectator of the recording: the machine is the same as without one.
            served = ["-vnc", f"unix:{escape(self.vnc_socket)},lock-key-sync=off"] if self.vnc_socket else []
            return [*argv, "-display", "none", *served]
        argv += ["-device", "usb-tablet,bus=xhci.0"]
        if self.display is Display.GTK:
            return [*argv, "-display", "gtk"]
        where = f"unix:{escape(self.vnc_socket)}" if self.vnc_socket else "127.0.0.1:0,to=99"
        return [*argv, "-vnc", where]


def plan_screen(settings: Settings, facts: Facts) -> Screen:
    """The screen for these settings."""
    served = facts.place.screen_socket
    return Screen(vga=settings.vga, display=Display.NONE if served else settings.display, vnc_socket=served)
