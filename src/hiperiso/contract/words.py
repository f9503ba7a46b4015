"""The words of the contract: every enumerated value that a file may hold.

Source: the interface contract, sections "Kernel Command Line Parameters", "session.json" and "status.json".
"""

from __future__ import annotations

from enum import StrEnum


class SessionStatus(StrEnum):
    """Lifecycle of a session (session.json ``status``, status.json ``status``)."""

    STARTED = "started"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"


class LifecycleStage(StrEnum):
    """What the recorder is doing (status.json ``stage``)."""

    MOUNTED = "mounted"
    KVM_OK = "kvm_ok"
    TCG_EMULATION = "tcg_emulation"
    LAUNCHING_QEMU = "launching_qemu"
    QEMU_EXITED = "qemu_exited"
    SESSION_COMPLETE = "session_complete"
    FALLBACK_NO_KVM = "fallback_no_kvm"
    ISO_NOT_FOUND = "iso_not_found"
    FATAL_ERROR = "fatal_error"


class BootResult(StrEnum):
    """The derived result of a boot."""

    SUCCESS = "success"
    FAILURE = "failure"
    INCOMPLETE = "incomplete"
    NO_SERIAL = "no_serial"


class BootStage(StrEnum):
    """How far the guest got, in order of progress; ``installer`` is as good as ``login``."""

    UNKNOWN = "unknown"
    ERROR = "error"
    FIRMWARE = "firmware"
    BOOTLOADER = "bootloader"
    KERNEL = "kernel"
    INITRAMFS = "initramfs"
    USERSPACE = "userspace"
    INSTALLER = "installer"
    LOGIN = "login"

    @property
    def rank(self) -> int:
        """Progress as a number: 0 nothing seen, 1 firmware ... 6 login or installer."""
        return _RANK[self]


_RANK = {
    BootStage.UNKNOWN: 0,
    BootStage.ERROR: 0,
    BootStage.FIRMWARE: 1,
    BootStage.BOOTLOADER: 2,
    BootStage.KERNEL: 3,
    BootStage.INITRAMFS: 4,
    BootStage.USERSPACE: 5,
    BootStage.INSTALLER: 6,
    BootStage.LOGIN: 6,
}


class FailureDomain(StrEnum):
    """What is to blame for a failure."""

    NONE = "none"
    FIRMWARE = "firmware"
    BOOTLOADER = "bootloader"
    KERNEL = "kernel"
    HARDWARE = "hardware"
    USERSPACE = "userspace"
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """Whose fault it was that the boot did not succeed (extra key of the manifest)."""

    NONE = "none"
    GUEST = "guest"
    HARNESS = "harness"


class KvmState(StrEnum):
    """KVM as the manifest names it."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


class TraceLevel(StrEnum):
    """Trace tier."""

    NONE = "none"
    STANDARD = "standard"
    DETAILED = "detailed"
    FULL = "full"


class Display(StrEnum):
    """Where the guest's screen is shown."""

    NONE = "none"
    GTK = "gtk"
    VNC = "vnc"


class Vga(StrEnum):
    """The guest's display adapter."""

    NONE = "none"
    STD = "std"
    VIRTIO = "virtio"


class BootMode(StrEnum):
    """How the firmware starts the ISO."""

    NORMAL = "normal"
    MEMDISK = "memdisk"
    GRUB2 = "grub2"


class FirmwareChoice(StrEnum):
    """Firmware as the user asks for it."""

    AUTO = "auto"
    BIOS = "bios"
    UEFI = "uefi"


class FirmwareKind(StrEnum):
    """The two families of PC firmware: what a choice comes to."""

    BIOS = "bios"
    UEFI = "uefi"


class AccelChoice(StrEnum):
    """Accelerator as the user asks for it."""

    AUTO = "auto"
    KVM = "kvm"
    TCG = "tcg"


class NoKvm(StrEnum):
    """What a stick does with an ISO where KVM cannot be used."""

    EMULATE = "emulate"
    DIRECT = "direct"


class OcrChoice(StrEnum):
    """Whether pictures that no font explains are read by OCR: where it is installed, or it has to be."""

    OFF = "off"
    AUTO = "auto"
    ON = "on"


class DirectWay(StrEnum):
    """How a stick starts an ISO without a hypervisor."""

    AUTO = "auto"
    LIVE = "live"
    KEXEC = "kexec"


class Source(StrEnum):
    """The channel an event came from."""

    SERIAL = "serial"
    FIRMWARE = "firmware"
    SCREEN = "screen"
    KERNEL = "kernel"
    PROCESS = "process"
    DISK = "disk"
    NET = "net"
    QMP = "qmp"
    TRACE = "trace"
    CHAIN = "chain"
    HARNESS = "harness"


class EndReason(StrEnum):
    """Why a recording ended."""

    EXPECTED_STAGE = "expected_stage"
    EXPECTED_TEXT = "expected_text"
    PANIC = "panic"
    BOOT_FAILED = "boot_failed"
    NO_BOOTABLE_DEVICE = "no_bootable_device"
    POWERED_OFF = "powered_off"
    RESET_LOOP = "reset_loop"
    STUCK = "stuck"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    QEMU_EXITED = "qemu_exited"
    HANDED_OVER = "handed_over"
    HARNESS_FAULT = "harness_fault"
    KILLED = "killed"
