"""What to do next, for each kind of finding: one table, and which of its rows a report shows.

A step is for the person who made the ISO or chose the machine; it names what to look at first. Placeholders are
`PLACEHOLDERS`: facts of the session that is judged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hiperiso.contract.eventdata import FaultData
from hiperiso.contract.faults import FaultKind
from hiperiso.contract.manifest import Analysis
from hiperiso.contract.report import Finding
from hiperiso.contract.words import BootResult, BootStage, EndReason, Fault, FindingKind, Severity
from hiperiso.text import plain

_K = FindingKind

PLACEHOLDERS: Final = (
    *("iso", "firmware", "other_firmware", "ram_mb", "more_ram_mb", "timeout_s", "longer_s"),
    *("root", "missing"),
)
MAX_STEPS: Final = 4

NEXT_STEP: Final[Mapping[FindingKind, str]] = {
    _K.KERNEL_PANIC: (
        "read the lines above the panic in the log: the first error there is the cause, the panic its result"
    ),
    _K.STOP_SCREEN: (
        "look up the stop code of the screen; a missing storage driver is the usual one: try --medium or "
        "--disk with another bus"
    ),
    _K.PANIC_SCREEN: "read the kernel's log in kernel.log: the panic screen shows its end alone",
    _K.RECOVERY_SCREEN: (
        "look up the code on the screen; a damaged boot store or a missing driver leads there"
    ),
    _K.DESKTOP_FAILED: (
        "read the desktop's messages in the log; without acceleration it may need more than {ram_mb} MB: "
        "try --ram {more_ram_mb}, or --vga virtio"
    ),
    _K.DESKTOP_BLANK: (
        "the desktop runs and draws nothing: try another display adapter (--vga std or virtio), "
        "or more memory (--ram {more_ram_mb})"
    ),
    _K.COMPOSITOR_FAILED: (
        "read the compositor's messages on its console: it needs a DRM driver that can do what it asks for; "
        "try another display adapter (--vga std or virtio)"
    ),
    _K.LOGIN_FAILED: (
        "the user that getty logs in, its shell or what its profile starts is missing or ends: read the messages on "
        "that console"
    ),
    _K.NO_BOOTABLE_DEVICE: (
        "the {firmware} firmware found nothing to start on {iso}: try --firmware {other_firmware}; an ISO "
        "that is to boot with {firmware} needs an El Torito entry for it"
    ),
    _K.UEFI_SHELL: (
        "there is no \\EFI\\BOOT\\BOOTX64.EFI that the firmware could start on {iso}: add one, or try "
        "--firmware {other_firmware}"
    ),
    _K.FIRMWARE_EXCEPTION: (
        "the program that the firmware started crashed it: rebuild the boot loader of {iso}, or try "
        "--firmware {other_firmware}"
    ),
    _K.SECURE_BOOT_VIOLATION: (
        "sign the boot loader with a key that the firmware knows (shim), or boot without Secure Boot"
    ),
    _K.TPM_MISMATCH: "compare tpm.json, register by register: what measured there is not in the event log",
    _K.FIRMWARE_ASSERT: (
        "this is a fault of the firmware: try --firmware {other_firmware}, or another version of OVMF"
    ),
    _K.MEDIUM_NOT_BOOTABLE: (
        "check the El Torito catalogue of {iso} (`xorriso -indev {iso} -report_el_torito plain`)"
    ),
    _K.BOOTLOADER_FILE_MISSING: (
        "compare the path that the menu entry names with the files of {iso}{missing}; letter case counts, and a "
        "truncated download lacks what lies at its end"
    ),
    _K.BOOTLOADER_ERROR: (
        "read the loader's message; the menu entry on {iso} names a device, module or file that this "
        "machine has not"
    ),
    _K.BOOTLOADER_FAILED: (
        "correct the menu entry on {iso}: what the loader reported before this is the cause"
    ),
    _K.BOOTLOADER_CONFIG_MISSING: (
        "put the loader's configuration where it looks for it on {iso}; the prefix was built into it"
    ),
    _K.BOOTLOADER_PROMPT: (
        "the loader has no configuration or no modules: check its prefix and its files on {iso}"
    ),
    _K.NO_NETWORK_BOOT: (
        "nothing answered the network boot: the medium before it was not bootable, see --firmware "
        "{other_firmware}"
    ),
    _K.BOOTLOADER_WARNING: (
        "the loader went on; set what it names in its configuration if the boot depends on it"
    ),
    _K.WAITS_FOR_KEY: (
        "a key is asked for: boot with a timeout in the loader's configuration, or with --display gtk"
    ),
    _K.BOOT_MENU: "the menu waits for a person: give it a timeout on {iso}, or choose an entry with --menu",
    _K.MENU_RETURNED: (
        "the entry that was started ended at once: its kernel or its files do not fit this machine"
    ),
    _K.MENU_NO_REACTION: "the menu takes no keys: use a timeout in its configuration",
    _K.MENU_ENTRY_MISSING: "name an entry that the menu has; the findings list those that were seen",
    _K.PASSPHRASE_PROMPT: (
        "a passphrase is needed: boot with --display gtk and type it, or use a medium without encryption"
    ),
    _K.KERNEL_IMAGE_CORRUPT: (
        "the kernel on {iso} is damaged, or built for another processor: check the download"
    ),
    _K.CPU_UNSUITABLE: "choose a processor that has what it wants: --cpu max, or --accel kvm with --cpu host",
    _K.EFI_STUB_ERROR: (
        "the EFI stub names the file that it could not load: check the path in the menu entry of {iso}"
    ),
    _K.ROOT_UNMOUNTABLE: (
        "correct root= and initrd= of the menu entry on {iso}: {root}; without an initramfs the kernel has only the "
        "drivers that are built in"
    ),
    _K.INITRAMFS_CORRUPT: (
        "the initramfs is damaged, truncated, or larger than the guest's RAM ({ram_mb} MB): check the "
        "file, try --ram {more_ram_mb}"
    ),
    _K.INIT_NOT_EXECUTABLE: (
        "the first program is missing, not executable, or built for another processor: list the initramfs "
        "of {iso} and check /init and its interpreter"
    ),
    _K.KERNEL_BUG: "this is a fault of the guest's kernel or of a driver: report the trace to its vendor",
    _K.OOPS: (
        "the trace names the function that crashed: try without its driver (a kernel parameter), or "
        "another kernel"
    ),
    _K.HUNG_TASK: (
        "a task waits for a device that does not answer: see which in the trace; on emulation give more time"
    ),
    _K.RCU_STALL: "a CPU made no progress: on a busy host or in emulation give --cpus 1 and more time",
    _K.LOCKUP: "a CPU hung in the kernel: on a busy host or in emulation give --cpus 1 and more time",
    _K.OUT_OF_MEMORY: "the guest ran out of memory with {ram_mb} MB: try --ram {more_ram_mb}",
    _K.KERNEL_WARNING: "a warning alone stops nothing; it matters where what it names is missing later",
    _K.LOCK_WARNING: "a kernel with lock checking found a fault in itself: report it to its vendor",
    _K.MEMORY_LEAK: "a kernel with leak checking found a fault in itself: report it to its vendor",
    _K.MEMORY_SHORT: "memory was short with {ram_mb} MB: try --ram {more_ram_mb}",
    _K.DISK_FULL: (
        "a file system of the guest is full: give it a larger disk (--disk 20G), or, where its files are in memory, "
        "more RAM (--ram {more_ram_mb})"
    ),
    _K.KERNEL_TRACE: "read the lines above the trace for its cause",
    _K.SEGFAULT: "a program crashed: the line names it and the library; check that both are of one release",
    _K.CPU_FEATURE_MISSING: "the guest runs without a feature that was asked for: leave it out, or use --accel kvm",
    _K.CORE_DUMP: "a program crashed: coredumpctl in the guest shows where; check its package and its libraries",
    _K.DEVICE_TROUBLE: "the driver names the device: try without it, or another kernel; in a guest report it",
    _K.FIRMWARE_MISSING: "a device lacks its firmware file: the package that has it is not in {iso}",
    _K.IO_ERROR: "a device could not be read: check the download of {iso} against its checksum",
    _K.ATA_ERROR: "errors on the link of a disk; in a virtual machine another --medium avoids the controller",
    _K.MACHINE_CHECK: (
        "the processor reported an error: on real hardware test its memory; in a guest report it"
    ),
    _K.INIT_SEGFAULT: (
        "the first process crashed: its binary and its libraries do not fit, or the processor lacks what "
        "they need (--cpu max)"
    ),
    _K.INIT_TROUBLE: "the init system names what it misses: check it in the root file system of {iso}",
    _K.ROOT_NOT_FOUND: (
        "correct the menu entry on {iso}, or what its initramfs searches for (label, UUID, path): {root}; an ISO that "
        "is written to a stick has other device names (--medium usb)"
    ),
    _K.FAILED_UNIT: "see the messages of that service in the log, before the line that it failed",
    _K.INIT_CRASHED: (
        "the init system crashed: see what it logged last, and whether memory was short ({ram_mb} MB)"
    ),
    _K.EMERGENCY_SHELL: "the system gave up: the lines before the shell name what is missing",
    _K.INSTALLER_FAILED: (
        "the installer gave up: its message names the step; it may need a network (--net user), a disk "
        "(--disk 20G) or more memory (--ram {more_ram_mb})"
    ),
    _K.CHAIN_STEP_FAILED: (
        "read the step's own output in the log; `hiperiso chain run` repeats the chain alone"
    ),
    _K.CHAIN_FAILED: "`hiperiso chain run` with the same command line repeats the chain alone, with its log",
    _K.HYPERVISOR_FAULT: "the failure is in QEMU or KVM, not in the guest: try --accel tcg, and see qemu.stderr",
    _K.GUEST_HALTED: (
        "the guest halted permanently with interrupts off: the last lines of the log name what stopped it"
    ),
    _K.GUEST_READS: "the guest still reads {iso}: give it more time, --timeout {longer_s}",
    _K.GUEST_IDLE: (
        "the guest waits for something that does not come: a key, a device or the network; look at its "
        "screen (screen/), or use the guest after the verdict: --keep --display vnc"
    ),
    _K.GUEST_SPINS: (
        "the guest runs in a loop and prints nothing: see the last lines of the log; in emulation --cpus "
        "1 helps some kernels"
    ),
    _K.GUEST_BUSY: "the guest still works: give it more time, --timeout {longer_s}",
}
"""FindingKind -> what to do: for every kind that can be more than information, and those of a quiet guest."""

_PANICS: Final = tuple(
    (re.compile(said), step)
    for said, step in (
        ("Unable to mount root fs", NEXT_STEP[_K.ROOT_UNMOUNTABLE]),
        ("No working init found|Requested init .{1,200} failed", NEXT_STEP[_K.INIT_NOT_EXECUTABLE]),
        ("deadlocked on memory|[Oo]ut of memory", NEXT_STEP[_K.OUT_OF_MEMORY]),
        (
            "Attempted to kill init",
            "the first program ended, which it must never do: read what it printed before the panic; in an "
            "initramfs check /init of {iso}, its interpreter and its libraries",
        ),
        ("sysrq triggered", "the crash was asked for by sysrq: find what wrote to /proc/sysrq-trigger"),
        ("[Mm]achine check", NEXT_STEP[_K.MACHINE_CHECK]),
        ("Fatal exception", NEXT_STEP[_K.OOPS]),
    )
)
"""What a panic says of itself -> what to do. Source: the calls of panic() in Linux (init/, kernel/, mm/, arch/x86)."""

QUIET: Final = frozenset({_K.GUEST_HALTED, _K.GUEST_READS, _K.GUEST_IDLE, _K.GUEST_SPINS, _K.GUEST_BUSY})
"""The activity of a quiet guest: informational, unless the boot did not finish."""

_AT_REST: Final = frozenset({_K.GUEST_HALTED, _K.GUEST_IDLE, _K.GUEST_SPINS})
"""More time changes nothing for these."""

_BY_ENDING: Final[Mapping[EndReason, str]] = {
    EndReason.TIMEOUT: "where the guest was still busy, give it more time: --timeout {longer_s}",
    EndReason.RESET_LOOP: "the machine is reset again and again: the last lines before a reset name the cause",
    EndReason.POWERED_OFF: "the guest switched itself off: see the last lines of its log for who asked for that",
}
_STARVED_LOADER: Final = (
    "the boot loader ran out of memory: {ram_mb} MB do not hold the kernel and the initramfs of {iso}; try --ram "
    "{more_ram_mb}"
)
_RETURNED: Final = (
    "the boot loader of {iso} was started and came back: check its configuration, and what its entry starts"
)
_NOT_STARTED: Final = frozenset({_K.NO_BOOTABLE_DEVICE, _K.MEDIUM_NOT_BOOTABLE, _K.UEFI_SHELL})
"""Nothing was found that the firmware could start; where a boot loader was, it is the one to look at."""

_LOADER_KINDS: Final = frozenset(
    {_K.BOOTLOADER_ERROR, _K.BOOTLOADER_FAILED, _K.BOOTLOADER_FILE_MISSING, _K.BOOTLOADER_PROMPT}
)
_LOADER_CAUSES: Final = frozenset({_K.BOOTLOADER_ERROR, _K.BOOTLOADER_FILE_MISSING})
_HARNESS: Final = "this is not a verdict on the guest: `hiperiso doctor` checks this machine"
_BY_FAULT: Final[Mapping[FaultKind, str]] = {
    FaultKind.STORAGE_FULL: (
        "free some space where the sessions are stored, or choose another place with --log-root"
    ),
    FaultKind.BAD_IMAGE: "check that {iso} is an ISO or a disk image, and that its download is complete",
}
"""The step after a fault on our side."""
_WITHOUT_FINDING: Final = (
    "nothing reported an error: read the last lines below and look at the screen (screen/); a kernel says more with "
    "console=ttyS0 and without quiet"
)
_ROOT_CAUSES: Final = frozenset(
    {
        *(_K.OUT_OF_MEMORY, _K.DISK_FULL, _K.IO_ERROR, _K.CPU_UNSUITABLE, _K.INITRAMFS_CORRUPT),
        *(_K.BOOTLOADER_ERROR, _K.BOOTLOADER_FILE_MISSING, _K.ROOT_NOT_FOUND, _K.ROOT_UNMOUNTABLE),
    }
)
"""What others among the findings are results of."""
NO_MEMORY: Final = re.compile(r"[Oo]ut of memory|deadlocked on memory")
_ORDER: Final = tuple(reversed(Severity))


def next_steps(
    findings: Sequence[Finding],
    analysis: Analysis,
    reason: EndReason | None,
    manifest: Mapping[str, Any],
    fault: FaultData | None = None,
) -> list[str]:
    """Next steps for an unsuccessful boot, most likely first; at most `MAX_STEPS`.

    Args:
        findings: all, in order of appearance.
        analysis: the verdict on them.
        reason: why the recording ended.
        manifest: session.json, for the placeholders; of any tool, so of any shape.
        fault: what is known of a fault on our side.
    """
    if analysis.boot_result is BootResult.SUCCESS:
        return []
    facts = _facts(manifest) | _root(findings) | _missing(findings)
    templates = _of_findings(findings, analysis)
    at_rest = reason is EndReason.TIMEOUT and any(one.kind in _AT_REST for one in findings)
    if reason and reason in _BY_ENDING and analysis.boot_stage_final is not BootStage.UNKNOWN and not at_rest:
        templates.append(_BY_ENDING[reason])
    hints = [fault.hint] if fault and fault.hint and analysis.fault is Fault.HARNESS else []
    if analysis.fault is Fault.HARNESS and not hints:
        kind = fault and fault.kind
        templates.insert(0, _BY_FAULT[kind] if kind else _HARNESS)
    if not (templates or hints):
        templates.append(_WITHOUT_FINDING)
    steps = [plain(step, 400) for step in (*hints, *(template.format_map(facts) for template in templates))]
    return list(dict.fromkeys(steps))[:MAX_STEPS]


def _of_findings(findings: Sequence[Finding], analysis: Analysis) -> list[str]:
    """The steps of the findings; a loader that lacked memory lacks all else for that reason."""
    order = [finding for finding in ranked(findings, analysis) if finding.kind in NEXT_STEP]
    starved = any(one.kind in _LOADER_KINDS and NO_MEMORY.search(one.summary) for one in order)
    if not starved:
        explained = any(finding.kind in _LOADER_CAUSES for finding in order)
        return [
            _step_of(finding, analysis.boot_stage_final)
            for finding in order
            if not (explained and finding.kind is _K.BOOTLOADER_FAILED)
        ]
    return [
        _STARVED_LOADER,
        *(_step_of(one, analysis.boot_stage_final) for one in order if one.kind not in _LOADER_KINDS),
    ]


def _step_of(finding: Finding, stage: BootStage) -> str:
    """The step of its kind; of a panic, that for what it says."""
    if finding.kind in _NOT_STARTED and stage is BootStage.BOOTLOADER:
        return _RETURNED
    said = finding.summary if finding.kind is _K.KERNEL_PANIC else ""
    return next((step for pattern, step in _PANICS if pattern.search(said)), NEXT_STEP[finding.kind])


def _missing(findings: Sequence[Finding]) -> dict[str, str]:
    """What the boot loader did not find."""
    said = next((one.summary for one in findings if one.kind is _K.BOOTLOADER_FILE_MISSING), "")
    return {"missing": f" ({said})" if said else ""}


def _root(findings: Sequence[Finding]) -> dict[str, str]:
    """What the kernel was given as its root, in words."""
    given = next((one.summary for one in findings if one.kind is _K.KERNEL_COMMAND_LINE), "")
    line = given.partition(": ")[2]
    named = [word.removeprefix("root=") for word in line.split() if word.startswith("root=")]
    if named:
        root = f"root={named[-1]} names what this machine has not, or no driver for it was there"
    else:
        root = "the kernel got no root=" if line else "the root was not there"
    return {"root": root}


def ranked(findings: Sequence[Finding], analysis: Analysis) -> list[Finding]:
    """The findings that may be the cause, likeliest first: what the cause names, what lies deepest, the gravest.

    Of what a boot that went wrong reported, information is left out, but for what a quiet guest does.
    """
    cause = analysis.cause.casefold()

    def key(finding: Finding) -> tuple[bool, bool, int, int]:
        at = cause.find(finding.summary.casefold()) if finding.summary else -1
        return at < 0, finding.kind not in _ROOT_CAUSES, at, _ORDER.index(finding.severity)

    return sorted(
        (one for one in findings if one.severity is not Severity.INFO or one.kind in QUIET), key=key
    )


def _facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    firmware = str(manifest.get("firmware") or "").lower()
    ram_mb, timeout_s = _number(manifest.get("guest_ram_mb"), 2048), _number(manifest.get("timeout_s"), 300)
    return {
        "iso": plain(str(manifest.get("iso_basename") or "the ISO"), 100),
        "firmware": {"bios": "BIOS", "uefi": "UEFI"}.get(firmware, "chosen"),
        "other_firmware": "bios" if firmware == "uefi" else "uefi",
        "ram_mb": ram_mb,
        "more_ram_mb": max(2 * ram_mb, 2048),
        "timeout_s": timeout_s,
        "longer_s": 3 * timeout_s,
    }


def _number(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int | float) and 0 < value < 10**9 else default
