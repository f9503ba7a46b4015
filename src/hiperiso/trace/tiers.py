"""The events of each trace tier.

The lists are package data, one event name a line: ``events/standard.events`` (disk), ``detailed.events`` (+ PCI
configuration space and port I/O), ``full.events`` (+ every access to emulated memory regions). Each holds the one
before it. ``cpu_in``/``cpu_out`` do not fire under emulation; the device events beside them show their ports.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from hiperiso.contract.store import atomic_write
from hiperiso.contract.words import TraceLevel

NOT_RECORDED: Final = (
    "PIT 0x40-0x43 and 0x61",
    "RTC 0x70-0x71",
    "DMA 0x00-0x0f, 0x81-0x8f and 0xc0-0xdf",
    "IDE data 0x1f0 and 0x170",
    "debug ports 0xe9 and 0x402",
    "ELCR 0x4d0-0x4d1",
    "fw_cfg data 0x511-0x51b",
    "ACPI registers with the PM timer",
    "reset control 0xcf9",
    "ports of PCI devices",
    "ports without a device",
)
"""Ports whose accesses the detailed tier does not record: QEMU has no events for them."""
_EVENTS_DIR = Path(__file__).parent / "events"


def tier_events(level: TraceLevel) -> tuple[str, ...]:
    """Names of the trace events that `level` asks for, in file order; empty for ``none``."""
    if level is TraceLevel.NONE:
        return ()
    return tuple((_EVENTS_DIR / f"{level.value}.events").read_text(encoding="ascii").split())


def select_events(level: TraceLevel, known: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split the tier's events into those that this QEMU knows and those that it lacks.

    QEMU warns on stderr for each unknown name in its event list, so the list handed to it holds known names only.

    Args:
        level: the tier.
        known: event names that ``qemu -trace help`` prints.
    """
    wanted = tier_events(level)
    return tuple(e for e in wanted if e in known), tuple(e for e in wanted if e not in known)


def write_event_list(path: Path, level: TraceLevel, known: Collection[str]) -> tuple[str, ...]:
    """Write the file for ``-trace events=`` with the tier's known events; returns the names that QEMU lacks.

    Raises:
        OSError: `path` cannot be written.
    """
    present, missing = select_events(level, known)
    write_names(path, present)
    return missing


def write_names(path: Path, names: Iterable[str]) -> None:
    """Write the file for ``-trace events=`` with these events.

    Raises:
        OSError: `path` cannot be written.
    """
    atomic_write(path, "".join(f"{name}\n" for name in names).encode("ascii"))
