"""initramfs-tools, dracut, mkinitcpio, Alpine's and live-boot's initramfs: progress and emergency shells.

Sources: recordings; initramfs-tools(7), dracut.cmdline(7) and "Debugging dracut", the Arch and Alpine wikis.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_I = BootStage.INITRAMFS
_USER = FailureDomain.USERSPACE


def _shell(
    pattern: str,
    literals: tuple[str, ...],
    example: str,
    summary: str,
    *,
    software: str = "",
    on: On = On.ANY,
    noted: bool = True,
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        example=example,
        stage=BootStage.INITRAMFS,
        kind=FindingKind.EMERGENCY_SHELL,
        severity=Severity.FATAL,
        domain=FailureDomain.USERSPACE,
        summary=summary,
        software=software,
        effect=Effect.STUCK,
        on=on,
        noted=noted,
        settle_s=2.0,
        reason=EndReason.STUCK,
    )


SIGNATURES: Final = (
    Signature(
        pattern=r"^Loading, please wait\.\.\.|^Begin: (?:Loading|Running|Mounting|Waiting|Starting) ",
        literals=("Loading, please wait", "Begin: "),
        example="Begin: Running /scripts/init-premount ... done.",
        stage=_I,
        software="initramfs-tools",
    ),
    Signature(
        pattern=r"^Gave up waiting for (?:root (?:file system )?device|suspend/resume device)",
        literals=("Gave up waiting for",),
        example="Gave up waiting for root file system device.  Common problems:",
        stage=_I,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=Severity.ERROR,
        domain=_USER,
        summary="the initramfs gave up waiting for the root device",
    ),
    Signature(
        pattern=r"^(?:ALERT!  ?)(?P<d>\S{1,120}) does not exist\.  ?Dropping to a shell",
        literals=("does not exist.",),
        example="ALERT!  UUID=0a3407de does not exist.  Dropping to a shell!",
        stage=_I,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=Severity.ERROR,
        domain=_USER,
        summary="the root device {d} does not exist",
    ),
    Signature(
        pattern=(
            r"Unable to find a (?:medium containing a live file system"
            r"|live file system on the network)|Unable to find a live"
            r" file system"
        ),
        literals=("Unable to find a ",),
        example="Unable to find a medium containing a live file system",
        stage=_I,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=Severity.ERROR,
        domain=_USER,
        summary="the live system did not find its medium",
    ),
    _shell(
        r"^\(initramfs\) ?",
        ("(initramfs)",),
        "(initramfs) ",
        "the initramfs gave up and opened its emergency shell",
        software="initramfs-tools",
    ),
    _shell(
        r"\b[Dd]ropping (?:you )?(?:in)?to an? (?:\w{1,12} )?shell\b",  # whatever its prompt is
        ("ropping ",),
        "ALERT!  LABEL=ROOT does not exist.  Dropping to a shell!",
        "the initramfs gave up and opened its emergency shell",
        noted=False,
    ),
    Signature(
        pattern=r"\bdracut(?:-[\w-]{1,30})?(?:\[\d{1,8}\])?: |\(Initramfs\)!|^Welcome to .{1,80}dracut-\d",
        literals=("dracut", "(Initramfs)!"),
        example="dracut-pre-trigger[300]: rd.md=0: removing MD RAID activation",
        stage=_I,
        software="dracut",
    ),
    Signature(
        pattern=(
            r"dracut-initqueue(?:\[\d{1,8}\])?: Warning: (?:dracut-initqueue[:"
            r" ]{1,2}timeout|Could not boot)"
        ),
        literals=("dracut-initqueue",),
        example=(
            "dracut-initqueue[412]: Warning: dracut-initqueue: timeout,"
            " still waiting for following initqueue hooks:"
        ),
        stage=_I,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=Severity.ERROR,
        domain=_USER,
        summary="dracut gave up waiting for the root device",
    ),
    Signature(
        pattern=r"Warning: (?P<d>/dev/\S{1,120}) does not exist",
        literals=(" does not exist",),
        example="dracut-initqueue[412]: Warning: /dev/mapper/root does not exist",
        stage=_I,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=Severity.ERROR,
        domain=_USER,
        summary="the root device {d} does not exist",
    ),
    _shell(
        (
            r"Entering emergency mode\. Exit the shell to continue|^Generating"
            r" \"/run/initramfs/rdsosreport\.txt\""
        ),
        ("Entering emergency mode", "rdsosreport.txt"),
        "Entering emergency mode. Exit the shell to continue.",
        "dracut gave up and opened its emergency shell",
        software="dracut",
    ),
    _shell(
        r"^(?:dracut|switch_root|initqueue|pre-mount|pre-pivot|mount|cmdline):/# ?$",
        (":/#",),
        "dracut:/# ",
        "dracut gave up and opened its emergency shell",
        on=On.PROMPT,
        software="dracut",
    ),
    Signature(
        pattern=r"^:: (?:running (?:early )?hook|mounting|Starting udevd|performing fsck)",
        literals=(":: ",),
        example=":: running early hook [udev]",
        stage=_I,
        software="mkinitcpio",
    ),
    Signature(
        pattern=(
            r"^(?:ERROR: device '(?P<d>[^']{1,120})' not found|:: Device"
            r" '(?P<e>[^']{1,120})' not found|ERROR: Unable to find root"
            r" device '(?P<r>[^']{0,120})')"
        ),
        literals=("' not found", "Unable to find root device"),
        example="ERROR: device 'UUID=12ab' not found. Skipping fsck.",
        stage=_I,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=Severity.ERROR,
        domain=_USER,
        summary="the root device {d}{e}{r} was not found",
    ),
    _shell(
        (
            r"You are (?:now )?being dropped into (?:an emergency|a recovery)"
            r" shell|Falling back to interactive prompt|^\[rootfs [^\]]{0,40}\]#"
            r" ?$"
        ),
        ("being dropped into", "Falling back to interactive prompt", "[rootfs "),
        "You are now being dropped into an emergency shell.",
        "the initramfs gave up and opened its emergency shell",
        software="mkinitcpio",
    ),
    _shell(
        r"initramfs emergency recovery shell launched",
        ("emergency recovery shell",),
        "initramfs emergency recovery shell launched. Type 'exit' to continue boot",
        "the initramfs gave up and opened its emergency shell",
        software="Alpine initramfs",
    ),
    Signature(
        pattern=r"^Alpine Init (?P<v>[\w.-]{1,30})|^ ?\* Mounting boot media",
        literals=("Alpine Init", "* Mounting boot media"),
        example="Alpine Init 3.7.0-r0",
        stage=_I,
        software="Alpine initramfs",
    ),
    Signature(
        pattern=r"^mount: mounting \S{1,100} on (?P<r>/root|/sysroot|/mnt/root|/newroot)\S{0,40} failed",
        literals=("mount: mounting ",),
        example="mount: mounting /dev/sda1 on /root failed: Invalid argument",
        stage=_I,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=Severity.ERROR,
        domain=_USER,
        summary="the initramfs could not mount the root file system",
    ),
    Signature(
        pattern=r"\bsystemd\[1\]: Running in (?:initrd|initial RAM disk)",
        literals=("Running in init",),
        example="systemd[1]: Running in initrd.",
        stage=_I,
        effect=Effect.IN_INITRAMFS,
    ),
    Signature(
        pattern=(
            r"\bsystemd\[1\]: Switching root|^switch_root: |^:: Switching"
            r" to|Reached target .{0,60}initrd-switch-root\.target"
        ),
        literals=("Switching root", "switch_root: ", ":: Switching to", "initrd-switch-root.target"),
        example="systemd[1]: Switching root.",
        stage=_I,
        effect=Effect.ROOT_SWITCHED,
    ),
)
