"""Plans the machine from settings and facts, with a reason for every choice. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import TraceLevel
from hiperiso.machine.facts import Facts
from hiperiso.machine.machine import Machine
from hiperiso.machine.part import Part
from hiperiso.machine.parts.board import plan_board
from hiperiso.machine.parts.consoles import plan_consoles
from hiperiso.machine.parts.disks import plan_disks
from hiperiso.machine.parts.entropy import plan_entropy
from hiperiso.machine.parts.extra import plan_extra
from hiperiso.machine.parts.firmware import FirmwareDecision, decide_firmware, plan_firmware
from hiperiso.machine.parts.lifecycle import plan_lifecycle
from hiperiso.machine.parts.loader import plan_loader
from hiperiso.machine.parts.medium import plan_medium
from hiperiso.machine.parts.monitors import plan_monitors
from hiperiso.machine.parts.network import plan_network
from hiperiso.machine.parts.sandbox import plan_sandbox
from hiperiso.machine.parts.screen import plan_screen
from hiperiso.machine.parts.tpm import plan_tpm
from hiperiso.machine.parts.trace import plan_trace
from hiperiso.machine.parts.usb import plan_usb
from hiperiso.machine.parts.volumes import plan_volumes

PLANNERS: Final[tuple[Callable[[Settings, Facts], Part | None], ...]] = (
    plan_sandbox,
    plan_board,
    plan_firmware,
    plan_lifecycle,
    plan_usb,
    plan_loader,
    plan_medium,
    plan_disks,
    plan_volumes,
    plan_consoles,
    plan_monitors,
    plan_screen,
    plan_network,
    plan_entropy,
    plan_tpm,
    plan_trace,
    plan_extra,
)
"""One for each part, in the order of the command line: a bus precedes the parts on it."""


class MachinePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The machine to start, and the notes for the session."""

    machine: Machine
    firmware: FirmwareDecision
    qemu_version: str
    notes: tuple[str, ...]


def plan_machine(settings: Settings, facts: Facts) -> MachinePlan:
    """Choose firmware and parts.

    Raises:
        HarnessFault: firmware is missing.
        UsageError: the ISO or a setting does not match the facts.
    """
    planned = (plan(settings, facts) for plan in PLANNERS)
    parts = tuple(part for part in planned if part is not None)
    return MachinePlan(
        machine=Machine(qemu=facts.qemu, image=facts.iso.path, name=facts.place.directory.name, parts=parts),
        firmware=decide_firmware(settings, facts),
        qemu_version=facts.qemu_version,
        notes=(*_notes(settings, facts), *(note for part in parts for note in part.notes())),
    )


def _notes(settings: Settings, facts: Facts) -> list[str]:
    """Notes that do not belong to a part."""
    notes = []
    if facts.iso.truncated:
        notes.append(f"the ISO is truncated: {facts.iso.missing_bytes} bytes are missing at its end")
    if facts.host_ram_mb and settings.ram_mb > facts.host_ram_mb * 0.9:
        notes.append(
            f"the guest's RAM ({settings.ram_mb} MB) is {settings.ram_mb / facts.host_ram_mb:.2g} times the host's"
            f" ({facts.host_ram_mb} MB): where the guest uses it, the host swaps or ends QEMU"
        )
    if settings.trace is not TraceLevel.NONE and facts.trace_backend is None:
        notes.append("no trace: this QEMU was built without the log and simple trace backends")
    return notes
