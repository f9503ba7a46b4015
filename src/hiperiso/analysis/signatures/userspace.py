"""systemd, OpenRC, sysvinit, BusyBox init, runit; failed units, emergency modes, login prompts and graphical logins.

Sources: recordings; systemd's and the service managers' own messages as documented; agetty(8).
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Origin, Signature
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity

_U = BootStage.USERSPACE
_USER = FailureDomain.USERSPACE

_MANAGERS: Final = (
    Signature(
        pattern=r"\bsystemd\[1\]: systemd (?P<v>\d{1,4}[\w.~+-]{0,30}) running in system mode",
        literals=("running in system mode",),
        examples=("systemd[1]: systemd 252.39-1~deb12u1 running in system mode (+PAM +AUDIT +SELINUX)",),
        unlike="systemd 252 running in user mode for user 1000",
        shares=("systemd",),
        stage=_U,
        software="systemd {v}",
        family="systemd",
    ),
    Signature(
        pattern=r"\bsystemd\[1\]: ",
        literals=("systemd[1]: ",),
        examples=("systemd[1]: Hostname set to <debian>.",),
        unlike="systemd[512]: Reached target default.target",
        stage=_U,
        software="systemd",
        family="systemd",
    ),
    Signature(
        # what systemd prints on the console: a unit and its state
        pattern=r"^\[(?:  OK  |FAILED|DEPEND| TIME | SKIP | WARN | INFO |[ *]{6})\] "
        r"(?:Start|Stopp|Reached|Listen|Mount|Finish|Creat|Found|Set up|Activat|Unmount|A start|Remov|Clos)",
        literals=(
            *("[  OK  ] ", "[FAILED] ", "[DEPEND] "),
            *("] Started", "] Starting", "] Finished", "] Reached", "] A start"),
        ),
        examples=("[  OK  ] Started demo.service - Demo.",),
        unlike="[ OK ] the test was passed",
        shares=("systemd", FindingKind.FAILED_UNIT, FindingKind.GRAPHICAL_LOGIN, FindingKind.DISPLAY_MANAGER),
        stage=_U,
        software="systemd",
        family="systemd",
    ),
    Signature(
        pattern=r"^Welcome to (?!GRUB|FreeBSD|kernel debugger)(?P<os>(?:(?!dracut|Initramfs"
        r"|[Ii]nstall)[^!\r\n]){2,80})!$",
        literals=("Welcome to ",),
        examples=("Welcome to Debian GNU/Linux 12 (bookworm)!",),
        unlike="Welcome to GRUB!",
        stage=_U,
        at_least=BootStage.KERNEL,  # boot menus greet in the same words
        effect=Effect.ROOT_SWITCHED,
        software="{os}",
    ),
    Signature(
        pattern=(
            r"\bReached target (?:(?P<t>multi-user|graphical|getty|network-online"
            r"|sysinit)\.target|Multi-User System|Login Prompts|Graphical"
            r" Interface)"
        ),
        literals=("multi-user.target", "graphical.target", "getty.target", "network-online.target",
         "sysinit.target", "Multi-User System", "Login Prompts", "Graphical Interface"),
        examples=("[  OK  ] Reached target multi-user.target - Multi-User System.",),
        unlike="Reached target initrd.target",
        shares=("systemd",),
        stage=_U,
        software="systemd",
        family="systemd",
    ),
    Signature(
        pattern=r"\bsystemd\[1\]: Startup finished in (?P<s>[^\r\n]{1,120}?)\.?$",
        literals=("Startup finished in ",),
        examples=("systemd[1]: Startup finished in 2.313s (kernel) + 9.120s (userspace) = 11.434s.",),
        unlike="systemd[812]: Startup finished in 118ms.",
        shares=("systemd",),
        stage=_U,
        kind=FindingKind.SYSTEM_STARTED,
        effect=Effect.RUNNING,
        summary="systemd finished starting the system: {s}",
    ),
    Signature(
        pattern=r"^\s{0,8}OpenRC (?P<v>\d[\w.]{0,20}) is starting up (?P<k>.{0,60})",
        literals=("OpenRC ",),
        examples=("   OpenRC 0.48 is starting up Linux 6.1.38-1-lts (x86_64)",),
        unlike="OpenRC is a service manager",
        stage=_U,
        software="OpenRC {v}",
        family="OpenRC",
    ),
    Signature(
        pattern=r"^INIT: (?:version (?P<v>\d[\w.]{0,20}) booting|Entering runlevel)",
        literals=("INIT: ",),
        examples=("INIT: version 3.06 booting",),
        unlike="INIT: no more processes left in this runlevel",
        stage=_U,
        software="sysvinit {v}",
        family="sysvinit",
    ),
    Signature(
        pattern=r"^init started: BusyBox v(?P<v>\d[\w.]{0,20})",
        literals=("init started: BusyBox",),
        examples=("init started: BusyBox v1.35.0 (Debian 1:1.35.0-4)",),
        unlike="BusyBox v1.35.0 multi-call binary",
        stage=_U,
        software="BusyBox init {v}",
    ),
    Signature(
        pattern=r"^- runit: (?:\$Id|enter stage|leave stage)|^runit: enter stage: (?P<s>\S{1,60})",
        literals=("runit: ",),
        examples=("- runit: enter stage: /etc/runit/1",),
        unlike="runit: a service manager",
        stage=_U,
        software="runit",
    ),
    Signature(
        pattern=r"^(?:s6-rc: info|s6-linux-init|dinit: )",
        literals=("s6-rc: ", "s6-linux-init", "dinit: "),
        examples=("s6-rc: info: service udevd: starting",),
        unlike="see s6-rc: the manual",
        stage=_U,
        software="s6 or dinit",
    ),
    Signature(
        pattern=r"^(?:procd: - (?:early|ubus|init) -|init: - (?:preinit|early) -|init: (?:starting service"
        r"|Entering main loop|init (?:first|second) stage started)|init: \S{1,60} (?:main|pre-start|post-stop"
        r"|post-start) process )",
        literals=("procd: - ", "init: - ", "init: starting service", "init: Entering main loop",
                  "stage started", " main process", " pre-start process", " post-stop process", " post-start process"),
        examples=("procd: - early -", "init: demo main process (12) terminated with status 1"),
        unlike="init: the first process",
        stage=_U,
    ),
    Signature(
        pattern=(
            r"^(?:Setting hostname|Starting file system checks\.$|Mounting local filesystems|Starting devd\.$"
            r"|Setting hostuuid|Starting [\w.-]{2,30}(?: [\w.-]{2,20}){0,3}: (?:OK|done|FAIL|\[ ?OK ?\])"
            r"|(?:Running|Saving|Seeding) [\w ]{2,40}: (?:OK|done)|\* (?:Starting|Stopping|Checking|Mounting) .{2,60}"
            r"(?:\.\.\.|\[ ?(?:OK|fail) ?\])|Starting kernel event manager|rc\.sysinit|==> (?:Starting|Mounting))"
        ),
        literals=(
            "Setting hostname", "Setting hostuuid", "Starting file system checks", "Mounting local filesystems",
            "Starting devd", ": OK", ": done", ": FAIL", "OK ]", "* Starting", "* Stopping", "* Checking",
            "* Mounting", "kernel event manager", "rc.sysinit", "==> ", ": [OK]",
        ),
        examples=("Setting hostuuid: 6f1a2b3c.", "Starting syslogd: OK", "Running sysctl: OK"),
        unlike="Starting kernel ...",
        stage=_U,
        at_least=BootStage.KERNEL,
        origin=Origin.USER,
    ),
)  # fmt: skip

_FAILURES: Final = (
    Signature(
        # a driver says "failed to start" of other things
        pattern=(
            r"(?:^|systemd\[\d{1,8}\]: |\] )(?P<u>(?:Failed to start|Dependency failed for"
            r"|Timed out waiting for device) "
            r"(?!AP\b|PHY\b)[^\r\n]{1,120}?\.?)$"
        ),
        literals=("Failed to start ", "Dependency failed for ", "Timed out waiting for device "),
        examples=("[FAILED] Failed to start ModemManager.service - Modem Manager.",),
        unlike="wlan0: Failed to start AP",
        shares=("systemd", FindingKind.ROOT_NOT_FOUND),
        kind=FindingKind.FAILED_UNIT,
        severity=Severity.ERROR,
        domain=_USER,
        summary="{u}",
        origin=Origin.USER,
    ),
    Signature(
        pattern=r"systemd\[1\]: (?P<u>(?:Failed to start|Dependency failed for) [^\r\n]{1,120}?\.?)$",
        literals=("Failed to start ", "Dependency failed for "),
        examples=("systemd[1]: Failed to start demo.service - Demo.",),
        unlike="demo[12]: Failed to start the engine.",
        shares=("systemd", FindingKind.FAILED_UNIT),
        kind=FindingKind.FAILED_UNIT,
        severity=Severity.ERROR,
        domain=_USER,
        summary="{u}",
        origin=Origin.KERNEL,
    ),
    Signature(
        pattern=r"^ ?\* ERROR: (?P<u>\S{1,60}) failed to start",
        literals=("failed to start",),
        examples=(" * ERROR: networking failed to start",),
        unlike="the engine failed to start",
        kind=FindingKind.FAILED_UNIT,
        severity=Severity.ERROR,
        domain=_USER,
        summary="the service {u} failed to start",
    ),
    Signature(
        pattern=r"\bYou are in (?P<m>emergency|rescue) mode\b",
        literals=("You are in ",),
        examples=('You are in emergency mode. After logging in, type "journalctl -xb" to view',),
        unlike="You are in the right place",
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
            r"^(?:Give root password for (?:maintenance|system maintenance|login)"
            r"|Press Enter for (?:maintenance|system maintenance)|Cannot"
            r" open access to console, the root account is locked|\(or"
            r" press Control-D to continue\)|Enter root password for system maintenance|sulogin: )"
        ),
        literals=(
            "Give root password",
            "Press Enter for ",
            "Cannot open access to console",
            "press Control-D to continue",
            "Enter root password",
            "sulogin: ",
        ),
        examples=("Give root password for maintenance",),
        unlike="Press Enter for more",
        kind=FindingKind.EMERGENCY_SHELL,
        severity=Severity.FATAL,
        domain=_USER,
        summary="the system gave up and asks for maintenance",
        effect=Effect.STUCK,
        settle_s=2.0,
        reason=EndReason.STUCK,
    ),
    Signature(
        pattern=(
            r"\bsystemd\[1\]: (?:Freezing execution|Freezing\b|Caught <(?P<s>\w{1,10})>)|^\[!!!!!!\] .{1,100}"
            r"|^INIT: PANIC: .{1,80}|^(?:init|INIT): (?:[Cc]aught (?:segmentation|signal) .{1,40}|cannot continue)"
            r"|^(?:s6-svscan|s6-linux-init|runit|dinit|openrc-init|finit|upstart|procd)(?:\[1\])?: "
            r"(?:fatal|FATAL|panic)\b.{0,100}|^\*{0,3} ?(?:[Ii]nit|PID 1) (?:died|has died|exited|crashed"
            r"|froze)\b.{0,80}"
        ),
        literals=("Freezing", "systemd[1]: Caught <", "[!!!!!!]", "INIT: PANIC", "init: Caught",
                  "init: caught", "cannot continue", ": fatal", ": FATAL", ": panic", "died", "exited", "crashed",
                  "froze"),
        examples=(
            "systemd[1]: Freezing execution.",
            "[!!!!!!] Failed to mount API filesystems.", "s6-svscan: fatal: unable to open .s6-svscan",
        ),
        unlike="systemd[812]: Caught <SEGV>, dumped core as pid 813.",
        shares=("systemd",),
        kind=FindingKind.INIT_CRASHED,
        severity=Severity.FATAL,
        domain=_USER,
        summary="the first process gave up: {0}",
        effect=Effect.FATAL,
        settle_s=1.0,
        reason=EndReason.BOOT_FAILED,
    ),
    Signature(
        pattern=(
            r"^(?:can't run '(?P<p>[^']{1,80})'|INIT: no more processes"
            r" left in this runlevel|INIT: Id \"[^\"]{1,8}\" respawning"
            r" too fast|INIT: cannot execute \"[^\"]{1,80}\"|init: Failed to create pty\b.{0,40})"
        ),
        literals=("can't run '", "INIT: ", "Failed to create pty"),
        examples=("can't run '/etc/init.d/rcS': No such file or directory",),
        unlike="can't run that fast",
        kind=FindingKind.INIT_TROUBLE,
        severity=Severity.ERROR,
        domain=_USER,
        summary="{0}",
    ),
)  # fmt: skip

SIGNATURES: Final = _MANAGERS + _FAILURES
