"""The part of hiperiso.json for the boot menu: the list of ISOs, the theme, and the overrides that it can resolve.
Pure.

``theme`` follows Ventoy's documented plugin of that name, as the sections of `hiperiso.config.menu` do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hiperiso.config.hiperiso_json import matches
from hiperiso.config.menu import MenuList, is_menu_path, parse_menu_list
from hiperiso.text import printable

_GLOB = re.compile(r"[*?\[]")
_GFXMODE = re.compile(
    r"(?:\d{3,5}x\d{3,5}(?:x\d{1,2})?|auto|keep)(?:[,;](?:\d{3,5}x\d{3,5}(?:x\d{1,2})?|auto|keep))*"
)
_SERIAL = re.compile(r"--[a-z]+=[a-z0-9]+(?: --[a-z]+=[a-z0-9]+)*")


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
        overrides: ``iso_overrides``, in the order of the file.
    """

    theme: Theme = field(default_factory=Theme)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)


def parse_menu(document: dict[str, Any]) -> tuple[MenuConfig, list[str]]:
    """The menu's part of a well-formed hiperiso.json.

    Returns:
        The configuration, and a line for each value that was ignored, with the reason.
    """
    listed, problems = parse_menu_list(document)
    config = MenuConfig(
        **vars(listed),
        theme=_theme(document.get("theme"), problems),
        overrides=document.get("iso_overrides") or {},
    )
    return config, problems


def resolved_overrides(config: MenuConfig) -> dict[str, dict[str, Any]]:
    """The overrides that a menu without globs can resolve: absolute path of an ISO -> its settings.

    Only overrides that name one file, and of those only values that no later glob in the file could
    change; the initramfs resolves the rest, from the same file.
    """
    literal = {pattern: _literal_path(pattern, config.search_root) for pattern in config.overrides}
    resolved: dict[str, dict[str, Any]] = {}
    for path in dict.fromkeys(path for path in literal.values() if path):
        decided: dict[str, tuple[Any, bool]] = {}
        for pattern, values in config.overrides.items():
            if matches(pattern, path):
                decided |= {key: (value, literal[pattern] is not None) for key, value in values.items()}
        named = {key: value for key, (value, by_name) in decided.items() if by_name}
        if named:
            resolved[path] = named
    return resolved


def _literal_path(pattern: str, search_root: str) -> str | None:
    if _GLOB.search(pattern) or printable(pattern) != pattern.strip():
        return None
    if pattern != pattern.encode("utf-8", "replace").decode("utf-8"):
        return None
    if pattern.startswith("/"):
        return pattern
    name = pattern.removeprefix("./")
    return None if "/" in name or not name else f"{search_root.rstrip('/')}/{name}"


def _theme(value: Any, problems: list[str]) -> Theme:
    if not isinstance(value, dict):
        return Theme()
    standard = Theme()
    mode = str(value.get("display_mode", "GUI"))
    if mode not in ("GUI", "CLI", "serial", "serial_console"):
        problems.append(
            f"theme.display_mode: {printable(mode)!r} is not one of GUI, CLI, serial, serial_console"
        )
        mode = "GUI"
    files = value.get("file", "")
    named = [file for file in (files if isinstance(files, list) else [files]) if file]
    fonts = value.get("fonts") or []
    for path in [*named, *(fonts if isinstance(fonts, list) else [fonts])]:
        if not (isinstance(path, str) and is_menu_path(path)):
            problems.append(f"theme: {printable(str(path))!r} is not a path like /hiperiso/theme/theme.txt")
    return Theme(
        file=next((path for path in named if isinstance(path, str) and is_menu_path(path)), ""),
        fonts=tuple(
            path
            for path in (fonts if isinstance(fonts, list) else [])
            if isinstance(path, str) and is_menu_path(path)
        ),
        gfxmode=_word(value, "gfxmode", _GFXMODE, standard.gfxmode, problems),
        graphical=mode == "GUI",
        serial=mode != "CLI",
        serial_options=_word(value, "serial_param", _SERIAL, standard.serial_options, problems),
    )


def _word(
    value: dict[str, Any], name: str, pattern: re.Pattern[str], default: str, problems: list[str]
) -> str:
    text = value.get(name, "")
    if not text:
        return default
    if isinstance(text, str) and len(text) < 200 and pattern.fullmatch(text.strip()):
        return text.strip()
    problems.append(f"theme.{name}: {printable(str(text))!r} is not understood")
    return default
