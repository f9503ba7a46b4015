"""Screens that are pictures, as OCR reads them: logins, first pages of installers, and what is shown when all is lost.

Only phrases that hardly stand anywhere else, each in the words of the original. Sources: the message tables of GDM,
SDDM, LightDM, Anaconda, Calamares, Ubiquity and Windows Setup as their screens show them; the kernel's DRM panic screen
(Documentation of CONFIG_DRM_PANIC) and Windows' stop screens.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity


def _login(*phrases: str, at_least: BootStage = BootStage.KERNEL) -> Signature:
    summary = "a login screen (read from the picture: {0})"
    return _waiting(BootStage.LOGIN, FindingKind.LOGIN_SCREEN, summary, phrases, at_least)


def _installer(name: str, *phrases: str, at_least: BootStage = BootStage.KERNEL) -> Signature:
    summary = f"{name} waits for a person (read from the picture: {{0}})"
    return _waiting(
        BootStage.INSTALLER, FindingKind.INSTALLER_SCREEN, summary, phrases, at_least, software=name
    )


def _waiting(
    stage: BootStage,
    kind: FindingKind,
    summary: str,
    phrases: tuple[str, ...],
    at_least: BootStage,
    *,
    software: str = "",
) -> Signature:
    return Signature(
        pattern=".{1,100}",
        literals=phrases,
        examples=phrases[:1],
        unlike="words of another page",
        stage=stage,
        kind=kind,
        summary=summary,
        software=software,
        effect=Effect.WAITING,
        reason=EndReason.EXPECTED_STAGE,
        settle_s=2.0,
        at_least=at_least,
    )


def _failure(kind: FindingKind, domain: FailureDomain, *phrases: str) -> Signature:
    return Signature(
        pattern=".{1,100}",
        literals=phrases,
        examples=phrases[:1],
        unlike="words of another page",
        kind=kind,
        severity=Severity.FATAL,
        domain=domain,
        summary="read from the picture: {0}",
        effect=Effect.FATAL,
        settle_s=2.0,
    )


SIGNATURES: Final = (
    _login(
        "Not listed?", "Sign in as a different user", "Select your desktop environment", "Enter your password"
    ),
    _login("Sign-in options", "I forgot my PIN", at_least=BootStage.UNKNOWN),
    _installer(
        "Debian installer",
        "Choose the language to be used for the installation process",
        "Select your location",
        "Configure the keyboard",
    ),
    _installer(
        "Anaconda",
        "What language would you like to use during the installation process",
        "INSTALLATION SUMMARY",
    ),
    _installer("Ubuntu installer", "Try or install Ubuntu", "Choose your language to get started"),
    _installer("Calamares", "to the Calamares installer", "Welcome to the Calamares setup program"),
    _installer(
        "Windows Setup",
        "Time and currency format",
        "Language to install",
        "Select language settings",
        at_least=BootStage.UNKNOWN,
    ),
    _failure(
        FindingKind.STOP_SCREEN,
        FailureDomain.KERNEL,
        "ran into a problem and needs to restart",
        "A problem has been detected and Windows has been shut down",
        "Technical information: *** STOP",
    ),
    _failure(
        FindingKind.RECOVERY_SCREEN,
        FailureDomain.BOOTLOADER,
        "Your PC couldn't start properly",
        "Your PC/Device needs to be repaired",
        "Windows failed to start",
    ),
    _failure(FindingKind.KERNEL_PANIC, FailureDomain.KERNEL, "KERNEL PANIC! Please reboot your computer"),
    _failure(
        FindingKind.DESKTOP_FAILED,
        FailureDomain.USERSPACE,
        "A problem has occurred and the system can't recover",
    ),
)
