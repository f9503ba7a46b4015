"""SeaBIOS, EDK2 (OVMF) and iPXE as firmware: what they print when they start, and when nothing boots.

Sources: recordings of both under QEMU; SeaBIOS "Debugging" and boot documentation; the EDK2 BDS messages.
"""

from __future__ import annotations

from typing import Final

from hiperiso import rows
from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_FW = BootStage.FIRMWARE
_DOMAIN = FailureDomain.FIRMWARE
_NO_BOOT = EndReason.NO_BOOTABLE_DEVICE

SIGNATURES: Final = (
    Signature(
        pattern=r"\bSeaBIOS \(version (?P<v>[^)\s]{1,60})\)",
        literals=("SeaBIOS (version",),
        examples=("SeaBIOS (version 1.16.2-debian-1.16.2-1)",),
        unlike="SeaBIOS is free firmware",
        stage=_FW,
        software="SeaBIOS {v}",
        family="SeaBIOS",
    ),
    Signature(
        pattern=r"\bBooting from (?P<d>DVD/CD|Hard Disk|Floppy|ROM|CBFS|[0-9a-fA-F]{4}:[0-9a-fA-F]{4})",
        literals=("Booting from ",),
        examples=("Booting from DVD/CD...",),
        unlike="Booting from the second partition",
        stage=_FW,
    ),
    Signature(
        pattern=r"Boot failed: (?P<why>[Cc]ould not read [^\r\n]{1,60}|not a bootable disk)",
        literals=("Boot failed: ",),
        examples=("Boot failed: Could not read from CDROM (code 0009)",),
        unlike="Boot failed: see the log",
        stage=_FW,
        kind=FindingKind.MEDIUM_NOT_BOOTABLE,
        severity=Severity.WARNING,
        domain=_DOMAIN,
        summary="the firmware could not boot a device: {why}",
    ),
    Signature(
        pattern=r"^No bootable device\b",
        literals=("No bootable device",),
        examples=("No bootable device.",),
        unlike="No bootable devices are needed",
        stage=_FW,
        kind=FindingKind.NO_BOOTABLE_DEVICE,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the firmware found nothing to boot",
        effect=Effect.STUCK,
        settle_s=1.0,
        reason=_NO_BOOT,
    ),
    Signature(
        pattern=f"{rows.UEFI_LOADS}|{rows.UEFI_STARTS}",
        literals=("BdsDxe: ",),
        examples=(
            (
                'BdsDxe: loading Boot0001 "UEFI QEMU DVD-ROM QM00005 " from'
                " PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x2,0xFFFF,0x0)"
            ),
        ),
        unlike="BdsDxe: No bootable option or device was found.",
        stage=_FW,
        software="UEFI firmware (EDK2)",
        family="UEFI firmware",
    ),
    Signature(
        pattern=rows.UEFI_FAILED + r" (?P<d>\"[^\"]{0,80}\")?.{0,400}: (?:Access Denied|Security Violation)",
        literals=("Access Denied", "Security Violation"),
        examples=(
            'BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00005 " from PciRoot(0x0): Access Denied',
        ),
        unlike='BdsDxe: loading Boot0001 "demo" from PciRoot(0x0)',
        stage=_FW,
        kind=FindingKind.SECURE_BOOT_VIOLATION,
        severity=Severity.ERROR,
        domain=_DOMAIN,
        summary="Secure Boot refused {d}: its boot loader is not signed by a trusted key",
    ),
    Signature(
        pattern=(
            rows.UEFI_FAILED + r" (?P<d>\"[^\"]{0,80}\")?.{0,400}: (?P<why>Not Found|Time"
            r" ?out|Unsupported|Device Error|No Media|Aborted|Load Error"
            r"|Volume Corrupted|Out of Resources|Invalid Parameter|Already"
            r" started)"
        ),
        literals=("BdsDxe: failed to",),
        examples=(
            'BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00005 " from PciRoot(0x0): Not Found',
        ),
        unlike="Image at 0007E0F0000 start failed: Not Found",
        stage=_FW,
        kind=FindingKind.MEDIUM_NOT_BOOTABLE,
        severity=Severity.WARNING,
        domain=_DOMAIN,
        summary="the firmware could not boot {d}: {why}",
    ),
    Signature(
        pattern=r"\b[Ss]ecure ?[Bb]oot(?:: Secure boot)? (?P<state>enabled|disabled|could not be determined)\b",
        literals=("secureboot", "Secure boot"),
        examples=(
            "secureboot: Secure boot enabled",
            "integrity: secureboot: Secure boot disabled", "Secure boot enabled and kernel locked down",
        ),
        unlike="Secure boot is a feature",
        kind=FindingKind.SECURE_BOOT_STATE,
        summary="the guest saw Secure Boot {state}",
    ),
    Signature(
        pattern=r"\bBdsDxe: No bootable option or device was found",
        literals=("No bootable option or device was found",),
        examples=("BdsDxe: No bootable option or device was found.",),
        unlike="BdsDxe: a bootable option was found",
        stage=_FW,
        kind=FindingKind.NO_BOOTABLE_DEVICE,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the firmware found nothing to boot",
        effect=Effect.STUCK,
        settle_s=1.0,
        reason=_NO_BOOT,
    ),
    Signature(
        pattern=rf'{rows.UEFI_STARTS}"(?:UiApp|EFI Firmware Setup)"',
        literals=("UiApp", "EFI Firmware Setup"),
        examples=('BdsDxe: starting Boot0000 "UiApp" from Fv(7CB8BDC9)/FvFile(462CAA21)',),
        unlike='BdsDxe: loading Boot0000 "UiApp" from Fv(7CB8BDC9)/FvFile(462CAA21)',
        stage=_FW,
        kind=FindingKind.NO_BOOTABLE_DEVICE,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the firmware found nothing to boot, and opened its setup menu",
        effect=Effect.STUCK,
        settle_s=3.0,
        reason=_NO_BOOT,
    ),
    Signature(
        pattern=r"UEFI Interactive Shell v[\d.]{1,8}",
        literals=("UEFI Interactive Shell",),
        examples=("UEFI Interactive Shell v2.2",),
        unlike="UEFI Interactive Shell is an application",
        stage=_FW,
        kind=FindingKind.UEFI_SHELL,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="nothing on the medium booted: the firmware fell back to its own shell",
        software="UEFI Shell",
        effect=Effect.STUCK,
        settle_s=12.0,  # its startup.nsh countdown of five seconds may still start something
        reason=_NO_BOOT,
    ),
    Signature(
        pattern=r"^Shell> ?$",
        literals=("Shell>",),
        examples=("Shell> ",),
        unlike="Type Shell> exit",
        stage=_FW,
        kind=FindingKind.UEFI_SHELL,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="nothing on the medium booted: the firmware fell back to its own shell",
        effect=Effect.STUCK,
        on=On.PROMPT,
        reason=_NO_BOOT,
    ),
    Signature(
        pattern=r"^>>\s?(?:Start|Checking) (?P<p>PXE|HTTP|Media)",
        literals=(">>",),
        examples=(">>Start PXE over IPv4.",),
        unlike=">> Start here",
        stage=_FW,
        kind=FindingKind.NETWORK_BOOT_TRIED,
        summary="the firmware tried to boot from the network",
    ),
    Signature(
        pattern=r"!!!! X64 Exception Type - (?P<x>[0-9A-F]{2}[^!]{0,60})",
        literals=("!!!! X64 Exception",),
        examples=("!!!! X64 Exception Type - 0E(#PF - Page-Fault)  CPU Apic ID - 00000000 !!!!",),
        unlike="X64 Exception Type - none",
        stage=_FW,
        kind=FindingKind.FIRMWARE_EXCEPTION,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the firmware crashed: exception {x}",
        effect=Effect.STUCK,
        settle_s=1.0,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        pattern=r"\bASSERT(?:_EFI_ERROR)? [\[(].{1,200}",
        literals=("ASSERT [", "ASSERT_EFI_ERROR"),
        examples=("ASSERT [DxeCore] /build/edk2/MdeModulePkg/Core/Dxe/Mem/Page.c(123): FALSE",),
        unlike="assert(demo)",
        stage=_FW,
        kind=FindingKind.FIRMWARE_ASSERT,
        severity=Severity.ERROR,
        domain=_DOMAIN,
        summary="the firmware stopped at an assertion",
        effect=Effect.STUCK,  # some builds report it and go on
        settle_s=12.0,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        pattern=r"^(?:NOTICE|INFO|VERBOSE):\s{1,4}(?P<b>BL1|BL2|BL31|SP_MIN)\b",
        literals=("NOTICE:", "INFO:", "VERBOSE:"),
        examples=("NOTICE:  BL31: v2.8(release):v2.8",),
        unlike="NOTICE: the licence has changed",
        stage=_FW,
        software="Trusted Firmware-A",
        family="Trusted Firmware-A",
    ),
    Signature(
        pattern=(
            r"^(?:PANIC (?:at PC|in EL3)\b.{0,60}|Unhandled (?:Exception|External Abort) (?:in|from|received).{0,40}"
            r"|ERROR:\s{1,4}BL\w{1,3}: (?:Failed to|failed to) load image\b.{0,60}|sbi_trap_error: .{1,80}"
            r"|sbi_boot_hang\b.{0,20})"
        ),
        literals=("PANIC at PC", "PANIC in EL3", "Unhandled Exception", "Unhandled External Abort",
                  "Failed to load image", "failed to load image", "sbi_trap_error", "sbi_boot_hang"),
        examples=(
            "PANIC at PC : 0x000000000e0012f4",
            "ERROR:   BL2: Failed to load image id 5 (-2)", "sbi_trap_error: hart0: trap handler failed",
        ),
        unlike="ERROR: user: failed to load images of the album",
        stage=_FW,
        kind=FindingKind.FIRMWARE_EXCEPTION,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="the firmware stopped: {0}",
        effect=Effect.STUCK,
        settle_s=3.0,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        pattern=(
            r"\b(?:CBFS(?: ERROR)?: .{0,40}?(?P<f>[\w/.-]{1,40})'? not found|(?P<g>Payload) (?:is )?not loaded"
            r"|Could not find a (?P<h>payload|ramstage|romstage))"
        ),
        literals=("CBFS: ", "CBFS ERROR", "Payload not loaded", "Payload is not loaded", "Could not find a "),
        examples=("CBFS ERROR: 'fallback/payload' not found.", "Payload not loaded."),
        unlike="CBFS: mcache @0xfefc2e00 built for 12 files",
        stage=_FW,
        kind=FindingKind.NO_BOOTABLE_DEVICE,
        severity=Severity.FATAL,
        domain=_DOMAIN,
        summary="coreboot has no {f}{g}{h}",
        effect=Effect.STUCK,  # some files are optional
        settle_s=12.0,
        reason=EndReason.BOOT_FAILED,
    ),
)  # fmt: skip
