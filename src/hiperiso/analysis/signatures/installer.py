"""Installers: Debian's, Anaconda, Subiquity, Calamares, YaST, Alpine's and FreeBSD's.

Sources: recordings of the Debian installer; the installation guides of the others.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.contract.words import BootStage, EndReason, FindingKind

_DI_TITLES: Final = (
    r"Select|Choose|Configure|Configuring|Detect|Set up|Partition"
    r"|Install|Installing|Load|Loading|Finish|Starting up"
)


def _installer(
    pattern: str, literals: tuple[str, ...], example: str, name: str, *, requires: str = ""
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        example=example,
        stage=BootStage.INSTALLER,
        kind=FindingKind.INSTALLER_SCREEN,
        summary=f"{name} waits for a person",
        software=name,
        effect=Effect.WAITING,
        reason=EndReason.EXPECTED_STAGE,
        requires=requires,
    )


def _progress(pattern: str, literals: tuple[str, ...], example: str, name: str) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        example=example,
        stage=BootStage.USERSPACE,
        software=name,
        family=name,
    )


SIGNATURES: Final = (
    _progress(
        r"^Starting system log daemon: syslogd",
        ("Starting system log daemon",),
        "Starting system log daemon: syslogd, klogd.",
        "Debian installer",
    ),
    _installer(
        rf"\[(?:!!|!|\?|\.)\] (?:{_DI_TITLES})\b|^\W{{0,8}}(?:Select a language|Choose language)\W{{0,80}}$",
        ("] ", "Select a language", "Choose language"),
        "[!!] Select a language",
        "Debian installer",
    ),
    _installer(  # in any language: the title of a dialog stands in its frame
        r"[┤┨|] ?\[(?:!!|!|\?|\.)\] [^\W\d_].{1,70} ?[├┠|]",
        ("] ",),
        "┌────────────────┤ [!!] Sprache auswählen ├────────────────┐",
        "Debian installer",
    ),
    _installer(  # whose frame is drawn in another way
        r"^\W{0,60}\[(?:!!|!|\?|\.)\] [^\W\d_]",
        ("] ",),
        "    [!!] Choisir la langue",
        "Debian installer",
        requires="Debian installer",
    ),
    _progress(
        (
            r"^(?:Starting installer, one moment|anaconda(?:\[\d{1,8}\])?["
            r" :].{0,80}(?:started|Starting))|Started anaconda"
        ),
        ("Starting installer, one moment", "anaconda"),
        "Starting installer, one moment...",
        "Anaconda",
    ),
    _installer(
        (
            r"^\s{0,4}Please (?:make a selection from the above|respond"
            r" 'yes' or 'no'|make your choice from)"
            r"|^\s{0,4}2\) {1,3}Use text mode"
        ),
        ("Please make ", "Please respond", "Use text mode"),
        "Please make a selection from the above ['b' to begin installation, 'q' to quit,",
        "Anaconda",
    ),
    _progress(
        r"^subiquity(?:-server|/|\[|_)",
        ("subiquity",),
        "subiquity/Early/load_autoinstall_config",
        "Subiquity",
    ),
    _installer(
        (
            r"Willkommen! Bienvenue! Welcome!|Continue in (?:rich|basic)"
            r" mode|Use UP, DOWN and ENTER keys to select your language"
        ),
        ("Willkommen! Bienvenue!", "Continue in ", "Use UP, DOWN and ENTER"),
        "Willkommen! Bienvenue! Welcome! Добро пожаловать! Welkom!",
        "Subiquity",
    ),
    _installer(
        r"^calamares(?:\[\d{1,8}\])?: |\b(?:Started|Starting) .{0,40}[Cc]alamares",
        ("alamares",),
        "calamares[812]: Calamares version: 3.2.61",
        "Calamares",
    ),
    _progress(
        r">>> (?:open)?SUSE (?:Linux )?installation program v|^Starting hardware detection\.\.\.|\blinuxrc \d",
        ("SUSE", "Starting hardware detection", "linuxrc"),
        ">>> openSUSE installation program v7.0.30 (c) 1996-2022 SUSE LLC <<<",
        "YaST",
    ),
    _installer(
        (
            r"^\W{0,8}YaST2? - .{0,40}(?:Welcome|Language|installation)"
            r"|Starting (?:YaST|Installer)\b.{0,20}$"
        ),
        ("YaST", "Starting Installer"),
        "YaST2 - installation @ install  Language, Keyboard and License",
        "YaST",
    ),
    _installer(
        r"Would you like to begin an installation or use the live (?:CD|system)\?|FreeBSD Installer",
        ("begin an installation", "FreeBSD Installer"),
        "Would you like to begin an installation or use the live CD?",
        "FreeBSD installer",
    ),
)
