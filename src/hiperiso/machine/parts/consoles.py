"""The guest's first serial port and the firmware's log, each written to a file by QEMU itself.

``isa-debugcon`` at 0x402 is where SeaBIOS writes its log. Redirecting its screen to serial (sgabios,
``etc/sercon-port``) would put text on the serial port that the ISO never sent.
"""

from __future__ import annotations

from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.settings import Settings
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, escape, require_absolute


class Consoles(Part, frozen=True, kw_only=True):
    """Serial port and debug port.

    Attributes:
        serial_log: first serial port, appended.
        firmware_log: what SeaBIOS and debug builds of OVMF write to I/O port 0x402; the guest's screen and serial
            port are untouched by it.
    """

    serial_log: Path
    firmware_log: Path

    def __post_init__(self) -> None:
        require_absolute(self.serial_log, self.firmware_log)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return [
            *("-chardev", f"file,id=serial0,path={escape(self.serial_log)},append=on"),
            *("-device", "isa-serial,chardev=serial0"),
            *("-chardev", f"file,id=firmware,path={escape(self.firmware_log)},append=on"),
            *("-device", "isa-debugcon,iobase=0x402,chardev=firmware"),
        ]


def plan_consoles(settings: Settings, facts: Facts) -> Consoles:
    """Logs in the session directory."""
    directory = facts.place.directory
    return Consoles(serial_log=directory / files.SERIAL_LOG, firmware_log=directory / files.FIRMWARE_LOG)
