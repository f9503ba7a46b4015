"""The USB controller, only if something is attached: USB slows the firmware down."""

from __future__ import annotations

from hiperiso.contract.hardware import Bus, Medium
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import Display
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part
from hiperiso.machine.parts.screen import plan_screen
from hiperiso.machine.parts.volumes import plan_volumes


class UsbController(Part, frozen=True):
    """An xHCI controller; its bus is ``xhci.0``."""

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return ["-device", "qemu-xhci,id=xhci"]


def plan_usb(settings: Settings, facts: Facts) -> UsbController | None:
    """A controller for a medium, disks or volumes on USB, and for the tablet of a spectator."""
    tablet = plan_screen(settings, facts).display is not Display.NONE
    disk = any(drive.bus is Bus.USB for drive in settings.disk)
    volumes = plan_volumes(settings, facts)
    on_usb = volumes is not None and volumes.on_usb
    return UsbController() if tablet or disk or on_usb or settings.medium is Medium.USB else None
