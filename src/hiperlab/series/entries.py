"""The entries of an ISO's menu, from its configuration and from its screen. Pure.

The configuration has the submenus, and what each entry starts; the screen has what is really shown: entries that a
script created, a loader found by itself, or a translation. Entries in only one of the two are listed as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hiperiso.drive.recognise import MenuConfig
from hiperiso.iso.menus.entries import MenuRow
from hiperlab.series.purpose import Purpose, purpose_of

_BETWEEN: Final = ">"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the menu or of a submenu.

    Attributes:
        row: its title and effect.
        choose: its argument for ``--menu``.
        purpose: its purpose.
        configured: the configuration has it.
        shown: the screen showed it; of what is in a submenu that is not known.
    """

    row: MenuRow
    choose: str
    purpose: Purpose
    configured: bool
    shown: bool

    @property
    def title(self) -> str:
        """Titles of the submenus above it, and its own."""
        return " > ".join(self.row.path)


def entries_of(
    configs: Sequence[MenuConfig], *, read: Collection[str], shown: Sequence[str]
) -> tuple[Entry, ...]:
    """Every known entry, in the order of the menu; those only on the screen come last.

    Args:
        configs: the menus in the configuration files that this firmware's boot loader may read.
        read: paths of files that the guest has read.
        shown: the entries that its screen showed.
    """
    rows = _rows(_config_in_force(configs, read, shown))
    seen = [_plain(title) for title in shown]
    found: list[Entry] = []
    for row, choose in zip(rows, _choices(rows), strict=True):
        on_screen = len(row.path) == 1 and any(_same(_plain(row.path[0]), title) for title in seen)
        found.append(Entry(row=row, choose=choose, purpose=purpose_of(row), configured=True, shown=on_screen))
    tops = [_plain(row.path[0]) for row in rows if len(row.path) == 1]
    for number, title in enumerate(shown, 1):
        if any(_same(top, _plain(title)) for top in tops) or not _plain(title):
            continue
        row = MenuRow(path=(title,))
        choose = title if _can_be_typed(title) and shown.count(title) == 1 else str(number)
        found.append(Entry(row=row, choose=choose, purpose=purpose_of(row), configured=False, shown=True))
    return tuple(found)


def _config_in_force(
    configs: Sequence[MenuConfig], read: Collection[str], shown: Sequence[str]
) -> MenuConfig | None:
    """The configuration that the menu on the screen was made of: it was read, and has most of the titles."""
    titles = [_plain(title) for title in shown]

    def rank(config: MenuConfig) -> tuple[bool, int, bool]:
        tops = [_plain(row.path[0]) for row in _rows(config) if len(row.path) == 1]
        alike = sum(any(_same(top, title) for top in tops) for title in titles)
        return config.source in read, alike, not config.observed

    with_rows = [config for config in configs if _rows(config)]
    return max(with_rows, key=rank, default=None)


def _rows(config: MenuConfig | None) -> tuple[MenuRow, ...]:
    if config is None:
        return ()
    return config.rows or tuple(MenuRow(path=(title,)) for title in config.titles)


def _choices(rows: Sequence[MenuRow]) -> Iterator[str]:
    """The selector of each row: its title, or its number if the title is not a unique text."""
    steps: dict[tuple[str, ...], str] = {}
    for row in rows:
        siblings = [other for other in rows if other.path[:-1] == row.path[:-1]]
        number = next(at for at, other in enumerate(siblings, 1) if other is row)
        title = row.path[-1]
        alike = [other for other in siblings if other.path[-1].casefold() == title.casefold()]
        step = title if _can_be_typed(title) and len(alike) == 1 else str(number)
        above = steps.get(row.path[:-1], "")
        steps.setdefault(row.path, f"{above}{_BETWEEN}{step}" if above else step)
        yield f"{above}{_BETWEEN}{step}" if above else step


def _can_be_typed(title: str) -> bool:
    """Whether ``--menu`` accepts a title unchanged as an entry's text."""
    words = ("auto", "wait", "list", "off", "all")
    return (
        bool(title.strip())
        and title.isprintable()
        and _BETWEEN not in title
        and not title.strip().isdigit()
        and title.strip().lower() not in words
    )


def _plain(title: str) -> str:
    """A title without what boot loaders put around it."""
    return re.sub(r"\s+", " ", title.strip(" \t*>.│|►▶→…")).casefold()


def _same(configured: str, shown: str) -> bool:
    """Whether a row of the screen is that of the configuration; a narrow menu cuts titles off."""
    if configured == shown:
        return True
    return len(shown) >= 12 and configured.startswith(shown)
