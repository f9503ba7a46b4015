"""The evidence in the guest's processes: whether it still runs from its initramfs, and what waits for a person.

A running program has not shown anything yet, and may fail at once. So it counts when the same process has stayed
for a while: a getty that is started again every second never does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hiperiso.analysis.graphical import (
    GRAPHICAL,
    SESSION_SCRIPTS,
    WITHOUT_GREETER,
    WORKER_MARKS,
    WORKERS,
    Part,
)
from hiperiso.contract.events import (
    ProcessBecame,
    ProcessChange,
    ProcessEnded,
    ProcessesLeftOut,
    ProcessEvent,
)
from hiperiso.contract.words import BootStage

ROOTFS: Final = "rootfs"
_MAX_KNOWN: Final = 5000
_MAX_WITH_ROLE: Final = 250  # a person has one or two; each costs a look at every event
_MAX_ANCESTORS: Final = 8
_COMM_CHARS: Final = 15
_MAX_PROMPT_CHARS: Final = 120


class Kind(StrEnum):
    """The role of a program, in order of precedence."""

    INSTALLER = "installer"
    LOGIN = "login"
    GRAPHICAL = "graphical"
    EMERGENCY = "emergency"
    PASSPHRASE = "passphrase"  # noqa: S105 - a word, not one


@dataclass(frozen=True, slots=True)
class Role:
    """A program that shows the progress of the boot.

    Attributes:
        name: its common name.
        part: what it does, of `Kind.GRAPHICAL`.
        session: it was started for a user who is logged in, and may go on to start a desktop.
    """

    kind: Kind
    name: str
    part: Part | None = None
    session: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A program that waits for a person, from ``due_s`` on if it stays until then."""

    role: Role
    event: ProcessChange
    due_s: float


_GETTYS: Final = "agetty getty mingetty mgetty fgetty ngetty fbgetty uugetty qingy kmscon login"
_WITH_AUTOLOGIN: Final = ("agetty", "mingetty")
_INSTALLERS: Final = {
    "Anaconda": "anaconda liveinst anaconda-direct",
    "Subiquity": "subiquity subiquity-server console-conf",
    "Ubiquity": "ubiquity ubiquity-dm oem-config",
    "Ubuntu installer": "ubuntu-desktop-bootstrap ubuntu_bootstrap ubuntu-desktop-installer ubuntu-bootstrap",
    "Calamares": "calamares",
    "Debian installer": "debian-installer main-menu cdebconf",
    "YaST": "y2start yast yast2 y2base YaST2.call",
    "Agama": "agama-web-server agama-server agama",
    "archinstall": "archinstall",
    "Void installer": "void-installer",
    "Proxmox installer": "proxinstall proxmox-auto-installer proxmox-tui-installer",
    "Pop installer": "io.elementary.installer",
    "OS installer": "os-installer",
    "Deepin installer": "deepin-installer",
}
_ASKING: Final = "askpass systemd-ask-password systemd-tty-ask-password-agent"
"""Started when a passphrase is needed; where a splash screen shows the prompt, nothing else is seen of it."""

_EMERGENCY: Final = "sulogin systemd-sulogin-shell dracut-emergency"
_SHELLS: Final = frozenset(
    ("sh", "bash", "dash", "ash", "zsh", "fish", "ksh", "mksh", "tcsh", "csh", "busybox")
)
_INIT_SCRIPT: Final = re.compile(r"/(?:init|rc|rc[\dS])\.d/|/lib/live/config/")
_INTERPRETER: Final = re.compile(
    r"(?:python[\d.]{0,6}|perl|ruby|bash|sh|dash|ash|busybox|env|sudo|snap|setsid|nohup)$"
)


_OF_ONE_NAME: Final = (Kind.LOGIN, Kind.GRAPHICAL)
"""What is called the same in its name and in its arguments: a ``sleep`` that calls itself agetty in one is none."""

_MANY_PROGRAMS: Final = frozenset(("busybox", "toybox", "exe"))


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long a program has to stay: this long, and until nothing is new, but at most ``most_s``."""

    least_s: float
    quiet_s: float
    most_s: float


_PATIENCE: Final = {
    Kind.INSTALLER: _Patience(8, 6, 120),  # it prepares many a thing before it asks, and some never rest
    Kind.LOGIN: _Patience(5, 2, 30),  # its prompt, where it can be read, decides before
    Kind.EMERGENCY: _Patience(10, 0, 10),
    Kind.PASSPHRASE: _Patience(15, 10, 900),  # an agent may live on when it is not needed any more
}


def role_of(comm: str, argv: Sequence[str]) -> Role | None:
    """The role of a process, by its name and the program that it runs; None for all others."""
    is_script = any(map(_INIT_SCRIPT.search, argv[:3]))  # it starts what it is called after
    if (
        is_script or automatic_user(comm, argv) is not None
    ):  # it asks nothing: what it starts for the user counts
        return None
    names = _names(_unwrapped(comm), argv)
    own, *shown = map(_ROLES.get, names)
    role = own or next(filter(None, shown), None)
    if role and role.kind in _OF_ONE_NAME and argv:
        agrees = any(one and one.kind is role.kind for one in shown)
        return role if agrees and (own or comm in _MANY_PROGRAMS) else None
    if role:
        return role
    if comm == "plymouth" and "ask-for-password" in argv:
        return Role(Kind.PASSPHRASE, comm)
    if argv and argv[0][:1] == "-" and comm in _SHELLS:
        return Role(Kind.LOGIN, f"a login shell ({comm})", session=True)
    return None


def automatic_user(comm: str, argv: Sequence[str]) -> str | None:
    """Whom a process logs in by itself, empty where that is not known; None for a process that does not."""
    if comm == "login":
        return _after(argv, ("-f",))
    return _after(argv, ("--autologin", "-a")) if comm in _WITH_AUTOLOGIN else None


def prompt_of(argv: Sequence[str]) -> str:
    """What a program asks for, in its arguments: behind ``--prompt``, or a phrase; empty for neither."""
    named = _after(argv, ("--prompt",))
    phrases = [argument for argument in argv[1:] if " " in argument.strip() and not argument.startswith("-")]
    return (named or next(iter(phrases), "")).strip()[:_MAX_PROMPT_CHARS]


def _after(argv: Sequence[str], options: tuple[str, ...]) -> str | None:
    for at, argument in enumerate(argv[1:], start=1):
        name, _, value = argument.partition("=")
        if name in options:
            return value or (argv[at + 1] if at + 1 < len(argv) else "")
    return None


@dataclass(slots=True)
class _Process:
    role: Role
    event: ProcessChange  # since when it has this role


class ProcessBook:
    """The processes of the current attempt to boot, from their events."""

    def __init__(self) -> None:
        self._boot = 0
        self.reset()

    def reset(self) -> None:
        """The machine was reset: all of them are gone."""
        self._known: dict[int, str] = {}
        self._parents: dict[int, int] = {}
        self._workers: set[int] = set()
        self._with_role: dict[int, _Process] = {}
        self._settled: set[Kind] = set()
        self._changed_s = float("-inf")
        self.first_program: ProcessChange | None = None
        """The latest event of pid 1, once it runs a program of its own."""

    def on_event(self, event: ProcessEvent) -> None:
        """Take an event of the channel ``process``."""
        if isinstance(event, ProcessesLeftOut):
            self._changed_s = event.t
        if not isinstance(event, ProcessChange) or event.data.pid is None:
            return
        pid, boot = event.data.pid, event.data.boot or 0
        if boot > self._boot:  # kexec
            self.reset()
            self._boot = boot
        self._changed_s = event.t
        if isinstance(event, ProcessEnded):
            self._known.pop(pid, None)
            self._parents.pop(pid, None)
            self._workers.discard(pid)
            self._with_role.pop(pid, None)
        elif pid in self._known or len(self._known) < _MAX_KNOWN:
            self._enter(pid, event)

    @property
    def last_started(self) -> str:
        """Name of the process after the first one that was started last and is still there; empty for none."""
        return next((name for pid, name in reversed(self._known.items()) if pid != 1), "")

    @property
    def changed_s(self) -> float:
        """When a process was last started or ended."""
        return self._changed_s

    @property
    def root_type(self) -> str:
        """The type of the file system at the root of pid 1; empty when that is not known."""
        return self.first_program.data.root or "" if self.first_program else ""

    def waiting(self, last_news_s: float) -> Waiting | None:
        """What waits for a person, if it stays, and has not been taken as settled yet.

        What is graphical has to be drawn, too: see `hiperiso.analysis.desktop`.

        Args:
            last_news_s: when a text or a picture was last new.
        """
        best: Waiting | None = None
        for process in self._with_role.values():
            role = process.role
            if role.kind in self._settled or role.kind is Kind.GRAPHICAL:
                continue
            since_s = process.event.t
            patience = _PATIENCE[role.kind]
            news_s = max(last_news_s, self._changed_s if role.kind is Kind.INSTALLER else last_news_s)
            due_s = max(since_s + patience.least_s, min(news_s + patience.quiet_s, since_s + patience.most_s))
            rank = (_ORDER[role.kind], due_s)
            if best is None or rank < (_ORDER[best.role.kind], best.due_s):
                best = Waiting(role, process.event, due_s)
        return best

    def role_of(self, pid: int | None) -> Role | None:
        """The role of a process; None if it has ended, or has no relevant role."""
        process = self._with_role.get(pid) if pid is not None else None
        return process.role if process else None

    def settle(self, kind: Kind) -> None:
        """One of this kind has stayed: it is not reported again."""
        self._settled.add(kind)

    def _enter(self, pid: int, event: ProcessChange) -> None:
        comm, argv = (event.data.comm or "")[:64], tuple(event.data.argv or ())[:32]
        self._parents[pid] = event.data.ppid or 0
        before = self._with_role.pop(pid, None) if isinstance(event, ProcessBecame) else None
        role = self._role(pid, role_of(comm, argv), before)
        if comm in WORKERS or not WORKER_MARKS.isdisjoint(argv):
            self._workers.add(pid)
            role = None  # a manager's helper, under the manager's name
        elif role and role.name == WITHOUT_GREETER:
            self._workers.add(pid)
        elif role is None and argv and event.data.ppid in self._workers:
            role = Role(Kind.GRAPHICAL, _started_by(comm, argv), Part.CLIENT)
        since = before.event if before and before.role == role else event
        self._known[pid] = comm
        if role and len(self._with_role) < _MAX_WITH_ROLE:
            self._with_role[pid] = _Process(role, since)
        if pid == 1:
            self.first_program = event

    def _role(self, pid: int, role: Role | None, before: _Process | None) -> Role | None:
        """The role of a process in its family: what an emergency or an installer starts for itself is part of it."""
        if before and before.role.kind is Kind.EMERGENCY:
            return before.role  # the shell that it becomes
        above = {process.role.kind: process.role for process in self._ancestors(pid)} if role else {}
        if role and role.kind is Kind.LOGIN and Kind.EMERGENCY in above:
            return None
        return above.get(Kind.INSTALLER, role)

    def _ancestors(self, pid: int) -> Iterator[_Process]:
        for _ in range(_MAX_ANCESTORS):
            pid = self._parents.get(pid, 0)
            if process := self._with_role.get(pid):
                yield process


STAGES: Final[Mapping[Kind, BootStage]] = {
    Kind.INSTALLER: BootStage.INSTALLER,
    Kind.LOGIN: BootStage.LOGIN,
    Kind.GRAPHICAL: BootStage.LOGIN,
}
"""What is reached once such a program waits."""


def _names(comm: str, argv: Sequence[str]) -> list[str]:
    """The names that a process may be known by: its own, its program's, and its script's where that is interpreted."""
    names = [comm]
    if argv:
        program = argv[0].split(" ", 1)[0].rsplit("/", 1)[-1]
        names.append(program.lstrip("-").rstrip(":"))
        if _INTERPRETER.match(names[-1]):
            names += _script(argv[1:])
    return names


def _started_by(comm: str, argv: Sequence[str]) -> str:
    """The name of what a display manager starts; of a script that prepares a session, that of the program after it."""
    program = argv[2] if comm in SESSION_SCRIPTS and len(argv) > 2 else comm
    return program.rsplit("/", 1)[-1].split(" ", 1)[0] or comm


def _unwrapped(comm: str) -> str:
    """NixOS calls what it wraps ``.gdm-wrapped``, and a name is cut off at 15 characters."""
    return comm[1:].rpartition("-")[0] if comm[:1] == "." else comm


def _script(argv: Sequence[str]) -> list[str]:
    for at, argument in enumerate(argv):
        if argument == "-m" and at + 1 < len(argv):
            return [argv[at + 1].partition(".")[0]]
        if argument == "-c":
            return []
        if argument not in ("run", "--") and not argument.startswith("-") and "=" not in argument:
            return [argument.rsplit("/", 1)[-1]]
    return []


def _roles() -> dict[str, Role]:
    roles: dict[str, Role] = {}
    tables = [(Kind.LOGIN, name, name) for name in _GETTYS.split()]
    tables += [(Kind.EMERGENCY, name, name) for name in _EMERGENCY.split()]
    tables += [(Kind.PASSPHRASE, name, name) for name in _ASKING.split()]
    tables += [
        (Kind.INSTALLER, title, name) for title, names in _INSTALLERS.items() for name in names.split()
    ]
    for kind, title, name in tables:
        roles[name] = roles[name[:_COMM_CHARS]] = Role(kind, title)
    for part, names in GRAPHICAL.items():
        for name in names.split():
            roles[name] = roles[name[:_COMM_CHARS]] = Role(Kind.GRAPHICAL, name, part)
    return roles


_ROLES: Final = _roles()
_ORDER: Final = {kind: number for number, kind in enumerate(Kind)}
