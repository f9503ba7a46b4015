"""What an init script that no table knows prints when it does not find what it boots from.

Whoever writes an initramfs chooses words of their own; these are the ones that they have in common. Together with a
shell that follows they make a failure; alone they are a finding.

Sources: the init scripts of live systems and of boards, as they appear in public boot logs.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Origin, Signature
from hiperiso.contract.words import BootStage, FailureDomain, FindingKind, Severity


def _lost(
    *,
    pattern: str,
    literals: tuple[str, ...],
    example: str,
    unlike: str,
    summary: str,
    more: tuple[str, ...] = (),
    shares: tuple[FindingKind | str, ...] = (),
    at_least: BootStage = BootStage.UNKNOWN,
) -> Signature:
    """A row that shows that a program, not the kernel, misses its root; the stage stays what it is."""
    return Signature(
        pattern=pattern,
        literals=literals,
        example=example,
        more=more,
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
            r"(?:cannot|can't|could not|couldn't|unable to|failed to) (?:mount|find|locate|detect|open|access) "
            r"(?:an?y? |the |our |real |new ){0,3}(?:[\w-]{1,16} ){0,2}(?:medium|media|root ?fs|root(?: file ?system|"
            r" device| partition)?|live (?:system|image|medium)|squashfs|boot (?:device|partition|disk|medium)"
            r"|iso(?: image)?)\b(?! (?:service|target)).{0,80}"
        ),
        literals=("cannot ", "Cannot ", "can't ", "Can't ", "could not ", "Could not ", "couldn't ", "Couldn't ",
                  "unable to ", "Unable to ", "failed to ", "Failed to "),
        example="my-init: FATAL: cannot locate the boot medium with label DEMO",
        more=("init: cannot mount the live medium", "Could not find any boot device"),
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
        example="ERROR: demo_7.0.sfs not found",
        more=(" Demo data not found", "Could not find demoX file linuxfs"),
        unlike="modprobe: module data not found in directory",
        shares=(FindingKind.ROOT_NOT_FOUND, FindingKind.INSTALLER_FAILED),
        summary="the live system did not find {f}{g}",
        at_least=BootStage.INITRAMFS,
    ),
    _lost(
        pattern=r"\bNo (?P<f>/sbin/init|init|/init) found (?:on|in) .{1,40}",
        literals=("No /sbin/init found", "No init found", "No /init found"),
        example="ERROR:  No /sbin/init found on rootdev (or not mounted).  Trouble ahead.",
        unlike="No init found.  Try passing init= option to kernel.",
        summary="the root file system has no {f}",
    ),
    Signature(
        pattern=r"(?:\b[\w.-]{1,40}: (?:.{0,100}\W)?)?No space left on device",
        literals=("No space left on device",),
        example="cp: error writing '/overlay/home/demo': No space left on device",
        more=(
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
