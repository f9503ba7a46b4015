"""A desktop that fails on the standard display adapter alone is not yet the guest's failure: what to boot next."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from msgspec.structs import replace as with_settings

from hiperiso.contract import files
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import FindingKind, Vga
from hiperiso.errors import ExitCode
from hiperiso.session.request import BootOutcome, BootRequest

TRIED: Final = "nothing was drawn on the standard VGA adapter: trying a virtio GPU"
_MAY_BE_THE_ADAPTER: Final = (FindingKind.DESKTOP_BLANK, FindingKind.COMPOSITOR_FAILED)


def on_another_adapter(request: BootRequest, outcome: BootOutcome) -> BootRequest | None:
    """The boot to try before a blank screen or a compositor that ends counts as the guest's failure; None without one.

    One with a virtio GPU, unless a display adapter was chosen.
    """
    if request.settings.vga is not Vga.STD or "vga" in request.origins or request.settings.keep:
        return None
    try:
        findings = json.loads(StoredSession(outcome.path).text(files.REPORT_JSON)).get("findings", [])
    except ValueError:
        return None
    if not any(finding.get("kind") in _MAY_BE_THE_ADAPTER for finding in findings):
        return None
    return replace(request, settings=with_settings(request.settings, vga=Vga.VIRTIO))


def better_of(first: BootOutcome, second: BootOutcome) -> BootOutcome:
    """The outcome that counts: the second boot's where it succeeded, else the first one's."""
    return second if second.exit_code is ExitCode.SUCCESS else first
