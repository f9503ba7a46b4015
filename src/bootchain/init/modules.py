"""Kernel modules: a list, what is plugged in (coldplug), and what appears later (hotplug).

Every device has a ``modalias``; ``modprobe`` of the initramfs (busybox or kmod) knows which module serves it. What a
loaded driver finds has a modalias of its own (controller, then disk), so PID 1 listens to the kernel's announcements
as long as it lives: a stick that is put in while ``waitdev`` waits gets its driver, too.

Sources: Documentation/ABI/testing/sysfs-uevent; netlink(7), NETLINK_KOBJECT_UEVENT.
"""

# ruff: noqa: PTH123, PTH208
# (pathlib costs more CPU at the start than this module.)

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

LIST_FILE = "/etc/bootchain/modules"
"""Names of modules, one a line, with options after the name; ``#`` starts a comment."""

_AF_NETLINK, _SOCK_RAW, _NETLINK_KOBJECT_UEVENT = 16, 3, 15
_ROOM_BYTES = 1 << 20
_ASYNC_PROBE = "/sys/module/module/parameters/async_probe"
_MAX_ALIASES_A_CALL = 64
_PASSES = 8


def parse_list(text: str) -> list[list[str]]:
    """Returns each module of a list file: its name, then its options."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [words for words in lines if words]


def aliases_of_uevents(data: bytes) -> list[str]:
    """Returns the modaliases in one announcement of the kernel (``ACTION=add``, NUL between the fields)."""
    fields = data.split(b"\0")
    if b"ACTION=add" not in fields and b"ACTION=change" not in fields:
        return []
    return [os.fsdecode(field[9:]) for field in fields if field.startswith(b"MODALIAS=") and len(field) > 9]


def probe_asynchronously(switch: str = _ASYNC_PROBE) -> None:
    """Have drivers look at their devices on their own from now on: no load of a module waits for another's.

    Source: Documentation/admin-guide/kernel-parameters.txt, ``module.async_probe``; since Linux 5.19.
    """
    try:
        file = os.open(switch, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(file, b"Y")
    finally:
        os.close(file)


class Modules:
    """Loads modules.

    Args:
        run: runs a program to its end and returns its exit code.
        say: writes one line for people.
    """

    def __init__(self, run: Callable[..., int], say: Callable[[str], None]) -> None:
        self._run = run
        self._say = say
        self._seen: set[str] = set()
        self._socket_fd = -1

    def load_list(self, path: str = LIST_FILE) -> None:
        """Load the modules of a list file; one that cannot be loaded is named and passed over."""
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                wanted = parse_list(file.read())
        except OSError:
            return
        plain = [words[0] for words in wanted if len(words) == 1]
        if plain and self._run("modprobe", "-a", "-q", *plain):
            # One call loads them all in the usual case; only now it matters which one is wrong.
            for name in plain:
                if self._run("modprobe", "-q", name):
                    self._say(f"cannot load the module {name}")
        for words in wanted:
            if len(words) > 1 and self._run("modprobe", "-q", *words):
                self._say(f"cannot load the module {' '.join(words)}")

    def listen(self) -> int:
        """Start to listen for announcements. Returns the descriptor to watch. Raises OSError."""
        from _socket import socket  # socket.py itself imports much that is of no use here

        listener = socket(_AF_NETLINK, _SOCK_RAW, _NETLINK_KOBJECT_UEVENT)
        listener.setblocking(False)
        listener.bind((0, 1))
        self._socket_fd = listener.detach()
        return self._socket_fd

    def on_uevent(self) -> None:
        """Load what the announcements that are there ask for."""
        aliases: list[str] = []
        while True:
            try:
                data = os.read(self._socket_fd, _ROOM_BYTES)
            except BlockingIOError:
                break
            except OSError:  # overrun: some were lost; sysfs knows them all
                aliases += coldplug_aliases()
                break
            aliases += aliases_of_uevents(data)
        self.load_aliases(aliases)

    def coldplug(self) -> None:
        """Load what the devices that are there ask for, and what those bring to light."""
        for _ in range(_PASSES):
            new = self.load_aliases(coldplug_aliases())
            if self._socket_fd >= 0:  # what comes to light is announced
                self.on_uevent()
                return
            if not new:
                return

    def coldplug_meanwhile(self, start: Callable[[Sequence[str]], int]) -> None:
        """The same for one who does not wait for it; what comes to light is announced.

        Args:
            start: starts a program and returns its process.
        """

        def run(*argv: str) -> int:
            try:
                return start(argv)
            except OSError as error:
                self._say(f"cannot start {argv[0]}: {error.strerror}")
                return 0

        self._load_new(coldplug_aliases(), run)

    def load_aliases(self, aliases: Iterable[str]) -> int:
        """Load the modules of modaliases that were not seen before. Returns how many those were."""
        return self._load_new(aliases, self._run)

    def _load_new(self, aliases: Iterable[str], run: Callable[..., int]) -> int:
        new = [alias for alias in dict.fromkeys(aliases) if alias not in self._seen]
        self._seen.update(new)
        for start in range(0, len(new), _MAX_ALIASES_A_CALL):
            # Most devices need no module: that it fails for some says nothing.
            run("modprobe", "-a", "-b", "-q", *new[start : start + _MAX_ALIASES_A_CALL])
        return len(new)


def coldplug_aliases(root: str = "/sys") -> Iterator[str]:
    """Yields the modalias of every device on a bus, and those of processor and board.

    Looking at the buses is ten times as fast as going through the whole tree of devices.
    """
    folders = [f"{root}/devices/system/cpu", f"{root}/devices/virtual/dmi/id"]
    for bus in _names(f"{root}/bus"):
        devices = f"{root}/bus/{bus}/devices"
        folders += [f"{devices}/{name}" for name in _names(devices)]
    for folder in folders:
        try:
            file = os.open(f"{folder}/modalias", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # it has none, or was unplugged just now
            continue
        try:
            alias = os.fsdecode(os.read(file, 4096)).strip()
        except OSError:
            alias = ""
        os.close(file)
        if alias:
            yield alias


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
