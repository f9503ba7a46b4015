"""How rows about boot loaders are made."""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_BL: Final = BootStage.BOOTLOADER
_DOMAIN: Final = FailureDomain.BOOTLOADER


def seen(
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    software: str = "",
    stage: BootStage = _BL,
    family: str = "",
    shares: tuple[FindingKind | str, ...] = (),
) -> Signature:
    """A row that shows a boot loader."""
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        stage=stage,
        software=software,
        family=family or software.split(" {", maxsplit=1)[0],
    )


def failed(
    kind: FindingKind,
    summary: str,
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    severity: Severity = Severity.FATAL,
    effect: Effect = Effect.STUCK,
    on: On = On.ANY,
    shares: tuple[FindingKind | str, ...] = (),
    requires: tuple[str, ...] = (),
    domain: FailureDomain = _DOMAIN,
    stage: BootStage = _BL,
    settle_s: float = 3.0,
) -> Signature:
    """A row that shows that a boot loader failed, or misses something."""
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        requires=requires,
        on=on,
        stage=stage,
        kind=kind,
        severity=severity,
        domain=domain,
        summary=summary,
        effect=effect,
        settle_s=settle_s,
        reason=EndReason.STUCK if "prompt" in kind else EndReason.BOOT_FAILED,
    )
