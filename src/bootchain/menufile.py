"""What a boot menu offers: entries from a file or from the files of a directory, pure.

A menu file::

    # comment
    title = Rescue stick
    default = Rescue system
    timeout = 10
    Rescue system = waitdev,mountfs,overlayfs,rootfs
    Tools = @tools.menu

Each other line is ``LABEL = CHAIN``: steps with commas between them, or ``@FILE``, a menu of its own beside this one.
In a directory every file whose name ends in ``.menu`` is an entry that opens it, and every ``.chain`` file is an
entry: its first line that is neither empty nor a comment is the chain, its name the label.
"""

from __future__ import annotations

from bootchain.cmdline import names

SETTINGS = ("title", "default", "timeout")
_MAX_ENTRIES = 1000


class MenuError(Exception):
    """A menu that cannot be used. The message says which line and why."""


class Entry:
    """One line of the menu: ``chain`` is what replaces the boot chain, or ``below`` is another menu."""

    __slots__ = ("below", "chain", "label")

    def __init__(self, label: str, *, chain: tuple[str, ...] = (), below: str = "") -> None:
        self.label = label
        self.chain = chain
        self.below = below

    def __repr__(self) -> str:
        return f"Entry({self.label!r}, chain={self.chain!r}, below={self.below!r})"


class Menu:
    """The entries of one menu; ``default`` is a label, ``timeout_s`` 0 for none."""

    __slots__ = ("default", "entries", "timeout_s", "title")

    def __init__(
        self, entries: list[Entry], *, title: str = "", default: str = "", timeout_s: float = 0.0
    ) -> None:
        self.entries = entries
        self.title = title
        self.default = default
        self.timeout_s = timeout_s


def parse_menu(text: str, name: str) -> Menu:
    """Read a menu file.

    Raises:
        MenuError: a line is not an entry, or there are no entries.
    """
    entries: list[Entry] = []
    settings: dict[str, str] = {}
    for count, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        label, equals, value = (part.strip() for part in stripped.rpartition("="))
        if not equals or not label or not value:
            raise MenuError(f"{name}, line {count}: not LABEL = CHAIN: {stripped[:80]}")
        if label.lower() in SETTINGS:
            settings[label.lower()] = value
        else:
            entries.append(_entry(label, value, f"{name}, line {count}"))
        if len(entries) > _MAX_ENTRIES:
            raise MenuError(f"{name}: more than {_MAX_ENTRIES} entries")
    if not entries:
        raise MenuError(f"{name}: there is nothing to choose from")
    return Menu(
        entries,
        title=settings.get("title", ""),
        default=settings.get("default", ""),
        timeout_s=parse_seconds(settings.get("timeout", "0"), f"{name}, timeout"),
    )


def menu_of_directory(files: list[tuple[str, str]], name: str) -> Menu:
    """The menu of a directory.

    Args:
        files: (file name, text) of its files; the text of a ``.menu`` file is ignored.

    Raises:
        MenuError: a ``.chain`` file holds no chain, or there are no entries.
    """
    entries = []
    for file, text in sorted(files):
        label, _, kind = file.rpartition(".")
        if kind == "menu" and label:
            entries.append(Entry(label, below=file))
        elif kind == "chain" and label:
            lines = (line.strip() for line in text.splitlines())
            chain = next((line for line in lines if line and not line.startswith("#")), "")
            entries.append(_entry(label, chain, f"{name}/{file}"))
    if not entries:
        raise MenuError(f"{name}: neither .menu nor .chain files there")
    return Menu(entries)


def parse_seconds(text: str, where: str) -> float:
    """A time in seconds. Raises MenuError."""
    try:
        number = float(text or "0")
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e6:
        raise MenuError(f"{where}: {text[:40]} is not a number of seconds")
    return number


def _entry(label: str, value: str, where: str) -> Entry:
    if value.startswith("@"):
        below = value[1:].strip()
        if not below or below.startswith("/") or ".." in below.split("/"):
            raise MenuError(f"{where}: {below[:80]!r} is not a menu beside this one")
        return Entry(label, below=below)
    chain = names(value)
    wrong = next((step for step in chain if "/" in step or step.startswith((".", "-"))), "")
    if not chain or wrong:
        raise MenuError(
            f"{where}: {wrong[:80]!r} is not the name of a step" if wrong else f"{where}: no steps"
        )
    return Entry(label, chain=chain)
