"""Texts that are mostly on screens, not on serial ports: boot menus, and fatal error screens.

Sources: the defaults of syslinux's menu (doc/menu.txt) and of GRUB's; the stop screens of Windows and ReactOS; the
kernel's DRM panic screen (CONFIG_DRM_PANIC).
"""

from __future__ import annotations

from typing import Final

from hiperiso import rows
from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity


def _menu(
    pattern: str, literals: tuple[str, ...], example: str, unlike: str, software: str = ""
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=(example,),
        unlike=unlike,
        stage=BootStage.BOOTLOADER,
        software=software,
        family=software,
    )


def _stop(  # noqa: PLR0917
    pattern: str,
    literals: tuple[str, ...],
    example: str,
    unlike: str,
    summary: str,
    kind: FindingKind,
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=(example,),
        unlike=unlike,
        stage=BootStage.KERNEL,
        kind=kind,
        severity=Severity.FATAL,
        domain=FailureDomain.KERNEL,
        summary=summary,
        effect=Effect.FATAL,
        on=On.SCREEN,
        settle_s=2.0,  # its other rows may say more
        reason=EndReason.PANIC,
    )


SIGNATURES: Final = (
    _menu(
        rows.SYSLINUX_HELP,
        ("Automatic boot in ", "to edit options"),
        "              Automatic boot in 10 seconds...",
        "Automatic boots in winter",
        "syslinux",
    ),
    _menu(
        rows.SYSLINUX_TEXT_HELP,
        ("Press ENTER to boot or TAB",),
        "           Press ENTER to boot or TAB to edit a menu entry",
        "Press ENTER to go on",
    ),
    _menu(
        rows.GRUB_HELP + r"|^\W{0,60}The highlighted entry will be executed automatically in \d",
        ("keys to select which entry", "keys to change the selection", "The highlighted entry will be"),
        "   The highlighted entry will be executed automatically in 5s.",
        "The highlighted entry is the first",
        "GRUB",
    ),
    _stop(
        r"\bA problem has been detected and (?P<os>\w{1,20}) has been shut ?down",
        ("A problem has been detected and",),
        "A problem has been detected and Windows has been shut down to prevent damage",
        "A problem has been detected and solved",
        "{os} stopped: {0}",
        FindingKind.STOP_SCREEN,
    ),
    _stop(
        r"^\W{0,40}STOP: (?P<c>0x[0-9A-Fa-f]{8,16})\b",
        ("STOP: 0x",),
        "*** STOP: 0x0000007B (0xF78D2524,0xC0000034,0x00000000,0x00000000)",
        "STOP: that is enough",
        "Windows stopped with code {c}",
        FindingKind.STOP_SCREEN,
    ),
    _stop(
        r"\bYour (?:PC|device|PC/Device) ran into a problem\b",
        ("ran into a problem",),
        "Your PC ran into a problem and needs to restart. We're just",
        "Your PC ran well",
        "Windows stopped: {0}",
        FindingKind.STOP_SCREEN,
    ),
    _stop(
        r"\bA fatal exception (?P<c>[0-9A-F]{2}) has occurred at [0-9A-F]{4}:[0-9A-F]{8}\b",
        ("A fatal exception ",),
        "A fatal exception 0E has occurred at 0028:C0011E36 in VXD VMM(01) +",
        "A fatal exception in the demo",
        "Windows stopped: {0}",
        FindingKind.STOP_SCREEN,
    ),
)
