"""GRUB, isolinux/syslinux, systemd-boot, iPXE, the Windows and FreeBSD loaders.

Sources: recordings; the GRUB manual, chapter "Error messages produced by GRUB"; the syslinux wiki; the manuals.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_BL = BootStage.BOOTLOADER
_DOMAIN = FailureDomain.BOOTLOADER
_FAILED = EndReason.BOOT_FAILED
_STUCK = EndReason.STUCK

_GRUB: Final = (
    Signature(
        # "version" is in the menu's language, and may come behind the number
        pattern=r"\bGNU GRUB[ ,]{1,8}(?:[^\d\s]{1,20} {1,3}){0,2}(?P<v>\d(?:[\w.~+:-]{0,38}[\w~+])?)",
        literals=("GNU GRUB",),
        example="GNU GRUB  version 2.06-13+deb12u2",
        stage=_BL,
        software="GRUB {v}",
        family="GRUB",
    ),
    Signature(
        pattern=r"^(?:GRUB loading|Welcome to GRUB!)",
        literals=("GRUB loading", "Welcome to GRUB!"),
        example="Welcome to GRUB!",
        stage=_BL,
        software="GRUB",
        family="GRUB",
    ),
    Signature(
        pattern=r"^ {0,20}Booting [`'\"](?P<e>[^'\"]{1,100})'",
        literals=("Booting `", "Booting '"),
        example="  Booting `Live system'",
        stage=_BL,
        kind=FindingKind.MENU_ENTRY,
        summary="GRUB booted the entry “{e}”",
    ),
    Signature(
        pattern=(
            r"\berror: (?:\.{0,2}/[\w./-]{1,60}:)?(?:[\w/]{1,40}\.c:\d{1,5}:)?"
            r" ?file [`'](?P<f>[^']{1,200})' not found"
        ),
        literals=("' not found",),
        example="error: file `/boot/vmlinuz-missing' not found.",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_FILE_MISSING,
        severity=Severity.ERROR,
        domain=_DOMAIN,
        summary="GRUB did not find {f}",
    ),
    Signature(
        pattern=r"\berror: (?:[\w/]{1,40}\.c:\d{1,5}:)? ?you need to load the kernel first",
        literals=("you need to load the kernel first",),
        example="error: you need to load the kernel first.",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_FAILED,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="GRUB had no kernel to boot",
        effect=Effect.STUCK,
        settle_s=1.5,
        reason=_FAILED,
    ),
    Signature(
        pattern=r"Failed to boot both default and fallback entries",
        literals=("Failed to boot both default",),
        example="  Failed to boot both default and fallback entries.",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_FAILED,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="GRUB could boot neither its default entry nor a fallback",
        effect=Effect.STUCK,
        reason=_FAILED,
    ),
    Signature(
        pattern=(
            r"\berror: (?:[\w/]{1,40}\.c:\d{1,5}:)? ?(?P<why>no such"
            r" (?:device|partition)(?:: [\w-]{1,60})?|unknown filesystem"
            r"|invalid magic number|premature end of file [^\s]{1,100}"
            r"|not an assignment|syntax error|disk [`'][^']{1,40}' not"
            r" found|out of memory|(?:bad|invalid) shim signature|verification"
            r" requested but nobody cares[^\r\n]{0,80}|prohibited by"
            r" secure boot policy|(?:failure"
            r"|error) (?:reading|writing) sector[^\r\n]{1,60}|attempt"
            r" to read or write outside of [^\r\n]{1,60})"
        ),
        literals=("error: ",),
        example="error: no such device: 1234-ABCD.",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_ERROR,
        severity=Severity.ERROR,
        domain=_DOMAIN,
        summary="GRUB: {why}",
    ),
    Signature(
        pattern=r"\berror: (?:[\w/]{1,40}\.c:\d{1,5}:)? ?no suitable video mode found",
        literals=("no suitable video mode found",),
        example="error: no suitable video mode found.",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_WARNING,
        severity=Severity.WARNING,
        domain=_DOMAIN,
        summary="GRUB found no graphics mode and goes on in text mode",
    ),
    Signature(
        pattern=r"^grub rescue> ?$",
        literals=("grub rescue>",),
        example="grub rescue> ",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_PROMPT,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="GRUB stopped at its rescue prompt: its modules or its prefix are missing",
        software="GRUB",
        family="GRUB",
        effect=Effect.STUCK,
        on=On.PROMPT,
        settle_s=1.5,
        reason=_STUCK,
    ),
    Signature(
        pattern=r"^(?:grub|lsgrub)> ?$",
        literals=("grub>",),
        example="grub> ",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_PROMPT,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="GRUB stopped at its prompt: it found no configuration to boot from",
        software="GRUB",
        family="GRUB",
        effect=Effect.STUCK,
        on=On.PROMPT,
        settle_s=1.5,
        reason=_STUCK,
    ),
    Signature(
        pattern=r"^Secure Boot Violation|Verification failed: \(0x1A\) Security Violation",
        literals=("Secure Boot Violation", "Verification failed: (0x1A)"),
        example="Verification failed: (0x1A) Security Violation",
        stage=_BL,
        kind=FindingKind.SECURE_BOOT_VIOLATION,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="Secure Boot: shim refused the boot loader or the kernel",
        effect=Effect.STUCK,
        settle_s=3.0,
        reason=_FAILED,
    ),
)

_SYSLINUX: Final = (
    Signature(
        pattern=r"\b(?P<n>ISO|SYS|PXE|EXT)LINUX (?P<v>\d[\w.-]{0,20})",
        literals=("LINUX ",),
        example="ISOLINUX 6.04 20200816 ETCD Copyright (C) 1994-2015 H. Peter Anvin et al",
        stage=_BL,
        software="{n}LINUX {v}",
        family="syslinux",
    ),
    Signature(
        pattern=r"\bLoading (?P<f>[^\s.]\S{0,200}?)\.\.\. ?failed: (?P<why>[^\r\n]{1,60})",
        literals=("failed: ",),
        example="Loading vmlinuz... failed: No such file or directory",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_FILE_MISSING,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the boot loader could not load {f}: {why}",
        effect=Effect.STUCK,
        settle_s=2.0,
        reason=_FAILED,
    ),
    Signature(
        pattern=r"Could not find kernel image: (?P<f>\S{1,200})",
        literals=("Could not find kernel image",),
        example="Could not find kernel image: vmlinuz",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_FILE_MISSING,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the boot loader did not find the kernel {f}",
        effect=Effect.STUCK,
        settle_s=2.0,
        reason=_FAILED,
    ),
    Signature(
        pattern=r"No DEFAULT or UI configuration directive found|WARNING: No configuration file found",
        literals=("No DEFAULT or UI", "No configuration file found"),
        example="No DEFAULT or UI configuration directive found!",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_CONFIG_MISSING,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the boot loader found no configuration",
        effect=Effect.STUCK,
        settle_s=3.0,
        reason=_FAILED,
    ),
    Signature(
        pattern=(
            r"(?:isolinux: )?(?:Image checksum error|Disk error [0-9A-F]{2},"
            r" AX = [0-9A-F]{4}|Failed to load (?:ldlinux\.c32|COM32"
            r" file [^\r\n]{1,80}))"
        ),
        literals=("Image checksum error", "Disk error ", "Failed to load "),
        example="isolinux: Failed to load ldlinux.c32",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_FAILED,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the boot loader could not load itself: {0}",
        effect=Effect.STUCK,
        settle_s=3.0,
        reason=_FAILED,
    ),
    Signature(
        pattern=r"^boot: ?$",
        literals=("boot:",),
        example="boot: ",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_PROMPT,
        severity=Severity.WARNING,
        summary="the boot loader waits at its prompt",
        on=On.PROMPT,
    ),
    Signature(
        pattern=(
            r"^Loading (?P<f>\S{0,80}(?:vmlinuz|bzImage|linux|initrd"
            r"|\.img|\.gz|kernel|krn)\S{0,80}?)\.{2,}(?: ?ok)?"
        ),
        literals=("Loading ",),
        example="Loading /casper/vmlinuz... ok",
        stage=_BL,
    ),
)

_OTHERS: Final = (
    Signature(
        pattern=r"\bsystemd-boot (?P<v>\d[\w.~+-]{0,30})",
        literals=("systemd-boot",),
        example="systemd-boot 252.39-1~deb12u2",
        stage=_BL,
        software="systemd-boot {v}",
        family="systemd-boot",
    ),
    Signature(
        pattern=r"Reboot Into Firmware Interface",
        literals=("Reboot Into Firmware Interface",),
        example="Reboot Into Firmware Interface",
        stage=_BL,
        software="systemd-boot",
        family="systemd-boot",
    ),
    Signature(
        pattern=(
            r"\b[Ii]PXE (?:initialising devices|\d[\w.+-]{0,60} -- Open"
            r" Source Network Boot|ISO boot image)"
        ),
        literals=("PXE ",),
        example="iPXE initialising devices...ok",
        stage=_BL,
        software="iPXE",
        family="iPXE",
    ),
    Signature(
        pattern=r"\biPXE (?P<v>\d[\w.+-]{0,60}) -- Open Source",
        literals=("iPXE ",),
        example="iPXE 1.0.0+git-20190125.36a4c85-5.1 -- Open Source Network Boot Firmware -- http://ipxe.org",
        stage=_BL,
        software="iPXE {v}",
        family="iPXE",
    ),
    Signature(
        pattern=r"^No more network devices",
        literals=("No more network devices",),
        example="No more network devices",
        stage=_BL,
        kind=FindingKind.NO_NETWORK_BOOT,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="iPXE found no network device to boot from",
        effect=Effect.STUCK,
        settle_s=4.0,
        reason=_FAILED,
    ),
    Signature(
        pattern=r"^iPXE> ?$",
        literals=("iPXE>",),
        example="iPXE> ",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_PROMPT,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="iPXE stopped at its prompt",
        software="iPXE",
        family="iPXE",
        effect=Effect.STUCK,
        on=On.PROMPT,
        settle_s=1.5,
        reason=_STUCK,
    ),
    Signature(
        pattern=r"Press any key to boot from (?:the )?(?:CD|DVD|USB)",
        literals=("Press any key to boot from",),
        example="Press any key to boot from CD or DVD.....",
        stage=_BL,
        kind=FindingKind.WAITS_FOR_KEY,
        severity=Severity.WARNING,
        summary="the boot loader waits a few seconds for a key, and none is pressed",
        software="Windows Boot Manager",
        family="Windows Boot Manager",
    ),
    Signature(
        pattern=r"^\s{0,60}Windows Boot Manager$",
        literals=("Windows Boot Manager",),
        example="                         Windows Boot Manager",
        stage=_BL,
        software="Windows Boot Manager",
        family="Windows Boot Manager",
    ),
    Signature(
        pattern=(
            r"Windows failed to start\. A recent hardware or software"
            r" change|Your PC(?:/Device)? needs to be repaired"
        ),
        literals=("Windows failed to start", "needs to be repaired"),
        example="Windows failed to start. A recent hardware or software change might be the cause.",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_FAILED,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the Windows Boot Manager could not start Windows",
        software="Windows Boot Manager",
        family="Windows Boot Manager",
        effect=Effect.STUCK,
        reason=_FAILED,
    ),
    Signature(
        pattern=r"Windows is loading files|^Starting Windows",
        literals=("Windows is loading files", "Starting Windows"),
        example="Windows is loading files...",
        stage=BootStage.KERNEL,
        software="Windows",
    ),
    Signature(
        pattern=r"BOOTMGR (?:is missing|is compressed|image is corrupt)|NTLDR is missing",
        literals=("BOOTMGR ", "NTLDR is missing"),
        example="BOOTMGR is missing",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_FAILED,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="{0}",
        effect=Effect.STUCK,
        reason=_FAILED,
    ),
    Signature(
        pattern=(
            r"FreeBSD(?:/\w{1,10})? (?:EFI boot|bootstrap loader|ZFS"
            r" enabled bootstrap loader)|Welcome to FreeBSD|BTX loader"
            r" \d"
        ),
        literals=("FreeBSD", "BTX loader"),
        example="FreeBSD/x86 bootstrap loader, Revision 1.1",
        stage=_BL,
        software="FreeBSD loader",
    ),
)

SIGNATURES: Final = _GRUB + _SYSLINUX + _OTHERS
