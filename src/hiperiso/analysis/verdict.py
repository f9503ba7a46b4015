"""The verdict: from what the judge saw to result, stage, domain, fault and cause.

Rules in order; the first that applies decides. Each is explained in docs/verdict.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.ledger import EndCause
from hiperiso.analysis.nextsteps import NO_MEMORY
from hiperiso.contract.words import BootResult, BootStage, EndReason, FailureDomain, Fault, FindingKind

STAGE_DOMAIN: Final = {
    BootStage.UNKNOWN: FailureDomain.UNKNOWN,
    BootStage.ERROR: FailureDomain.UNKNOWN,
    BootStage.FIRMWARE: FailureDomain.FIRMWARE,
    BootStage.BOOTLOADER: FailureDomain.BOOTLOADER,
    BootStage.KERNEL: FailureDomain.KERNEL,
    BootStage.INITRAMFS: FailureDomain.USERSPACE,
    BootStage.USERSPACE: FailureDomain.USERSPACE,
    BootStage.INSTALLER: FailureDomain.USERSPACE,
    BootStage.LOGIN: FailureDomain.USERSPACE,
}
"""Who is to blame when a stage fails and nothing more precise is known."""

_INIT_KILLED: Final = re.compile(r"Attempted to kill init! ?exitcode=0x(?P<code>[0-9a-fA-F]{8})")
_NO_ROOT: Final = re.compile(
    r"Unable to mount root|No working init found|Requested init \S{1,100} failed|No init found"
)
_INITRD_NAME: Final = re.compile(r"init(?:rd|ramfs|\.img)|\.cpio|\binitrd\b", re.IGNORECASE)
_WAITS_FOR_KEY: Final = re.compile(r"(?:^|[\s:|])Press any key to continue[. ]{0,4}$")
_NOT_LOADED: Final = re.compile(
    r"vmlinu|kernel|bzImage|init(?:rd|ramfs|\.img)|out of memory|signature|verification|magic|premature end"
)
_FATAL_OOPS: Final = re.compile(r"[Ff]atal exception|Oops|panic_on_")
_MACHINE_CHECK: Final = re.compile(r"[Mm]achine check|NMI: |[Ff]atal hardware error")


@dataclass(frozen=True)
class Verdict:
    """What a boot came to. ``seconds`` is when that was certain; ``reason`` why the recording ended."""

    result: BootResult
    stage: BootStage
    domain: FailureDomain
    fault: Fault
    cause: str
    seconds: float | None = None
    reason: EndReason | None = None


def verdict_of(judge: Judge, end_reason: EndReason | None = None) -> Verdict:
    """Return the verdict on everything fed to a judge. ``end_reason`` is used if no event contains it."""
    judge.finish()
    reason = judge.harness.end_reason or end_reason
    for rule in _RULES:
        if verdict := rule(judge, reason):
            return replace(verdict, reason=verdict.reason or reason)
    raise AssertionError("the last rule always applies")


def considered(judge: Judge, end_reason: EndReason | None = None) -> Iterator[tuple[str, str]]:
    """The rules in order, each with its answer, up to the one that decides."""
    reason = judge.harness.end_reason or end_reason
    for rule in _RULES:
        verdict = rule(judge, reason)
        name = rule.__name__.strip("_").replace("_", " ")
        if verdict:
            yield name, f"decides: {verdict.result} at {verdict.stage}, {verdict.domain}: {verdict.cause}"
            return
        yield name, "does not apply"


def _panic(judge: Judge, _: EndReason | None) -> Verdict | None:
    fatal = _deciding_fatal(judge)
    if fatal is None or judge.harness.late_timer:
        return None
    stage = judge.attempt.stage if judge.attempt.fatal else _furthest(judge)
    return _explain_fatal(judge, fatal, stage)


def _reset_loop(judge: Judge, _: EndReason | None) -> Verdict | None:
    if judge.progress.loop is None:
        return None
    stage = _furthest(judge)
    domain = STAGE_DOMAIN[stage] if stage is not BootStage.UNKNOWN else FailureDomain.FIRMWARE
    return _failure(stage, domain, judge.progress.loop)


def _goal(judge: Judge, _: EndReason | None) -> Verdict | None:
    goal = judge.attempt.goal
    if goal is None:
        return None
    attempt, detail = judge.attempt, goal.detail
    if goal.reason is EndReason.POWERED_OFF and attempt.stopping_s is not None and goal.seconds is not None:
        detail = f"{detail}, {max(0.0, goal.seconds - attempt.stopping_s):.1f} s after its shutdown began"
    return Verdict(
        BootResult.SUCCESS,
        attempt.stage,
        FailureDomain.NONE,
        Fault.NONE,
        detail,
        goal.seconds,
        goal.reason,
    )


def _stuck(judge: Judge, _: EndReason | None) -> Verdict | None:
    stuck = judge.attempt.stuck
    if stuck is None:
        return None
    domain, cause = stuck.domain, stuck.detail
    if stuck.kind is FindingKind.EMERGENCY_SHELL:
        domain, cause = _why_emergency(judge, domain, cause)
    elif stuck.kind in (FindingKind.NO_BOOTABLE_DEVICE, FindingKind.UEFI_SHELL):
        domain, cause = _why_nothing_booted(judge, domain, cause)
    elif stuck.kind in (FindingKind.BOOTLOADER_FAILED, FindingKind.BOOTLOADER_PROMPT):
        cause = _why_loader_failed(judge, cause)
    elif stuck.kind is FindingKind.INSTALLER_FAILED and (full := judge.book.first(FindingKind.DISK_FULL)):
        cause = f"{cause}: {full.summary}"
    return _failure(judge.attempt.stage, domain, stuck, cause)


def _why_loader_failed(judge: Judge, cause: str) -> str:
    """Want of memory is the cause of all that a loader then lacks; else the first thing that it missed."""
    kinds = (FindingKind.BOOTLOADER_FILE_MISSING, FindingKind.BOOTLOADER_ERROR)
    reported = [finding.summary for finding in judge.book.findings() if finding.kind in kinds]
    if starved := next((summary for summary in reported if NO_MEMORY.search(summary)), ""):
        return f"{starved}; then {cause}"
    return f"{cause}: {reported[0]}" if reported else cause


def _why_emergency(judge: Judge, domain: FailureDomain, cause: str) -> tuple[FailureDomain, str]:
    if broken := judge.book.first(FindingKind.IO_ERROR, FindingKind.MACHINE_CHECK):
        return FailureDomain.HARDWARE, f"{cause}; {broken.summary}"
    if full := judge.book.first(FindingKind.DISK_FULL):
        return domain, f"{cause}: {full.summary}"
    if why := judge.book.first(FindingKind.ROOT_NOT_FOUND, FindingKind.FAILED_UNIT):
        return domain, f"{cause}: {why.summary}"
    return domain, cause


def _root_missing(judge: Judge, _: EndReason | None) -> Verdict | None:
    """An initramfs that said what it misses, and did not go on: whether a shell followed or not."""
    attempt = judge.attempt
    missing = judge.book.first(FindingKind.ROOT_NOT_FOUND)
    if not attempt.root_missing or missing is None or attempt.stage.rank > BootStage.INITRAMFS.rank:
        return None
    domain, cause = _why_emergency(judge, missing.domain, "the initramfs did not go on")
    return Verdict(BootResult.FAILURE, attempt.stage, domain, Fault.GUEST, cause, None, EndReason.BOOT_FAILED)


def _loader_waits(judge: Judge, _: EndReason | None) -> Verdict | None:
    """A loader that did not load what it starts, and waits for a key: the last that is seen."""
    stage = judge.attempt.stage
    last = (quote.lines[-1] for quote in judge.last_words.quotes() if quote.lines)
    if stage is not BootStage.BOOTLOADER or not any(map(_WAITS_FOR_KEY.search, last)):
        return None
    kinds = (FindingKind.BOOTLOADER_FILE_MISSING, FindingKind.BOOTLOADER_ERROR)
    reported = [finding.summary for finding in judge.book.findings() if finding.kind in kinds]
    if why := next(filter(_NOT_LOADED.search, reported), ""):
        cause = f"the boot loader waits for a key: {why}"
        return Verdict(
            BootResult.FAILURE, stage, FailureDomain.BOOTLOADER, Fault.GUEST, cause, None, EndReason.STUCK
        )
    return None


def _why_nothing_booted(judge: Judge, domain: FailureDomain, cause: str) -> tuple[FailureDomain, str]:
    if refused := judge.book.first(FindingKind.SECURE_BOOT_VIOLATION):
        return domain, refused.summary
    if network := judge.book.first(FindingKind.NO_NETWORK_BOOT):
        return FailureDomain.BOOTLOADER, network.summary
    if judge.attempt.stage.rank >= BootStage.BOOTLOADER.rank:
        return FailureDomain.BOOTLOADER, f"the boot loader gave up, and {cause}"
    if failed := judge.book.first(FindingKind.MEDIUM_NOT_BOOTABLE):
        return domain, f"{cause}; {failed.summary}"
    return domain, cause


def _off(judge: Judge, _: EndReason | None) -> Verdict | None:
    off, stage = judge.attempt.off, judge.attempt.stage
    if off is None:
        return None
    if missing := _root_missing(judge, None):
        return missing
    if judge.expectation.explicit:
        cause = f"{off.detail} before {judge.expectation.describe()} was reached"
        return _failure(stage, STAGE_DOMAIN[stage], off, cause)
    if stage.rank >= BootStage.INITRAMFS.rank:
        cause = f"{off.detail} after its {stage.value} had run, without an error that stopped it"
        return Verdict(
            BootResult.SUCCESS,
            stage,
            FailureDomain.NONE,
            Fault.NONE,
            cause,
            off.seconds,
            EndReason.POWERED_OFF,
        )
    return _failure(stage, STAGE_DOMAIN[stage], off, f"{off.detail} before any program of its own ran")


def _halted(judge: Judge, _: EndReason | None) -> Verdict | None:
    halted, stage = judge.attempt.halted, judge.attempt.stage
    return _failure(stage, STAGE_DOMAIN[stage], halted) if halted else None


def _harness(judge: Judge, reason: EndReason | None) -> Verdict | None:
    if not judge.harness.faults and reason is not EndReason.HARNESS_FAULT:
        return None
    cause = judge.harness.faults[0] if judge.harness.faults else "the recorder failed"
    stage = _furthest(judge)
    if stage is BootStage.UNKNOWN:
        stage = BootStage.ERROR
    return Verdict(
        BootResult.INCOMPLETE, stage, FailureDomain.NONE, Fault.HARNESS, cause, None, EndReason.HARNESS_FAULT
    )


def _handed_over(judge: Judge, _: EndReason | None) -> Verdict | None:
    """A boot without a hypervisor: the ISO has taken over the machine, unobserved."""
    if not judge.harness.handed_over:
        return None
    cause = f"the machine was handed over to {judge.harness.handed_over}; what it did then was not seen"
    return Verdict(
        BootResult.INCOMPLETE,
        BootStage.UNKNOWN,
        FailureDomain.UNKNOWN,
        Fault.NONE,
        cause,
        None,
        EndReason.HANDED_OVER,
    )


def _nothing_seen(judge: Judge, reason: EndReason | None) -> Verdict | None:
    if judge.channels or _furthest(judge) is not BootStage.UNKNOWN:
        return None
    cause = "nothing was seen on any channel"
    return Verdict(
        BootResult.NO_SERIAL, BootStage.UNKNOWN, FailureDomain.UNKNOWN, Fault.NONE, cause, None, reason
    )


def _waits(judge: Judge, _reason: EndReason | None) -> Verdict | None:
    """A boot menu or a passphrase prompt waits for a person, or has no such entry: not a failure."""
    waits = judge.attempt.waits
    if waits is None:
        return None
    stage = _furthest(judge)
    return Verdict(
        BootResult.INCOMPLETE,
        stage,
        FailureDomain.NONE,
        Fault.NONE,
        waits.detail,
        waits.seconds,
        waits.reason,
    )


def _unfinished(judge: Judge, reason: EndReason | None) -> Verdict | None:
    stage = _furthest(judge)
    why = (
        {
            EndReason.TIMEOUT: "the time ran out",
            EndReason.INTERRUPTED: "the recording was interrupted",
            EndReason.KILLED: "the recorder was killed",
            EndReason.QEMU_EXITED: "QEMU was ended from outside",
        }.get(reason or EndReason.TIMEOUT, "the recording ended")
        if reason
        else "the recording ends"
    )
    cause = f"{why} at stage {stage.value}, before {judge.presence.awaited or judge.expectation.describe()}"
    if broken := judge.book.first(
        FindingKind.BOOTLOADER_FILE_MISSING,
        FindingKind.ROOT_NOT_FOUND,
        FindingKind.INITRAMFS_CORRUPT,
        FindingKind.OOPS,
        FindingKind.IO_ERROR,
        FindingKind.DISK_FULL,
    ):
        cause = f"{cause}; last trouble: {broken.summary}"
    if stall := judge.stall:
        cause = f"{cause}; {stall.summary}"
    domain = FailureDomain.UNKNOWN
    return Verdict(BootResult.INCOMPLETE, stage, domain, Fault.NONE, cause, None, reason)


_RULES: Final[tuple[Callable[[Judge, EndReason | None], Verdict | None], ...]] = (
    _panic,
    _reset_loop,
    _goal,
    _stuck,
    _waits,
    _off,
    _halted,
    _harness,
    _handed_over,
    _nothing_seen,
    _root_missing,
    _loader_waits,
    _unfinished,
)


def _deciding_fatal(judge: Judge) -> EndCause | None:
    """The current attempt's panic; or that of an attempt before, when the machine then came no further."""
    if judge.attempt.fatal:
        return judge.attempt.fatal
    if judge.attempt.goal or judge.attempt.off or judge.attempt.stuck:
        return None
    stage = judge.attempt.stage
    for attempt in reversed(judge.progress.attempts[:-1]):
        if attempt.fatal and stage.rank <= attempt.stage.rank and stage.rank < BootStage.USERSPACE.rank:
            return attempt.fatal
    return None


def _explain_fatal(judge: Judge, fatal: EndCause, stage: BootStage) -> Verdict:
    detail, domain = fatal.detail, fatal.domain
    corrupt = judge.book.first(FindingKind.INITRAMFS_CORRUPT)
    if killed := _INIT_KILLED.search(detail):
        domain = FailureDomain.USERSPACE
        detail = f"{detail} ({_exit_words(int(killed['code'], 16))})"
        if why := judge.book.first(
            FindingKind.CPU_UNSUITABLE,
            FindingKind.INIT_SEGFAULT,
            FindingKind.DISK_FULL,
            FindingKind.ROOT_NOT_FOUND,
        ):
            detail = f"{why.summary}; then {detail}"
        elif int(killed["code"], 16) & 0x7F and (
            oops := judge.book.first(FindingKind.KERNEL_BUG, FindingKind.OOPS)
        ):
            # the kernel crashed while it worked for init, and took init with it
            domain, detail = FailureDomain.KERNEL, f"{oops.summary}; then {detail}"
    elif _NO_ROOT.search(detail) and corrupt:
        detail = f"{corrupt.summary}; then {detail}"
    elif _NO_ROOT.search(detail) and (missing := _initrd_missing(judge)):
        domain = FailureDomain.BOOTLOADER
        detail = f"{missing}; then {detail}"
    elif _NO_ROOT.search(detail) and judge.book.has(FindingKind.IO_ERROR):
        domain = FailureDomain.HARDWARE
        detail = f"{detail}; the medium could not be read"
    elif _NO_ROOT.search(detail) and (missing := _named_root(judge)):
        detail = f"{missing}; then {detail}"
    elif NO_MEMORY.search(detail):
        detail = f"{detail}: the guest has too little memory"
    elif _MACHINE_CHECK.search(detail):
        domain = FailureDomain.HARDWARE
    elif _FATAL_OOPS.search(detail) and (first := judge.book.first(FindingKind.KERNEL_BUG, FindingKind.OOPS)):
        detail = f"{first.summary}; then {detail}"
    return _failure(stage, domain, fatal, detail)


def _initrd_missing(judge: Judge) -> str:
    """What the boot loader or the EFI stub said about an initramfs that it could not load, empty for nothing."""
    complaints = (
        f
        for f in judge.findings
        if f.kind in (FindingKind.BOOTLOADER_FILE_MISSING, FindingKind.EFI_STUB_ERROR)
    )
    return next((f.summary for f in complaints if _INITRD_NAME.search(f.summary)), "")


def _named_root(judge: Judge) -> str:
    """What was to be the root and could not be mounted, empty where it has no name."""
    named = (f.summary for f in judge.findings if f.kind is FindingKind.ROOT_UNMOUNTABLE)
    return next((summary for summary in named if not summary.endswith("file system")), "")


def _exit_words(code: int) -> str:
    """A wait status as text, as wait(2) encodes it."""
    signal_number = code & 0x7F
    if signal_number:
        return f"the first process was killed by signal {signal_number}"
    return f"the first process exited with code {code >> 8 & 0xFF}"


def _failure(stage: BootStage, domain: FailureDomain, ending: EndCause, cause: str = "") -> Verdict:
    return Verdict(
        BootResult.FAILURE, stage, domain, Fault.GUEST, cause or ending.detail, ending.seconds, ending.reason
    )


def _furthest(judge: Judge) -> BootStage:
    """The stage of the current attempt, or the best of all when the machine has only just been reset."""
    if judge.progress.loop or judge.attempt.empty:
        return judge.progress.furthest
    return judge.attempt.stage
