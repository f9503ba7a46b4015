"""The JSON files of a session as structs; schema, documentation and validation follow from them.

Source: the interface contract, sections "session.json", "index.jsonl" and "status.json". Keys that the contract
does not name are this project's additions; each is marked "addition".
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hiperiso.contract.hardware import DiskFormat, ImageKind
from hiperiso.contract.tracereport import TraceKeep
from hiperiso.contract.words import (
    BootResult,
    BootStage,
    EndReason,
    FailureDomain,
    Fault,
    KvmState,
    LifecycleStage,
    SessionStatus,
    TraceBin,
    TraceLevel,
)

UtcTime = Annotated[
    str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$", description="UTC, whole seconds")
]
Flag = Annotated[int, Meta(ge=0, le=1, description="1 or 0")]
Count = Annotated[int, Meta(ge=0)]


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Non-identifying host metadata."""

    kernel_version: str
    cpu_model: str
    cpu_logical_cores: Count
    total_ram_mb: Count
    virt_supported: bool


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """The results of hiperiso-log; also the content of ``analysis.meta``."""

    boot_result: BootResult
    boot_stage_final: BootStage
    failure_domain: FailureDomain
    reached_login: Flag
    kernel_panic_count: Count
    error_count: Count
    has_serial: Flag
    has_trace: Flag
    boot_duration_ms: Count
    graphics_drivers: str = ""
    graphics_resolution: str = ""
    fault: Fault = Fault.NONE  # addition
    cause: str = ""  # addition: one line, the cause of the failure or the achieved result
    guest: str = ""  # addition: what was recognised, e.g. "GRUB, Linux 6.1.0-30-amd64, systemd"


class HwInventory(msgspec.Struct, frozen=True, kw_only=True):
    """The available hardware data."""

    available: bool
    files: str
    has_timing: bool
    has_network_pcap: bool


class IsoFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the booted ISO is: the file, its volume descriptor, and what files on it say of the distribution.

    ``sha256`` is missing where the image was not read whole; other fields where the image does not say it.
    """

    size_bytes: Count
    sha256: str = ""
    volume_id: str = ""
    created_utc: str = ""
    distribution: str = ""
    version: str = ""
    named_by: str = ""  # the file on the ISO that names the distribution


class KeyPress(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that the recorder pressed at a boot menu, by QEMU's names, ``t`` seconds after its start, and why."""

    t: float
    keys: list[str]
    why: str
    menu: str
    entry: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """session.json. At the start only the first block is present, with ``status: "started"``."""

    session_id: str
    status: SessionStatus
    iso_path: str
    iso_basename: str
    log_dir: str
    start_time_utc: UtcTime
    kvm: KvmState
    trace_level: TraceLevel
    guest_ram_mb: Count
    guest_cpus: Count

    result: BootResult | UnsetType = UNSET
    end_time_utc: UtcTime | UnsetType = UNSET
    qemu_exit_code: int | UnsetType | None = UNSET
    report_available: Flag | UnsetType = UNSET
    host: Host | UnsetType = UNSET
    analysis: Analysis | UnsetType = UNSET
    hw_inventory: HwInventory | UnsetType = UNSET

    # additions
    fault: Fault | UnsetType = UNSET
    fault_detail: str | UnsetType = UNSET  # the harness fault
    end_reason: EndReason | UnsetType = UNSET
    accel: str | UnsetType = UNSET  # "kvm" or "tcg"
    accel_reason: str | UnsetType = UNSET
    firmware: str | UnsetType = UNSET  # "bios" or "uefi"
    firmware_reason: str | UnsetType = UNSET
    image_kind: ImageKind | UnsetType = UNSET  # what the file was taken for
    image_format: DiskFormat | UnsetType = UNSET  # of a disk image, by QEMU's name
    image_reason: str | UnsetType = UNSET
    image_file: str | UnsetType = UNSET  # what QEMU opened: unpacked, or made of a directory or a program
    iso: IsoFacts | UnsetType = UNSET
    timeout_s: float | UnsetType = UNSET  # the effective limit, after scaling
    vnc: str | UnsetType = UNSET  # where the guest's screen is served, as HOST:PORT; known once QEMU runs
    hiperiso_version: str | UnsetType = UNSET
    qemu_version: str | UnsetType = UNSET
    keys_pressed: list[KeyPress] | UnsetType = UNSET
    trace_bin: TraceBin | UnsetType = UNSET
    trace_missing: list[str] | UnsetType = UNSET  # events of the tier that this QEMU does not have
    trace_unseen: list[str] | UnsetType = UNSET  # ports whose accesses the tier does not record
    trace_limited: TraceKeep | UnsetType = UNSET  # records were left out: the trace reached its limit
    trace_dropped: Count | UnsetType = UNSET  # records that QEMU had to drop


class StatusFile(msgspec.Struct, frozen=True, kw_only=True):
    """status.json, rewritten at each stage transition."""

    session_id: str
    status: SessionStatus
    stage: LifecycleStage
    timestamp_utc: UtcTime
    qemu_exit_code: int | UnsetType | None = UNSET


class IndexLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of index.jsonl."""

    session_id: str
    status: SessionStatus
    result: BootResult
    iso_basename: str
    iso_path: str
    log_dir: str
    start_time_utc: UtcTime
    end_time_utc: UtcTime
    kvm: KvmState
    trace_level: TraceLevel
    qemu_exit_code: int | None
    report_available: Flag
    boot_result: BootResult
    boot_stage_final: BootStage
    failure_domain: FailureDomain
    graphics_drivers: str


class TimingPhase(msgspec.Struct, frozen=True, kw_only=True):
    """One phase mark. ``delta_ms`` is the time since the previous mark (0 for the first)."""

    phase: str
    uptime_s: float
    timestamp_utc: UtcTime
    delta_ms: Count


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """timing.json: the marks of timing.dat with per-phase deltas."""

    session_id: str
    total_ms: Count
    phases: list[TimingPhase]
