"""Is this screen a boot menu that waits for a person? Decided from one screen; the caller decides whether it is stable.

A menu is detected in two ways. The screen shows the text or the shape of a menu (`signs`). Or it cannot be read (a
theme, a picture behind the text), and the ISO's own configuration has a menu without a time limit, the boot loader has
read that configuration and no kernel since: then a still picture can only be that menu. A screen that a person would
not press a key at is rejected first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from hiperiso.drive.look import Look
from hiperiso.drive.signs import (
    COUNTDOWN,
    MENU_SIGNS,
    PROMPT,
    REFUSAL_SIGNS,
    MenuKind,
    MenuSign,
    Refusal,
    RefusalSign,
)
from hiperiso.iso.menus.entries import MenuRow

_FRAME: Final = re.compile(r"[│┃║|]")
_RULE: Final = re.compile(r"[─━═┌┏╔└┗╚├┠╠+-]{8,}")
_LEFT: Final = " \t│┃║|*►▶>→"
_MAX_ENTRY_CHARS: Final = 200
_WITHOUT_A_LIST: Final = (MenuKind.KEY_PAGE, MenuKind.WINDOWS)
_WITHOUT_TITLES: Final = (MenuKind.REFIND, MenuKind.LIMINE, MenuKind.SYSTEMD_BOOT)
"""They find their entries by themselves, without configuration."""


@dataclass(frozen=True)
class MenuConfig:
    """The menu in the ISO's own configuration.

    Attributes:
        source: its configuration file.
        kind: the boot loader of the configuration.
        titles: of the entries in their order.
        chosen: number of the entry that is highlighted first.
        timeout_s: when the menu continues by itself; None for never.
        other_on_timeout: what it then starts is not the highlighted entry.
        kernels: paths of the kernels that its entries start.
        observed: whether a read of `source` would be seen; it is not in a file system inside a boot image.
        rows: every row of it and of its submenus.
        serial_input: it takes keys from the serial port alone.
        hidden: it is not shown until a key is pressed, and that key does nothing else.
        fallbacks: titles of the entries that it starts by itself, one after the other, where its default entry fails.
        guarded: titles of the entries that ask for a password.
    """

    source: str
    kind: MenuKind
    titles: tuple[str, ...] = ()
    chosen: int = 0
    timeout_s: float | None = None
    other_on_timeout: bool = False
    kernels: frozenset[str] = frozenset()
    observed: bool = True
    rows: tuple[MenuRow, ...] = ()
    serial_input: bool = False
    hidden: bool = False
    fallbacks: tuple[str, ...] = ()
    guarded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Menu:
    """A menu or a prompt that a person could answer.

    Attributes:
        kind: its boot loader.
        entries: as the screen shows them, else as the configuration has them; empty where neither can be read.
        chosen: number of the highlighted entry, from 0; None where that is not seen.
        counting_s: the displayed countdown in seconds; None for a menu that waits.
        other_on_timeout: it then starts something other than the highlighted entry.
        at_once: it must be answered as soon as it is seen.
        seen_by: how it was recognised: ``text``, ``shape``, ``configuration`` or ``serial``.
        serial_input: it takes keys from the serial port alone, as its configuration says.
        listed: its entries are on the screen.
        hidden: it may not be shown yet, as its configuration says.
        guarded: its entries that ask for a password, as its configuration says.
    """

    kind: MenuKind
    entries: tuple[str, ...] = ()
    chosen: int | None = None
    counting_s: int | None = None
    other_on_timeout: bool = False
    at_once: bool = False
    seen_by: str = "text"
    serial_input: bool = False
    listed: bool = False
    hidden: bool = False
    guarded: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """The highlighted entry; empty where it is not known."""
        return (
            self.entries[self.chosen] if self.chosen is not None and self.chosen < len(self.entries) else ""
        )


def recognise(look: Look, configs: Sequence[MenuConfig] = (), *, loader_runs: bool) -> Menu | Refusal | None:
    """Return the menu on the screen, why it gets no key, or None if nothing is recognised.

    Args:
        look: the screen.
        configs: the menus that the ISO's configuration files have, only those read by the boot loader.
        loader_runs: a boot loader was seen and no kernel since.
    """
    rows = [row.rstrip() for row in look.rows]
    if why := refusal_of(rows):
        return why
    if menu := _by_text(look, rows, configs):
        return menu
    if not loader_runs:
        return None
    return _by_shape(look) or _by_configuration(look, configs)


def recognise_lines(lines: Sequence[str], configs: Sequence[MenuConfig] = ()) -> Menu | Refusal | None:
    """The same for the last lines of a serial port, where a boot loader shows its menu there alone."""
    if why := refusal_of(lines):
        return why
    if any(COUNTDOWN.search(line) for line in lines):
        return None
    for sign, pattern in _MENUS:
        if any(pattern.search(line) for line in lines):
            config = _of_kind(configs, sign.kind)
            return replace(_from_config(sign.kind, config, seen_by="serial"), counting_s=None)
    if lines and PROMPT.match(lines[-1]):
        return _from_config(MenuKind.PROMPT, _of_kind(configs, MenuKind.PROMPT), seen_by="serial")
    return None


def refusal_of(rows: Sequence[str]) -> Refusal | None:
    """Why a screen, or the last lines of a serial port, get no key; None for no reason."""
    last = next((row for row in reversed(rows) if row.strip()), "")
    for sign, pattern in _REFUSALS:
        if any(pattern.search(row) for row in ([last] if sign.last else rows)):
            return sign.why
    return None


def _by_text(look: Look, rows: list[str], configs: Sequence[MenuConfig]) -> Menu | None:
    for sign, pattern in _MENUS:
        if any(pattern.search(row) for row in rows):
            return _menu(sign, look, rows, configs)
    if PROMPT.match(look.last_row):
        return _from_config(MenuKind.PROMPT, _of_kind(configs, MenuKind.PROMPT), seen_by="text")
    return None


def _menu(sign: MenuSign, look: Look, rows: list[str], configs: Sequence[MenuConfig]) -> Menu:
    entries, chosen = ((), None) if sign.kind in _WITHOUT_A_LIST else entries_on(look)
    listed = bool(entries)
    config = _of_kind(configs, sign.kind)
    if config and _cannot_be_read(entries, config):
        entries = config.titles
    if not entries and config:
        entries, chosen = config.titles, config.chosen
    elif chosen is None and config and config.chosen < len(config.titles):
        title = config.titles[config.chosen]
        chosen = next((at for at, entry in enumerate(entries) if entry == title), None)
    counting_s = _countdown(rows)
    return Menu(
        kind=sign.kind,
        entries=entries,
        chosen=chosen,
        counting_s=counting_s,
        other_on_timeout=counting_s is not None and bool(config and config.other_on_timeout),
        at_once=sign.at_once,
        serial_input=bool(config and config.serial_input),
        listed=listed,
        hidden=bool(config and config.hidden),
        guarded=config.guarded if config else frozenset(),
    )


def _cannot_be_read(entries: tuple[str, ...], config: MenuConfig) -> bool:
    """Whether these are the entries of the configuration, in a script that no known font has."""
    return len(entries) == len(config.titles) and any("\ufffd" in entry for entry in entries)


def _by_shape(look: Look) -> Menu | None:
    """A list with one entry under a bar."""
    entries, chosen = entries_on(look)
    if chosen is None or len(entries) < 2 or not any(look.is_bar(row) for row in look.marked):
        return None
    return Menu(MenuKind.UNKNOWN, entries, chosen, _countdown(look.rows), seen_by="shape", listed=True)


def _by_configuration(look: Look, configs: Sequence[MenuConfig]) -> Menu | None:
    """A picture without readable text, if the configuration has a menu that waits, or that starts another entry."""
    if look.is_blank or (look.screen is not None and not look.screen.partial):
        return None
    for config in configs:
        waits = config.timeout_s is None or config.other_on_timeout
        if waits and (config.titles or config.kind in _WITHOUT_TITLES):
            return _from_config(config.kind, config, seen_by="configuration")
    return None


def _from_config(kind: MenuKind, config: MenuConfig | None, *, seen_by: str) -> Menu:
    if config is None:
        return Menu(kind, seen_by=seen_by)
    counting_s = None if config.timeout_s is None else round(config.timeout_s)
    chosen = config.chosen if config.titles else None
    return Menu(
        kind,
        config.titles,
        chosen,
        counting_s,
        config.other_on_timeout,
        seen_by=seen_by,
        serial_input=config.serial_input,
        hidden=config.hidden,
        guarded=config.guarded,
    )


def _of_kind(configs: Iterable[MenuConfig], kind: MenuKind) -> MenuConfig | None:
    return next((config for config in configs if config.kind is kind), None)


def _countdown(rows: Sequence[str]) -> int | None:
    for row in reversed(rows):
        if not _FRAME.search(row) and (match := COUNTDOWN.search(row)):
            return int(match["s"])
    return None


def entries_on(look: Look) -> tuple[tuple[str, ...], int | None]:
    """The entries of a menu as the screen shows them, and the number of the marked one (None where none is seen)."""
    rows = look.rows
    starred = [at for at, row in enumerate(rows) if re.match(r"^\s{0,20}[│┃║|]?\s{0,2}\*\S", row)]
    marks = starred if len(starred) == 1 else [at for at in look.marked if _entry(rows[at])]
    framed = _frame(rows)
    if framed:
        first, end = framed
        block = [at for at in range(first, end) if _entry(rows[at])]
    elif len(marks) == 1:
        block = _around(rows, marks[0])
    else:
        return (), None
    chosen = [number for number, at in enumerate(block) if at in marks]
    return tuple(_entry(rows[at]) for at in block), chosen[0] if len(chosen) == 1 else None


def _frame(rows: Sequence[str]) -> tuple[int, int] | None:
    """First row and the row past the end of the lowest box that holds text between its rules."""
    rules = [at for at, row in enumerate(rows) if _RULE.search(row)]
    best: tuple[int, int] | None = None
    for top, bottom in pairwise(rules):
        inside = rows[top + 1 : bottom]
        if any(_entry(row) for row in inside) and all(_FRAME.search(row) for row in inside):
            best = (top + 1, bottom)
    return best


def _around(rows: Sequence[str], mark: int) -> list[int]:
    """The rows without a gap around a marked one."""
    first = end = mark
    while first > 0 and _entry(rows[first - 1]):
        first -= 1
    while end + 1 < len(rows) and _entry(rows[end + 1]):
        end += 1
    return list(range(first, end + 1))


def _entry(row: str) -> str:
    return row.strip(_LEFT)[:_MAX_ENTRY_CHARS].rstrip()


_MENUS: Final = tuple((sign, re.compile(sign.pattern)) for sign in MENU_SIGNS)
_REFUSALS: Final[tuple[tuple[RefusalSign, re.Pattern[str]], ...]] = tuple(
    (sign, re.compile(sign.pattern)) for sign in REFUSAL_SIGNS
)
