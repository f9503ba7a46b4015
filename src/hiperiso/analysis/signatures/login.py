"""Logins: prompts of getty, shells that wait or were typed into, graphical logins.

A prompt followed by input is still a prompt: the input shows that it was used.

Sources: recordings; agetty(8) and the default prompts of the shells of Debian, Fedora, openSUSE, Alpine, Arch, NixOS,
Buildroot, OpenWrt, FreeBSD and BusyBox.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.graphical import DISPLAY_MANAGERS
from hiperiso.analysis.signature import Effect, On, Signature
from hiperiso.contract.words import BootStage, EndReason, FindingKind

_L = BootStage.LOGIN

_TYPED: Final = (
    r"(?:uname|cat|ls|lscpu|lsblk|lsusb|lspci|free|df|ps|top|ip|ifconfig|mount|dmesg|poweroff|reboot|halt|sudo|id"
    r"|whoami"
    r"|echo|cd|pwd|date|uptime|neofetch|fastfetch|systemctl|journalctl|apt|dnf|apk|pacman|zypper|exit|sh|export"
    r"|hostname)"
)


def _login(
    kind: FindingKind,
    summary: str,
    pattern: str,
    literals: tuple[str, ...],
    *examples: str,
    unlike: str,
    effect: Effect = Effect.WAITING,
    on: On = On.ANY,
    at_least: BootStage = BootStage.UNKNOWN,
    shares: tuple[FindingKind | str, ...] = (),
    settle_s: float = 0.7,
    noted: bool = True,
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        shares=shares,
        stage=_L,
        kind=kind,
        summary=summary,
        effect=effect,
        on=on,
        settle_s=settle_s,
        noted=noted,
        reason=EndReason.EXPECTED_STAGE,
        at_least=at_least,
    )


_GETTY: Final = (
    _login(
        FindingKind.LOGIN_PROMPT,
        "a login prompt appeared",
        # the name of the host, one word; what follows was typed, or printed by another program
        r"^(?!(?:[Ll]ast|[Ff]ailed|[Ii]nvalid|[Pp]lease|[Tt]ype|[Ff]irst|[Uu]ser|[Rr]oot) login)"
        r"(?:(?:[\w][\w.-]{0,63}|\(none\)|\S{0,20}[\w.-]{1,40} console) )?login: ?"
        r"(?:$|[a-z_][\w.-]{0,31} ?$|\[ {0,8}\d|\[[ A-Z*]{6}\]|.{0,60}\btty\w{1,8}\s?$"
        r"|.{0,60}\bhvc\d{1,2}\s?$)",
        ("login:",),
        "debian login: ",
        "demo login: root",
        "(none) login:",
        "demo login: [  OK  ] Started demo.service - Demo.",
        unlike="Last login: Mon Jan  1 10:00:00 on ttyS0",
    ),
    _login(
        FindingKind.LOGIN_PROMPT,
        "a user was logged in automatically",
        r"\(automatic login\)|^\S{1,64} login\[\d{1,8}\]: ROOT LOGIN|\blogin\[\d{1,8}\]: (?:ROOT LOGIN|root login)",
        ("(automatic login)", "ROOT LOGIN", "root login"),
        "archiso login: root (automatic login)",
        "login[881]: ROOT LOGIN (root) ON ttyu0",
        unlike="login[881]: FAILED LOGIN 1 FROM ttyu0 FOR root",
        effect=Effect.SESSION,
    ),
    _login(
        FindingKind.LOGIN_PROMPT,
        "the console waits for a person",
        r"^Please press Enter to activate this console|^You may type exit to leave the console",
        ("Please press Enter to activate", "You may type exit"),
        "Please press Enter to activate this console.",
        unlike="Please press Enter to go on.",
    ),
    _login(
        FindingKind.LOGIN_PROMPT,
        "a user logged in",
        r"^Last login: .{1,80} on (?:tty|pts/|hvc|console|cons)",
        ("Last login: ",),
        "Last login: Mon Jan  1 10:00:00 UTC 2024 on ttyS0",
        unlike="Last login: never",
    ),
)

_SHELLS: Final = (
    _login(
        FindingKind.SHELL_PROMPT,
        "a shell prompt appeared",
        # without a name of its own the machine is called (none)
        r"^(?:\([\w. /-]{1,30}\) ?)?\[?[\w.-]{1,32}@(?:[\w.-]{0,64}|\(none\))[: ][^\r\n#$%@]{0,60}\]?[#$%] ?"
        r"(?:$|[\w./(\[~\"'-])|^[\w.-]{1,32}@[\w.-]{1,64}[: ][~/]\S{0,60}> ?(?:$|[\w./~])",
        ("@",),
        "root@archiso ~ # ",
        "root@demo:~# uname -a",
        "[demo@demo ~]$ cat /etc/os-release",
        "(base) root@demo:~# ",
        "demo@localhost:~> zypper --version",
        unlike="write to demo@example.org: 12 # of them",
        effect=Effect.SHELL,
    ),
    _login(
        FindingKind.SHELL_PROMPT,
        "a shell prompt appeared",
        r"^(?:(?:ba|a|da|z|k)?sh-\d[\d.]{0,8}[a-z]?[#$] ?|(?:~|/(?:\w{1,20}/?){0,4}) [#$] ?|(?:\(none\)"
        r"|localhost):[~/]\S{0,40}"
        r" ?[#$] ?|(?:[a-z][\w-]{1,30}):~ ?[#$] ?|~[#$] )(?:$|[\w./(\[~\"'-])",
        ("# ", "$ ", "#", "$"),
        "/ # ",
        "/ # ls",
        "sh-5.2# cat /proc/cmdline",
        "localhost:~# ",
        "localhost:~ # ",
        unlike="/dev/sda1: 12 # of blocks",
        effect=Effect.SHELL,
        at_least=BootStage.KERNEL,
    ),
    _login(
        FindingKind.SHELL_PROMPT,
        "a shell prompt appeared",
        r"^(?!dracut|switch_root|initqueue|pre-|mount:|cmdline:)(?:localhost|\(none\)"
        r"|[a-z][\w-]{2,30}):[~/]\S{0,40} ?# ?(?:$|[\w./])",
        (":~#", ":~ #", ":/#", ":/ #"),
        "localhost:~# lscpu",
        "(none):~# ",
        unlike="dracut:/# ",
        effect=Effect.SHELL,
    ),
    _login(
        FindingKind.SHELL_PROMPT,
        "a shell prompt appeared",
        r"^[#$] $|^[#$]$",
        ("#", "$", "# ", "$ "),
        "# ",
        unlike="#### 45%",
        effect=Effect.SHELL,
        on=On.PROMPT,
        at_least=BootStage.KERNEL,
    ),
    _login(
        FindingKind.SHELL_PROMPT,
        "the command prompt of DOS appeared",
        r"^[A-Z]:\\[^\s<>|\"]{0,60}>$",
        (":\\",),
        "A:\\>",
        "C:\\FDOS\\BIN>",
        unlike="FS0:\\>",
        effect=Effect.SHELL,
        on=On.PROMPT,
    ),
    _login(
        FindingKind.SHELL_PROMPT,
        "a command was typed in a shell",
        # behind the prompt of a shell without a name, of one of its version, or with the directory alone
        rf"^(?:(?:ba|a|z|k)?sh-\d[\d.]{{0,8}}|[a-z][\w-]{{1,30}} [~/]\S{{0,40}} )?[#$] {_TYPED}"
        r"(?: [\w./|-]{1,40}){0,6}\s?$",
        ("# ", "$ "),
        "# uname -a",
        "# cat /proc/cpuinfo",
        "sh-5.2# cat /proc/cmdline",
        "demo ~ # uname -a",
        unlike="# cat food is not included in this list, which is a comment",
        effect=Effect.SHELL,
    ),
    _login(
        FindingKind.SHELL_PROMPT,
        "a command was typed in a shell",
        # the name of the host alone: a boot loader's prompt looks alike, and has none of these commands
        r"^[a-z][\w.-]{1,40}[#$] (?:uname|dmesg|df|ps|top|whoami|uptime|ifconfig|mount|pkg|pkg_add|pkg_info|sysctl"
        r"|lscpu|lsblk|hostname|doas|sudo|systemctl)(?: [\w./|-]{1,40}){0,6}\s?$",
        ("# ", "$ "),
        "demo# uname -a",
        "demo$ dmesg",
        unlike="cv181x_c906# printenv",
        effect=Effect.SHELL,
    ),
    _login(
        FindingKind.SHELL_PROMPT,
        "a shell prompt appeared",
        # Android's, with the exit code of the last command; the second line of two that Kali, Parrot and others draw
        r"^(?:\d{1,3}\|)?(?:console|[a-z]\w{2,30}):/[\w/]{0,40} [#$] ?(?:$|\w)|^[└╰]─{1,3}╼? ?[#$] ?(?:$|\w)",
        ("# ", "$ ", "#", "$"),
        "console:/ $ ",
        "130|console:/ # getprop",
        "└─# uname -a",
        "└──╼ #",
        unlike="console:/dev/demo is # 12",
        effect=Effect.SHELL,
    ),
    _login(
        FindingKind.SHELL_PROMPT,
        "a shell prompt appeared",
        r"^BusyBox v\d[\w.]{0,20} \(.{1,60}\) built-in shell \(\w{1,8}\)",
        ("built-in shell",),
        "BusyBox v1.36.1 (2024-01-01 10:00:00 UTC) built-in shell (ash)",
        unlike="BusyBox v1.36.1 (2024-01-01 10:00:00 UTC) multi-call binary.",
        effect=Effect.SHELL,
        at_least=BootStage.USERSPACE,
        noted=False,
    ),
)

_MANAGERS: Final = tuple(
    name for name in DISPLAY_MANAGERS if len(name) > 2
)  # shorter ones are in many a word
_TITLES: Final = ("GNOME Display", "Light Display", "LXDE Display", "Simple Desktop Display")
_MANAGER: Final = rf"(?P<d>{'|'.join(_MANAGERS)})(?:\.service|\b)"
_TITLE: Final = rf"(?P<e>(?:{'|'.join(_TITLES)}) Manager)"

_GRAPHICAL: Final = (
    Signature(
        pattern=rf"\b(?:Started|Starting) {_MANAGER}|\bStarted {_TITLE}",
        literals=_MANAGERS + _TITLES,
        examples=("[  OK  ] Started gdm.service - GNOME Display Manager.",),
        unlike="[  OK  ] Started getty@tty1.service - Getty on tty1.",
        shares=("systemd", FindingKind.GRAPHICAL_LOGIN),
        stage=BootStage.USERSPACE,
        kind=FindingKind.DISPLAY_MANAGER,
        summary="display manager: {d}{e}",
    ),
    _login(
        FindingKind.GRAPHICAL_LOGIN,
        "the graphical login started",
        (
            rf"\bStarted (?:{_MANAGER}|{_TITLE})"
            r"|\bReached target (?:graphical\.target|Graphical Interface)"
        ),
        (*_MANAGERS, *_TITLES, "graphical.target", "Graphical Interface"),
        "[  OK  ] Reached target graphical.target - Graphical Interface.",
        unlike="[  OK  ] Reached target multi-user.target - Multi-User System.",
        shares=("systemd", FindingKind.DISPLAY_MANAGER),
        settle_s=1.5,
    ),
)

SIGNATURES: Final = _GETTY + _SHELLS + _GRAPHICAL
