"""Installers: Debian's, Anaconda, Subiquity, Calamares, YaST, archinstall, Alpine's and FreeBSD's; their questions,
and the words with which they give up.

Sources: recordings of the Debian installer; the installation guides and the message catalogues of the others.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_DI_TITLES: Final = (
    r"Select|Choose|Configure|Configuring|Detect|Set up|Partition"
    r"|Install|Installing|Load|Loading|Finish|Starting up|Debian installer main menu"
)


def _installer(
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    name: str,
    unlike: str,
    requires: tuple[str, ...] = (),
    shares: tuple[FindingKind | str, ...] = (),
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        stage=BootStage.INSTALLER,
        kind=FindingKind.INSTALLER_SCREEN,
        summary=f"{name} waits for a person",
        software=name,
        effect=Effect.WAITING,
        reason=EndReason.EXPECTED_STAGE,
        requires=requires,
    )


def _progress(
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    name: str,
    unlike: str,
    shares: tuple[FindingKind | str, ...] = (),
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        stage=BootStage.USERSPACE,
        software=name,
        family=name,
    )


def _gave_up(
    name: str,
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    shares: tuple[FindingKind | str, ...] = (),
    requires: tuple[str, ...] = (),
) -> Signature:
    """An installer that failed: nothing that it asks afterwards makes a success of it."""
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        requires=requires,
        stage=BootStage.USERSPACE,
        kind=FindingKind.INSTALLER_FAILED,
        severity=Severity.FATAL,
        domain=FailureDomain.USERSPACE,
        summary=f"{name} failed: {{0}}",
        effect=Effect.FATAL,
        settle_s=3.0,
        reason=EndReason.BOOT_FAILED,
    )


_NAMES: Final = (
    "Anaconda", "Subiquity", "Calamares", "Debian installer", "YaST", "archinstall", "Ubiquity", "installer",
)  # fmt: skip

_DEBIAN: Final = (
    _progress(
        r"^Starting system log daemon: syslogd",
        ("Starting system log daemon",),
        "Starting system log daemon: syslogd, klogd.",
        name="Debian installer",
        unlike="Restarting system log daemon",
    ),
    _installer(
        rf"\[(?:!!|!|\?|\.)\] (?:{_DI_TITLES})\b|^\W{{0,8}}(?:Select a language|Choose language)\W{{0,80}}$",
        ("[!!] ", "[!] ", "[?] ", "[.] ", "Select a language", "Choose language"),
        "[!!] Select a language",
        name="Debian installer",
        unlike="[ ] Select a colour",
    ),
    _installer(  # in any language: the title of a dialog stands in its frame
        r"[┤┨|] ?\[(?:!!|!|\?|\.)\] [^\W\d_].{1,70} ?[├┠|]",
        ("[!!] ", "[!] ", "[?] ", "[.] "),
        "┌────────────────┤ [!!] Sprache auswählen ├────────────────┐",
        name="Debian installer",
        unlike="| [x] Sprache |",
    ),
    _installer(  # whose frame is drawn in another way
        r"^\W{0,60}\[(?:!!|!|\?|\.)\] [^\W\d_]",
        ("[!!] ", "[!] ", "[?] ", "[.] "),
        "    [!!] Choisir la langue",
        name="Debian installer",
        unlike="    [x] Choisir la langue",
        requires=("Debian installer",),
    ),
    _gave_up(
        "the Debian installer",
        r"\bNo (?:device for installation media|kernel modules|Ethernet card|network interfaces?|partitionable media"
        r"|disk drive|installable kernel) (?:was |were )?(?:detected|found)\b|\bThere was a problem reading data from "
        r"the (?:CD-ROM|removable media)|\b(?:Debootstrap|Bootstrap) [Ee]rror\b|\bInstallation step failed\b"
        r"|^\W{0,20}An installation step failed\b|\bFailed to mount (?:the )?(?:CD-ROM|installation media)"
        r"|\b(?:Cannot install|Unable to install|Failed to install) (?:base system|the base system|GRUB"
        r"|the selected kernel)"
        r"|\bLow memory mode\b.{0,40}cannot|\bAn error has been detected while trying to use\b"
        r"|\binstallation (?:CD-ROM|media|medium) couldn't be mounted\b|^\W{0,8}Bad archive mirror\W{0,40}$"
        r"|\bNo (?:common CD-ROM drive|installation media|root file system) (?:was |is )?(?:detected|found|defined)\b",
        ("No device for installation media", "No kernel modules", "No network interface", "No network interfaces",
         "No Ethernet card", "No partitionable media", "No disk drive", "No installable kernel",
         "There was a problem reading", "Debootstrap Error", "Debootstrap error", "Bootstrap Error",
         "Installation step failed", "installation step failed", "Failed to mount",
         "Cannot install", "Unable to install", "Failed to install", "An error has been detected while",
         "couldn't be mounted", "Bad archive mirror", "No common CD-ROM drive", "No installation media",
         "No root file system"),
        "No device for installation media was detected.",
        "An installation step failed. You can try to run the failing item again",
        unlike="A device for installation media was detected.",
        shares=(FindingKind.ROOT_NOT_FOUND,),
    ),
)  # fmt: skip

_OTHERS: Final = (
    _progress(
        (
            r"^(?:Starting installer, one moment|anaconda(?:\[\d{1,8}\])?["
            r" :].{0,80}(?:started|Starting))|Started anaconda"
        ),
        ("Starting installer, one moment", "anaconda"),
        "Starting installer, one moment...",
        name="Anaconda",
        unlike="anaconda is a snake",
    ),
    _installer(
        (
            r"^\s{0,4}Please (?:make a selection from the above|respond"
            r" 'yes' or 'no'|make your choice from)"
            r"|^\s{0,4}[12]\) {1,3}(?:Use text mode|Start VNC|\[[ x!]\] Language settings)"
            r"|^\W{0,40}Text mode provides a limited set of installation options"
            r"|^\W{0,20}Installation complete\. {1,4}Press ENTER to quit"
        ),
        ("Please make ", "Please respond", "Use text mode", "Start VNC", "Language settings", "Text mode provides",
         "Installation complete"),
        "Please make a selection from the above ['b' to begin installation, 'q' to quit,",
        name="Anaconda",
        unlike="Please make coffee",
    ),
    _gave_up(
        "Anaconda",
        r"^\W{0,20}An unknown error has occurred\b|^\W{0,12}anaconda .{1,60}exception report"
        r"|\bThe following error occurred while installing|^\W{0,20}Pane is dead\b"
        r"|\bThe installation was stopped due to"
        r"|\bError setting up (?:base|software) (?:repository|source)\b|\bkickstart .{0,40}(?:parse|parsing) error"
        r"|\bThe following problem occurred on line \d{1,5} of the kickstart",
        ("An unknown error has occurred", "exception report", "The following error occurred while", "Pane is dead",
         "The installation was stopped", "Error setting up", "kickstart", "The following problem occurred"),
        "An unknown error has occurred",
        "anaconda 34.25 exception report",
        unlike="An error has occurred in the demo",
    ),
    _gave_up(
        "the installer",
        r"^(?:An error occurred\. Press (?:enter|Enter|ENTER) to start a shell|Sorry, (?:an unknown error|there was a "
        r"problem) (?:occurred|completing)|\W{0,20}(?:The installer (?:encountered"
        r"|has encountered) an (?:unrecoverable )?"
        r"error|Installation (?:has |of .{1,60} )?failed\b|The installation (?:has )?failed"
        r"|An error occurred during installation"
        r"|Something went wrong(?: during the installation|:)|Sorry, the installer (?:has )?(?:crashed|failed)))",
        ("An error occurred. Press ", "Sorry, ", "The installer encountered", "The installer has encountered",
         "Installation failed", "Installation of ", "Installation has failed", "installation failed",
         "installation has failed", "error occurred during installation", "Something went wrong"),
        "An error occurred. Press enter to start a shell",
        "Sorry, an unknown error occurred.",
        "Installation failed",
        "Installation of demo.tgz failed. Continue anyway? [no] ",
        unlike="Something went wrong and we can't continue booting :(",
        shares=(FindingKind.EMERGENCY_SHELL,),
    ),
    _gave_up(
        "the installer",
        r"^(?:Traceback \(most recent call last\):|\S{1,40}\[\d{1,8}\]: Traceback \(most recent call last\):)",
        ("Traceback (most recent call last)",),
        "Traceback (most recent call last):",
        unlike="the traceback (most recent call last) is explained later",
        requires=_NAMES,
    ),
    _progress(
        r"^subiquity(?:-server|/|\[|_)|\bStarted snap\.subiquity|^finish: subiquity",
        ("subiquity",),
        "subiquity/Early/load_autoinstall_config",
        name="Subiquity",
        unlike="see subiquity in the manual",
    ),
    _installer(
        (
            r"Willkommen! Bienvenue! Welcome!|Continue in (?:rich|basic)"
            r" mode|Use UP, DOWN and ENTER keys to select your language"
        ),
        ("Willkommen! Bienvenue!", "Continue in ", "Use UP, DOWN and ENTER"),
        "Willkommen! Bienvenue! Welcome! Добро пожаловать! Welkom!",
        name="Subiquity",
        unlike="Continue in the next line",
    ),
    _installer(
        r"^calamares(?:\[\d{1,8}\])?: |\b(?:Started|Starting) .{0,40}[Cc]alamares",
        ("calamares", "Calamares"),
        "calamares[812]: Calamares version: 3.2.61",
        name="Calamares",
        unlike="Installing calamares 3.2",
    ),
    _gave_up(
        "Calamares",
        r"^(?:calamares(?:\[\d{1,8}\])?: )?.{0,40}\b(?:Calamares Initialization Failed|Installation Failed"
        r"|FATAL:? (?:none of the expected|could not load|no such).{0,80}|ERROR: (?:Installation failed|"
        r"job failed).{0,80})",
        ("Calamares Initialization Failed", "Installation Failed", "FATAL", "ERROR: Installation failed",
         "ERROR: job failed"),
        "Calamares Initialization Failed",
        unlike="calamares[812]: Calamares version: 3.2.61",
        requires=("Calamares",),
    ),
    _progress(
        r">>> (?:open)?SUSE (?:Linux )?installation program v|^Starting hardware detection\.\.\.|\blinuxrc \d",
        ("installation program v", "SUSE ", "Starting hardware detection", "linuxrc"),
        ">>> openSUSE installation program v7.0.30 (c) 1996-2022 SUSE LLC <<<",
        name="YaST",
        unlike="openSUSE is a distribution",
    ),
    _installer(
        (
            r"^\W{0,8}YaST2? - .{0,40}(?:Welcome|Language|installation)"
            r"|Starting (?:YaST|Installer)\b.{0,20}$|^[\s>]{0,12}Main Menu\s{0,40}$"
        ),
        ("YaST", "YaST2", "Starting Installer", "Main Menu"),
        "YaST2 - installation @ install  Language, Keyboard and License",
        name="YaST",
        unlike=" ┌────── Main Menu ──────┐",
    ),
    _gave_up(
        "YaST",
        r"\b(?:No repository found\.|Could not find the \S{1,40} Repository\.|No \S{1,40} CD found|"
        r"An error occurred during the installation\.|Please make sure your installation medium is available\."
        r"|Could not find the \S{1,60} Installation (?:Medium|Source))|^\*\*\* (?:Internal error|Installation failed)",
        ("No repository found", "Could not find the ", "CD found", "An error occurred during the installation",
         "your installation medium is available", "*** Internal error", "*** Installation failed"),
        "No repository found.",
        unlike="A repository was found.",
        shares=(FindingKind.ROOT_NOT_FOUND,),
    ),
    _progress(
        r"^archinstall\b|\barchinstall (?:version|v\d)",
        ("archinstall",),
        "archinstall version 2.7.0",
        name="archinstall",
        unlike="run it with the command archinstall",
    ),
    _installer(
        r"^\W{0,10}(?:Archinstall language|Set/Modify the below options|Press ? ?for help.{0,20}archinstall)"
        r"|^ ?(?:Select keyboard layout|Which one\? ?\[|Enter system hostname)",
        ("Archinstall language", "Set/Modify the below options", "Select keyboard layout", "Enter system hostname",
         "Which one?"),
        "  Set/Modify the below options",
        "Enter system hostname (fully qualified form, e.g. 'foo.example.org') [localhost] ",
        name="installer",
        unlike="The keyboard layouts are listed",
    ),
    _gave_up(
        "the installer",
        r"^unable to continue \(type exit\b.{0,60}"
        r"|^(?:ERROR|FATAL): (?:[Tt]he )?[Ii]nstallation (?:has )?failed\b.{0,80}",
        ("unable to continue", "Installation failed", "installation failed", "Installation has failed",
         "installation has failed"),
        "unable to continue (type exit or CTRL-D to reboot)",
        "ERROR: Installation failed: no disk",
        unlike="unable to continue with booting",
        shares=(FindingKind.EMERGENCY_SHELL,),
    ),
    _gave_up(
        "archinstall",
        r"^(?:Archinstall experienced the above error|.{0,20}archinstall.{0,60}(?:experienced|aborted|fatal))",
        ("Archinstall experienced", "archinstall"),
        "Archinstall experienced the above error. If you think this is a bug, please report it",
        unlike="archinstall version 2.7.0",
    ),
    _installer(
        r"Would you like to begin an installation or use the live (?:CD|system)\?|FreeBSD Installer"
        r"|^Console type \[\w{1,12}\]: ?$"
        r"|^\W{0,20}(?:Welcome to (?:the )?[\w ./-]{1,40} [Ii]nstall(?:er|ation program)\b"
        r"|Install [\w ]{2,30}\? \[[yYnN/]{1,5}\]|Do you (?:want|wish) to (?:install|continue with the installation))",
        ("begin an installation", "FreeBSD Installer", "Console type", "Installer", "installer",
         "installation program", "Install ", "Do you want to", "Do you wish to"),
        "Would you like to begin an installation or use the live CD?",
        "Welcome to the Demo Linux installer",
        "Console type [vt100]: ",
        name="installer",
        unlike="the installer of FreeBSD",
    ),
)  # fmt: skip

SIGNATURES: Final = _DEBIAN + _OTHERS
