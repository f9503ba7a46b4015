"""Selects the ISO to record: the dialog on the machine, with the list of the boot menu and of ``stick list``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bootchain.interactive.dialogs import OK, Choice
from bootchain.interactive.show import NoTerminal
from hiperiso.config.menu import MenuList
from hiperiso.errors import IsoError, UsageError
from hiperiso.stick.console import Consoles
from hiperiso.stick.everywhere import ask_everywhere
from hiperiso.stick.partition import find_isos

_MIN_TIMEOUT_S: Final = 1.0
"""A timeout of 0 starts the default at once in the boot menu; a second here leaves time to stop it."""


def choose_iso(data: Path, menu: MenuList, *, consoles: Consoles, may_time_out: bool) -> str:
    """Prompt for an ISO of the stick; returns its path on the data partition, or ``""`` when none was chosen.

    Args:
        consoles: where the dialog is shown; the first answer counts.
        may_time_out: whether the menu's timeout applies.

    Raises:
        IsoError: there is no ISO on the stick.
        UsageError: no console can show the dialog.
    """
    isos = find_isos(data, menu)
    if not isos:
        raise IsoError(f"there is no ISO in {menu.search_root} of the stick", hint="copy one onto it")
    try:
        answer = ask_everywhere(iso_question(isos, menu, may_time_out=may_time_out), consoles)
    except NoTerminal as error:
        raise UsageError(f"no console can show the list of ISOs: {error}") from None
    return isos[int(answer.text)] if answer.code == OK else ""


def iso_question(isos: list[str], menu: MenuList, *, may_time_out: bool) -> Choice:
    """The dialog for one of `isos`. The answer is its number."""
    timed = may_time_out and menu.timeout_s is not None
    return Choice(
        "",
        [(str(number), menu.title_of(path)) for number, path in enumerate(isos)],
        title="Select the ISO to boot and record",
        default=str(isos.index(menu.default_image)) if menu.default_image in isos else "",
        timeout_s=max(menu.timeout_s or 0, _MIN_TIMEOUT_S) if timed else 0,
        back="Leave",
    )
