"""GRUB and syslinux: their menus, what they miss, and the prompts they stop at.

Sources: recordings; the GRUB manual, chapter "Error messages produced by GRUB", and its message catalogue; the
syslinux wiki. Since 2.06 GRUB puts the file and line of its source before a message.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_BL = BootStage.BOOTLOADER
_DOMAIN = FailureDomain.BOOTLOADER
_ERROR = r"\berror: {1,2}(?:[\w./+-]{0,100}\.c:\d{1,5}:)? ?"


def _seen(
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    software: str = "",
    family: str = "",
    kind: FindingKind | None = None,
    summary: str = "",
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        stage=_BL,
        software=software,
        family=family,
        kind=kind,
        summary=summary,
    )


def _error(
    kind: FindingKind,
    severity: Severity,
    summary: str,
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    stuck: bool = False,
    on: On = On.ANY,
    software: str = "",
    settle_s: float = 1.5,
    shares: tuple[FindingKind | str, ...] = (),
    requires: tuple[str, ...] = (),
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        requires=requires,
        on=on,
        stage=_BL,
        kind=kind,
        severity=severity,
        domain=_DOMAIN,
        summary=summary,
        software=software,
        family=software,
        effect=Effect.STUCK if stuck else Effect.NONE,
        settle_s=settle_s,
        reason=(EndReason.STUCK if kind == FindingKind.BOOTLOADER_PROMPT else EndReason.BOOT_FAILED)
        if stuck
        else None,
    )


_GRUB: Final = (
    _seen(
        # "version" is in the menu's language, and may come behind the number
        r"\bGNU GRUB[ ,]{1,8}(?:[^\d\s]{1,20} {1,3}){0,2}(?P<v>\d(?:[\w.~+:-]{0,38}[\w~+])?)",
        ("GNU GRUB",),
        "GNU GRUB  version 2.06-13+deb12u2",
        unlike="GNU GRUB is a boot loader",
        software="GRUB {v}",
        family="GRUB",
    ),
    _error(
        FindingKind.BOOTLOADER_FAILED,
        Severity.FATAL,
        "GRUB legacy stopped: {0}",
        r"^(?:GRUB )?Error (?:\d{1,2}: [A-Z][\w /'()-]{6,80}|1[0-9]|2[0-9]|[2-9])(?:$|(?<=[a-z)]))",
        ("Error ",),
        "Error 15: File not found",
        "Error 17",
        unlike="Error 404: Not Found",
        stuck=True,
        requires=("GRUB",),
    ),
    _seen(
        r"^(?:GRUB [Ll]oading|Welcome to GRUB!)",
        ("GRUB loading", "GRUB Loading", "Welcome to GRUB!"),
        "Welcome to GRUB!",
        unlike="Installing GRUB: loading modules",
        software="GRUB",
        family="GRUB",
    ),
    _seen(
        r"^ {0,20}Booting [`'\"](?P<e>[^'\"]{1,100})'",
        ("Booting `", "Booting '"),
        "  Booting `Live system'",
        unlike="Booting from DVD/CD...",
        kind=FindingKind.MENU_ENTRY,
        summary="GRUB booted the entry “{e}”",
    ),
    _error(
        FindingKind.BOOTLOADER_FILE_MISSING,
        Severity.ERROR,
        "GRUB did not find {f}",
        # GRUB wraps at the screen's width: the end of the message may stand in the next line
        _ERROR + r"file [`'](?P<f>[^'`]{1,200}?)(?:' not found|$)",
        ("error: file `", "file `", "file '"),
        "error: file `/boot/vmlinuz-missing' not found.",
        "error: ../../grub-core/fs/fshelp.c:257:file `/live/vmlinuz' not found.",
        unlike="error: the file demo is not found",
    ),
    _error(
        FindingKind.BOOTLOADER_FAILED,
        Severity.FATAL,
        "GRUB had no kernel to boot",
        _ERROR + r"(?:you need to load the (?:kernel|Xen hypervisor|multiboot kernel) first|no loaded kernel)",
        ("you need to load the", "no loaded kernel"),
        "error: you need to load the kernel first.",
        "error: ../../grub-core/loader/i386/efi/linux.c:258:you need to load the kernel first.",
        unlike="you need to load the kernel modules first",
        stuck=True,
    ),
    _error(
        FindingKind.BOOTLOADER_FAILED,
        Severity.FATAL,
        "GRUB could boot neither its default entry nor a fallback",
        r"Failed to boot both default and fallback entries",
        ("Failed to boot both default",),
        "  Failed to boot both default and fallback entries.",
        unlike="Failed to boot the default entry",
        stuck=True,
    ),
    _error(
        FindingKind.BOOTLOADER_FAILED,
        Severity.FATAL,
        "GRUB stopped: {0}",
        r"^(?:alloc magic is broken at|free magic is broken at|Unaligned pointer 0x|Attempt to boot an invalid image"
        r"|GRUB(?: Geom| Hard Disk| Read)? Error\b|Aborted\. Press any key to exit)",
        ("magic is broken", "Unaligned pointer", "Attempt to boot an invalid image", "GRUB Error",
         "GRUB Geom Error", "GRUB Hard Disk Error", "GRUB Read Error", "Press any key to exit"),
        "alloc magic is broken at 0x7ff5d000: 0",
        unlike="the magic is broken",
        stuck=True,
    ),
    _error(
        FindingKind.BOOTLOADER_ERROR,
        Severity.ERROR,
        "GRUB: {why}",
        _ERROR + r"(?P<why>no such (?:device|partition|disk)(?:: [\w./-]{1,80})?|unknown filesystem"
        r"|invalid (?:magic number|arch-independent ELF magic|arch-dependent ELF magic|file name [`'].{1,60}"
        r"|environment block)|premature end of (?:file|disk)(?: [^\s]{1,100})?|not an assignment|syntax error"
        r"|(?:disk|device|module|variable|terminal) [`'][^']{1,60}' (?:not found|isn't found)|out of (?:memory|disk)"
        r"|(?:bad|invalid) (?:shim signature|signature)|verification requested but nobody cares[^\r\n]{0,80}"
        r"|prohibited by secure boot policy|(?:failure|error) (?:reading|writing) sector[^\r\n]{1,60}"
        r"|attempt to (?:read or write|seek) outside of [^\r\n]{1,60}|can't find command [`'][^']{1,60}'"
        r"|symbol [`'][^']{1,80}' not found|no server is specified|couldn't (?:autoconfigure|load).{0,60}"
        r"|time out(?: reading| opening)? .{1,60}|timeout reading .{1,60}|couldn't send network packet"
        r"|no (?:network card|DNS (?:record|servers) ?(?:found|configured)?|match)|cannot (?:load|allocate).{0,60}"
        r"|(?:unsupported|unrecognized|incompatible|invalid|incorrect|failure|corrupted|relocation|plain image kernel"
        r"|kernel doesn't support|no multiboot header|cannot|too |version mismatch|malformed|missing ).{0,80})",
        ("error: ",),
        "error: no such device: 1234-ABCD.",
        "error: ../../grub-core/kern/mm.c:376:out of memory.",
        "error: ../../grub-core/script/function.c:119:can't find command `linuxefi'.",
        "error: symbol `grub_calloc' not found.",
        "error: invalid arch-independent ELF magic.",
        "error: no server is specified.",
        unlike="error: could not load font standard",
    ),
    _error(
        FindingKind.BOOTLOADER_WARNING,
        Severity.WARNING,
        "GRUB found no graphics mode and goes on in text mode",
        _ERROR + r"no (?:suitable )?video mode (?:found|activated)",
        ("video mode found", "video mode activated"),
        "error: no suitable video mode found.",
        unlike="a video mode found",
        shares=(FindingKind.BOOTLOADER_ERROR,),
    ),
    _error(
        FindingKind.BOOTLOADER_PROMPT,
        Severity.FATAL,
        "GRUB stopped at its rescue prompt: its modules or its prefix are missing",
        r"^(?:Entering rescue mode\.\.\.|grub rescue> ?(?:$|\S))",
        ("Entering rescue mode", "grub rescue>"),
        "grub rescue> ",
        "grub rescue> ls",
        unlike="type grub rescue> in the search box",
        software="GRUB",
        stuck=True,
    ),
    _error(
        FindingKind.BOOTLOADER_PROMPT,
        Severity.FATAL,
        "GRUB stopped at its prompt: it found no configuration to boot from",
        r"^(?:grub|lsgrub)> ?(?:$|\w)",
        ("grub>", "lsgrub>"),
        "grub> ",
        "grub> set root=(hd0,1)",
        unlike="see grub> in the manual",
        software="GRUB",
        stuck=True,
    ),
)  # fmt: skip

_SYSLINUX: Final = (
    _seen(
        r"\b(?P<n>ISO|SYS|PXE|EXT)LINUX (?P<v>\d[\w.-]{0,20})",
        ("ISOLINUX ", "SYSLINUX ", "PXELINUX ", "EXTLINUX "),
        "ISOLINUX 6.04 20200816 ETCD Copyright (C) 1994-2015 H. Peter Anvin et al",
        unlike="SYSLINUX is a boot loader",
        software="{n}LINUX {v}",
        family="syslinux",
    ),
    _error(
        FindingKind.BOOTLOADER_FILE_MISSING,
        Severity.FATAL,
        "the boot loader could not load {f}: {why}",
        r"\bLoading (?P<f>[^\s.]\S{0,200}?)\.\.\. ?failed: (?P<why>[^\r\n]{1,60})",
        ("failed: ",),
        "Loading vmlinuz... failed: No such file or directory",
        unlike="Loading the profile failed: no such profile",
        stuck=True,
        settle_s=2.0,
    ),
    _error(
        FindingKind.BOOTLOADER_FILE_MISSING,
        Severity.FATAL,
        "the boot loader did not find {f}",
        r"(?:Could not find (?:kernel|ramdisk) image|Failed to load (?:libcom32|COM32 file)|Unable to open file):?"
        r" (?P<f>\S{1,200})",
        ("Could not find kernel image", "Could not find ramdisk image", "Failed to load libcom32",
         "Failed to load COM32 file", "Unable to open file"),
        "Could not find kernel image: vmlinuz",
        "Could not find ramdisk image: /live/initrd.img",
        unlike="Could not find kernel headers",
        stuck=True,
        settle_s=2.0,
        shares=(FindingKind.BOOTLOADER_FAILED,),
    ),
    _error(
        FindingKind.BOOTLOADER_CONFIG_MISSING,
        Severity.FATAL,
        "the boot loader found no configuration",
        r"No DEFAULT or UI configuration directive found|WARNING: No configuration file found"
        r"|^Unable to locate configuration file",
        ("No DEFAULT or UI", "No configuration file found", "Unable to locate configuration file"),
        "No DEFAULT or UI configuration directive found!",
        unlike="No configuration is needed",
        stuck=True,
        settle_s=3.0,
    ),
    _error(
        FindingKind.BOOTLOADER_FAILED,
        Severity.FATAL,
        "the boot loader could not load itself: {0}",
        r"(?:isolinux: )?(?:Image checksum error|Disk error [0-9A-F]{2},"
        r" AX = [0-9A-F]{4}|Failed to load (?:ldlinux\.c32|COM32 file [^\r\n]{1,80}))"
        r"|^Boot failed: please change disks and press a key|^isolinux\.bin missing or corrupt"
        r"|^(?:iso|sys|ext|pxe)linux: .{0,60}\bboot failed\b",
        ("Image checksum error", "Disk error ", "Failed to load ldlinux", "Failed to load COM32",
         "please change disks", "isolinux.bin missing", "boot failed"),
        "isolinux: Failed to load ldlinux.c32",
        "isolinux: Failed to locate CD-ROM device; boot failed.",
        unlike="Failed to load the page",
        stuck=True,
        settle_s=3.0,
    ),
    _seen(
        r"^LILO \d{2}(?:\.\d{1,3})?\b",
        ("LILO ",),
        "LILO 24.2 boot:",
        unlike="LILO is a boot loader",
        software="LILO",
        family="LILO",
    ),
    Signature(
        pattern=r"^boot: ?$",
        literals=("boot:",),
        examples=("boot: ",),
        unlike="boot: the first chapter",
        stage=_BL,
        kind=FindingKind.BOOTLOADER_PROMPT,
        severity=Severity.WARNING,
        summary="the boot loader waits at its prompt",
        on=On.PROMPT,
    ),
    _seen(
        (
            r"^Loading (?P<f>\S{0,80}(?:vmlinuz|bzImage|linux|initrd"
            r"|\.img|\.gz|kernel|krn)\S{0,80}?)\.{2,}(?: ?ok)?"
        ),
        ("Loading ",),
        "Loading /casper/vmlinuz... ok",
        unlike="Loading, please wait...",
    ),
)  # fmt: skip

SIGNATURES: Final = _GRUB + _SYSLINUX
