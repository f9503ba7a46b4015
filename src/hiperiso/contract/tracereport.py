"""What is kept of a QEMU trace, and the answers that it holds: the ``trace`` section of report.json.

All times are seconds since QEMU started; without a record of that, since the trace's first record.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class TraceKeep(StrEnum):
    """Which part of a trace is kept when it reaches its limit."""

    FIRST = "first"
    LAST = "last"


class SuspectKind(StrEnum):
    """What a guest without progress does at the end of its trace."""

    POLLS = "polls"  # the same registers are read again and again, and answer the same
    REPEATS = "repeats"  # the same accesses come again and again, as of a driver that tries anew
    WAITS = "waits"  # no access: the guest waits for what the device last talked to should do, such as an interrupt
    NO_DEVICE = "no_device"  # what is polled is not there
    MEDIUM = "medium"  # a command to a drive has not ended, or ends in errors


class RegisterUse(msgspec.Struct, frozen=True, kw_only=True):
    """Accesses to one register; ``address`` is a port, or a physical address, as a hexadecimal text."""

    register: str
    address: str
    reads: int
    writes: int


class DeviceUse(msgspec.Struct, frozen=True, kw_only=True):
    """Accesses to one device. ``phases`` counts them by the phase of the boot; ``registers`` has the most used."""

    device: str
    reads: int
    writes: int
    first_s: float
    last_s: float
    phases: dict[str, int]
    registers: list[RegisterUse]


class DriveUse(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to one drive.

    ``over_time`` has a row for each second with requests: second, reads, bytes read, writes, bytes written.
    """

    drive: str
    reads: int
    bytes_read: int
    writes: int
    bytes_written: int
    first_s: float
    last_s: float
    errors: int
    over_time: list[tuple[int, int, int, int, int]]


class PciBar(msgspec.Struct, frozen=True, kw_only=True):
    """A base address register: where the guest mapped it for the last time, and when for the first."""

    bar: int
    address: str
    size_bytes: int
    mapped_s: float


class PciFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A PCI function that the guest found. ``place`` is bus:slot.function; ids are hexadecimal, empty if not read."""

    place: str
    name: str
    vendor: str
    device: str
    class_code: str
    found_s: float
    bars: list[PciBar]


class FirmwareStep(msgspec.Struct, frozen=True, kw_only=True):
    """What the firmware did, from the first to the last access that shows it."""

    name: str
    start_s: float
    end_s: float
    accesses: int


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A time without any record. ``after`` and ``before`` are the events around it; ``before`` is empty at the end."""

    start_s: float
    duration_s: float
    after: str
    before: str


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """The same accesses in a cycle, answered alike, except by clocks. ``rounds`` counts how often it was passed."""

    device: str
    registers: list[str]
    rounds: int
    start_s: float
    duration_s: float


class LastAccess(msgspec.Struct, frozen=True, kw_only=True):
    """An access to a device; values are hexadecimal texts."""

    t: float
    device: str
    register: str
    write: bool
    value: str


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """The device that the guest waited for when it got no further, and since when."""

    device: str
    register: str
    address: str
    kind: SuspectKind
    since_s: float
    why: str


class TraceAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """What the records say.

    ``last`` are the last accesses, the latest first; ``talking_to`` is the device of the last one that is neither a
    timer, an interrupt controller, nor output on a console.
    """

    first_s: float
    last_s: float
    devices: list[DeviceUse]
    drives: list[DriveUse]
    pci: list[PciFunction]
    firmware: list[FirmwareStep]
    silences: list[Silence]
    loops: list[Loop]
    last: list[LastAccess]
    talking_to: str
    suspect: Suspect | None


class TraceReport(TraceAnswers, frozen=True, kw_only=True):
    """The section.

    ``complete`` is false where the trace is damaged or too large to be read whole: then these are the answers of its
    beginning. ``unseen`` names the ports whose accesses this tier does not record. ``suspect`` is given only for a boot
    that did not succeed.
    """

    file: str
    records: int
    lost: int
    complete: bool
    unseen: list[str]
