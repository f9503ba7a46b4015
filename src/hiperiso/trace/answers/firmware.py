"""What the firmware did, and when: from the accesses before the boot loader or the kernel began."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from hiperiso.contract.tracereport import FirmwareStep
from hiperiso.trace.answers.registers import Register

_STEPS: Final[tuple[tuple[str, Callable[[Register], bool]], ...]] = (
    ("configuration read (fw_cfg)", lambda one: one.device == "fw_cfg"),
    ("interrupt controllers set up", lambda one: one.device == "PIC" and one.write),
    ("PCI enumeration", lambda one: one.device.startswith("PCI")),
    (
        "PCI resources assigned",
        lambda one: one.device.startswith("PCI ") and one.write and one.name.startswith("BAR"),
    ),
    ("display set up", lambda one: one.device in ("VGA", "VBE")),
    ("keyboard set up", lambda one: one.device == "i8042"),
    ("serial port set up", lambda one: one.device.startswith("8250") and "line control" in one.name),
    ("USB controller set up", lambda one: one.device == "xHCI"),
    (
        "drives looked for",
        lambda one: one.device in ("AHCI", "IDE", "IDE (secondary)", "NVMe") or "virtio" in one.device,
    ),
)


class FirmwareSteps:
    """Takes accesses until the firmware's time is over."""

    def __init__(self, end_ns: int) -> None:
        self._end_ns = end_ns
        self._of: dict[Register, list[str]] = {}
        self._found: dict[str, list[int]] = {}

    def feed(self, registers: Sequence[Register], times_ns: Sequence[int]) -> None:
        """Take the next accesses."""
        if not times_ns or times_ns[0] >= self._end_ns:
            return
        for register, t_ns in zip(registers, times_ns, strict=True):
            names = self._of.get(register)
            if names is None:
                names = self._of[register] = [name for name, holds in _STEPS if holds(register)]
            if t_ns < self._end_ns:
                for name in names:
                    self.note(name, t_ns)

    def note(self, name: str, t_ns: int) -> None:
        """One more sign of a step."""
        row = self._found.setdefault(name, [t_ns, t_ns, 0])
        row[1] = t_ns
        row[2] += 1

    def medium_read(self, t_ns: int) -> None:
        """The medium is read."""
        if t_ns < self._end_ns:
            self.note("boot medium read", t_ns)

    def steps(self, zero_ns: int) -> list[FirmwareStep]:
        """In the order in which they began."""
        return [
            FirmwareStep(
                name=name,
                start_s=round((first_ns - zero_ns) / 1e9, 6),
                end_s=round((last_ns - zero_ns) / 1e9, 6),
                accesses=count,
            )
            for name, (first_ns, last_ns, count) in sorted(self._found.items(), key=lambda item: item[1][0])
        ]
