"""From settings, machine and ISO to the one machine that is started, with every choice explained."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import AccelChoice, BootMode, Display, KvmState, TraceLevel
from hiperiso.errors import HarnessFault
from hiperiso.iso.inspect import IsoInfo
from hiperiso.machine.bootmode import prepare_boot_mode
from hiperiso.machine.firmware import FirmwareDecision, choose_firmware, find_firmware, install_firmware
from hiperiso.machine.kvm import KvmProbeState, probe_kvm
from hiperiso.machine.qemu import find_qemu, qemu_version, trace_backend, trace_events
from hiperiso.machine.spec import Accel, MachineSpec, TraceBackend, TraceSpec
from hiperiso.session.host import total_ram_mb
from hiperiso.session.runtime import RuntimeFiles
from hiperiso.trace.formats import write_formats
from hiperiso.trace.tiers import select_events, write_event_list


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """Whether the guest runs under KVM or emulated, and why.

    Attributes:
        refused: why the accelerator that was asked for cannot be had; empty when it can.
    """

    accel: Accel
    reason: str
    kvm_state: KvmState
    kvm_detail: str
    refused: str = ""

    @property
    def emulated(self) -> bool:
        """Whether the guest's processor is emulated."""
        return self.accel is Accel.TCG

    def check(self) -> None:
        """Refuse what cannot be had.

        Raises:
            HarnessFault: KVM was asked for and does not work.
        """
        if self.refused:
            raise HarnessFault(self.refused, hint="use --accel auto, or see `hiperiso doctor`")


@dataclass(frozen=True, kw_only=True)
class MachinePlan:
    """The machine to start, and what to tell about it."""

    spec: MachineSpec
    firmware: FirmwareDecision
    qemu_version: str
    notes: tuple[str, ...]


def choose_accelerator(settings: Settings) -> Accelerator:
    """Probe KVM unless the settings rule it out; takes at most about two seconds."""
    if settings.fallback or settings.accel is AccelChoice.TCG:
        reason = "the fallback was asked for" if settings.fallback else "emulation was asked for"
        return Accelerator(
            accel=Accel.TCG, reason=reason, kvm_state=KvmState.UNKNOWN, kvm_detail="not probed: " + reason
        )
    probe = probe_kvm()
    if probe.usable:
        return Accelerator(
            accel=Accel.KVM,
            reason=f"KVM works: {probe.detail}",
            kvm_state=KvmState.AVAILABLE,
            kvm_detail=probe.detail,
        )
    why = {
        KvmProbeState.ABSENT: "no KVM here",
        KvmProbeState.NO_PERMISSION: "no permission for KVM",
        KvmProbeState.UNUSABLE: "KVM is present but unusable",
    }.get(probe.state, "KVM cannot be used")
    reason = f"{why}: {probe.detail}"
    asked = settings.accel is AccelChoice.KVM
    return Accelerator(
        accel=Accel.KVM if asked else Accel.TCG,
        reason=reason,
        kvm_state=KvmState.UNAVAILABLE,
        kvm_detail=probe.detail,
        refused=f"KVM was asked for, but {reason}" if asked else "",
    )


def plan_machine(
    settings: Settings,
    accelerator: Accelerator,
    iso: IsoInfo,
    directory: Path,
    runtime: RuntimeFiles,
    *,
    screen_socket: Path | None = None,
) -> MachinePlan:
    """Choose firmware and parts, and write the files that the machine needs into `directory`.

    With `screen_socket` the screen is served there, and shown nowhere else.

    Raises:
        HarnessFault: QEMU or firmware is missing.
        UsageError: the ISO or a setting does not fit what there is.
        OSError: `directory` cannot be written.
    """
    qemu = find_qemu(window=settings.display is Display.GTK)
    catalog = find_firmware()
    decision = choose_firmware(iso, settings.firmware, catalog.available)
    notes = [*_iso_notes(iso), *_ram_notes(settings), *_mode_notes(settings)]
    in_memory = runtime.ram_fits(settings.ram_mb)
    if not in_memory:
        notes.append("guest RAM is anonymous shared memory: too little room in /dev/shm for a file")
    trace = _trace(settings.trace, qemu, directory)
    if trace is None and settings.trace is not TraceLevel.NONE:
        notes.append("no trace: this QEMU was built without the log and simple trace backends")
    spec = MachineSpec(
        qemu=qemu,
        iso=iso.path,
        name=directory.name,
        ram_mb=settings.ram_mb,
        cpus=settings.cpus,
        accel=accelerator.accel,
        cpu_features=settings.cpu_features,
        firmware=install_firmware(catalog.get(decision.kind), directory),
        direct_load=prepare_boot_mode(settings.boot_mode, iso, decision.kind, settings.ram_mb, directory),
        vga=settings.vga,
        display=Display.NONE if screen_socket else settings.display,
        vnc_socket=screen_socket,
        serial_log=directory / files.SERIAL_LOG,
        firmware_log=directory / files.FIRMWARE_LOG,
        qmp_socket=runtime.path("qmp"),
        monitor_socket=runtime.path("mon"),
        ram_path=runtime.path("ram") if in_memory else None,
        trace=trace,
        network_pcap=directory / files.NETWORK_PCAP if settings.net_dump else None,
    )
    return MachinePlan(spec=spec, firmware=decision, qemu_version=qemu_version(qemu), notes=tuple(notes))


def _trace(level: TraceLevel, qemu: Path, directory: Path) -> TraceSpec | None:
    backend = trace_backend(qemu) if level is not TraceLevel.NONE else None
    if backend is None:
        return None
    events = directory / files.TRACE_EVENTS
    known = trace_events(qemu)
    write_event_list(events, level, known)
    output = files.TRACE_LOG
    if backend is TraceBackend.SIMPLE:
        output = files.TRACE_BIN
        ahead_s = time.time() - time.monotonic()
        write_formats(directory / files.TRACE_FORMATS, qemu, select_events(level, known)[0], ahead_s)
    return TraceSpec(events=events, output=directory / output, backend=backend)


def _iso_notes(iso: IsoInfo) -> list[str]:
    if not iso.truncated:
        return []
    return [f"the ISO is truncated: {iso.missing_bytes} bytes are missing at its end"]


def _mode_notes(settings: Settings) -> list[str]:
    normal = settings.boot_mode is BootMode.NORMAL
    return [] if normal else [f"boot mode {settings.boot_mode.value}: not the ISO's own boot loader"]


def _ram_notes(settings: Settings) -> list[str]:
    total_mb = total_ram_mb()
    if total_mb and settings.ram_mb > total_mb * 0.9:
        return [f"the guest's RAM ({settings.ram_mb} MB) is nearly all of the host's ({total_mb} MB)"]
    return []
