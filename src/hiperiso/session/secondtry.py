"""A desktop that fails on the standard display adapter, or on the emulated CPU, is not yet the guest's failure: what to
boot next.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final

from msgspec.structs import replace as with_settings

from hiperiso.contract import files
from hiperiso.contract.settings import Settings
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import EndReason, FindingKind, Vga
from hiperiso.errors import ExitCode
from hiperiso.session.request import BootOutcome, BootRequest

_MAY_BE_THE_ADAPTER: Final = (FindingKind.DESKTOP_BLANK, FindingKind.COMPOSITOR_FAILED)
_MAY_BE_THE_CPU: Final = (*_MAY_BE_THE_ADAPTER, FindingKind.DESKTOP_FAILED)

_WITHOUT_AVX: Final = ("-avx2", "-avx")
"""QEMU 7.2 emulates AVX with faults: Mesa's llvmpipe crashes in it, and draws a desktop without it. A compositor that
does not run on the standard VGA adapter needs it on the virtio GPU: both are changed at once.
"""


@dataclass(frozen=True)
class SecondTry:
    """The boot to try before the first one counts as the guest's failure, and the reason in words."""

    request: BootRequest
    reason: str


def second_try(request: BootRequest, outcome: BootOutcome) -> SecondTry | None:
    """What to boot before a desktop that failed counts as the guest's failure; None where nothing else is to be tried.

    Where a program crashed under emulation, and then the desktop failed or the time ran out, a CPU without AVX, unless
    a CPU or its features were chosen; where nothing was drawn or a compositor ended each time, a virtio GPU, unless a
    display adapter was chosen, and under emulation that CPU with it.
    """
    settings = request.settings
    if settings.keep or outcome.manifest.end_reason is EndReason.INTERRUPTED:
        return None
    kinds = _findings(outcome)
    may_change_cpu = outcome.manifest.accel == "tcg" and settings.cpu is None and not settings.cpu_features
    without_avx = with_settings(settings, cpu_features=_WITHOUT_AVX) if may_change_cpu else settings
    failed = not kinds.isdisjoint(_MAY_BE_THE_CPU) or outcome.manifest.end_reason is EndReason.TIMEOUT
    if may_change_cpu and FindingKind.SEGFAULT in kinds and failed:
        return _try(
            request, outcome, without_avx, "a program crashed under emulation: trying a CPU without AVX"
        )
    if settings.vga is not Vga.STD or "vga" in request.origins or kinds.isdisjoint(_MAY_BE_THE_ADAPTER):
        return None
    tried = "a virtio GPU, and a CPU without AVX" if may_change_cpu else "a virtio GPU"
    reason = f"nothing was drawn on the standard VGA adapter: trying {tried}"
    return _try(request, outcome, with_settings(without_avx, vga=Vga.VIRTIO), reason)


def _try(request: BootRequest, outcome: BootOutcome, settings: Settings, reason: str) -> SecondTry:
    """The request with a note for the report of the second boot, which names the first one."""
    note = f"the second boot after {outcome.path.name}: {reason}"
    return SecondTry(replace(request, settings=settings, notes=(*request.notes, note)), reason)


def better_of(first: BootOutcome, second: BootOutcome) -> BootOutcome:
    """The outcome that counts: the second boot's where it succeeded, else the first one's."""
    return second if second.exit_code is ExitCode.SUCCESS else first


def _findings(outcome: BootOutcome) -> set[str]:
    try:
        findings = json.loads(StoredSession(outcome.path).text(files.REPORT_JSON)).get("findings", [])
    except ValueError:
        return set()
    return {kind for finding in findings if isinstance(kind := finding.get("kind"), str)}
