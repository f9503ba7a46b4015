"""The Linux kernel: its start, its panics, what ends in one, and how it switches the machine off.

Sources: recordings; the message formats of init/main.c, kernel/panic.c, kernel/reboot.c and init/initramfs.c; the
kernel's admin guide.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_K = BootStage.KERNEL
_KERNEL = FailureDomain.KERNEL
_USER = FailureDomain.USERSPACE
_HW = FailureDomain.HARDWARE

_START: Final = (
    Signature(
        pattern=r"^Linux version (?P<v>\d[\w.+~-]{0,60})",
        literals=("Linux version ",),
        examples=(
            "Linux version 6.1.0-50-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)",
        ),
        unlike="This is not a Linux version of the tool",
        stage=_K,
        software="Linux {v}",
        family="Linux",
    ),
    Signature(
        pattern=r"^Booting Linux on physical CPU (?:0x)?[0-9a-f]{1,16}\b",
        literals=("Booting Linux on physical CPU",),
        examples=("Booting Linux on physical CPU 0x0000000000 [0x410fd083]",),
        unlike="Booting Linux on the second disk",
        stage=_K,
        software="Linux",
        family="Linux",
    ),
    Signature(
        # a boot loader prints its own command line in the same words; a kernel prints no quotes around it
        pattern=r"^(?:Kernel c|C)ommand line: (?P<c>(?![\"']).{0,300})",
        literals=("Kernel command line: ", "Command line: "),
        examples=(
            "Command line: console=ttyS0 quiet",
            "Kernel command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1",
        ),
        unlike='Command line: "wimboot"',
        stage=_K,
        kind=FindingKind.KERNEL_COMMAND_LINE,
        summary="kernel command line: {c}",
    ),
    Signature(
        pattern=(
            r"^(?:(?:Decompressing|Uncompressing) Linux\.\.\.|Booting the kernel|Probing"
            r" EDD|early console in (?:setup|extract)|EFI stub: )"
        ),
        literals=("Decompressing Linux", "Uncompressing Linux", "Booting the kernel", "Probing EDD", "early console",
                  "EFI stub: "),
        examples=("EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path",),
        unlike="Uncompressing Linux sources into /usr/src",
        stage=_K,
        software="Linux",
        family="Linux",
    ),
    Signature(
        pattern=r"^EFI stub: ERROR: (?P<why>.{1,120})",
        literals=("EFI stub: ERROR: ",),
        examples=("EFI stub: ERROR: Failed to open file: initrd.gz",),
        unlike="EFI stub: UEFI Secure Boot is enabled.",
        shares=("stage",),
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
        examples=("XZ-compressed data is corrupt -- System halted",),
        unlike="XZ-compressed data is corrupt, trying the next archive",
        stage=_K,
        kind=FindingKind.KERNEL_IMAGE_CORRUPT,
        severity=Severity.FATAL,
        domain=_KERNEL,
        summary="the kernel image is damaged: {0}",
        effect=Effect.FATAL,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        # the unpacker in front of the kernel gives the reason in lines of its own, in many words
        pattern=r"^\s{0,8}-- System halted\b",
        literals=("-- System halted",),
        examples=(" -- System halted",),
        unlike="XZ-compressed data is corrupt -- System halted",
        stage=_K,
        kind=FindingKind.KERNEL_IMAGE_CORRUPT,
        severity=Severity.FATAL,
        domain=_KERNEL,
        summary="the kernel could not be unpacked, and the system halted",
        effect=Effect.FATAL,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        pattern=r"^PANIC: early exception (?P<why>0x[0-9a-f]{1,4} .{0,80})",
        literals=("PANIC: early exception",),
        examples=("PANIC: early exception 0x0e IP 10:ffffffff81000123 error 0 cr2 0xffff888000000000",),
        unlike="PANIC: double fault, error_code: 0x0",
        stage=_K,
        kind=FindingKind.OOPS,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="the kernel stopped at its start: {0}",
        effect=Effect.FATAL,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        # it waits without a limit, and often not at all: the device comes a moment later
        pattern=r"^Waiting for root device (?P<d>\S{1,100}?)\.{3}",
        literals=("Waiting for root device",),
        examples=("Waiting for root device /dev/mmcblk0p2...",),
        unlike="Waiting for root device to settle",
        stage=_K,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=Severity.INFO,
        domain=_KERNEL,
        summary="the kernel waits for its root device {d}",
        effect=Effect.STUCK,
        settle_s=60.0,
        reason=EndReason.STUCK,
    ),
    Signature(
        pattern=(
            r"This kernel requires (?:an? [\w-]{1,20} CPU|the following features)"
            r"|Unable to boot - please use a kernel appropriate for your CPU"
        ),
        literals=("This kernel requires", "please use a kernel appropriate"),
        examples=(
            "This kernel requires an x86-64 CPU, but only detected an i686 CPU.",
            "Unable to boot - please use a kernel appropriate for your CPU.",
        ),
        unlike="This kernel requires no firmware.",
        stage=_K,
        kind=FindingKind.CPU_UNSUITABLE,
        severity=Severity.FATAL,
        domain=_HW,
        summary="the kernel does not run on this processor",
        effect=Effect.FATAL,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        pattern=r"^(?:Fatal glibc error: )?(?P<why>CPU does not support x86-64-v\d)",
        literals=("CPU does not support x86-64-v",),
        examples=("Fatal glibc error: CPU does not support x86-64-v2",),
        unlike="kvm: this CPU does not support nested paging",
        kind=FindingKind.CPU_UNSUITABLE,
        severity=Severity.ERROR,
        domain=_HW,
        summary="{why}: its programs do not run on this processor",
    ),
    Signature(
        pattern=(
            r"^(?:Linux agpgart|Freeing (?:unused kernel|initrd|init) |smpboot:"
            r" |ACPI: (?:Core|PM)|clocksource: |BIOS-provided physical"
            r" RAM map|Memory: \d)"
        ),
        literals=("Freeing unused kernel", "Freeing init", "Freeing initrd", "smpboot: ", "ACPI: Core",
                  "ACPI: PM", "clocksource: ", "BIOS-provided physical", "Memory: ", "Linux agpgart"),
        examples=(
            "BIOS-provided physical RAM map:",
            "Freeing initrd memory: 1234K", "Freeing init memory: 460K",
        ),
        unlike="Memory: tested, all good",
        stage=_K,
        software="Linux",
        family="Linux",
    ),
)  # fmt: skip

_PANIC: Final = (
    Signature(
        pattern=r"-{3}\[ end Kernel panic(?: - not syncing)?:? ?(?P<why>.{0,160}?)(?: \]-{3})?$",
        literals=("end Kernel panic",),
        examples=(
            "---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---",
        ),
        unlike="at the end Kernel panic handling is tested",
        stage=_K,
        kind=FindingKind.KERNEL_PANIC,
        severity=Severity.FATAL,
        domain=_KERNEL,
        summary="Kernel panic - not syncing: {why}",
        effect=Effect.OVER,
        settle_s=0.1,
        reason=EndReason.PANIC,
    ),
    Signature(
        pattern=(
            # the words first: they are searched faster than what must not be before them
            r"Kernel panic(?<!end Kernel panic)(?<![\"'`]Kernel panic)"
            r"(?:(?<![\w\[]Kernel panic)(?: - {1,2}not syncing)?: (?P<why>.{1,200})| - [nosycig t]{3,11}$)"
        ),
        literals=("Kernel panic",),
        examples=(
            "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300",
            "demo Kernel panic - not syncing: Fatal exception",
            "Kernel panic: VFS: Unable to mount root fs on 03:02",
            "Kernel panic - not sync",  # the terminal broke the line
        ),
        unlike="grep -q 'Kernel panic - not syncing: oops' log",
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
        pattern=(
            r"^(?:VFS: Cannot open root device \"?(?P<d>[^\"]{0,100}?)\"? or unknown-block"
            r"|VFS: Cannot open root device \"(?P<e>[^\"]{1,100})\""
            r"|VFS: Unable to mount root fs)"
        ),
        literals=("Cannot open root device", "Unable to mount root fs"),
        examples=('VFS: Cannot open root device "sda1" or unknown-block(0,0): error -6',),
        unlike="VFS: Mounted root (ext4 filesystem) readonly on device 8:1.",
        stage=_K,
        kind=FindingKind.ROOT_UNMOUNTABLE,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="the kernel could not mount its root file system {d}{e}",
    ),
    Signature(
        pattern=r"^rootfs image is not initramfs \([^)]{1,60}\); looks like an initrd",
        literals=("looks like an initrd",),
        examples=("rootfs image is not initramfs (no cpio magic); looks like an initrd",),
        unlike="rootfs image is not initramfs (junk in compressed archive); nothing else either",
        stage=_K,
        kind=FindingKind.OLD_STYLE_INITRD,
        summary="the initrd is an image of a file system, as was usual before initramfs",
    ),
    Signature(
        pattern=(
            r"^(?!.{0,120}looks like an initrd)(?:Initramfs unpacking failed|rootfs image is not initramfs)"
            r"(?: \((?P<p>[^)]{1,60})\))?[:;,]? ?(?P<why>.{0,80})"
        ),
        literals=("Initramfs unpacking failed", "rootfs image is not initramfs"),
        examples=("Initramfs unpacking failed: read error",),
        unlike="Unpacking initramfs...",
        stage=_K,
        kind=FindingKind.INITRAMFS_CORRUPT,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="the initramfs could not be unpacked: {why}{p}",
    ),
    Signature(
        pattern=r"^(?:Failed to execute|Starting init:) /(?P<p>[^\s:]{1,60})(?: \(error| exists but couldn't)",
        literals=("Failed to execute /", "exists but couldn't execute"),
        examples=(
            "Failed to execute /init (error -2)",
            "Starting init: /bin/sh exists but couldn't execute it (error -8)",
        ),
        unlike="udevd[9]: Failed to execute /lib/demo",
        stage=_K,
        kind=FindingKind.INIT_NOT_EXECUTABLE,
        severity=Severity.ERROR,
        domain=_KERNEL,
        summary="the kernel could not run /{p}",
    ),
    Signature(
        pattern=r"^(?P<p>init|systemd|launchd|procd)\[1\]: (?:segfault at |unhandled signal \d|trap )",
        literals=("[1]: segfault at ", "[1]: unhandled signal", "[1]: trap "),
        examples=(
            "init[1]: segfault at 0 ip 0000000000401136 sp 00007ffd error 6 in init[401000+1000]",
            "init[1]: unhandled signal 11 code 0x1 at 0x0000000000000000",
        ),
        unlike="init[12]: segfault at 0 ip 0000000000401136 sp 00007ffd error 6",
        shares=(FindingKind.SEGFAULT,),
        kind=FindingKind.INIT_SEGFAULT,
        severity=Severity.ERROR,
        domain=_USER,
        summary="{p}, the first process, crashed",
    ),
)

_POWER: Final = (
    Signature(
        pattern=r"^(?:reboot: )?(?:Power down|Power off)(?:\.|$)|^acpi_power_off called",
        literals=("Power down", "Power off", "acpi_power_off"),
        examples=("reboot: Power down",),
        unlike="Power off the machine, then remove the medium",
        kind=FindingKind.POWER_OFF,
        summary="the system switched the machine off",
        effect=Effect.OFF,
    ),
    Signature(
        pattern=r"^(?:reboot: )?System halted",
        literals=("System halted",),
        examples=("reboot: System halted",),
        unlike="XZ-compressed data is corrupt -- System halted",
        kind=FindingKind.HALT,
        summary="the system halted",
        effect=Effect.OFF,
    ),
    Signature(
        pattern=r"^(?:reboot: (?:Restarting system|machine restart)|Restarting system\.$)",
        literals=("Restarting system", "machine restart"),
        examples=("reboot: Restarting system",),
        unlike="Restarting system log daemon",
        kind=FindingKind.RESTART,
        summary="the system restarted the machine",
    ),
)

_SCREEN: Final = (
    Signature(
        pattern=r"^\W{0,200}KERNEL PANIC!\W{0,200}$",
        literals=("KERNEL PANIC!",),
        examples=("KERNEL PANIC!",),
        unlike="what to do after a KERNEL PANIC!",
        stage=_K,
        kind=FindingKind.PANIC_SCREEN,
        severity=Severity.FATAL,
        domain=_KERNEL,
        summary="the kernel shows its panic screen",
        effect=Effect.FATAL,
        on=On.SCREEN,
        settle_s=2.0,  # its other rows may say more
        reason=EndReason.PANIC,
    ),
)

SIGNATURES: Final = _START + _PANIC + _POWER + _SCREEN
