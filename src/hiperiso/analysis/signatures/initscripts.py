"""What an init script that no table knows prints when it does not find what it boots from.

Whoever writes an initramfs chooses words of their own; these are the ones that they have in common. Together with a
shell that follows they make a failure; alone they are a finding.

Sources: the init scripts of live systems and of boards, as they appear in public boot logs.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Origin, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity


def _lost(
    *,
    pattern: str,
    literals: tuple[str, ...],
    examples: tuple[str, ...],
    unlike: str,
    summary: str,
    shares: tuple[FindingKind | str, ...] = (),
    at_least: BootStage = BootStage.UNKNOWN,
) -> Signature:
    """A row that shows that a program, not the kernel, misses its root; the stage stays what it is."""
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        origin=Origin.USER,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=Severity.ERROR,
        domain=FailureDomain.USERSPACE,
        summary=summary,
        at_least=at_least,
    )


SIGNATURES: Final = (
    _lost(
        pattern=(
            r"(?i)^(?!kernel panic|vfs:)(?:[\w./-]{1,24}[:>]? {0,2}){0,3}(?:\W{0,4}(?:error|fatal|panic|sorry)\W{1,3})?"
            r"(?:cannot|can't|could not|couldn't|unable to|failed to) (?:mount|find|locate|detect|open|access"
            r"|copy|download|fetch|load|unpack|extract|import|activate|unlock|assemble) "
            r"(?:an?y? |the |our |real |new ){0,3}(?:[\w-]{1,16} ){0,2}(?:medium|media|root ?fs|root(?: file ?system|"
            r" device| partition)?(?! certificate| CA| hint| key| password| user| cgroup)|live (?:system|image|medium)"
            r"|squashfs|boot (?:device|partition|disk|medium)"
            r"|iso(?: image)?|z?pool)\b(?! (?:service|target)).{0,80}"
        ),
        literals=("cannot ", "Cannot ", "can't ", "Can't ", "could not ", "Could not ", "couldn't ", "Couldn't ",
                  "unable to ", "Unable to ", "failed to ", "Failed to "),
        examples=(
            "my-init: FATAL: cannot locate the boot medium with label DEMO",
            "init: cannot mount the live medium",
            "Could not find any boot device",
            "Failed to copy the live image to RAM",
        ),
        unlike="demo[12]: cannot open the medium of communication",
        shares=(FindingKind.ROOT_NOT_FOUND, FindingKind.INSTALLER_FAILED, FindingKind.FAILED_UNIT),
        summary="the system did not find what it boots from: {0}",
        at_least=BootStage.INITRAMFS,
    ),
    _lost(
        pattern=(
            r"(?i)^(?:\W{0,4}(?:error|fatal)\W{1,3}|\W{0,4})(?:[\w-]{1,24} ){0,2}(?P<f>(?:data|linuxfs|medium|media"
            r"|[\w.-]{1,60}\.(?:sfs|squashfs|iso|img|sqfs|erofs)))(?: files?)? (?:was |were |could )?not "
            r"(?:be )?found\b"
            r"|^\W{0,4}could not find [\w-]{1,24} file (?P<g>\S{1,60})"
        ),
        literals=("not found", "not be found", "Could not find", "could not find"),
        examples=(
            "ERROR: demo_7.0.sfs not found",
            " Demo data not found", "Could not find demoX file linuxfs",
        ),
        unlike="modprobe: module data not found in directory",
        shares=(FindingKind.ROOT_NOT_FOUND, FindingKind.INSTALLER_FAILED),
        summary="the live system did not find {f}{g}",
        at_least=BootStage.INITRAMFS,
    ),
    _lost(
        pattern=(
            r"(?i)^(?:[\w./-]{1,24}[:>]? {0,2}){0,3}\W{0,6}(?:(?:error|fatal|panic|sorry)\W{1,3})?(?:(?:the|my|your) )?"
            r"(?:root ?fs|root (?:file ?system|device|partition|disk|image)|(?:boot|live|install(?:ation)?) (?:device"
            r"|medium|media|disk|image)|device with (?:label|uuid)\S{0,60})\b.{0,40}\b(?:(?:was |were )?not found"
            r"|(?:is|was) missing|does(?:n't| not) exist|not (?:available|present))"
            r"|\bno (?:suitable )?(?:root|boot|live) (?:device|partition|file ?system|medium|media|disk)\b.{0,20}"
            r"\b(?:found|available|present|detected)"
            r"|\bwaiting for (?:the )?root\b.{0,60}(?:time(?:d )?-?out|gave up|giving up)"
            r"|\bmount(?:ing)? (?:of )?(?:the |your )?(?:nfs |real |new )?root(?: ?fs| file ?system)? (?:has )?failed"
        ),
        literals=("not found", "is missing", "was missing", "does not exist", "doesn't exist", "not available",
                  "not present", "No root", "no root", "No boot", "no boot", "No live", "no live", "No suitable",
                  "no suitable", "Waiting for root", "waiting for root", "Waiting for the root",
                  "waiting for the root", "NFS root", "root failed", "rootfs failed",
                  "filesystem failed"),
        examples=(
            "my-init: Root device not found!",
            "FATAL: rootfs not found",
            "No root device found, starting a shell",
            "Waiting for root device... timeout!",
            "mount of NFS root failed, starting a shell",
        ),
        unlike="root certificates: the demo image was not found",
        shares=(FindingKind.ROOT_NOT_FOUND, FindingKind.INSTALLER_FAILED, FindingKind.EMERGENCY_SHELL,
                FindingKind.NO_BOOTABLE_DEVICE),
        summary="the system did not find what it boots from: {0}",
        at_least=BootStage.INITRAMFS,
    ),
    _lost(
        pattern=(
            r"^(?:switch_root: .{0,60}(?:fail|can't |cannot |couldn't |not found|No such|rror).{0,80}"
            r"|(?:BusyBox v[^:]{1,60}: )?pivot_root: .{1,80})"
        ),
        literals=("switch_root: ", "pivot_root: "),
        examples=(
            "switch_root: can't execute '/sbin/init': No such file or directory",
            "pivot_root: Invalid argument",
        ),
        unlike="switch_root: now in the root file system",
        shares=("stage",),
        summary="the initramfs could not change to the real root: {0}",
    ),
    _lost(
        pattern=(
            r"^(?:Device \S{1,80} is not a valid LUKS device"
            r"|cryptsetup: .{0,60}(?:unlock(?:ing)? failed|failed to (?:unlock|open)).{0,40}"
            r"|(?:veritysetup: )?Verity device detected corruption.{0,40})"
        ),
        literals=("valid LUKS device", "cryptsetup: ", "Verity device detected"),
        examples=(
            "Device /dev/sda2 is not a valid LUKS device.",
            "veritysetup: Verity device detected corruption after activation.",
        ),
        unlike="cryptsetup: demo_crypt: set up successfully",
        summary="an encrypted or verified device could not be opened: {0}",
    ),
    Signature(
        pattern=(
            r"^(?:\S{1,40}: )?(?:[Ee]ntering|[Ss]witching to) (?:the )?(?:emergency|maintenance) mode\b(?!\. Exit the)"
        ),
        literals=("emergency mode", "maintenance mode"),
        examples=("Entering emergency mode", "init: entering maintenance mode"),
        unlike="Entering emergency mode. Exit the shell to continue.",
        kind=FindingKind.EMERGENCY_SHELL,
        severity=Severity.FATAL,
        domain=FailureDomain.USERSPACE,
        summary="the system gave up: {0}",
        effect=Effect.STUCK,
        settle_s=2.0,
        reason=EndReason.STUCK,
        at_least=BootStage.KERNEL,
    ),
    _lost(
        pattern=r"\bNo (?P<f>/sbin/init|init|/init) found (?:on|in) .{1,40}",
        literals=("No /sbin/init found", "No init found", "No /init found"),
        examples=("ERROR:  No /sbin/init found on rootdev (or not mounted).  Trouble ahead.",),
        unlike="No init found.  Try passing init= option to kernel.",
        summary="the root file system has no {f}",
    ),
    Signature(
        pattern=r"(?:\b[\w.-]{1,40}: (?:.{0,100}\W)?)?No space left on device",
        literals=("No space left on device",),
        examples=(
            "cp: error writing '/overlay/home/demo': No space left on device",
            "dpkg: error processing archive demo.deb (--unpack): cannot copy data: No space left on device",
            "Initramfs unpacking failed: write error: No space left on device",
            "tar: ./demo: Cannot write: No space left on device",
        ),
        unlike="demo: there may be no space left on the device",
        shares=(FindingKind.INITRAMFS_CORRUPT,),
        at_least=BootStage.KERNEL,
        kind=FindingKind.DISK_FULL,
        severity=Severity.WARNING,
        domain=FailureDomain.USERSPACE,
        summary="a file system of the guest is full: {0}",
    ),
)  # fmt: skip
