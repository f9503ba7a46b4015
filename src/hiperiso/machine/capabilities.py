"""What this machine supports for a boot, and what to install or change for anything missing."""

from __future__ import annotations

import grp
import os
import shutil
from collections.abc import Callable
from enum import StrEnum
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import msgspec

from hiperiso.contract.settings import DEFAULTS
from hiperiso.contract.words import Display
from hiperiso.errors import HarnessFault
from hiperiso.machine import qemu as qemu_binary
from hiperiso.machine.firmware import FirmwareCatalog, FirmwareImage, find_firmware
from hiperiso.machine.kvm import DEVICE, KvmProbe, KvmProbeState, probe_kvm
from hiperiso.machine.memdisk import find_memdisk
from hiperiso.packages import install_hint

_DISK_WANTED_MB = 1024  # a full trace of one boot takes some hundred MB
_MB = 1 << 20


class CheckState(StrEnum):
    """``ok``; ``warn``: boots work, but something is slower or refused; ``missing``: no boot works."""

    OK = "ok"
    WARN = "warn"
    MISSING = "missing"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the doctor's output. ``fix`` is empty if there is nothing to change."""

    name: str
    state: CheckState
    detail: str
    fix: str = ""


def check_machine(*, log_root: Path, guest_ram_mb: int = DEFAULTS.ram_mb) -> list[Check]:
    """Examine QEMU, KVM, firmware, helper programs, disk and shared memory.

    Args:
        log_root: where sessions are stored; need not exist yet.
        guest_ram_mb: the RAM that boots use by default.
    """
    return [
        *_qemu_checks(),
        _kvm_check(probe_kvm()),
        *_firmware_checks(find_firmware()),
        _tool_check("swtpm", "a virtual TPM", install_hint("swtpm")),
        _tool_check("bsdtar", "injecting 7z archives", install_hint("libarchive-tools")),
        _trust_check(),
        _memdisk_check(),
        _tool_check("xorriso", "building and rewriting ISOs", install_hint("xorriso")),
        _disk_check(log_root),
        _shared_memory_check(Path("/dev/shm"), guest_ram_mb),  # noqa: S108
    ]


def _trust_check() -> Check:
    """Whether the variable stores of ``secure_boot 2011`` and the like can be built."""
    builders = entry_points(group="hiperiso.trust_stores")
    found = bool(builders) and find_spec("virt") is not None
    if found:
        return Check(name="trust states", state=CheckState.OK, detail="virt-firmware builds variable stores")
    detail = "no virt-firmware: of --secure-boot only 1, the vendor's keys, works"
    return Check(
        name="trust states", state=CheckState.WARN, detail=detail, fix="pip install 'hiperiso[secureboot]'"
    )


def _memdisk_check() -> Check:
    path = find_memdisk()
    if path is not None:
        return Check(name="memdisk", state=CheckState.OK, detail=str(path))
    detail = "not installed; --boot-mode memdisk is a drive in the host's RAM under a BIOS, too"
    return Check(name="memdisk", state=CheckState.WARN, detail=detail, fix=install_hint("syslinux-common"))


def boot_would_work(checks: list[Check]) -> bool:
    """Whether everything that every boot needs is available."""
    return all(check.state is not CheckState.MISSING for check in checks)


def _qemu_checks() -> list[Check]:
    try:
        path = qemu_binary.find_qemu()
        version = qemu_binary.qemu_version(path)
        qemu_binary.check_sandbox(path)
    except HarnessFault as fault:
        return [Check(name="QEMU", state=CheckState.MISSING, detail=fault.message, fix=fault.hint)]
    own = ", built by hiperiso qemu build" if path.is_relative_to(qemu_binary.build_root().resolve()) else ""
    return [
        Check(name="QEMU", state=CheckState.OK, detail=f"{version} ({path}{own}), sandbox works"),
        _trace_check(path),
        _window_check(path),
    ]


def check_display(display: Display) -> None:
    """Refuse a display that QEMU has not, before anything is recorded.

    Raises:
        HarnessFault: QEMU cannot open a window; the hint names the package.
    """
    if display is not Display.GTK:
        return
    check = _window_check(qemu_binary.find_qemu())
    if check.state is not CheckState.OK:
        raise HarnessFault(
            "QEMU cannot open a window here: --display gtk needs its GTK module", hint=check.fix
        )


def _trace_check(qemu: Path) -> Check:
    backend = qemu_binary.trace_backend(qemu)
    if backend is None:
        fix = "use a QEMU built with --enable-trace-backends=log or simple"
        return Check(name="trace", state=CheckState.WARN, detail="this QEMU records no traces", fix=fix)
    count = len(qemu_binary.trace_events(qemu))
    return Check(name="trace", state=CheckState.OK, detail=f"{backend.value} backend, {count} events")


def _window_check(qemu: Path) -> Check:
    if "gtk" in qemu_binary.displays(qemu):
        return Check(name="window", state=CheckState.OK, detail="--display gtk can be used")
    return Check(
        name="window",
        state=CheckState.WARN,
        detail="no gtk display; none and vnc work",
        fix=install_hint("qemu-system-gui"),
    )


_KVM_FIX = {
    KvmProbeState.ABSENT: "enable virtualization in the firmware setup and load kvm_intel or kvm_amd; until then "
    "guests are emulated (slower)",
    KvmProbeState.NO_PERMISSION: "sudo usermod -aG {group} $USER, then log in again; until then guests are emulated",
    KvmProbeState.UNUSABLE: "guests are emulated (slower); in a virtual machine, ask for nested virtualization",
}


def _kvm_check(probe: KvmProbe) -> Check:
    seen = f"{probe.state.value.replace('_', ' ')}: {probe.detail}"
    if probe.usable:
        return Check(name="KVM", state=CheckState.OK, detail=seen)
    fix = _KVM_FIX[probe.state].format(group=group_of(DEVICE))
    return Check(name="KVM", state=CheckState.WARN, detail=seen, fix=fix)


def group_of(device: Path) -> str:
    """The name of its group; ``kvm``, which a distribution gives to /dev/kvm, where that cannot be known."""
    try:
        return grp.getgrgid(device.stat().st_gid).gr_name
    except (OSError, KeyError):
        return "kvm"


def _firmware_checks(catalog: FirmwareCatalog) -> list[Check]:
    def check(name: str, image: FirmwareImage | None, lack: CheckState, fix: str) -> Check:
        if image:
            named = "" if image.source == str(image.code) else f" (named by {image.source})"
            return Check(name=name, state=CheckState.OK, detail=f"{image.code}{named}")
        return Check(name=name, state=lack, detail="not found", fix=fix)

    return [
        check("BIOS", catalog.bios, CheckState.MISSING, install_hint("seabios")),
        check("UEFI", catalog.uefi, CheckState.WARN, install_hint("ovmf")),
        check("UEFI Secure Boot", catalog.secure_boot, CheckState.WARN, install_hint("ovmf")),
    ]


def _tool_check(
    program: str, purpose: str, fix: str, which: Callable[[str], str | None] = shutil.which
) -> Check:
    path = which(program)
    if path:
        return Check(name=program, state=CheckState.OK, detail=path)
    return Check(name=program, state=CheckState.WARN, detail=f"not installed; needed for {purpose}", fix=fix)


def _disk_check(log_root: Path) -> Check:
    place = log_root.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        free_mb = shutil.disk_usage(place).free // _MB
    except OSError as error:
        detail = f"{log_root}: {error.strerror}"
        return Check(name="disk", state=CheckState.MISSING, detail=detail, fix="choose another --log-root")
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        detail = f"{log_root}: {place} is not writable"
        return Check(name="disk", state=CheckState.MISSING, detail=detail, fix="choose another --log-root")
    detail = f"{free_mb} MB free at {log_root}"
    if free_mb >= _DISK_WANTED_MB:
        return Check(name="disk", state=CheckState.OK, detail=detail)
    state = CheckState.WARN if free_mb else CheckState.MISSING
    return Check(name="disk", state=state, detail=detail, fix="free some space, or choose another --log-root")


def _shared_memory_check(directory: Path, guest_ram_mb: int) -> Check:
    try:
        free_mb = shutil.disk_usage(directory).free // _MB
    except OSError as error:
        detail = f"{directory}: {error.strerror}"
        return Check(
            name="shared memory", state=CheckState.WARN, detail=detail, fix=f"mount a tmpfs at {directory}"
        )
    detail = f"{free_mb} MB free in {directory}; guests have {guest_ram_mb} MB by default"
    if free_mb >= guest_ram_mb:
        return Check(name="shared memory", state=CheckState.OK, detail=detail)
    fix = f"use --ram with less than {free_mb}, or mount -o remount,size={guest_ram_mb * 2}M {directory}"
    return Check(name="shared memory", state=CheckState.WARN, detail=detail, fix=fix)
