"""Media that cannot be read, file systems that are damaged, processors that report errors, programs that crash.

Sources: recordings; the message formats of block/blk-core.c, drivers/ata/libata-eh.c, fs/buffer.c, of the file systems
and of arch/x86/kernel/cpu/mce. A floppy drive without a disk and an RPMB partition answer with errors by nature.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_HW = FailureDomain.HARDWARE


def _broken(
    kind: FindingKind,
    summary: str,
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    severity: Severity = Severity.ERROR,
    domain: FailureDomain = _HW,
    shares: tuple[FindingKind | str, ...] = (),
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        stage=BootStage.KERNEL,
        kind=kind,
        severity=severity,
        domain=domain,
        summary=summary,
    )


_NO_MEDIUM: Final = r"(?:fd\d{1,2}|mmcblk\d{1,2}(?:rpmb|boot\d))"

SIGNATURES: Final = (
    _broken(
        FindingKind.IO_ERROR,
        "input/output errors on {d}",
        r"\b(?:blk_update_request: |blk-?\w{0,20}: )?(?:critical (?:medium|target|space allocation) error"
        rf"|I/O error|[Pp]rotection error), dev (?!{_NO_MEDIUM}\b)(?P<d>\w{{1,20}})",
        ("error, dev ",),
        "blk_update_request: I/O error, dev sr0, sector 123456 op 0x0:(READ) flags 0x80700",
        "end_request: I/O error, dev sda, sector 12",
        unlike="blk_update_request: I/O error, dev fd0, sector 0",
    ),
    _broken(
        FindingKind.IO_ERROR,
        "unreadable data: {0}",
        rf"^Buffer I/O error on dev(?:ice)? (?!{_NO_MEDIUM}\b)(?P<d>[\w-]{{1,20}})"
        r"|^(?:SQUASHFS error|isofs_fill_super: bread failed"
        r"|(?:EXT[234]|F2FS|NILFS|JFS|GFS2)-fs(?: \([\w-]{1,20}\))?:? (?:error|panic)"
        r"|XFS \([\w-]{1,20}\): (?:metadata I/O error|Corruption|Metadata (?:CRC error|corruption)|Internal error)"
        r"|BTRFS (?:error|critical)\b|BTRFS: (?:Transaction aborted|error \(device)"
        r"|(?:REISERFS|NILFS) (?:error|panic) \(|JBD2: Spotted dirty metadata|ERROR: \(device \w{1,20}\): \w"
        r"|gfs2: fsid=\S{1,60}: fatal: |F2FS-fs \([\w-]{1,20}\): .{0,40}(?:invalid|corrupt)"
        r"|erofs: .{0,40}(?:failed to decompress|corrupted)|EXT[234]-fs error)",
        ("Buffer I/O error", "SQUASHFS error", "isofs_fill_super", "-fs error", "-fs panic", "metadata I/O error",
         "Corruption", "Metadata CRC error", "Metadata corruption", "Internal error", "BTRFS error",
         "BTRFS critical", "BTRFS: Transaction aborted", "BTRFS: error", "REISERFS ", "NILFS ", "JBD2: Spotted",
         "ERROR: (device", "fatal: ", "F2FS-fs (", "EXT2-fs (", "NILFS-fs", "JFS-fs", "GFS2-fs", "erofs: "),
        "SQUASHFS error: zlib decompression failed, data probably corrupt",
        "EXT4-fs error (device sda1): ext4_lookup:1830: inode #2: comm init: iget: checksum invalid",
        "BTRFS error (device vda1): parent transid verify failed on 12 wanted 3 found 4",
        "XFS (sda1): Metadata CRC error detected at demo",
        "BTRFS: error (device sda1: state A) in demo_commit:12: errno=-5 IO failure",
        "REISERFS error (device sda1): vs-5150 search_by_key: invalid format found",
        "ERROR: (device sda1): dbAllocNext: Corrupt dmap page",
        unlike="Buffer I/O error on dev fd0, logical block 0, async page read",
    ),
    _broken(
        FindingKind.IO_WARNING,
        "a device without a medium, or a protected partition, cannot be read: {d}",
        rf"\b(?:I/O error, dev|Buffer I/O error on dev(?:ice)?) (?P<d>{_NO_MEDIUM})\b",
        ("error, dev ", "Buffer I/O error"),
        "blk_update_request: I/O error, dev fd0, sector 0 op 0x0:(READ) flags 0x0",
        "Buffer I/O error on dev mmcblk0rpmb, logical block 0, async page read",
        unlike="blk_update_request: I/O error, dev sda, sector 0",
        severity=Severity.INFO,
        domain=FailureDomain.NONE,
    ),
    _broken(
        FindingKind.ATA_ERROR,
        "the disk's link reported errors: {0}",
        r"^ata\d{1,3}(?:\.\d{2})?: (?:exception Emask (?!0x0 SAct 0x0 SErr 0x0 action 0x0)0x[0-9a-f]{1,4}"
        r"|failed command: \w|COMRESET failed|reset failed, giving up|link is slow to respond)",
        ("exception Emask", "failed command: ", "COMRESET failed", "reset failed, giving up", "link is slow"),
        "ata2.00: exception Emask 0x0 SAct 0x0 SErr 0x0 action 0x6 frozen",
        unlike="ata2.00: configured for UDMA/100",
        severity=Severity.WARNING,
    ),
    _broken(
        FindingKind.MACHINE_CHECK,
        "the processor reported a hardware error",
        r"^(?:mce: )?\[Hardware Error\]: (?!.{0,40}(?:[Cc]orrected|event severity: (?:corrected|info)|section_type"
        r"|Error \d, type: corrected))(?P<w>(?:CPU \d|Machine [Cc]heck|.{0,40}(?:[Uu]ncorrected|fatal|TSC|"
        r"RIP|PROCESSOR|event severity)).{0,80})|^mce: .{0,20}Machine [Cc]heck",
        ("[Hardware Error]", "mce: "),
        "mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 0: b200000000000000",
        unlike="{1}[Hardware Error]: Corrected error, no action required.",
    ),
    Signature(
        # drivers/thermal/thermal_core.c, kernel/reboot.c: the kernel switches off what would be damaged
        pattern=r"\bcritical temperature reached\b.{0,40}(?:shutting|powering) down"
        r"|^HARDWARE PROTECTION shutdown \(.{1,80}\)",
        literals=("critical temperature reached", "HARDWARE PROTECTION"),
        examples=(
            "thermal thermal_zone0: critical temperature reached, shutting down",
            "thermal_zone0: critical temperature reached (105 C), shutting down",
            "HARDWARE PROTECTION shutdown (Temperature too high)",
        ),
        unlike="thermal_zone0: trip 0 is the critical temperature reached at 105 C",
        stage=BootStage.KERNEL,
        kind=FindingKind.MACHINE_CHECK,
        severity=Severity.ERROR,
        domain=_HW,
        summary="the machine became too hot: {0}",
        effect=Effect.FATAL,
        reason=EndReason.BOOT_FAILED,
    ),
    _broken(
        FindingKind.FIRMWARE_MISSING,
        "firmware is missing: {f}{g}",
        r"\b(?:Direct firmware load for|firmware: failed to load) (?P<f>\S{1,100}) "
        r"(?:failed with error -2\b|\(-2\))|^(?P<g>.{1,60}): no suitable firmware found!",
        ("Direct firmware load for ", "firmware: failed to load ", "no suitable firmware found!"),
        "r8169 0000:02:00.0: Direct firmware load for rtl_nic/rtl8168g-3.fw failed with error -2",
        "r8169 0000:02:00.0: firmware: failed to load rtl_nic/rtl8168g-3.fw (-2)",
        "demo 0000:00:14.3: no suitable firmware found!",
        unlike="demo 0000:02:00.0: Direct firmware load for demo.bin failed with error -11",
        severity=Severity.WARNING,
        domain=FailureDomain.NONE,
    ),
    _broken(
        FindingKind.IO_ERROR,
        "a disk or a file system failed: {0}",
        r"^(?:EXT[234]-fs \([\w-]{1,20}\): Remounting filesystem read-only|XFS \([\w-]{1,20}\): (?:log mount/recovery"
        r" failed|Filesystem has been shut down|Log I/O Error).{0,40}|device-mapper: verity: .{1,40} is corrupted"
        r"|md/\w{1,10}:\w{1,10}: Disk failure on \w{1,20}\b|nvme nvme\d{1,3}: (?:I/O (?:tag )?\d{1,6} .{0,40}timeout"
        r"|Device not ready; aborting|controller is down)|EDAC MC\d{1,3}: \d{1,6} UE\b.{0,60}"
        r"|ubi\d{1,2} error: .{1,80}|UBIFS error .{1,100})",
        ("Remounting filesystem read-only", "log mount/recovery failed", "Filesystem has been shut down",
         "Log I/O Error", "is corrupted", "Disk failure on", "Device not ready; aborting", "controller is down",
         " error: ", "UBIFS error",
         "EDAC MC", "nvme nvme"),
        "EXT4-fs (vda2): Remounting filesystem read-only",
        "device-mapper: verity: 254:0: data block 12 is corrupted",
        "nvme nvme0: I/O 12 QID 1 timeout, aborting",
        unlike="EXT4-fs (vda2): re-mounted. Opts: (null)",
    ),
    _broken(
        FindingKind.DEVICE_TROUBLE,
        "a device does not work as it should: {0}",
        r"^(?:irq \d{1,4}: nobody cared\b|Uhhuh\. NMI received for unknown reason.{0,40}"
        r"|IP-Config: (?:Auto-configuration of network failed|No network devices available)"
        r"|i915 .{1,40}GPU HANG|amdgpu .{1,60}ring \w{1,20} timeout"
        r"|pcieport .{1,20}: AER: (?:Multiple )?Uncorrect(?:ed|able) \((?:Non-)?Fatal\) error.{0,60}"
        r"|(?:DMAR|AMD-Vi): (?:\[DMA |.{0,20}IO_PAGE_FAULT).{0,100}|mmc\d{1,2}: error -\d{1,3} whilst initialising)",
        ("nobody cared", "NMI received for", "IP-Config: ", "AER: ", "GPU HANG",
         "ring ", "DMAR: [DMA", "IO_PAGE_FAULT", "whilst initialising"),
        'irq 16: nobody cared (try booting with the "irqpoll" option)',
        "mmc0: error -110 whilst initialising SD card",
        "Uhhuh. NMI received for unknown reason 3d on CPU 0.",
        "IP-Config: Auto-configuration of network failed.",
        "pcieport 0000:00:1c.0: AER: Uncorrected (Fatal) error received: 0000:01:00.0",
        unlike="DMAR: Host address width 39",
        severity=Severity.WARNING,
        domain=FailureDomain.NONE,
    ),
    Signature(
        pattern=(
            r"\bsystemd-coredump\[\d{1,8}\]: (?:\[\S{1,4}\] )?Process \d{1,8} \((?P<p>[^()]{1,40})\) "
            r"of user \d{1,8} dumped core"
        ),
        literals=("dumped core",),
        examples=("systemd-coredump[812]: Process 790 (demo) of user 1000 dumped core.",),
        unlike="systemd[812]: Caught <SEGV>, dumped core as pid 813.",
        kind=FindingKind.CORE_DUMP,
        severity=Severity.WARNING,
        domain=FailureDomain.USERSPACE,
        summary="{p} dumped core",
    ),
    Signature(
        pattern=r"^(?P<p>[^\s\[]{1,40})\[(?!1\])\d{1,8}\]: (?:segfault at |unhandled signal \d)",
        literals=("]: segfault at ", "]: unhandled signal"),
        examples=("Xorg[432]: segfault at 10 ip 00007f sp 00007ffd error 4 in libc.so.6[7f+1000]",),
        unlike="demo[432]: no segfault at all",
        kind=FindingKind.SEGFAULT,
        severity=Severity.WARNING,
        domain=FailureDomain.USERSPACE,
        summary="{p} crashed",
    ),
    Signature(
        pattern=(
            r"^traps: (?P<p>[^\s\[]{1,40})\[\d{1,8}\] "
            r"(?P<w>general protection(?: fault)?|trap (?:invalid opcode|divide error|int3)|bad frame)"
        ),
        literals=("traps: ",),
        examples=("traps: demo[12] trap invalid opcode ip:7f12 sp:7ffd error:0 in demo[5500+1000]",),
        unlike="traps: 12 animals were caught",
        kind=FindingKind.PROGRAM_TRAP,
        domain=FailureDomain.USERSPACE,
        summary="{p} was stopped by a trap: {w}",
    ),
)  # fmt: skip
