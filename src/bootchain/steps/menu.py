"""menu: lists what can be booted and replaces the chain by the choice.

========================  ========================================================================================
``menu=TARGET``           a menu file or a directory of menus (see ``bootchain.menufile``), addressed like any target;
                          a later call without one of its own takes the last one given
``menu-default=LABEL``    what is chosen at first
``menu-timeout=SECONDS``  without a key in that time the default is taken
========================  ========================================================================================

The way back leads out of a menu below into the one above, and out of the first one on to the steps that follow in
the chain. A chain that was chosen leads back here with a step ``menu`` of its own; its last choice is then the first
one offered. Without a terminal, the default is taken; without one the step fails.
"""

from __future__ import annotations

import os
import sys

from bootchain.interactive.dialogs import OK, Choice
from bootchain.interactive.show import NoTerminal, show
from bootchain.menufile import Entry, Menu, MenuError, menu_of_directory, parse_menu, parse_seconds
from bootchain.step import Step, StepError

LAST_CHOICE = "menu.last"
_MAX_BYTES = 1 << 20
_MAX_DEPTH = 20


class Cancelled(Exception):
    """The way back out of the first menu was taken."""


def main(step: Step) -> None:
    """Run the step; leaves by SystemExit when it fails."""
    target = _last_given(step, "MENU")
    if not target:
        step.fatal("required parameter is empty: MENU0")
    try:
        path = step.resolve_target(target)
        default = _last_given(step, "MENU_DEFAULT") or _read_last(step)
        timeout_s = parse_seconds(_last_given(step, "MENU_TIMEOUT"), "menu-timeout")
        trail, entry = choose(path, default, timeout_s, step)
    except Cancelled:
        step.message("left without a choice: the chain goes on as it is")
        _pass_on(step)
        return
    except (MenuError, StepError, NoTerminal, OSError) as error:
        step.fatal(str(error))
    _remember(step, trail)
    step.message(f"{entry.label}: {','.join(entry.chain)}")
    step.next_bootchain(*entry.chain)
    _pass_on(step)


def choose(path: str, default: str, timeout_s: float, step: Step) -> tuple[list[str], Entry]:
    """Show the menu and its submenus until an entry is chosen.

    Returns:
        The labels on the way, and the entry.

    Raises:
        Cancelled: the way back out of the first menu.
        MenuError: a menu cannot be used. NoTerminal: no terminal, and no default. OSError: it cannot be read.
    """
    wanted = [label for label in default.split("\t") if label]
    levels = [path]
    trail: list[str] = []
    while True:
        menu = load(levels[-1])
        first = wanted.pop(0) if wanted else menu.default
        entry = _ask(menu, first, timeout_s or menu.timeout_s, step, top=not trail)
        if entry is None:
            if len(levels) == 1:
                raise Cancelled
            levels.pop()
            wanted = [trail.pop()]
            timeout_s = 0
            continue
        trail.append(entry.label)
        if entry.chain:
            return trail, entry
        below = levels[-1] if os.path.isdir(levels[-1]) else os.path.dirname(levels[-1])  # noqa: PTH112, PTH120
        levels.append(f"{below}/{entry.below}")
        if len(levels) > _MAX_DEPTH:
            raise MenuError(f"{levels[-1]}: more than {_MAX_DEPTH} menus one below the other")


def _pass_on(step: Step) -> None:
    """The next step sees what came before the menu: the medium that the menu lies on."""
    if step.prevdir:
        step.bypass_results()


def load(path: str) -> Menu:
    """Read a menu. Raises MenuError or OSError."""
    if not os.path.isdir(path):  # noqa: PTH112
        return parse_menu(_read(path), path)
    found = []
    for name in sorted(os.listdir(path)):  # noqa: PTH208
        if name.endswith((".menu", ".chain")) and os.path.isfile(f"{path}/{name}"):  # noqa: PTH113
            found.append((name, _read(f"{path}/{name}") if name.endswith(".chain") else ""))
    return menu_of_directory(found, path)


def _ask(menu: Menu, first: str, timeout_s: float, step: Step, *, top: bool) -> Entry | None:
    """The entry that was chosen; None for the way back."""
    items = [
        (str(number), entry.label + (" ..." if entry.below else ""))
        for number, entry in enumerate(menu.entries)
    ]
    labels = [entry.label for entry in menu.entries]
    default = str(labels.index(first)) if first in labels else ""
    title = menu.title or "What shall be started?"
    back = "Leave the menu" if top else "Back"
    try:
        answer = show(Choice("", items, title=title, default=default, timeout_s=timeout_s, back=back))
    except NoTerminal as error:
        if not default:
            raise NoTerminal(f"{error}, or name a default (menu-default=)") from error
        step.message(f"{error}: taking the default")
        return menu.entries[int(default)]
    return menu.entries[int(answer.text)] if answer.code == OK else None


def _last_given(step: Step, name: str) -> str:
    """The parameter of this call, else of the last call that has one."""
    for callnum in range(step.callnum, -1, -1):
        value = os.environ.get(f"{name}{callnum}", "")
        if value:
            return value
    return ""


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return file.read(_MAX_BYTES)


def _read_last(step: Step) -> str:
    try:
        return _read(f"{step.mntdir}/{LAST_CHOICE}").strip("\n")
    except OSError:
        return ""


def _remember(step: Step, trail: list[str]) -> None:
    try:
        with open(f"{step.mntdir}/{LAST_CHOICE}", "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write("\t".join(trail))
    except OSError as error:
        step.debug(f"the choice is not remembered: {error.strerror}")


if __name__ == "__main__":
    main(Step())
    sys.exit(0)
