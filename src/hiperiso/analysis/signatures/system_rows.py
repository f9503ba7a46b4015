"""How rows about systems other than Linux are made."""

from __future__ import annotations

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity


def started(
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    family: str,
    software: str = "",
) -> Signature:
    """A row that shows that its kernel runs; `software` is the family if it has no version."""
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        stage=BootStage.KERNEL,
        software=software or family,
        family=family,
    )


def stopped(
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    summary: str = "{0}",
    kind: FindingKind = FindingKind.KERNEL_PANIC,
    requires: tuple[str, ...] = (),
    shares: tuple[FindingKind | str, ...] = (),
    effect: Effect = Effect.FATAL,
    settle_s: float = 1.0,
) -> Signature:
    """A row that shows that its kernel has stopped."""
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        requires=requires,
        stage=BootStage.KERNEL,
        kind=kind,
        severity=Severity.FATAL,
        domain=FailureDomain.KERNEL,
        summary=summary,
        effect=effect,
        settle_s=settle_s,
        reason=EndReason.PANIC,
    )
