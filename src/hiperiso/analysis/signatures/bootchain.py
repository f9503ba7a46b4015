"""An initramfs with bootchain: its steps, its end, its rescue shell.

Sources: the records that ``bootchain.init`` copies to the kernel log, and what it prints itself.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_I = BootStage.INITRAMFS
_STEP = (
    r'^bootchain: \{"n": \d{1,6}, "t": [\d.]{1,20}, "event": "step", "number": (?P<number>\d{1,6}), '
    r'"step": "(?P<step>[\w.-]{1,60})", "callnum": \d{1,6}, "try": (?P<attempt>\d{1,3}), "code": '
)
_STEP_EXAMPLE = (
    'bootchain: {{"n": 1, "t": 7.8, "event": "step", "number": 0, "step": "mountfs", "callnum": 0, "try": 1, '
    '"code": {code}, "skipped": false, "duration_ms": 108.991, "remaining": []}}'
)

SIGNATURES: Final = (
    Signature(
        pattern=r'^bootchain: \{"n": \d{1,6}, "t": [\d.]{1,20}, "event": "start"',
        literals=("bootchain: {",),
        examples=(
            'bootchain: {"n": 0, "t": 7.688, "event": "start", "mode": "native", "chain": ["waitdev"]}',
        ),
        unlike="bootchain: see the log",
        stage=_I,
        software="bootchain",
    ),
    Signature(
        pattern=_STEP + r'0, "skipped": false, "duration_ms": (?P<ms>[\d.]{1,16})',
        literals=("bootchain: {",),
        examples=(_STEP_EXAMPLE.format(code=0),),
        unlike="bootchain: step 0 was done",
        stage=_I,
        kind=FindingKind.CHAIN_STEP,
        summary="boot step {number} ({step}) was done after {ms} ms",
    ),
    Signature(
        pattern=_STEP + r'(?P<code>-?[1-9]\d{0,3}), "skipped": false',
        literals=("bootchain: {",),
        examples=(_STEP_EXAMPLE.format(code=1),),
        unlike="bootchain: step 0 failed",
        stage=_I,
        kind=FindingKind.CHAIN_STEP_FAILED,
        severity=Severity.WARNING,
        domain=FailureDomain.USERSPACE,
        summary="boot step {number} ({step}) failed with code {code} at try {attempt}",
    ),
    Signature(
        pattern=r"^bootchain-init: the boot has failed: (?P<why>.{1,200})",
        literals=("bootchain-init: ",),
        examples=(
            "bootchain-init: the boot has failed: step 0 (mountfs) failed with code 1: tried 5 times in all",
        ),
        unlike="bootchain-init: the boot goes on",
        stage=_I,
        kind=FindingKind.CHAIN_FAILED,
        severity=Severity.ERROR,
        domain=FailureDomain.USERSPACE,
        summary="{why}",
        software="bootchain",
    ),
    Signature(
        pattern=r"^\(bootchain\) ?$|^\(bootchain\) (?=\S)",
        literals=("(bootchain)",),
        examples=("(bootchain) ",),
        unlike="the (bootchain) prompt",
        stage=_I,
        kind=FindingKind.EMERGENCY_SHELL,
        severity=Severity.FATAL,
        domain=FailureDomain.USERSPACE,
        summary="the boot chain failed, and its rescue shell waits",
        software="bootchain",
        effect=Effect.STUCK,
        on=On.ANY,
        settle_s=2.0,
        reason=EndReason.STUCK,
    ),
    Signature(
        pattern=r"^bootchain-init: switching to stage 2: (?P<init>/\S{1,100}) on ",
        literals=("bootchain-init: ",),
        examples=("bootchain-init: switching to stage 2: /sbin/init on /root",),
        unlike="bootchain-init: reading the steps",
        stage=_I,
        software="bootchain",
        effect=Effect.ROOT_SWITCHED,
    ),
)
