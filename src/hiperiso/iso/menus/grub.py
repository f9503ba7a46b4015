"""The menu that a ``grub.cfg`` makes, without running GRUB.

Everything that decides which system an entry starts is evaluated: variables, quotes, ``if`` with the tests that can be
decided here, included files, submenus. An undecidable condition counts as true; a loop runs once; functions are not
called. Source: the GRUB manual, "Writing full configuration files directly" and "The list of commands".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from hiperiso.iso.menus.entries import Front, Menu, MenuEntry, MenuRow, joined
from hiperiso.iso.menus.grubscript import (
    Word,
    block_end,
    end_of_command,
    matching,
    own_keywords,
    split_script,
)

_MAX_WORDS: Final = 100_000
_MAX_VALUE_CHARS: Final = 4096
_MAX_NESTING: Final = 24
_MAX_PIECES: Final = 2_000
_MAX_PIECES_IN_ALL: Final = 500_000
"""Limits of words for one command, and for all together, after expansion of variables."""

_MAX_TEST_WORDS: Final = 40
_MAX_FILES: Final = 40
_MAX_ENTRIES: Final = 500

_KERNEL: Final = frozenset(("linux", "linux16", "linuxefi", "linux32", "linux64"))
_INITRD: Final = frozenset(("initrd", "initrd16", "initrdefi", "initrd32", "initrd64"))
_OTHER_LOADERS: Final = frozenset(
    ("chainloader", "multiboot", "multiboot2", "kfreebsd", "ntldr", "xnu_kernel")
)
_LEAVES: Final = frozenset(("halt", "poweroff", "reboot", "exit", "fwsetup", "normal_exit", "boot"))
_INCLUDES: Final = frozenset(("source", "configfile", ".", "normal"))
_INPUTS: Final = frozenset(("terminal_input", "terminal"))
_OPTIONS_WITH_VALUE: Final = frozenset(("--class", "--users", "--hotkey", "--id"))
_DEVICE: Final = re.compile(r"^\([^()]{0,100}\)")

Read = Callable[[str], str]
"""The text of a file of the medium; ``""`` when it does not exist."""


@dataclass
class _Item:
    """An entry or a submenu, in menu order."""

    title: str
    name: str
    entry: MenuEntry | None = None
    runs: str = ""
    unrestricted: bool = False
    below: list[_Item] = field(default_factory=list)


def read_grub_menu(
    path: str, read: Read, exists: Callable[[str], bool], variables: dict[str, str] | None = None
) -> Menu:
    """The menu of a configuration; never raises for its content.

    Args:
        path: of the configuration on the medium.
        read: returns the text of a file.
        exists: returns whether a file exists.
        variables: those that GRUB or its caller would have set, such as ``grub_platform`` and ``iso_path``.
    """
    reader = _Reader(path, read, exists, variables or {})
    items: list[_Item] = []
    reader.include(path, items)
    entries = list(_flat(items))[:_MAX_ENTRIES]
    chosen = _default(items, reader.variables.get("default", ""))
    default = entries.index(chosen) if chosen in entries else 0
    rows = tuple(_rows(items, ()))[:_MAX_ENTRIES]
    front = replace(_front(items, reader.variables), serial_input=reader.serial_input)
    return Menu(path, tuple(entries), default, front, rows)


class _Reader:
    def __init__(
        self, path: str, read: Read, exists: Callable[[str], bool], variables: dict[str, str]
    ) -> None:
        prefix = path.rpartition("/")[0]
        self.variables = {"prefix": prefix, "root": "", **variables}
        self._path = path
        self._read = read
        self._exists = exists
        self._files = 0
        self._items = 0
        self._words = 0
        self._pieces = 0
        self._nesting = 0
        self._kernel: tuple[str, str] | None = None
        self._initrds: tuple[str, ...] = ()
        self._runs = ""
        self.serial_input = False

    def include(self, path: str, items: list[_Item]) -> None:
        self._files += 1
        if self._files <= _MAX_FILES and self._nesting < _MAX_NESTING:
            words = split_script(self._read(path), _MAX_WORDS - self._words)
            self._words += len(words)
            self._block(words, items)

    def _block(self, words: list[Word], items: list[_Item]) -> None:
        self._nesting += 1
        at = 0
        while at < len(words) and self._nesting <= _MAX_NESTING:
            at = self._statement(words, at, items)
        self._nesting -= 1

    def _statement(self, words: list[Word], at: int, items: list[_Item]) -> int:
        """Run the statement that begins at a word; returns where the next one begins."""
        if words[at].mark:
            return at + 1
        keyword = words[at].plain
        if keyword == "if":
            return self._if(words, at, items)
        if keyword in ("for", "while", "until"):
            end = matching(words, at, ("for", "while", "until"), "done")
            self._loop(words[at:end], items)
            return end + 1
        end = end_of_command(words, at)
        if keyword == "function":
            return block_end(words, end) + 1
        if end < len(words) and words[end].mark == "{" and keyword in ("menuentry", "submenu"):
            close = block_end(words, end)
            self._item(keyword, self._expanded(words[at:end]), words[end + 1 : close], items)
            return close + 1
        self._command(self._expanded(words[at:end]), items)
        return end + 1

    def _if(self, words: list[Word], at: int, items: list[_Item]) -> int:
        end = matching(words, at, ("if",), "fi")
        marks = [(at, "if"), *own_keywords(words, at + 1, end), (end, "fi")]
        taken = False
        condition = True
        for (here, keyword), (then, _) in pairwise(marks):
            body = words[here + 1 : then]
            if keyword in ("if", "elif"):
                condition = not taken and self._holds(body)
            elif keyword == "then":
                if condition:
                    taken = True
                    self._block(body, items)
            elif keyword == "else" and not taken:
                self._block(body, items)
        return end + 1

    def _loop(self, words: list[Word], items: list[_Item]) -> None:
        do = next((at for at, word in enumerate(words) if word.plain == "do"), len(words))
        head = self._expanded(words[:do])
        if len(head) > 3 and head[0] == "for" and head[2] == "in":
            self._set(head[1], head[3])
        self._block(words[do + 1 :], items)

    def _holds(self, condition: list[Word]) -> bool:
        words = self._expanded([word for word in condition if not word.mark][:_MAX_TEST_WORDS])
        if words[:1] == ["["] and words[-1:] == ["]"]:
            return self._test(words[1:-1])
        if words[:1] == ["test"]:
            return self._test(words[1:])
        return words != ["false"]

    def _test(self, words: list[str]) -> bool:
        result = True  # of a test that cannot be decided here
        match words:
            case ["!", *rest]:
                result = not self._test(rest)
            case [*left, "-o", _] | [*left, "-o", _, _] | [*left, "-o", _, _, _]:
                result = self._test(left) or self._test(words[len(left) + 1 :])
            case [*left, "-a", _] | [*left, "-a", _, _] | [*left, "-a", _, _, _]:
                result = self._test(left) and self._test(words[len(left) + 1 :])
            case [left, "=" | "==" | "!=" as sign, right]:
                result = (left == right) is (sign != "!=")
            case ["-f" | "-e" | "-s", path]:
                result = self._exists(self._file(path))
            case ["-z"] | []:
                result = words != []
            case ["-z", text]:
                result = not text
            case ["-n", text] | [text]:
                result = text not in ("", "-n")
        return result

    def _item(self, keyword: str, words: list[str], body: list[Word], items: list[_Item]) -> None:
        title, name = _title(words[1:])
        item = _Item(title, name, unrestricted="--unrestricted" in words)
        self._items += 1
        if self._items > _MAX_ENTRIES:
            return
        saved, self._kernel, self._initrds, self._runs = dict(self.variables), None, (), ""
        self.variables["chosen"] = name or title
        self._block(body, item.below)
        loaded = self._loaded()
        if keyword == "menuentry" and loaded:
            kernel, arguments = loaded
            item.entry = MenuEntry(
                title=title,
                kernel=kernel,
                initrds=self._initrds,
                arguments=arguments,
                source=self._path,
            )
        if item.entry is None:
            item.runs = self._runs
        self.variables, self._kernel, self._initrds, self._runs = saved, None, (), ""
        items.append(item)

    def _loaded(self) -> tuple[str, str] | None:
        return self._kernel

    def _command(self, words: list[str], items: list[_Item]) -> None:
        name = words[0] if words else ""
        if name == "set" and len(words) > 1:
            key, _, value = words[1].partition("=")
            self._set(key, value)
        elif name in _KERNEL and len(words) > 1:
            self._kernel = (self._file(words[1]), joined(words[2:]))
            self._initrds = ()
        elif name in _INITRD:
            self._initrds = tuple(self._file(word) for word in words[1:] if not word.startswith("-"))
        elif name in _OTHER_LOADERS:
            self._kernel = None
            self._runs = joined(words)
        elif name in _LEAVES and not self._runs:
            self._runs = joined(words)
        elif name in _INCLUDES and len(words) > 1:
            self.include(self._file(words[-1]), items)
        elif name in _INPUTS:
            devices = [word for word in words[1:] if not word.startswith("-")]
            self.serial_input = bool(devices) and all(word.startswith("serial") for word in devices)
        elif "=" in name and not name.startswith("="):
            key, _, value = name.partition("=")
            self._set(key, value)

    def _set(self, name: str, value: str) -> None:
        if len(self.variables) < 1000 or name in self.variables:
            self.variables[name] = value[:_MAX_VALUE_CHARS]

    def _file(self, text: str) -> str:
        path = _DEVICE.sub("", text)
        return path if path.startswith("/") else f"/{path}"

    def _expanded(self, words: list[Word]) -> list[str]:
        """Words with variables expanded; an unquoted one may yield several words, or none."""
        found: list[str] = []
        for word in words[:_MAX_PIECES]:
            pieces = [""]
            solid = False
            for text, is_name, quoted in word.parts[:_MAX_PIECES]:
                value = self.variables.get(text, "") if is_name else text
                solid = solid or quoted or not is_name
                first, *rest = value.split(" ") if is_name and not quoted else [value]
                pieces[-1] = (pieces[-1] + first)[:_MAX_VALUE_CHARS]
                pieces += rest
                if len(pieces) > _MAX_PIECES:
                    break
            found += [piece for piece in pieces if piece or (solid and len(pieces) == 1)]
            if len(found) > _MAX_PIECES:
                break
        self._pieces += len(found)
        return found[:_MAX_PIECES] if self._pieces <= _MAX_PIECES_IN_ALL else []


def _title(words: list[str]) -> tuple[str, str]:
    """Title and id of an entry."""
    title, name = "", ""
    at = 0
    while at < len(words):
        word = words[at]
        option, equals, value = word.partition("=")
        if option in ("--id", "$menuentry_id_option"):
            name = value if equals else (words[at + 1] if at + 1 < len(words) else "")
        if option.startswith("--"):
            at += 1 if equals or option not in _OPTIONS_WITH_VALUE else 2
            continue
        title = title or word
        at += 1
    return title, name


def _flat(items: list[_Item]) -> list[MenuEntry]:
    found: list[MenuEntry] = []
    todo = list(reversed(items))
    while todo:
        item = todo.pop()
        if item.entry:
            found.append(item.entry)
        todo += reversed(item.below)
    return found


def _rows(items: list[_Item], above: tuple[str, ...]) -> Iterator[MenuRow]:
    for item in items:
        path = (*above, item.title)
        submenu = bool(item.below) and item.entry is None
        yield MenuRow(path=path, entry=item.entry, runs=item.runs, submenu=submenu)
        if submenu:
            yield from _rows(item.below, path)


def _front(items: list[_Item], variables: Mapping[str, str]) -> Front:
    """GRUB counts down where ``timeout`` is a number from 0 on; without one, or with -1, its menu waits."""
    titles = tuple(item.title for item in items)
    timeout = variables.get("timeout", "")
    steps = variables.get("fallback", "").split(" ")
    guarded = frozenset(item.title for item in items if variables.get("superusers") and not item.unrestricted)
    after = [_numbered(items, step.split(">")[0], None) for step in steps[:_MAX_NESTING]]
    return Front(
        titles=titles,
        chosen=_numbered(items, variables.get("default", "").split(">")[0], 0) or 0,
        timeout_s=float(timeout) if timeout.isascii() and timeout.isdigit() and len(timeout) < 6 else None,
        fallbacks=tuple(titles[at] for at in after if at is not None),
        guarded=guarded,
    )


def _numbered(items: list[_Item], step: str, otherwise: int | None) -> int | None:
    """The number of the entry that a title, an id or a number names."""
    named = [at for at, item in enumerate(items) if step and step in (item.title, item.name)]
    number = int(step) if step.isascii() and step.isdigit() and len(step) < 6 else len(items)
    return named[0] if named else number if number < len(items) else otherwise


def _default(items: list[_Item], wanted: str) -> MenuEntry | None:
    """What ``default`` names: a number, a title or an id, with ``>`` between menus one below the other."""
    for step in [*wanted.split(">")[:_MAX_NESTING], *["0"] * _MAX_NESTING]:
        named = [item for item in items if step and step in (item.title, item.name)]
        number = int(step) if step.isascii() and step.isdigit() and len(step) < 6 else 0
        item = named[0] if named else items[number] if number < len(items) else None
        if item is None or item.entry or not item.below:
            return item.entry if item else None
        items = item.below
    return None
