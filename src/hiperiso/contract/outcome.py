"""What a command exits with, from how the boot came out: of a recording, or of one that is judged again."""

from __future__ import annotations

from typing import Final

from hiperiso.contract.words import BootResult, EndReason, Fault
from hiperiso.errors import ExitCode

_ASKED_OF_THE_MENU: Final[dict[object, ExitCode]] = {
    EndReason.MENU_LISTED: ExitCode.SUCCESS,
    EndReason.MENU_ENTRY_MISSING: ExitCode.USAGE,
}
"""Ends that the setting ``menu`` brings about; the guest has no part in them."""


def exit_code_for(result: object, fault: object, reason: object = None) -> ExitCode:
    """What a command exits with whose boot came out so, and ended for that reason."""
    if fault is Fault.HARNESS:
        return ExitCode.HARNESS_FAULT
    if reason in _ASKED_OF_THE_MENU:
        return _ASKED_OF_THE_MENU[reason]
    if result is BootResult.SUCCESS:
        return ExitCode.SUCCESS
    return ExitCode.GUEST_FAILED if result is BootResult.FAILURE else ExitCode.INCOMPLETE
