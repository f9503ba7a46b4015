"""What to do about a boot menu (the value of the setting ``menu``), and the result."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_MAX_CHARS: Final = 500
_MAX_DEPTH: Final = 8


class MenuMode(StrEnum):
    """How a boot menu is treated."""

    AUTO = "auto"
    WAIT = "wait"
    LIST = "list"
    CHOOSE = "choose"
    HANDS_OFF = "off"


class MenuOutcome(StrEnum):
    """Why nothing further is done about a boot menu (``data.outcome`` of an event of the hands)."""

    WAITS = "waits"
    LISTED = "listed"
    RETURNED = "returned"
    NO_REACTION = "no_reaction"
    NO_ENTRY = "no_entry"
    PASSPHRASE = "passphrase"  # noqa: S105 - a word, not one


@dataclass(frozen=True)
class MenuPolicy:
    """One way to treat a boot menu.

    Attributes:
        mode: ``auto`` answers a menu that waits; ``wait`` leaves it alone and ends with the verdict that it waits;
            ``list`` ends with its entries; ``choose`` takes the entry of `path`; ``off`` ignores menus.
        path: of the entry to choose, outer menus first; each a number from 1 (all digits) or a text.
    """

    mode: MenuMode = MenuMode.AUTO
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ">".join(self.path) if self.mode is MenuMode.CHOOSE else self.mode.value


def parse_menu(text: str) -> MenuPolicy:
    """The policy for ``auto``, ``wait``, ``list``, ``off``, a number from 1, or the text of an entry.

    Entries of submenus are named by their path, joined by ``>``: ``Advanced options>Text install``.

    Raises:
        ValueError: an empty step, the number 0, or a text that cannot be a row of a screen.
    """
    word = text.strip()
    if word.lower() in (MenuMode.AUTO, MenuMode.WAIT, MenuMode.LIST, MenuMode.HANDS_OFF):
        return MenuPolicy(MenuMode(word.lower()))
    steps = tuple(step.strip() for step in word.split(">"))
    if len(word) > _MAX_CHARS or len(steps) > _MAX_DEPTH or not all(steps) or not word.isprintable():
        raise ValueError(
            f"{text!r} is not auto, wait, list, off, the number of an entry, or its text (submenus as A>B)"
        )
    if any(re.fullmatch(r"0+", step) for step in steps):
        raise ValueError(f"{text!r}: entries are numbered from 1")
    return MenuPolicy(MenuMode.CHOOSE, steps)


EVERY_ENTRY: Final = MenuPolicy(MenuMode.CHOOSE, ("all",))
"""``all``: the command line boots every entry. In a single boot it is a text like any other; so an entry of that name
is chosen by its number."""
