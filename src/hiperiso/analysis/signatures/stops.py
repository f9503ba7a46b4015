"""What stops a boot for good in few words: decompressors, firmware of other machines, old loaders, init scripts.

Sources: the kernel's arch/*/boot/compressed; the documentation of Trusted Firmware, SLOF, s390-ccw, OpenBIOS,
OpenRC, sysvinit, dracut.cmdline(7), and the installers' own manuals.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity


def _stop(
    kind: FindingKind,
    stage: BootStage,
    domain: FailureDomain,
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    shares: tuple[FindingKind | str, ...] = (),
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        stage=stage,
        kind=kind,
        severity=Severity.FATAL,
        domain=domain,
        summary="{0}",
        effect=Effect.FATAL,
        settle_s=3.0,
        reason=EndReason.BOOT_FAILED,
    )


SIGNATURES: Final = (
    _stop(
        FindingKind.KERNEL_IMAGE_CORRUPT, BootStage.KERNEL, FailureDomain.KERNEL,
        r"^Kernel is not relocatable\b.{0,60}"
        r"|^Out of memory while allocating \w{1,12} buffer|^Error: unrecognized/unsupported machine ID.{0,40}"
        r"|^(?:EFI stub: ERROR: )?(?:exit_boot|efi_main)\(\) failed!"
        r"|^EFI stub: ERROR: (?:efi_stub_entry\(\) failed|Failed to relocate kernel).?",
        ("not relocatable",
         "Out of memory while allocating", "unsupported machine ID", "exit_boot() failed", "efi_main() failed",
         "efi_stub_entry", "relocate kernel"),
        "Error: unrecognized/unsupported machine ID (r1 = 0x00000e05).",
        "exit_boot() failed!",
        unlike="EFI stub: ERROR: Failed to open file: initrd.img",
        shares=(FindingKind.EFI_STUB_ERROR, "stage"),
    ),
    _stop(
        FindingKind.FIRMWARE_EXCEPTION, BootStage.FIRMWARE, FailureDomain.FIRMWARE,
        r"^Synchronous Exception at 0x[0-9A-Fa-f]{1,16}",
        ("Synchronous Exception at",),
        "Synchronous Exception at 0x000000007F5A1000",
        unlike="Synchronous exceptions are handled at 0x1000",
    ),
    _stop(
        FindingKind.NO_BOOTABLE_DEVICE, BootStage.FIRMWARE, FailureDomain.FIRMWARE,
        r"^Reboot and Select proper Boot device|^An operating system wasn't found\b"
        r"|^Remove disks or other media\.|^! ?No zIPL magic ?!|^E340[47]: .{1,60}"
        r"|^No valid state has been set by load",
        ("proper Boot device", "An operating system wasn't found", "Remove disks or other media", "zIPL magic",
         "E3404", "E3407", "No valid state has been set"),
        "Reboot and Select proper Boot device",
        "! No zIPL magic !",
        "E3404: Not a bootable device!",
        unlike="Select the proper boot device",
    ),
    _stop(
        FindingKind.BOOTLOADER_FAILED, BootStage.BOOTLOADER, FailureDomain.BOOTLOADER,
        r"^No /boot/loader\b|^error: (?:\S{1,80}:\d{1,5}:)?prohibited by secure boot policy"
        r"|^\"Synchronous Abort\" handler, esr 0x[0-9a-f]{1,16}",
        ("No /boot/loader", "prohibited by secure boot policy", "Synchronous Abort"),
        "No /boot/loader",
        "error: prohibited by secure boot policy.",
        '"Synchronous Abort" handler, esr 0x96000210',
        unlike="error: no policy of secure boot",
        shares=(FindingKind.BOOTLOADER_ERROR, FindingKind.SECURE_BOOT_VIOLATION),
    ),
    _stop(
        FindingKind.EMERGENCY_SHELL, BootStage.INITRAMFS, FailureDomain.USERSPACE,
        r"^(?:dracut: )?Refusing to continue$|^cryptsetup: ERROR: .{1,80}maximum number of tries exceeded"
        r"|^Manually import the pool and exit\.|^(?i:boot failed)!$|\blive (?:image|system) failed to boot\b",
        ("Refusing to continue", "maximum number of tries exceeded", "Manually import the pool", "Boot failed!",
         "BOOT FAILED!", "failed to boot"),
        "This Debian live image failed to boot.",
        "dracut: Refusing to continue",
        "cryptsetup: ERROR: demo_crypt: maximum number of tries exceeded",
        unlike="Boot failed: not a bootable disk",
        shares=(FindingKind.ROOT_NOT_FOUND, "stage", "dracut"),
    ),
    _stop(
        FindingKind.INIT_CRASHED, BootStage.USERSPACE, FailureDomain.USERSPACE,
        r"^INIT: (?:No inittab file found|no more processes left in this runlevel)|^ ?\* rc: Aborting!"
        r"|UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY"
        r"|^init: (?:Failed to mount required partitions|InitFatalReboot: )",
        ("No inittab file", "no more processes left", "rc: Aborting", "UNEXPECTED INCONSISTENCY",
         "required partitions", "InitFatalReboot"),
        "INIT: No inittab file found",
        "INIT: no more processes left in this runlevel",
        "/dev/sda1: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.",
        "init: Failed to mount required partitions early ...",
        unlike="INIT: version 3.06 booting",
        shares=(FindingKind.INIT_TROUBLE,),
    ),
    _stop(
        FindingKind.INSTALLER_FAILED, BootStage.USERSPACE, FailureDomain.USERSPACE,
        r"^Failed to retrieve the preconfiguration file"
        r"|^Installation aborted - unable to continue|^The installer will now terminate"
        r"|\bcurtin_install: FAIL: .{1,80}|^finish: cmd-install\S{0,60}: FAIL: .{1,80}",
        ("retrieve the preconfiguration", "Installation aborted",
         "will now terminate",
         "curtin_install", "finish: cmd-install"),
        "Installation aborted - unable to continue (type exit or CTRL-D to reboot)",
        "The installer will now terminate.",
        "finish: cmd-install/stage-partitioning: FAIL: configuring storage",
        unlike="finish: cmd-install/stage-partitioning: SUCCESS: configuring storage",
    ),
)  # fmt: skip
