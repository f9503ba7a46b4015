"""systemd, OpenRC, sysvinit, BusyBox init, runit; failed units, emergency modes, login prompts and graphical logins.

Sources: recordings; systemd's and the service managers' own messages as documented; agetty(8).
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_U = BootStage.USERSPACE
_L = BootStage.LOGIN
_USER = FailureDomain.USERSPACE

_MANAGERS: Final = (
    Signature(
        pattern=r"\bsystemd\[1\]: systemd (?P<v>\d{1,4}[\w.~+-]{0,30}) running in system mode",
        literals=("running in system mode",),
        example="systemd[1]: systemd 252.39-1~deb12u1 running in system mode (+PAM +AUDIT +SELINUX)",
        stage=BootStage.INITRAMFS,
        software="systemd {v}",
        family="systemd",
    ),
    Signature(
        pattern=r"\bsystemd\[1\]: ",
        literals=("systemd[1]: ",),
        example="systemd[1]: Hostname set to <debian>.",
        stage=BootStage.INITRAMFS,
        software="systemd",
        family="systemd",
    ),
    Signature(
        pattern=r"^Welcome to (?!GRUB|FreeBSD)(?P<os>(?:(?!dracut|Initramfs)[^!\r\n]){2,80})!$",
        literals=("Welcome to ",),
        example="Welcome to Debian GNU/Linux 12 (bookworm)!",
        stage=_U,
        at_least=BootStage.KERNEL,  # boot menus greet in the same words
        software="{os}",
    ),
    Signature(
        pattern=(
            r"\bReached target (?:(?P<t>multi-user|graphical|getty|network-online"
            r"|sysinit)\.target|Multi-User System|Login Prompts|Graphical"
            r" Interface)"
        ),
        literals=("Reached target ",),
        example="[  OK  ] Reached target multi-user.target - Multi-User System.",
        stage=_U,
        software="systemd",
        family="systemd",
    ),
    Signature(
        pattern=r"^\s{0,8}OpenRC (?P<v>\d[\w.]{0,20}) is starting up (?P<k>.{0,60})",
        literals=("OpenRC ",),
        example="   OpenRC 0.48 is starting up Linux 6.1.38-1-lts (x86_64)",
        stage=_U,
        software="OpenRC {v}",
        family="OpenRC",
    ),
    Signature(
        pattern=r"^INIT: (?:version (?P<v>\d[\w.]{0,20}) booting|Entering runlevel)",
        literals=("INIT: ",),
        example="INIT: version 3.06 booting",
        stage=_U,
        software="sysvinit {v}",
        family="sysvinit",
    ),
    Signature(
        pattern=r"^init started: BusyBox v(?P<v>\d[\w.]{0,20})",
        literals=("init started: BusyBox",),
        example="init started: BusyBox v1.35.0 (Debian 1:1.35.0-4)",
        stage=_U,
        software="BusyBox init {v}",
    ),
    Signature(
        pattern=r"^- runit: (?:\$Id|enter stage|leave stage)|^runit: enter stage: (?P<s>\S{1,60})",
        literals=("runit: ",),
        example="- runit: enter stage: /etc/runit/1",
        stage=_U,
        software="runit",
    ),
    Signature(
        pattern=r"^(?:s6-rc: info|s6-linux-init|dinit: )",
        literals=("s6-rc: ", "s6-linux-init", "dinit: "),
        example="s6-rc: info: service udevd: starting",
        stage=_U,
        software="s6 or dinit",
    ),
    Signature(
        pattern=(
            r"^Setting hostname|^Starting file system checks\.$|^Mounting"
            r" local filesystems|^Starting devd\.$|^Setting hostuuid"
        ),
        literals=(
            "Setting host",
            "Starting file system checks",
            "Mounting local filesystems",
            "Starting devd",
        ),
        example="Setting hostuuid: 6f1a2b3c.",
        stage=_U,
    ),
)

_FAILURES: Final = (
    Signature(
        pattern=(
            r"\b(?:Failed to start|Dependency failed for|Timed out waiting"
            r" for device) (?P<u>[^\r\n]{1,120}?)\.?$"
        ),
        literals=("Failed to start ", "Dependency failed for ", "Timed out waiting for device "),
        example="[FAILED] Failed to start ModemManager.service - Modem Manager.",
        kind=FindingKind.FAILED_UNIT,
        severity=Severity.ERROR,
        domain=_USER,
        summary="{0}",
    ),
    Signature(
        pattern=r"^ ?\* ERROR: (?P<u>\S{1,60}) failed to start",
        literals=("failed to start",),
        example=" * ERROR: networking failed to start",
        kind=FindingKind.FAILED_UNIT,
        severity=Severity.ERROR,
        domain=_USER,
        summary="the service {u} failed to start",
    ),
    Signature(
        pattern=r"\bYou are in (?P<m>emergency|rescue) mode\b",
        literals=("You are in ",),
        example='You are in emergency mode. After logging in, type "journalctl -xb" to view',
        kind=FindingKind.EMERGENCY_SHELL,
        severity=Severity.FATAL,
        domain=_USER,
        summary="systemd gave up and entered its {m} mode",
        effect=Effect.STUCK,
        settle_s=2.0,
        reason=EndReason.STUCK,
    ),
    Signature(
        pattern=(
            r"^(?:Give root password for (?:maintenance|system maintenance)"
            r"|Press Enter for (?:maintenance|system maintenance)|Cannot"
            r" open access to console, the root account is locked|\(or"
            r" press Control-D to continue\))"
        ),
        literals=(
            "Give root password",
            "Press Enter for ",
            "Cannot open access to console",
            "press Control-D to continue",
        ),
        example="Give root password for maintenance",
        kind=FindingKind.EMERGENCY_SHELL,
        severity=Severity.FATAL,
        domain=_USER,
        summary="the system gave up and asks for maintenance",
        effect=Effect.STUCK,
        settle_s=2.0,
        reason=EndReason.STUCK,
    ),
    Signature(
        pattern=r"systemd\[1\]: Freezing execution|systemd\[1\]: Caught <(?P<s>\w{1,10})>",
        literals=("Freezing execution", "systemd[1]: Caught <"),
        example="systemd[1]: Freezing execution.",
        kind=FindingKind.INIT_CRASHED,
        severity=Severity.FATAL,
        domain=_USER,
        summary="systemd, the first process, crashed and froze",
        effect=Effect.FATAL,
        settle_s=1.0,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        pattern=(
            r"^(?:can't run '(?P<p>[^']{1,80})'|INIT: no more processes"
            r" left in this runlevel|INIT: Id \"[^\"]{1,8}\" respawning"
            r" too fast|Enter full pathname of shell or RETURN for)"
        ),
        literals=("can't run '", "INIT: ", "Enter full pathname of shell"),
        example="can't run '/etc/init.d/rcS': No such file or directory",
        kind=FindingKind.INIT_TROUBLE,
        severity=Severity.ERROR,
        domain=_USER,
        summary="{0}",
    ),
)

_LOGIN: Final = (
    Signature(
        pattern=r"^(?:[\w][\w.-]{0,63} )?login: ?(?:$|\[ {0,8}\d|\w{1,32} \(automatic login\))",
        literals=("login:",),
        example="debian login: ",
        stage=_L,
        kind=FindingKind.LOGIN_PROMPT,
        summary="a login prompt appeared",
        effect=Effect.WAITING,
        reason=EndReason.EXPECTED_STAGE,
    ),
    Signature(
        pattern=r"\(automatic login\)",
        literals=("(automatic login)",),
        example="archiso login: root (automatic login)",
        stage=_L,
        kind=FindingKind.LOGIN_PROMPT,
        summary="a user was logged in automatically",
        effect=Effect.WAITING,
        reason=EndReason.EXPECTED_STAGE,
    ),
    Signature(
        pattern=r"^Please press Enter to activate this console",
        literals=("Please press Enter to activate",),
        example="Please press Enter to activate this console.",
        stage=_L,
        kind=FindingKind.LOGIN_PROMPT,
        summary="the console waits for a person",
        effect=Effect.WAITING,
        reason=EndReason.EXPECTED_STAGE,
    ),
    Signature(
        # without a name of its own the machine is called (none)
        pattern=r"^\[?[\w.-]{1,32}@(?:[\w.-]{1,64}|\(none\))[: ][^\r\n#$%]{0,60}\]?[#$%] ?$",
        literals=("@",),
        example="root@archiso ~ # ",
        stage=_L,
        kind=FindingKind.SHELL_PROMPT,
        summary="a shell prompt appeared",
        effect=Effect.SHELL,
        on=On.PROMPT,
        reason=EndReason.EXPECTED_STAGE,
    ),
    Signature(
        pattern=r"^(?:(?:ba)?sh-\d[\d.]{0,8}[#$] ?|(?:~|/|/\w{1,20}) [#$] ?|[#$] )$",
        literals=("#", "$"),
        example="/ # ",
        stage=_L,
        kind=FindingKind.SHELL_PROMPT,
        summary="a shell prompt appeared",
        effect=Effect.SHELL,
        on=On.PROMPT,
        reason=EndReason.EXPECTED_STAGE,
        at_least=BootStage.KERNEL,
    ),
    Signature(
        pattern=(
            r"\b(?:Started|Starting) (?P<d>gdm3?|lightdm|sddm|lxdm|xdm"
            r"|slim|greetd|nodm)(?:\.service|\b)|\bStarted (?P<e>GNOME"
            r" Display Manager|Light Display Manager|Simple Desktop Display"
            r" Manager)"
        ),
        literals=("Start",),
        example="[  OK  ] Started gdm.service - GNOME Display Manager.",
        stage=_U,
        kind=FindingKind.DISPLAY_MANAGER,
        summary="display manager: {d}{e}",
    ),
    Signature(
        pattern=(
            r"\bStarted (?:(?:gdm3?|lightdm|sddm|lxdm|xdm|slim|greetd"
            r"|nodm)(?:\.service|\b)|GNOME Display Manager|Light Display"
            r" Manager|Simple Desktop Display Manager)|\bReached target"
            r" (?:graphical\.target|Graphical Interface)"
        ),
        literals=("Started ", "Reached target "),
        example="[  OK  ] Reached target graphical.target - Graphical Interface.",
        stage=_L,
        kind=FindingKind.GRAPHICAL_LOGIN,
        summary="the graphical login started",
        effect=Effect.WAITING,
        settle_s=1.5,
        reason=EndReason.EXPECTED_STAGE,
    ),
)

SIGNATURES: Final = _MANAGERS + _FAILURES + _LOGIN
