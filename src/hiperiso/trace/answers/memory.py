"""The memory-mapped registers of common devices, by the names of QEMU's memory regions and PCI devices.

Sources: Intel SDM volume 3 (local APIC), the data sheets of 82093AA (I/O APIC) and 8254x, the IA-PC HPET, AHCI 1.3,
xHCI 1.2, NVMe 1.4 and Virtio 1.1 specifications.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from hiperiso.trace.answers.registers import PORTS_END, Register, Role

_APIC: Final = {
    0x20: "ID",
    0x30: "version",
    0x80: "TPR",
    0xB0: "EOI",
    0xD0: "LDR",
    0xE0: "DFR",
    0xF0: "SVR",
    0x280: "ESR",
    0x300: "ICR low (delivery status)",
    0x310: "ICR high",
    0x320: "LVT timer",
    0x350: "LVT LINT0",
    0x360: "LVT LINT1",
    0x370: "LVT error",
    0x380: "timer initial count",
    0x390: "timer current count",
    0x3E0: "timer divider",
}
_HPET: Final = {0x00: "capabilities", 0x10: "configuration", 0x20: "interrupt status", 0xF0: "main counter"}
_AHCI: Final = {0x00: "CAP", 0x04: "GHC", 0x08: "IS", 0x0C: "PI", 0x10: "VS", 0x24: "CAP2", 0x28: "BOHC"}
_AHCI_PORT: Final = {
    0x00: "CLB",
    0x04: "CLBU",
    0x08: "FB",
    0x0C: "FBU",
    0x10: "IS",
    0x14: "IE",
    0x18: "CMD",
    0x20: "TFD (task file)",
    0x24: "SIG",
    0x28: "SSTS (link status)",
    0x2C: "SCTL",
    0x30: "SERR",
    0x34: "SACT",
    0x38: "CI (command issue)",
}
_XHCI_OPER: Final = {
    0x00: "USBCMD",
    0x04: "USBSTS",
    0x08: "PAGESIZE",
    0x14: "DNCTRL",
    0x18: "CRCR",
    0x30: "DCBAAP",
    0x38: "CONFIG",
}
_XHCI_PORT: Final = ("PORTSC", "PORTPMSC", "PORTLI", "PORTHLPMC")
_NVME: Final = {
    0x00: "CAP",
    0x04: "CAP",
    0x08: "VS",
    0x0C: "INTMS",
    0x10: "INTMC",
    0x14: "CC",
    0x1C: "CSTS (status)",
    0x20: "NSSR",
    0x24: "AQA",
    0x28: "ASQ",
    0x30: "ACQ",
}
_VIRTIO_COMMON: Final = {
    0x00: "device_feature_select",
    0x04: "device_feature",
    0x08: "driver_feature_select",
    0x0C: "driver_feature",
    0x10: "msix_config",
    0x12: "num_queues",
    0x14: "device_status",
    0x15: "config_generation",
    0x16: "queue_select",
    0x18: "queue_size",
    0x1A: "queue_msix_vector",
    0x1C: "queue_enable",
    0x1E: "queue_notify_off",
}
_VIRTIO_LEGACY: Final = {
    0x00: "device features",
    0x04: "guest features",
    0x08: "queue address",
    0x0C: "queue size",
    0x0E: "queue select",
    0x10: "queue notify",
    0x12: "device status",
    0x13: "ISR status",
}
_E1000: Final = {
    0x00: "CTRL",
    0x08: "STATUS",
    0x10: "EECD",
    0x14: "EERD",
    0x20: "MDIC",
    0xC0: "ICR",
    0xD0: "IMS",
    0xD8: "IMC",
    0x100: "RCTL",
    0x400: "TCTL",
    0x2810: "RDH",
    0x2818: "RDT",
    0x3810: "TDH",
    0x3818: "TDT",
}
_FIXED: Final = (
    (re.compile(r".*apic-msi$|^apic$"), "APIC", 0xFEE00000),
    (re.compile(r".*ioapic$"), "IOAPIC", 0xFEC00000),
    (re.compile(r"^hpet$"), "HPET", 0xFED00000),
)
_ACPI: Final = {
    "acpi-tmr": ("PM timer", Role.CLOCK),
    "acpi-evt": ("PM1 event", Role.PLAIN),
    "acpi-cnt": ("PM1 control", Role.PLAIN),
    "acpi-gpe0": ("GPE0", Role.PLAIN),
}

Named = tuple[str, Role]


def _apic(offset: int) -> Named:
    name = _APIC.get(offset & ~0xF, f"offset 0x{offset:x}")
    if offset == 0x390:
        return name, Role.CLOCK
    return name, Role.BACKGROUND


def _hpet(offset: int) -> Named:
    if 0xF0 <= offset < 0xF8:
        return "main counter", Role.CLOCK
    if offset >= 0x100:
        part = {0: "configuration", 8: "comparator", 16: "interrupt route"}.get(offset & 0x18, "register")
        return f"timer {(offset - 0x100) // 0x20} {part}", Role.BACKGROUND
    return _HPET.get(offset & ~7, f"offset 0x{offset:x}"), Role.PLAIN


def _ahci(offset: int) -> Named:
    if offset >= 0x100:
        register = _AHCI_PORT.get(offset & 0x7F, f"offset 0x{offset & 0x7F:x}")
        return f"port {(offset - 0x100) // 0x80} Px{register}", Role.PLAIN
    return _AHCI.get(offset, f"offset 0x{offset:x}"), Role.PLAIN


def _xhci(offset: int) -> Named:
    if offset < 0x40:
        return f"capability 0x{offset:x}", Role.PLAIN
    if offset < 0x440:
        at = offset - 0x40
        return _XHCI_OPER.get(at & ~3, _XHCI_OPER.get(at & ~7, f"operational 0x{at:x}")), Role.PLAIN
    if offset < 0x1000:
        return f"port {(offset - 0x440) // 16 + 1} {_XHCI_PORT[offset // 4 % 4]}", Role.PLAIN
    if offset < 0x2000:
        return ("MFINDEX", Role.CLOCK) if offset < 0x1020 else (f"runtime 0x{offset - 0x1000:x}", Role.PLAIN)
    return f"doorbell {(offset - 0x2000) // 4}", Role.PLAIN


def _nvme(offset: int) -> Named:
    if offset >= 0x1000:
        number = (offset - 0x1000) // 4
        return (
            f"queue {number // 2} {'completion head' if number % 2 else 'submission tail'} doorbell",
            Role.PLAIN,
        )
    return _NVME.get(offset, _NVME.get(offset & ~7, f"offset 0x{offset:x}")), Role.PLAIN


def _virtio(offset: int) -> Named:
    if offset < 0x1000:
        return _VIRTIO_COMMON.get(offset, f"common 0x{offset:x}"), Role.PLAIN
    name = {1: "ISR status", 2: "device configuration", 3: "queue notify"}.get(
        offset >> 12, f"offset 0x{offset:x}"
    )
    return name, Role.PLAIN


def _display(offset: int) -> Named:
    return f"offset 0x{offset:x}", Role.CONSOLE


def _e1000(offset: int) -> Named:
    return _E1000.get(offset, f"offset 0x{offset:x}"), Role.PLAIN


_FAMILIES: Final[tuple[tuple[re.Pattern[str], str, Callable[[int], Named]], ...]] = (
    (re.compile(r"ahci"), "AHCI", _ahci),
    (re.compile(r"xhci"), "xHCI", _xhci),
    (re.compile(r"nvme"), "NVMe", _nvme),
    (re.compile(r"virtio"), "virtio", _virtio),
    (re.compile(r"e1000|82574|igb"), "e1000", _e1000),
    (re.compile(r"^(?:VGA|cirrus|bochs|qxl|vmware)"), "VGA", _display),
)
_VGA_MEMORY: Final = [Register("VGA", "memory", 0xA0000, Role.CONSOLE, write) for write in (False, True)]
"""One for all of it: a screen is no register."""
_PARTS: Final = {"APIC": _apic, "HPET": _hpet}


def region_register(region: str, address: int, *, write: bool) -> Register | None:
    """The register of a memory region that is on the board itself."""
    if region in _ACPI:
        name, role = _ACPI[region]
        return Register("ACPI", name, address, role, write)
    for pattern, device, base in _FIXED:
        if pattern.match(region):
            offset = address - base
            if device == "IOAPIC":
                name = {0: "index", 0x10: "data", 0x40: "EOI"}.get(offset, f"offset 0x{offset:x}")
                return Register(device, name, address, Role.BACKGROUND, write)
            name, role = _PARTS[device](offset & 0xFFF)
            return Register(device, name, address, role, write)
    if region.startswith("vga") and address >= PORTS_END:  # its ports have such names, too
        return _VGA_MEMORY[write]
    return None


def bar_register(device: str, bar: int, base: int, address: int, *, write: bool, port: bool) -> Register:
    """The register of a PCI device, by the base address register that maps it."""
    offset = address - base
    for pattern, family, named in _FAMILIES:
        if pattern.search(device) and not (family == "xHCI" and offset >= 0x3000):
            if port:
                legacy = _VIRTIO_LEGACY if family == "virtio" else {}
                name = legacy.get(offset, f"port offset 0x{offset:x}")
                return Register(family_name(device, family), name, address, Role.PLAIN, write)
            name, role = named(offset)
            return Register(family_name(device, family), name, address, role, write)
    return Register(device, f"BAR {bar} offset 0x{offset:x}", address, Role.PLAIN, write)


def family_name(device: str, family: str) -> str:
    """The name to show: the family's, or what QEMU calls the device where that says more."""
    return device if family == "virtio" and device != "virtio-pci" else family
