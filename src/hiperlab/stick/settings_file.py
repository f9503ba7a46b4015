"""hiperiso.json of a stick: for the menu and for each ISO, read with the workstation's code."""

from __future__ import annotations

from dataclasses import dataclass

from hiperiso.config.hiperiso_json import HiperisoConfig, check_file, config_error
from hiperiso.config.rules import rules_of
from hiperiso.contract.stick import CONFIG_PATH
from hiperiso.errors import UsageError
from hiperiso.stick.order import ON_STICK
from hiperlab.stick.menuconfig import MenuConfig, parse_menu

DEFAULT_CONFIG = b"""{
  "control": {},
  "theme": {},
  "menu_alias": [],
  "menu_tip": [],
  "iso_overrides": {}
}
"""


@dataclass(frozen=True)
class StickConfig:
    """A hiperiso.json.

    Attributes:
        raw: its bytes.
        menu: the part for the menu.
        overrides: the overrides of the settings of each ISO.
        problems: the ignored values, one line each.
    """

    raw: bytes
    menu: MenuConfig
    overrides: HiperisoConfig
    problems: tuple[str, ...] = ()


def parse_stick_config(raw: bytes, *, shown_as: str = CONFIG_PATH) -> StickConfig:
    """Read a hiperiso.json.

    Raises:
        UsageError: it is not a JSON object.
    """
    checked = check_file(raw, shown_as, ON_STICK)
    if checked.errors and not (checked.is_json and checked.document):
        raise config_error(shown_as, checked.errors)
    menu = parse_menu(checked.document)
    overrides = HiperisoConfig(shown_as, rules_of(checked.document, checked.line_of), menu)
    problems = (f"{fault} (line {fault.line}, column {fault.column})" for fault in checked.errors)
    return StickConfig(raw, menu, overrides, tuple(problems))


def lenient_config(raw: bytes | None) -> StickConfig:
    """Like `parse_stick_config`, but a missing or broken file counts as an empty one, with the reason as a problem."""
    if raw is None:
        return StickConfig(b"", MenuConfig(), HiperisoConfig(CONFIG_PATH))
    try:
        return parse_stick_config(raw)
    except UsageError as error:
        return StickConfig(raw, MenuConfig(), HiperisoConfig(CONFIG_PATH), (error.message,))
