"""The entries of a boot menu."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_ARGUMENTS_CHARS = 2040
"""The kernel takes 2047 characters on x86; longer lines would be truncated. Source: COMMAND_LINE_SIZE."""


@dataclass(frozen=True, kw_only=True)
class MenuEntry:
    """One entry that starts a Linux kernel.

    Attributes:
        title: as the menu shows it.
        kernel, initrds: paths on the medium, as the menu names them.
        arguments: for the kernel.
        source: the configuration file that contains it.
    """

    title: str
    kernel: str
    initrds: tuple[str, ...]
    arguments: str
    source: str


@dataclass(frozen=True)
class Front:
    """What a menu shows when it appears, and what it does without a key press.

    Attributes:
        titles: the rows of its first page in order, including submenus and entries that do not start Linux.
        chosen: index of the row that is highlighted initially.
        timeout_s: when it continues by itself; 0 at once, None never.
        other_on_timeout: it then starts something other than the highlighted row.
        prompt: it shows a prompt for entry names instead of a list.
        serial_input: it takes keys from the serial port alone.
        hidden: it is not shown until a key is pressed, and that key does nothing else.
        fallbacks: titles of the entries that it starts by itself, one after the other, where its default entry fails.
        guarded: titles of the entries that ask for a password.
    """

    titles: tuple[str, ...] = ()
    chosen: int = 0
    timeout_s: float | None = None
    other_on_timeout: bool = False
    prompt: bool = False
    serial_input: bool = False
    hidden: bool = False
    fallbacks: tuple[str, ...] = ()
    guarded: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class MenuRow:
    """One row of a menu or of a submenu, whatever it does.

    Attributes:
        path: titles of the submenus above it, and its own.
        entry: the Linux that it starts; None where it starts none.
        runs: what it does instead: a command, as the configuration has it; empty where that is not known.
        submenu: it opens a further menu.
    """

    path: tuple[str, ...]
    entry: MenuEntry | None = None
    runs: str = ""
    submenu: bool = False


@dataclass(frozen=True)
class Menu:
    """The entries of one configuration, its default entry, and how the menu appears.

    ``rows`` has all rows in the order in which a person meets them, what is in a submenu after its own row.
    """

    source: str
    entries: tuple[MenuEntry, ...]
    default: int = 0
    front: Front = Front()
    rows: tuple[MenuRow, ...] = ()

    @property
    def in_order(self) -> tuple[MenuEntry, ...]:
        """The default entry, then the others."""
        before, after = self.entries[: self.default], self.entries[self.default :]
        return (*after[:1], *before, *after[1:])


def joined(words: Iterable[str]) -> str:
    """Words as one kernel command line; the kernel supports double quotes, but no escapes."""
    found: list[str] = []
    left = MAX_ARGUMENTS_CHARS
    for word in words:
        if left <= 0:
            break
        if word:
            found.append(_word(word[:MAX_ARGUMENTS_CHARS]))
            left -= len(found[-1]) + 1
    return " ".join(found)[:MAX_ARGUMENTS_CHARS]


def _word(word: str) -> str:
    clean = "".join(" " if char in "\t\r\n\v\f\0" else char for char in word)
    if " " not in clean:
        return clean
    name, equals, value = clean.replace('"', "").partition("=")
    return f'{name}="{value}"' if equals and " " not in name else f'"{name}{equals}{value}"'
