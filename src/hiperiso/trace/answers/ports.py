"""The I/O ports of a PC.

Sources: the data sheets of 16550, 8042, MC146818, 8254, 8259, 8237 and 82077, the ATA and VGA standards, and QEMU's
documentation of fw_cfg. The last four rows are where firmware under QEMU puts the ACPI registers.
"""

from __future__ import annotations

from typing import Final

from hiperiso.trace.answers.registers import PORTS_END, Block, Register, Role, block

_UART: Final = {
    0: "RBR (receive)",
    1: "IER (interrupt enable)",
    2: "IIR (interrupt identification)",
    3: "LCR (line control)",
    4: "MCR (modem control)",
    5: "LSR (line status)",
    6: "MSR (modem status)",
    7: "SCR (scratch)",
}
_UART_WRITE: Final = {0: "THR (transmit)", 2: "FCR (FIFO control)"}
_UART_ROLES: Final = {(0, True): Role.CONSOLE}
_PIT_ROLES: Final = {**{(offset, False): Role.CLOCK for offset in range(3)}, (3, True): Role.CLOCK}
_IDE: Final = {
    0: "data",
    1: "error",
    2: "sector count",
    3: "LBA low",
    4: "LBA mid",
    5: "LBA high",
    6: "drive/head",
    7: "status",
}
_IDE_WRITE: Final = {1: "features", 7: "command"}
_FDC: Final = {
    0: "SRA (status A)",
    1: "SRB (status B)",
    2: "DOR (digital output)",
    3: "TDR (tape drive)",
    4: "MSR (main status)",
    5: "FIFO (data)",
}
_LPT: Final = {0: "data", 1: "status", 2: "control"}
_RTC: Final = {
    0: "seconds",
    2: "minutes",
    4: "hours",
    6: "day of week",
    7: "day",
    8: "month",
    9: "year",
    10: "register A (update in progress)",
    11: "register B (control)",
    12: "register C (interrupt flags)",
    13: "register D",
}
_VGA: Final = {
    0x04: "CRTC index",
    0x05: "CRTC data",
    0x0A: "input status 1",
    0x10: "attribute",
    0x11: "attribute data",
    0x12: "input status 0",
    0x14: "sequencer index",
    0x15: "sequencer data",
    0x16: "DAC mask",
    0x17: "DAC state",
    0x18: "DAC index",
    0x19: "DAC data",
    0x1A: "feature control",
    0x1C: "miscellaneous output",
    0x1E: "graphics index",
    0x1F: "graphics data",
    0x24: "CRTC index",
    0x25: "CRTC data",
    0x2A: "input status 1",
}
_VGA_WRITE: Final = {0x12: "miscellaneous output", 0x17: "DAC read index"}
_VGA_ROLES: Final = {(offset, False): Role.PLAIN for offset in (0x0A, 0x12, 0x2A)}
_FW_CFG: Final = {0: "selector", 1: "data", 4: "DMA address high", 8: "DMA address low"}
_PM: Final = {0: "PM1 status", 2: "PM1 enable", 4: "PM1 control", 8: "PM timer", 0x30: "SMI enable"}
_PM_ROLES: Final = {(8, False): Role.CLOCK}

PORTS: Final = (
    block(0x00, 0x0F, "DMA", {8: "status", 15: "mask"}),
    block(0x20, 0x21, "PIC", {0: "IRR/ISR", 1: "IMR (mask)"}, {0: "command (EOI)"}, role=Role.BACKGROUND),
    block(
        0x40,
        0x43,
        "PIT",
        {0: "counter 0", 1: "counter 1", 2: "counter 2", 3: "control"},
        roles=_PIT_ROLES,
    ),
    block(0x60, 0x60, "i8042", {0: "data"}),
    block(0x61, 0x61, "PIT", {0: "port B (counter 2 output)"}, role=Role.CLOCK),
    block(0x64, 0x64, "i8042", {0: "status"}, {0: "command"}),
    block(0x70, 0x71, "RTC", {0: "index", 1: "data"}, roles={(0, True): Role.SELECT}, selected=_RTC),
    block(0x80, 0x80, "POST port", {0: "code"}, role=Role.BACKGROUND),
    block(0x81, 0x8F, "DMA", {}),
    block(0x92, 0x92, "port 92", {0: "A20 and reset"}, role=Role.BACKGROUND),
    block(
        0xA0,
        0xA1,
        "PIC",
        {0: "slave IRR/ISR", 1: "slave IMR (mask)"},
        {0: "slave command (EOI)"},
        role=Role.BACKGROUND,
    ),
    block(0xB2, 0xB3, "APM", {0: "control (SMI)", 1: "status"}, role=Role.BACKGROUND),
    block(0xC0, 0xDF, "DMA", {}),
    block(0xE9, 0xE9, "debug port", {0: "output"}, role=Role.CONSOLE),
    block(0xED, 0xED, "POST port", {0: "delay"}, role=Role.BACKGROUND),
    block(0xF0, 0xF1, "FPU", {0: "interrupt"}),
    block(0x170, 0x177, "IDE (secondary)", _IDE, _IDE_WRITE),
    block(0x1CE, 0x1D0, "VBE", {0: "index", 1: "data", 2: "data"}, role=Role.CONSOLE),
    block(0x1F0, 0x1F7, "IDE", _IDE, _IDE_WRITE),
    block(0x200, 0x207, "game port", {1: "state"}),
    block(0x220, 0x22F, "Sound Blaster", {0xC: "DSP write status", 0xE: "DSP read status"}),
    block(0x278, 0x27A, "parallel port (LPT2)", _LPT),
    block(0x2E8, 0x2EF, "8250 (COM4)", _UART, _UART_WRITE, roles=_UART_ROLES),
    block(0x2F8, 0x2FF, "8250 (COM2)", _UART, _UART_WRITE, roles=_UART_ROLES),
    block(0x300, 0x31F, "ISA card at 0x300", {}),
    block(0x376, 0x376, "IDE (secondary)", {0: "alternate status"}, {0: "device control"}),
    block(0x378, 0x37A, "parallel port (LPT1)", _LPT),
    block(0x3B0, 0x3DF, "VGA", _VGA, _VGA_WRITE, role=Role.CONSOLE, roles=_VGA_ROLES),
    block(0x3E8, 0x3EF, "8250 (COM3)", _UART, _UART_WRITE, roles=_UART_ROLES),
    block(0x3F0, 0x3F5, "floppy controller", _FDC, {4: "DSR (data rate)"}),
    block(0x3F6, 0x3F6, "IDE", {0: "alternate status"}, {0: "device control"}),
    block(0x3F7, 0x3F7, "floppy controller", {0: "DIR (digital input)"}, {0: "CCR (configuration)"}),
    block(0x3F8, 0x3FF, "8250 (COM1)", _UART, _UART_WRITE, roles=_UART_ROLES),
    block(0x402, 0x402, "debug port", {0: "output"}, role=Role.CONSOLE),
    block(0x4D0, 0x4D1, "PIC", {0: "ELCR", 1: "slave ELCR"}),
    block(0x510, 0x51B, "fw_cfg", _FW_CFG),
    block(0xCF8, 0xCFB, "PCI", {0: "configuration address"}),
    block(0xCFC, 0xCFF, "PCI", {0: "configuration data"}),
    block(0x600, 0x67F, "ACPI", _PM, roles=_PM_ROLES),
    block(0xB000, 0xB03F, "ACPI", _PM, roles=_PM_ROLES),
    block(0xAE00, 0xAE1F, "ACPI PCI hotplug", {}),
    block(0xCC0, 0xCD7, "ACPI PCI hotplug", {}),
)


def _by_port() -> dict[int, Block]:
    found = {port: row for row in PORTS for port in range(row.first, row.last + 1)}
    return found | {0xCF9: block(0xCF9, 0xCF9, "reset control", {0: "reset"})}


_BY_PORT: Final = _by_port()


def standard_port(port: int, *, write: bool) -> Register | None:
    """The register of a port that has the same use on every PC."""
    row = _BY_PORT.get(port) if port < PORTS_END else None
    return row.register(port, write=write) if row else None
