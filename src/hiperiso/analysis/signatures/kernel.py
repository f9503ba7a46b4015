"""The Linux kernel (and FreeBSD's): start, panics, oopses, hangs, memory, media and machine errors.

Sources: recordings; the message formats of init/main.c, kernel/panic.c, mm/oom_kill.c, block/blk-core.c and the
kernel's admin guide ("Bug hunting", "Tainted kernels", RCU CPU stall warnings).
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_K = BootStage.KERNEL
_KERNEL = FailureDomain.KERNEL
_USER = FailureDomain.USERSPACE
_HW = FailureDomain.HARDWARE

_START: Final = (
    Signature(
        pattern=r"^Linux version (?P<v>\d[\w.+~-]{0,60})",
        literals=("Linux version ",),
        example=(
            "Linux version 6.1.0-50-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)"
        ),
        stage=_K,
        software="Linux {v}",
        family="Linux",
    ),
    Signature(
        pattern=r"^(?:Kernel c|C)ommand line: (?P<c>.{0,300})",
        literals=("ommand line: ",),
        example="Command line: console=ttyS0 quiet",
        stage=_K,
        kind=FindingKind.KERNEL_COMMAND_LINE,
        summary="kernel command line: {c}",
    ),
    Signature(
        pattern=(
            r"^(?:Decompressing Linux\.\.\.|Booting the kernel|Probing"
            r" EDD|early console in (?:setup|extract)|EFI stub: )"
        ),
        literals=("Decompressing Linux", "Booting the kernel", "Probing EDD", "early console", "EFI stub: "),
        example="EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path",
        stage=_K,
        software="Linux",
        family="Linux",
    ),
    Signature(
        pattern=r"^EFI stub: ERROR: (?P<why>.{1,120})",
        literals=("EFI stub: ERROR: ",),
        example="EFI stub: ERROR: Failed to open file: initrd.gz",
        kind=FindingKind.EFI_STUB_ERROR,
        severity=Severity.ERROR,
        domain=FailureDomain.BOOTLOADER,
        summary="the kernel's EFI stub: {why}",
    ),
    Signature(
        pattern=(
            r"(?:XZ|ZSTD|LZ4|GZIP|LZMA)?-?(?:compressed data is corrupt"
            r"|crc error|invalid compressed format)[^\r\n]{0,40}-- System"
            r" halted"
        ),
        literals=("-- System halted",),
        example="XZ-compressed data is corrupt -- System halted",
        stage=_K,
        kind=FindingKind.KERNEL_IMAGE_CORRUPT,
        severity=Severity.FATAL,
        domain=_KERNEL,
        summary="the kernel image is damaged: {0}",
        effect=Effect.FATAL,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        pattern=r"This kernel requires (?:an? [\w-]{1,20} CPU|the following features)",
        literals=("This kernel requires",),
        example="This kernel requires an x86-64 CPU, but only detected an i686 CPU.",
        stage=_K,
        kind=FindingKind.CPU_UNSUITABLE,
        severity=Severity.FATAL,
        domain=_HW,
        summary="the kernel does not run on this processor",
        effect=Effect.FATAL,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        pattern=(
            r"^(?:Linux agpgart|Freeing (?:unused kernel|initrd) |smpboot:"
            r" |ACPI: (?:Core|PM)|clocksource: |BIOS-provided physical"
            r" RAM map|Memory: \d)"
        ),
        literals=("Freeing ", "smpboot: ", "ACPI: ", "clocksource: ", "BIOS-provided", "Memory: ", "agpgart"),
        example="BIOS-provided physical RAM map:",
        stage=_K,
        software="Linux",
        family="Linux",
    ),
    Signature(
        pattern=(
            r"^(?:FreeBSD (?P<v>\d[\w.-]{0,30}) .{0,60}(?:GENERIC|amd64)"
            r"|Copyright \(c\) 1992-\d{4} The FreeBSD Project)"
        ),
        literals=("FreeBSD",),
        example="FreeBSD 13.2-RELEASE releng/13.2-n254617-525ecfdad597 GENERIC amd64",
        stage=_K,
        software="FreeBSD {v}",
        family="FreeBSD",
    ),
)

_PANIC: Final = (
    Signature(
        pattern=r"^-{3}\[ end Kernel panic",
        literals=("---[ end Kernel panic",),
        example=(
            "---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---"
        ),
        effect=Effect.OVER,
    ),
    Signature(
        pattern=r"^Kernel panic - not syncing: (?P<why>.{1,200})",
        literals=("Kernel panic - not syncing",),
        example="Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300",
        stage=_K,
        kind=FindingKind.KERNEL_PANIC,
        severity=Severity.FATAL,
        domain=_KERNEL,
        summary="Kernel panic - not syncing: {why}",
        effect=Effect.FATAL,
        settle_s=1.0,
        reason=EndReason.PANIC,
    ),
    Signature(
        pattern=r"^panic: (?P<why>.{1,200})",
        literals=("panic: ",),
        example="panic: vm_fault_lookup: fault on nofault entry, addr: 0xfffffe0003f20000",
        requires="FreeBSD",  # a Go program that dies prints the same words
        stage=_K,
        kind=FindingKind.KERNEL_PANIC,
        severity=Severity.FATAL,
        domain=_KERNEL,
        summary="panic: {why}",
        effect=Effect.FATAL,
        settle_s=1.0,
        reason=EndReason.PANIC,
    ),
    Signature(
        pattern=r"^(?:VFS: Cannot open root device \"(?P<d>[^\"]{0,100})\"|VFS: Unable to mount root fs)",
        literals=("VFS: Cannot open root device", "VFS: Unable to mount root"),
        example='VFS: Cannot open root device "sda1" or unknown-block(0,0): error -6',
        stage=_K,
        kind=FindingKind.ROOT_UNMOUNTABLE,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="the kernel could not mount its root file system {d}",
    ),
    Signature(
        pattern=(
            r"^(?:Initramfs unpacking failed|rootfs image is not initramfs)"
            r"(?: \((?P<p>[^)]{1,60})\))?[:;,]? ?(?P<why>.{0,80})"
        ),
        literals=("Initramfs unpacking failed", "rootfs image is not initramfs"),
        example="Initramfs unpacking failed: read error",
        stage=_K,
        kind=FindingKind.INITRAMFS_CORRUPT,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="the initramfs could not be unpacked: {why}{p}",
    ),
    Signature(
        pattern=r"^Failed to execute /(?P<p>\S{1,60})",
        literals=("Failed to execute /",),
        example="Failed to execute /init (error -2)",
        kind=FindingKind.INIT_NOT_EXECUTABLE,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="the kernel could not run /{p}",
    ),
)

_TROUBLE: Final = (
    Signature(
        pattern=r"^(?:BUG: (?P<what>.{1,120})|kernel BUG at (?P<where>\S{1,100}))",
        literals=("BUG: ", "kernel BUG at "),
        example="BUG: kernel NULL pointer dereference, address: 0000000000000008",
        stage=_K,
        kind=FindingKind.KERNEL_BUG,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="{0}",
    ),
    Signature(
        pattern=(
            r"\bOops: [0-9a-f]{4} \[#(?P<n>\d{1,4})\]|^Internal error:"
            r" Oops|^general protection fault, |^double fault: "
        ),
        literals=("Oops: ", "Internal error: Oops", "general protection fault, ", "double fault: "),
        example="Oops: 0002 [#1] PREEMPT SMP NOPTI",
        stage=_K,
        kind=FindingKind.OOPS,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="kernel oops: {0}",
    ),
    Signature(
        pattern=r"^WARNING: CPU: \d{1,4} PID: \d{1,8} at (?P<w>\S{1,100})",
        literals=("WARNING: CPU: ",),
        example="WARNING: CPU: 0 PID: 1 at drivers/gpu/drm/drm_file.c:123 drm_open+0x1/0x2 [drm]",
        stage=_K,
        kind=FindingKind.KERNEL_WARNING,
        severity=Severity.WARNING,
        domain=_KERNEL,
        summary="kernel warning at {w}",
    ),
    Signature(
        pattern=r"^INFO: task (?P<p>\S{1,40}):\d{1,8} blocked for more than \d{1,6} seconds",
        literals=("blocked for more than",),
        example="INFO: task kworker/0:1:12 blocked for more than 120 seconds.",
        stage=_K,
        kind=FindingKind.HUNG_TASK,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="a task hung for minutes: {p}",
    ),
    Signature(
        pattern=r"\b(?:rcu: )?INFO: rcu\w{0,20} (?:self-)?detected (?:expedited )?stalls?",
        literals=("detected stall", "detected expedited stall", "self-detected stall"),
        example="rcu: INFO: rcu_sched self-detected stall on CPU",
        stage=_K,
        kind=FindingKind.RCU_STALL,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="the kernel noticed a stalled processor (RCU)",
    ),
    Signature(
        pattern=r"\bwatchdog: BUG: soft lockup - CPU#\d{1,4} stuck|Watchdog detected hard LOCKUP",
        literals=("soft lockup", "hard LOCKUP"),
        example="watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [swapper/0:1]",
        stage=_K,
        kind=FindingKind.LOCKUP,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="a processor was locked up",
    ),
    Signature(
        pattern=(
            r"^(?:Out of memory|Memory cgroup out of memory): Kill(?:ed)?"
            r" process \d{1,8} \((?P<p>[^)]{1,40})\)"
        ),
        literals=("ut of memory: Kill",),
        example="Out of memory: Killed process 82 (dd) total-vm:3284kB, anon-rss:1020kB",
        stage=_K,
        kind=FindingKind.OUT_OF_MEMORY,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="out of memory: the kernel killed {p}",
    ),
    Signature(
        pattern=(
            r"\b(?:blk_update_request: |blk-?\w{0,20}: )?(?:critical"
            r" (?:medium|target) error|I/O error), dev (?P<d>\w{1,20})"
        ),
        literals=("error, dev ",),
        example="blk_update_request: I/O error, dev sr0, sector 123456 op 0x0:(READ) flags 0x80700",
        stage=_K,
        kind=FindingKind.IO_ERROR,
        severity=Severity.ERROR,
        domain=_HW,
        summary="input/output errors on {d}",
    ),
    Signature(
        pattern=(
            r"^Buffer I/O error on dev(?:ice)? (?P<d>\w{1,20})|^(?:SQUASHFS"
            r" error|isofs_fill_super: bread failed|EXT4-fs error|XFS"
            r" \(\w{1,20}\): metadata I/O error)"
        ),
        literals=(
            "Buffer I/O error",
            "SQUASHFS error",
            "isofs_fill_super",
            "EXT4-fs error",
            "metadata I/O error",
        ),
        example="SQUASHFS error: zlib decompression failed, data probably corrupt",
        stage=_K,
        kind=FindingKind.IO_ERROR,
        severity=Severity.ERROR,
        domain=_HW,
        summary="unreadable data: {0}",
    ),
    Signature(
        pattern=r"^(?:mce: )?\[Hardware Error\]: (?P<w>.{1,100})|^mce: .{0,20}Machine [Cc]heck",
        literals=("[Hardware Error]", "mce: "),
        example="mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 0: b200000000000000",
        stage=_K,
        kind=FindingKind.MACHINE_CHECK,
        severity=Severity.ERROR,
        domain=_HW,
        summary="the processor reported a hardware error",
    ),
    Signature(
        pattern=r"^(?P<p>init|systemd)\[1\]: segfault at ",
        literals=("[1]: segfault at ",),
        example="init[1]: segfault at 0 ip 0000000000401136 sp 00007ffd error 6 in init[401000+1000]",
        kind=FindingKind.INIT_SEGFAULT,
        severity=Severity.ERROR,
        domain=_USER,
        summary="{p}, the first process, crashed",
    ),
    Signature(
        pattern=r"^(?P<p>[^\s\[]{1,40})\[(?!1\])\d{1,8}\]: segfault at ",
        literals=("]: segfault at ",),
        example="Xorg[432]: segfault at 10 ip 00007f sp 00007ffd error 4 in libc.so.6[7f+1000]",
        kind=FindingKind.SEGFAULT,
        severity=Severity.WARNING,
        domain=_USER,
        summary="{p} crashed",
    ),
    Signature(
        pattern=r"^(?:reboot: )?(?:Power down|Power off)(?:\.|$)|^acpi_power_off called",
        literals=("Power down", "Power off", "acpi_power_off"),
        example="reboot: Power down",
        kind=FindingKind.POWER_OFF,
        summary="the system switched the machine off",
        effect=Effect.OFF,
    ),
    Signature(
        pattern=r"^(?:reboot: )?System halted",
        literals=("System halted",),
        example="reboot: System halted",
        kind=FindingKind.HALT,
        summary="the system halted",
        effect=Effect.OFF,
    ),
    Signature(
        pattern=r"^reboot: (?:Restarting system|machine restart)",
        literals=("reboot: ",),
        example="reboot: Restarting system",
        kind=FindingKind.RESTART,
        summary="the system restarted the machine",
    ),
)

SIGNATURES: Final = _START + _PANIC + _TROUBLE
