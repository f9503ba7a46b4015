"""The words of the contract: every enumerated value that a file may contain.

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
    BootStage.UNKNOWN: 0, BootStage.ERROR: 0, BootStage.FIRMWARE: 1, BootStage.BOOTLOADER: 2, BootStage.KERNEL: 3,
    BootStage.INITRAMFS: 4, BootStage.USERSPACE: 5, BootStage.INSTALLER: 6, BootStage.LOGIN: 6,
}  # fmt: skip


class FailureDomain(StrEnum):
    """The domain of a failure."""

    NONE = "none"
    FIRMWARE = "firmware"
    BOOTLOADER = "bootloader"
    KERNEL = "kernel"
    HARDWARE = "hardware"
    USERSPACE = "userspace"
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """The side at fault for an unsuccessful boot (additional key of the manifest)."""

    NONE = "none"
    GUEST = "guest"
    HARNESS = "harness"


class KvmState(StrEnum):
    """KVM as named in the manifest."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


class TraceBin(StrEnum):
    """Where trace.bin comes from."""

    RECORDED = "recorded"  # QEMU wrote it
    MADE = "made"  # of trace.log, at the end of the recording
    DEFERRED = "deferred"  # no time or no room for that: ``hiperiso-log analyze`` makes it


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
    """The user's choice of firmware."""

    AUTO = "auto"
    BIOS = "bios"
    UEFI = "uefi"


class FirmwareKind(StrEnum):
    """The two families of PC firmware."""

    BIOS = "bios"
    UEFI = "uefi"


class AccelChoice(StrEnum):
    """The user's choice of accelerator."""

    AUTO = "auto"
    KVM = "kvm"
    TCG = "tcg"


class NoKvm(StrEnum):
    """What a stick does with an ISO if KVM cannot be used."""

    EMULATE = "emulate"
    DIRECT = "direct"


class OcrChoice(StrEnum):
    """Whether pictures that no font matches are read by OCR: if installed, or required."""

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
    HANDS = "hands"
    HARNESS = "harness"


class LineForm(StrEnum):
    """Whether a line of text is complete, or unfinished."""

    LINE = "line"
    PARTIAL = "partial"


class MachineEvent(StrEnum):
    """The events of QEMU that are used here, by QEMU's names."""

    RESET = "RESET"
    SHUTDOWN = "SHUTDOWN"
    GUEST_PANICKED = "GUEST_PANICKED"
    BLOCK_IO_ERROR = "BLOCK_IO_ERROR"


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
    MENU_WAITS = "menu_waits"
    MENU_LISTED = "menu_listed"
    MENU_ENTRY_MISSING = "menu_entry_missing"
    PASSPHRASE = "passphrase"  # noqa: S105 - a word, not one
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    QEMU_EXITED = "qemu_exited"
    HANDED_OVER = "handed_over"
    HARNESS_FAULT = "harness_fault"
    KILLED = "killed"


class Severity(StrEnum):
    """The severity of a finding; ``error_count`` of the analysis counts ``error`` and ``fatal``."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    FATAL = "fatal"

    @classmethod
    def _missing_(cls, value: object) -> Severity | None:
        """An unknown word, from a newer version, counts as info."""
        return cls.INFO if isinstance(value, str) else None


class FindingKind(StrEnum):
    """The kinds of findings: one row per word, with its meaning and possible severities."""

    meaning: str
    severities: tuple[Severity, ...]

    def __new__(cls, word: str, meaning: str, *severities: Severity) -> FindingKind:
        """Make a row; the default severity is info."""
        kind = str.__new__(cls, word)
        kind._value_ = word
        kind.meaning = meaning
        kind.severities = severities or (Severity.INFO,)
        return kind

    KERNEL_PANIC = "kernel_panic", "the kernel stopped; `kernel_panic_count` counts these", Severity.FATAL
    STOP_SCREEN = "stop_screen", "a stop screen of Windows or a similar one", Severity.FATAL
    PANIC_SCREEN = "panic_screen", "the kernel's own panic screen was read", Severity.FATAL
    RECOVERY_SCREEN = "recovery_screen", "Windows' recovery screen, read from a picture", Severity.FATAL
    DESKTOP_FAILED = "desktop_failed", "the desktop reported a fatal error", Severity.FATAL
    DESKTOP_BLANK = "desktop_blank", "a desktop runs, and nothing is on its screen", Severity.FATAL
    COMPOSITOR_FAILED = "compositor_failed", "a compositor ended each time it was started", Severity.FATAL
    NO_BOOTABLE_DEVICE = "no_bootable_device", "the firmware found nothing bootable", Severity.FATAL
    UEFI_SHELL = "uefi_shell", "the firmware ended in its shell", Severity.FATAL
    FIRMWARE_EXCEPTION = "firmware_exception", "the firmware crashed", Severity.FATAL
    SECURE_BOOT_VIOLATION = "secure_boot_violation", "a signature was refused", Severity.ERROR, Severity.FATAL
    SECURE_BOOT_STATE = "secure_boot_state", "whether the kernel saw Secure Boot on"
    FIRMWARE_ASSERT = "firmware_assert", "the firmware stopped at an assertion", Severity.ERROR
    MEDIUM_NOT_BOOTABLE = "medium_not_bootable", "a medium that the firmware could not boot", Severity.WARNING
    NETWORK_BOOT_TRIED = "network_boot_tried", "the firmware tried to boot from the network"
    BOOTLOADER_FILE_MISSING = (
        "bootloader_file_missing",
        "a file or device that the loader could not read",
        Severity.WARNING,
        Severity.ERROR,
        Severity.FATAL,
    )
    BOOTLOADER_ERROR = "bootloader_error", "the boot loader reported an error", Severity.ERROR, Severity.FATAL
    BOOTLOADER_FAILED = "bootloader_failed", "the boot loader gave up", Severity.FATAL
    BOOTLOADER_CONFIG_MISSING = (
        "bootloader_config_missing",
        "the boot loader has no configuration",
        Severity.FATAL,
    )
    BOOTLOADER_PROMPT = (
        "bootloader_prompt",
        "the loader waits at its prompt (`boot:` is a warning: it may be intended)",
        Severity.FATAL,
        Severity.WARNING,
    )
    NO_NETWORK_BOOT = (
        "no_network_boot",
        "the network boot found nothing to load",
        Severity.WARNING,
        Severity.FATAL,
    )
    BOOTLOADER_WARNING = "bootloader_warning", "the boot loader continues after a problem", Severity.WARNING
    WAITS_FOR_KEY = "waits_for_key", "waits for a key", Severity.WARNING
    MENU_ENTRY = "menu_entry", "the entry of the boot menu that was taken"
    BOOT_MENU = "boot_menu", "a boot menu waits for a user", Severity.INFO, Severity.WARNING
    MENU_KEY = "menu_key", "the keys that were pressed at a boot menu, and why"
    MENU_RETURNED = "menu_returned", "the boot menu came back after its entry was started", Severity.FATAL
    MENU_NO_REACTION = "menu_no_reaction", "the boot menu does not react to keys", Severity.FATAL
    MENU_ENTRY_MISSING = "menu_entry_missing", "the boot menu has no such entry", Severity.ERROR
    PASSPHRASE_PROMPT = "passphrase_prompt", "waits for a passphrase", Severity.WARNING
    KERNEL_IMAGE_CORRUPT = "kernel_image_corrupt", "the kernel could not be unpacked", Severity.FATAL
    CPU_UNSUITABLE = "cpu_unsuitable", "kernel or programs need another CPU", Severity.ERROR, Severity.FATAL
    CPU_FEATURE_MISSING = "cpu_feature_missing", "a CPU feature that the guest does not get", Severity.WARNING
    EFI_STUB_ERROR = "efi_stub_error", "the kernel's EFI stub reported an error", Severity.ERROR
    ROOT_UNMOUNTABLE = "root_unmountable", "the kernel could not mount its root", Severity.ERROR
    INITRAMFS_CORRUPT = "initramfs_corrupt", "the initramfs could not be unpacked", Severity.ERROR
    OLD_STYLE_INITRD = "old_style_initrd", "an initrd that is an image of a file system"
    INIT_NOT_EXECUTABLE = "init_not_executable", "the first program could not be executed", Severity.ERROR
    KERNEL_BUG = "kernel_bug", "a BUG of the kernel", Severity.ERROR
    OOPS = "oops", "the kernel crashed in one place and continued", Severity.ERROR
    HUNG_TASK = "hung_task", "a task that has been blocked for minutes", Severity.ERROR
    RCU_STALL = "rcu_stall", "a CPU that stalls the kernel's RCU", Severity.ERROR
    LOCKUP = "lockup", "a CPU that is locked up", Severity.ERROR
    OUT_OF_MEMORY = "out_of_memory", "the kernel killed a process to free memory", Severity.ERROR
    KERNEL_WARNING = "kernel_warning", "a WARNING of the kernel", Severity.WARNING
    LOCK_WARNING = "lock_warning", "the kernel's lock checker (lockdep) reported a problem", Severity.WARNING
    MEMORY_LEAK = "memory_leak", "memory that the kernel lost", Severity.WARNING
    MEMORY_SHORT = "memory_short", "an allocation of the kernel failed", Severity.WARNING
    DISK_FULL = "disk_full", "a file system of the guest is full", Severity.WARNING
    KERNEL_TRACE = "kernel_trace", "a call trace without a recognised cause", Severity.WARNING
    SEGFAULT = "segfault", "a program crashed", Severity.WARNING
    CORE_DUMP = "core_dump", "a program crashed, and its memory was stored", Severity.WARNING
    DEVICE_TROUBLE = "device_trouble", "a device, or its driver, reported a fault", Severity.WARNING
    FIRMWARE_MISSING = "firmware_missing", "a device whose firmware file is not there", Severity.WARNING
    PROGRAM_TRAP = "program_trap", "a program was stopped by a trap of the CPU"
    IO_ERROR = "io_error", "a medium or device that could not be read", Severity.ERROR
    IO_WARNING = "io_warning", "a drive without a disk, or a protected partition: no failure"
    ATA_ERROR = "ata_error", "errors of a disk's link", Severity.WARNING
    MACHINE_CHECK = "machine_check", "the CPU reported a hardware error", Severity.ERROR
    INIT_SEGFAULT = "init_segfault", "the first process crashed", Severity.ERROR
    INIT_TROUBLE = "init_trouble", "the init system reported a problem", Severity.ERROR
    ROOT_NOT_FOUND = "root_not_found", "the root file system was not found", Severity.INFO, Severity.ERROR
    FAILED_UNIT = "failed_unit", "a service that could not be started", Severity.ERROR
    INIT_CRASHED = "init_crashed", "the init system gave up after a crash", Severity.FATAL
    EMERGENCY_SHELL = "emergency_shell", "the system gave up and started a shell", Severity.FATAL
    LOGIN_PROMPT = "login_prompt", "a login prompt"
    LOGIN_FAILED = "login_failed", "an automatic login whose session ended each time", Severity.FATAL
    LOGIN_SCREEN = "login_screen", "a login screen, read from a picture"
    SHELL_PROMPT = "shell_prompt", "a root prompt"
    SYSTEM_STARTED = "system_started", "the service manager finished starting the system"
    GRAPHICAL_LOGIN = "graphical_login", "the graphical login"
    DISPLAY_MANAGER = "display_manager", "a display manager was started"
    INSTALLER_FAILED = (
        "installer_failed",
        "an installer gave up; later prompts do not count as success",
        Severity.FATAL,
    )
    INSTALLER_SCREEN = "installer_screen", "an installer that waits for input"
    APPLICATION = "application", "a stand-alone program, such as a memory test"
    CHAIN_STEP = "chain_step", "a step of the guest's boot chain (bootchain) was done"
    CHAIN_STEP_FAILED = (
        "chain_step_failed",
        "a step of the guest's boot chain failed at one try",
        Severity.WARNING,
    )
    CHAIN_FAILED = "chain_failed", "the guest's boot chain failed", Severity.ERROR
    SHUTDOWN = "shutdown", "a stage of a shutdown: services, processes, file systems"
    POWER_OFF = "power_off", "the machine was switched off"
    HALT = "halt", "the system was halted"
    RESTART = "restart", "the guest restarted the machine"
    RESET = "reset", "the machine was reset"
    GUEST_HALTED = "guest_halted", "a quiet guest: all vCPUs are halted with interrupts off"
    GUEST_READS = "guest_reads", "a quiet guest: it waits for its medium"
    GUEST_IDLE = "guest_idle", "a quiet guest: it waits, its vCPUs halted"
    GUEST_SPINS = "guest_spins", "a quiet guest: it runs in a loop"
    GUEST_BUSY = "guest_busy", "a quiet guest: it runs programs"
    GRAPHICS_DRIVER = "graphics_driver", "a graphics driver was loaded"
    GRAPHICS_MODE = "graphics_mode", "a resolution was set"
    KERNEL_COMMAND_LINE = "kernel_command_line", "the kernel's command line"
    TPM_COMPARED = "tpm_compared", "the measured boot: the event log leads to the TPM's registers"
    TPM_MISMATCH = "tpm_mismatch", "the event log does not lead to the TPM's registers", Severity.WARNING
    HYPERVISOR_FAULT = "hypervisor_fault", "the hypervisor failed: a harness fault", Severity.ERROR

    @classmethod
    def _missing_(cls, value: object) -> FindingKind | None:
        """An unknown kind, from a newer version, keeps its word."""
        if not isinstance(value, str):
            return None
        kind = str.__new__(cls, value)
        kind._name_ = kind._value_ = value
        kind.meaning = ""
        kind.severities = (Severity.INFO,)
        return kind
