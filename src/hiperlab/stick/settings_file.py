"""hiperiso.json of a stick: for the menu and for each ISO, read with the workstation's code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hiperiso.config.hiperiso_json import HiperisoConfig, parse_document
from hiperiso.config.settings import Layer, resolve_settings
from hiperiso.contract.row import Where
from hiperiso.contract.stick import CONFIG_PATH
from hiperiso.errors import UsageError
from hiperiso.stick.order import on_data_partition
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
        UsageError: it is not JSON, or does not match the contract.
    """
    document = parse_document(raw, shown_as)
    menu, problems = parse_menu(document)
    overrides = HiperisoConfig(shown_as, menu.overrides, menu)
    return StickConfig(raw, menu, overrides, (*problems, *_override_problems(overrides)))


def lenient_config(raw: bytes | None) -> StickConfig:
    """Like `parse_stick_config`, but a missing or broken file counts as an empty one, with the reason as a problem."""
    if raw is None:
        return StickConfig(b"", MenuConfig(), HiperisoConfig(CONFIG_PATH, {}))
    try:
        return parse_stick_config(raw)
    except UsageError as error:
        return StickConfig(raw, MenuConfig(), HiperisoConfig(CONFIG_PATH, {}), (error.message,))


def _override_problems(config: HiperisoConfig) -> Iterator[str]:
    """The problems that prevent booting the ISOs of a pattern."""
    for pattern, values in config.iso_overrides.items():
        layer = Layer(
            values,
            {key: f"iso_overrides[{pattern!r}].{key}" for key in values}.__getitem__,
            on_data_partition,
        )
        try:
            resolve_settings([layer], Where.STICK)
        except UsageError as error:
            yield error.message
