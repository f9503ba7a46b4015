"""The part of hiperiso.json for the boot menu: the list of ISOs, the theme, and the overrides that it can resolve.
Pure.

What the keys of ``theme`` can be is in `hiperiso.contract.sections`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hiperiso.config.menu import MenuList, menu_fields
from hiperiso.config.rules import Rule, rules_of
from hiperiso.contract.sections import SECTIONS
from hiperiso.text import printable

_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Theme:
    """The appearance of the menu. Paths are on the data partition."""

    file: str = ""
    fonts: tuple[str, ...] = ()
    gfxmode: str = "1024x768,auto"
    graphical: bool = True
    serial: bool = True
    serial_options: str = "--unit=0 --speed=115200"


@dataclass(frozen=True)
class MenuConfig(MenuList):
    """Everything of hiperiso.json that the boot menu needs.

    Attributes:
        theme: its appearance.
        rules: the settings by ISO, in the order of the file.
    """

    theme: Theme = field(default_factory=Theme)
    rules: tuple[Rule, ...] = ()


def parse_menu(document: dict[str, Any]) -> MenuConfig:
    """The menu's part of a hiperiso.json. What is invalid counts as not there: `hiperiso.config.check` names it."""
    return MenuConfig(
        **menu_fields(document), theme=_theme(document.get("theme")), rules=tuple(rules_of(document))
    )


def resolved_overrides(config: MenuConfig) -> dict[str, dict[str, Any]]:
    """The settings that a menu without globs can resolve: absolute path of an ISO -> its settings.

    Only of rules that name one file, and of those only values that no later glob in the file could
    change; the initramfs resolves the rest, from the same file.
    """
    literal = [_literal_path(rule, config.search_root) for rule in config.rules]
    resolved: dict[str, dict[str, Any]] = {}
    for path in dict.fromkeys(path for path in literal if path):
        values: dict[str, Any] = {}
        last: dict[str, tuple[Rule, bool]] = {}
        for rule, named_path in zip(config.rules, literal, strict=True):
            if rule.applies(path):
                for key, value in rule.values.items():
                    values[key] = rule.added(
                        key, value, values.get(key), last[key][0] if key in last else None
                    )
                    last[key] = rule, named_path is not None
        named = {key: value for key, value in values.items() if last[key][1]}
        if named:
            resolved[path] = named
    return resolved


def _literal_path(rule: Rule, search_root: str) -> str | None:
    pattern = rule.pattern
    if rule.parent or _GLOB.search(pattern) or printable(pattern) != pattern.strip():
        return None
    if pattern != pattern.encode("utf-8", "replace").decode("utf-8"):
        return None
    if pattern.startswith("/"):
        return pattern
    name = pattern.removeprefix("./")
    return None if "/" in name or not name else f"{search_root.rstrip('/')}/{name}"


def _theme(value: Any) -> Theme:
    known = SECTIONS["theme"].values(value)
    mode = known.get("display_mode", "GUI")
    standard = Theme()
    return Theme(
        file=next(iter(known.get("file", ())), ""),
        fonts=known.get("fonts", ()),
        gfxmode=known.get("gfxmode") or standard.gfxmode,
        graphical=mode == "GUI",
        serial=mode != "CLI",
        serial_options=known.get("serial_param") or standard.serial_options,
    )
