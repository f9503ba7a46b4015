"""The first program of a boot: initramfs-tools, dracut, mkinitcpio and the scripts of live systems; their shells.

What fails is the same in all of them: a script reports that it cannot find or mount its medium or root
(``root_not_found``), then it offers a shell or stops (``emergency_shell``).

Sources: recordings; initramfs-tools(7), dracut.cmdline(7) and "Debugging dracut", the wikis of Arch, Alpine, Gentoo,
NixOS, Slax, Tiny Core, Porteus, antiX and Void, and the documentation of Ignition and Talos.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, On, Origin, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_I = BootStage.INITRAMFS


def _seen(
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    software: str = "",
    effect: Effect = Effect.NONE,
    shares: tuple[FindingKind | str, ...] = (),
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        stage=_I,
        software=software,
        effect=effect,
    )


def _missing(
    summary: str,
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    shares: tuple[FindingKind | str, ...] = (),
    origin: Origin = Origin.ANY,
    severity: Severity = Severity.ERROR,
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        origin=origin,
        stage=_I,
        kind=FindingKind.ROOT_NOT_FOUND,
        severity=severity,
        domain=FailureDomain.USERSPACE,
        summary=summary,
    )


def _shell(
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    summary: str = "the initramfs gave up and opened its emergency shell",
    unlike: str,
    software: str = "",
    on: On = On.ANY,
    noted: bool = True,
    shares: tuple[FindingKind | str, ...] = (),
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        stage=_I,
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


_PROGRESS: Final = (
    _seen(
        r"^Loading, please wait\.\.\.|^Begin: (?:Loading|Running|Mounting|Waiting|Starting) ",
        ("Loading, please wait", "Begin: "),
        "Begin: Running /scripts/init-premount ... done.",
        unlike="Begin: the first chapter",
        software="initramfs-tools",
    ),
    _seen(
        r"\bdracut(?:-[\w-]{1,30})?(?:\[\d{1,8}\])?: |\(Initramfs\)!|^Welcome to .{1,80}dracut-\d"
        r"|^dracut-\d{2,3}[\w.-]{0,30}$",
        ("dracut", "(Initramfs)!"),
        "dracut-pre-trigger[300]: rd.md=0: removing MD RAID activation",
        "Welcome to Demo Linux 1 dracut-102 (Initramfs)!",
        unlike="Installing dracut 102 from the medium",
        software="dracut",
        effect=Effect.IN_INITRAMFS,
    ),
    _seen(
        r"^:: (?:running (?:early )?hook|mounting|Starting udevd|performing fsck|Triggering uevents)",
        (":: running", ":: mounting", ":: Starting", ":: performing", ":: Triggering"),
        ":: running early hook [udev]",
        unlike=":: the end",
        software="mkinitcpio",
    ),
    _seen(
        r"^Alpine Init (?P<v>[\w.-]{1,30})|^ ?\* Mounting boot media",
        ("Alpine Init", "* Mounting boot media"),
        "Alpine Init 3.7.0-r0",
        unlike=" * Mounting local filesystems",
        software="Alpine initramfs",
    ),
    _seen(
        r"^<<< (?:NixOS|Nixpkgs) Stage 1 >>>|^starting (?:device mapper and LVM|udev)\.\.\.$|^stage-1-init: ",
        ("Stage 1 >>>", "starting device mapper and LVM", "starting udev", "stage-1-init: "),
        "<<< NixOS Stage 1 >>>",
        unlike="<<< Welcome to NixOS 24.05 (x86_64) - ttyS0 >>>",
        software="NixOS stage 1",
    ),
    _seen(
        r"^>> (?:Loading modules|Activating|Determining|Mounting|Scanning|Booting|genkernel)\b.{0,60}"
        r"|^>> Genkernel \S{1,20} \(",
        (">> Loading modules", ">> Activating", ">> Determining", ">> Mounting", ">> Scanning", ">> Booting",
         ">> Genkernel", ">> genkernel"),
        ">> Determining root device (trying LABEL=demo) ...",
        unlike=">> FreeBSD EFI boot block",
        software="genkernel",
    ),
    _seen(
        r"^ignition\[\d{1,8}\]: |^\[talos\] |\bignition-(?:fetch|disks|files|mount)(?:-offline)?\.service",
        ("ignition[", "[talos] ", "ignition-"),
        "ignition[512]: Ignition 2.15.0",
        "[talos] task initialize (1/3): starting",
        unlike="the ignition of the engine",
        software="Ignition or Talos",
    ),
    _seen(
        r"\bsystemd\[1\]: Running in (?:initrd|initial RAM disk)",
        ("Running in initrd", "Running in initial RAM disk"),
        "systemd[1]: Running in initrd.",
        unlike="systemd[1]: Running in a container.",
        effect=Effect.IN_INITRAMFS,
        shares=("systemd",),
    ),
    _seen(
        r"\bsystemd\[1\]: Switching root|^:: Switching to"
        r"|^switch_root: (?!.{0,80}(?:fail|can't|cannot|couldn't|not found|No such|rror))"
        r"|Reached target .{0,60}initrd-switch-root\.target"
        r"|^<<< (?:NixOS|Nixpkgs) Stage 2 >>>|^running activation script\.\.\.",
        ("Switching root", "switch_root: ", ":: Switching to", "initrd-switch-root.target", "Stage 2 >>>",
         "running activation script"),
        "systemd[1]: Switching root.",
        unlike="switch_root: can't execute '/sbin/init': No such file or directory",
        effect=Effect.ROOT_SWITCHED,
        shares=("systemd",),
    ),
)  # fmt: skip

_MISSING: Final = (
    _missing(
        "the initramfs gave up waiting for the root device",
        r"^Gave up waiting for (?:root (?:file system )?device|suspend/resume device|device)",
        ("Gave up waiting for",),
        "Gave up waiting for root file system device.  Common problems:",
        unlike="Gave up waiting for the answer",
    ),
    _missing(
        "the root device {d} does not exist",
        r"^(?:ALERT!  ?)(?P<d>\S{1,120}) does not exist\.",
        ("does not exist.",),
        "ALERT!  UUID=0a3407de does not exist.  Dropping to a shell!",
        unlike="/srv/demo does not exist.",
        shares=(FindingKind.EMERGENCY_SHELL,),
    ),
    _missing(
        "the live system did not find its medium: {0}",
        r"Unable to find (?:a (?:medium containing a live file system|live file system(?: on the network)?)"
        r"|the boot medium|(?:the )?live (?:medium|system))"
        r"|\b[Cc]ould not (?:find|locate|mount) (?:the )?(?!kernel|ramdisk)(?:live|boot|installation|install"
        r"|[\w-]{1,20}) "
        r"?(?:medium|media|image|data|CD-?ROM|squashfs|root ?fs)\b(?! of).{0,60}"
        r"|\b[Nn]o (?:device with|bootable|valid|suitable) (?:a )?(?:valid )?(?:ISO|iso|installation|live|boot"
        r"|install)"
        r" ?(?:found|media|medium|image|data|CD-?ROM).{0,60}"
        r"|^(?:Porteus|Slax|Linux Live Kit|antiX|MX) (?:data|sgn file|files?) not found.{0,60}"
        r"|\b(?:porteus|slax|linuxfs|rootfs\.squashfs|\.cfg|sgn) (?:data )?(?:file )?(?:was )?not found[.!].{0,60}"
        r"|^(?:!! ?)?(?:Could not locate \S{1,40} data|Fatal error: (?:could not locate|cannot find).{1,60})"
        r"|^Can(?:not|'t|not) (?:find|locate|mount) (?:the )?(?:live|boot|root|installation|install|ISO|iso|medium|"
        r"media|CD-?ROM)\b.{0,80}",
        ("Unable to find a ", "Unable to find the ", "Unable to find live", "Could not find ", "Could not locate ",
         "Could not mount ", "could not find ", "could not locate ", "with valid ISO",
         "No bootable", "no bootable", "No valid", "no valid", "No suitable",
         "no suitable",
         "device with", "data not found", "sgn", "files not found", "file not found", "linuxfs", "rootfs.squashfs",
         "porteus", "slax", "Cannot find", "Cannot locate",
         "Cannot mount", "Can't find", "Can't locate", "Can't mount", "Fatal error: "),
        "Unable to find a medium containing a live file system",
        "!! Could not locate demo data",
        "Could not find the ISO image: it is not on any device",
        "no device with valid ISO found, please check your installation medium",
        unlike="Could not find kernel image: vmlinuz",
        shares=(FindingKind.BOOTLOADER_FILE_MISSING, FindingKind.INSTALLER_FAILED),
    ),
    _missing(
        "the root device was not found: {0}",
        r"^(?:!! ?(?:Could not find the root (?:block )?device|Block device .{1,80} is not a valid root device)"
        r".{0,80}|An error occurred in stage 1 of the boot process.{0,40}"
        r"|Timed out waiting for (?:device|root device) \S{1,100}(?:, trying to mount anyway)?"
        r"|waiting for (?:device|root|the root device) \S{1,80}.{0,10} (?:timed out|failed)"
        r"|(?:ERROR|FATAL|error|Error|Failed|failed): (?:[Ff]ailed|could not|cannot|unable) to (?:find|locate|mount) "
        r"(?:the )?(?:real |new )?(?:root|boot|live)\b.{0,80}"
        r"|(?:[Ff]ailed|[Uu]nable) to (?:find|locate|mount|open) (?:the )?(?:real |new |boot |live )?"
        r"(?:root|rootfs|boot|live|medium|media|squashfs|/sysroot|/new_?root|/sysroot\.ro)\b.{0,80}"
        r"|Mounting .{1,60} on (?:/mnt|/sysroot|/root|/new_?root)\S{0,20} failed.{0,60}"
        r"|(?:ERROR|Error|FATAL): (?:[Rr]oot|[Bb]oot) (?:device|file ?system|partition|medium) .{0,60}"
        r"(?:not found|does not exist|missing|failed).{0,40}"
        r"|Root device .{1,80} (?:not found|does not exist|is not a valid).{0,40}"
        r"|root(?:fs)? (?:device|partition|image) \S{0,80} ?(?:not found|missing).{0,40})",
        ("!! Could not find the root", "is not a valid root", "is not a valid", "error occurred in stage 1",
         "Timed out waiting", "timed out", "to find", "to locate", "to mount", "to open", "Mounting ",
         "Root device", "root device", "Root file", "Boot device", "Boot file", "Boot partition", "Boot medium",
         "rootfs", "does not exist", "missing"),
        "Timed out waiting for device /dev/disk/by-label/demo, trying to mount anyway.",
        "!! Could not find the root block device in UUID=demo.",
        "Failed to mount /sysroot.",
        "ERROR: Failed to mount the real root device.",
        unlike="Failed to mount the share of a friend",
        shares=(FindingKind.FAILED_UNIT,),
    ),
    _missing(
        "dracut gave up waiting for the root device",
        r"dracut-initqueue(?:\[\d{1,8}\])?: Warning: (?:dracut-initqueue[:"
        r" ]{1,2}timeout|Could not boot)|dracut: FATAL: .{1,100}|^Warning: dracut-initqueue[: ]{1,2}timeout",
        ("dracut-initqueue", "dracut: FATAL"),
        (
            "dracut-initqueue[412]: Warning: dracut-initqueue: timeout,"
            " still waiting for following initqueue hooks:"
        ),
        unlike="dracut-initqueue[412]: Scanning devices",
        shares=("stage", "dracut"),
    ),
    _missing(
        "the root device {d} does not exist",
        r"Warning: (?P<d>/dev/\S{1,120}) does not exist",
        ("does not exist",),
        "dracut-initqueue[412]: Warning: /dev/mapper/root does not exist",
        unlike="Warning: the user does not exist",
        shares=("stage", "dracut"),
    ),
    _missing(
        "the root device {d}{e}{r}{f} was not found",
        r"^(?:ERROR: device '(?P<d>[^']{1,120})' not found|:: Device"
        r" '(?P<e>[^']{1,120})' not found|ERROR: Unable to find root device '(?P<r>[^']{0,120})'"
        r"|ERROR: '(?P<f>[^']{1,120})' device did not show up)",
        ("' not found", "Unable to find root device", "device did not show up"),
        "ERROR: device 'UUID=12ab' not found. Skipping fsck.",
        "ERROR: '/dev/disk/by-label/DEMO' device did not show up after 30 seconds...",
        unlike="ERROR: user 'demo' not found",
    ),
    _missing(
        "the initramfs could not mount the root file system",
        r"^mount: mounting \S{1,100} on (?P<r>/root|/sysroot|/mnt/root|/newroot|/new_root|/mnt-root|/live|/cdrom)"
        r"\S{0,40} failed|^mount: (?:/root|/sysroot|/new_?root|/mnt-root)\S{0,40}: .{0,40}(?:can't find|unknown file"
        r"system type|wrong fs type|special device)",
        ("mount: mounting ", "mount: /"),
        "mount: mounting /dev/sda1 on /root failed: Invalid argument",
        "mount: /new_root: unknown filesystem type 'demofs'.",
        unlike="mount: mounting tmpfs on /tmp failed: Device or resource busy",
    ),
    _missing(
        "Ignition failed: {0}",
        r"^ignition\[\d{1,8}\]: (?:failed to|Ignition failed: ).{1,120}|^Ignition (?:has failed|failed)\b.{0,80}",
        ("ignition[", "Ignition has failed", "Ignition failed"),
        "ignition[512]: Ignition failed: failed to fetch the config",
        unlike="ignition[512]: files: op(1): [finished] writing file",
        shares=("stage", "Ignition or Talos"),
    ),
    _missing(
        "Talos could not go on: {0}",
        r"^\[talos\] (?:.{0,80}: failed:?|error|fatal|.{0,40}sequence failed|task .{1,80} failed).{0,100}",
        ("[talos] ",),
        "[talos] boot sequence failed: error running phase 2",
        unlike="[talos] task initialize (1/3): starting",
        shares=("stage", "Ignition or Talos"),
    ),
)  # fmt: skip

_SHELLS: Final = (
    _shell(
        r"^\(initramfs\) ?",
        ("(initramfs)",),
        "(initramfs) ",
        "(initramfs) blkid",
        unlike="see (initramfs) in the manual",
        software="initramfs-tools",
    ),
    _shell(
        # whatever its prompt is
        r"\b[Dd]ropp?(?:ing|ed) (?:you )?(?:(?:in)?to|into) (?:an? |the )?(?:[\w-]{1,14} ){0,2}(?:shell|prompt"
        r"|busybox)\b"
        r"|\b(?:[Ss]pawning|[Ss]tarting|[Ll]aunching|[Oo]pening|[Ee]ntering) (?:an? |the )?"
        r"(?:emergency|rescue|recovery|debug|debugging|interactive|limited) (?:root )?(?:shell|prompt)\b"
        r"|\b[Pp]ress \S{1,12} (?:to (?:start|open|drop (?:in)?to|get|enter|launch) an?|for) (?:\w{1,12} )?shell\b"
        r"|\bhere(?: is|'s) an? (?:\w{1,12} )?shell\b",
        ("shell", "prompt", "busybox"),
        "ALERT!  LABEL=ROOT does not exist.  Dropping to a shell!",
        "Something went wrong: starting a rescue shell",
        "Medium not found. Press ENTER to start a shell",
        unlike="Dropping root privileges of the shell",
        shares=(FindingKind.ROOT_NOT_FOUND, FindingKind.INSTALLER_FAILED),
    ),
    _shell(
        r"Entering emergency mode\. Exit the shell to continue|^Generating \"/run/initramfs/rdsosreport\.txt\"",
        ("Entering emergency mode", "rdsosreport.txt"),
        "Entering emergency mode. Exit the shell to continue.",
        summary="dracut gave up and opened its emergency shell",
        unlike="Entering the second mode",
        software="dracut",
    ),
    _shell(
        r"^(?:dracut|switch_root|initqueue|pre-mount|pre-pivot|mount|cmdline|sh):/(?:root)?# ?(?:$|\w)",
        (":/#", ":/root#"),
        "dracut:/# ",
        "switch_root:/# cat /run/initramfs/rdsosreport.txt",
        summary="dracut gave up and opened its emergency shell",
        unlike="demo:/srv# ",
        software="dracut",
        shares=(FindingKind.SHELL_PROMPT,),
    ),
    _shell(
        r"You are (?:now )?being dropped into (?:an emergency|a recovery)"
        r" shell|Falling back to interactive prompt|^\[rootfs [^\]]{0,40}\]# ?(?:$|\w)",
        ("being dropped into", "Falling back to interactive prompt", "[rootfs "),
        "You are now being dropped into an emergency shell.",
        "[rootfs /]# ls",
        unlike="[root@demo /]# ",
        software="mkinitcpio",
        shares=(FindingKind.SHELL_PROMPT,),
    ),
    _shell(
        r"initramfs emergency recovery shell launched",
        ("emergency recovery shell",),
        "initramfs emergency recovery shell launched. Type 'exit' to continue boot",
        unlike="the emergency recovery shell is documented",
        software="Alpine initramfs",
    ),
    _shell(
        r"^(?:i\) to launch an interactive shell|f\) to start an interactive shell|r\) to reboot immediately"
        r"|\*\) to ignore the error and continue)",
        ("to launch an interactive shell", "to start an interactive shell", ") to reboot immediately",
         "to ignore the error and continue"),
        "i) to launch an interactive shell",
        summary="the first stage of NixOS gave up and asks what to do",
        unlike="press i to launch an interactive shell later",
        software="NixOS stage 1",
    ),
    _shell(
        r"^rescueshell ~? ?[^#]{0,20}# ?|^(?:genkernel|>> Welcome to the (?:rescue|genkernel) shell)"
        r"|^Type 'exit' to (?:continue|resume)(?: with)? (?:the )?boot",
        ("rescueshell", "Welcome to the rescue shell", "Welcome to the genkernel shell", "Type 'exit' to"),
        "rescueshell ~ # ",
        summary="the initramfs of Gentoo gave up and opened its shell",
        unlike="Type 'exit' to leave",
        software="genkernel",
        shares=(FindingKind.SHELL_PROMPT,),
    ),
    _shell(
        r"^(?:unable to continue with booting\b|Something went wrong and we can't continue|Can't continue\b"
        r"|FATAL ERROR!|Boot process (?:has )?(?:halted|stopped|failed)|(?:The )?[Ss]ystem (?:is )?halted\.? "
        r"?Please (?:reset|reboot)|Please (?:reboot|restart|power off) (?:the|your) (?:machine|computer|system)"
        r" (?:manually|now)|[Uu]nable to boot\b(?! - please))",
        ("unable to continue", "we can't continue", "Can't continue", "FATAL ERROR!", "Boot process",
         "halted", "Please reboot", "Please restart", "Please power off", "Unable to boot", "unable to boot"),
        "Something went wrong and we can't continue booting :(",
        "Boot process halted",
        unlike="Unable to boot - please use a kernel appropriate for your CPU.",
        summary="the initramfs gave up: {0}",
    ),
)  # fmt: skip

SIGNATURES: Final = _PROGRESS + _MISSING + _SHELLS
