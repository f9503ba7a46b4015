"""What hiperiso.json says about the menu: titles, tips, theme, time-out, how deep to look. Pure.

The contract names the sections; their content follows Ventoy's documented plugins of the same names, so that a
ventoy.json can be brought along: ``control`` (an object, or an array of one-pair objects, ``VTOY_*``), ``theme``,
``menu_alias`` (``image``|``dir``, ``alias``), ``menu_tip`` (``image``|``dir``, ``tip``|``tip1``, ``tip2``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from hiperiso.config.hiperiso_json import matches

ISO_FOLDER: Final = "/ISOs"
MAX_DEPTH: Final = 8
_DEFAULT_DEPTH = 4
_MAX_TIMEOUT_S = 3600
_MAX_TITLE = 200
_GLOB = re.compile(r"[*?\[]")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_GFXMODE = re.compile(
    r"(?:\d{3,5}x\d{3,5}(?:x\d{1,2})?|auto|keep)(?:[,;](?:\d{3,5}x\d{3,5}(?:x\d{1,2})?|auto|keep))*"
)
_SERIAL = re.compile(r"--[a-z]+=[a-z0-9]+(?: --[a-z]+=[a-z0-9]+)*")
_FILE_PATH = re.compile(r"/[^\x00-\x1f\\]*")


@dataclass(frozen=True)
class Theme:
    """How the menu looks. Paths are on the data partition."""

    file: str = ""
    fonts: tuple[str, ...] = ()
    gfxmode: str = "1024x768,auto"
    graphical: bool = True
    serial: bool = True
    serial_options: str = "--unit=0 --speed=115200"


@dataclass(frozen=True)
class MenuConfig:
    """Everything of hiperiso.json that the menu needs.

    Attributes:
        timeout_s: seconds until the default entry starts; None waits for ever.
        default_image: path of the ISO that the cursor starts on, or ``""``.
        depth: how many levels of folders below the root of the search are looked into.
        titles: path of an ISO or folder -> title in its stead.
        tips: path -> the line that explains it.
        overrides: ``iso_overrides`` as they stand, in the order of the file.
    """

    timeout_s: int | None = None
    default_image: str = ""
    search_root: str = ISO_FOLDER
    depth: int = _DEFAULT_DEPTH
    titles: dict[str, str] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)
    theme: Theme = field(default_factory=Theme)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)

    def title_of(self, path: str) -> str:
        """What the menu shows for the ISO at `path`: its alias or file name, and its tip behind it."""
        title = self.titles.get(path) or self._folder_title(path)
        tip = self.tips.get(path)
        return f"{title}  -  {tip}" if tip else title

    def _folder_title(self, path: str) -> str:
        relative = path.removeprefix(self.search_root).lstrip("/")
        folder = str(PurePosixPath(path).parent)
        alias = self.titles.get(folder)
        name = PurePosixPath(path).name
        return f"{alias}/{name}" if alias else printable(relative)


def parse_menu(document: dict[str, Any]) -> tuple[MenuConfig, list[str]]:
    """The menu's part of a hiperiso.json that was read and found well-formed.

    Returns:
        The configuration, and a line for each value that was passed over and why.
    """
    problems: list[str] = []
    control = _control(document.get("control"), problems)
    config = MenuConfig(
        timeout_s=_integer(
            control, ("timeout", "VTOY_MENU_TIMEOUT"), 0, _MAX_TIMEOUT_S, default=None, problems=problems
        ),
        default_image=_path(control, ("default_image", "VTOY_DEFAULT_IMAGE"), "", problems),
        search_root=_path(control, ("search_root", "VTOY_DEFAULT_SEARCH_ROOT"), ISO_FOLDER, problems),
        depth=_integer(
            control,
            ("depth", "VTOY_MAX_SEARCH_LEVEL"),
            0,
            MAX_DEPTH,
            default=_DEFAULT_DEPTH,
            problems=problems,
        )
        or 0,
        titles=_texts(document.get("menu_alias"), "menu_alias", ("alias",), problems),
        tips=_texts(document.get("menu_tip"), "menu_tip", ("tip", "tip1", "tip2"), problems),
        theme=_theme(document.get("theme"), problems),
        overrides=document.get("iso_overrides") or {},
    )
    return config, problems


def resolved_overrides(config: MenuConfig) -> dict[str, dict[str, Any]]:
    """What a menu without globs can resolve: absolute path of an ISO -> its settings.

    Only overrides that name one file are meant, and of those only values that no glob later in the file could
    change: the rest is the initramfs' to resolve, from the same file.
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


def printable(text: str) -> str:
    """`text` without control and direction characters and without what no terminal can show."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return _CONTROL_CHARACTERS.sub(" ", clean).strip()[:_MAX_TITLE]


def _literal_path(pattern: str, search_root: str) -> str | None:
    if _GLOB.search(pattern) or _CONTROL_CHARACTERS.search(pattern):
        return None
    if pattern != pattern.encode("utf-8", "replace").decode("utf-8"):
        return None
    if pattern.startswith("/"):
        return pattern
    name = pattern.removeprefix("./")
    return None if "/" in name or not name else f"{search_root.rstrip('/')}/{name}"


def _control(value: Any, problems: list[str]) -> dict[str, Any]:
    """One object, from the contract's object or from Ventoy's array of one-pair objects."""
    if value is None or isinstance(value, dict):
        return dict(value or {})
    merged: dict[str, Any] = {}
    for index, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, dict):
            merged |= item
        else:
            problems.append(f"control[{index}] is not an object")
    return merged


def _integer(
    values: dict[str, Any],
    names: Iterable[str],
    low: int,
    high: int,
    *,
    default: int | None,
    problems: list[str],
) -> int | None:
    for name in names:
        if name in values:
            text = str(values[name]).strip()
            if text == "max":
                return high
            if (
                re.fullmatch(r"\d{1,6}", text)
                and not isinstance(values[name], bool)
                and low <= int(text) <= high
            ):
                return int(text)
            problems.append(f"control.{name}: {printable(text)!r} is not a number from {low} to {high}")
    return default


def _path(values: dict[str, Any], names: Iterable[str], default: str, problems: list[str]) -> str:
    for name in names:
        value = values.get(name)
        if value is None:
            continue
        if isinstance(value, str) and is_menu_path(value):
            return value.rstrip("/") or "/"
        problems.append(f"control.{name}: {printable(str(value))!r} is not a path like /ISOs/debian.iso")
    return default


def is_menu_path(text: str) -> bool:
    """Whether `text` is an absolute path that a boot menu can name."""
    return (
        bool(_FILE_PATH.fullmatch(text))
        and printable(text) == text.strip()[:_MAX_TITLE]
        and not {".", ".."} & set(text.split("/"))
        and not {"*", "?"} & set(text)
    )


def _texts(value: Any, section: str, keys: tuple[str, ...], problems: list[str]) -> dict[str, str]:
    """Path -> text of ``menu_alias`` and ``menu_tip``; Ventoy's ``{"tips": [...]}`` form is taken too."""
    items = value.get("tips") if isinstance(value, dict) else value
    texts: dict[str, str] = {}
    for index, item in enumerate(items if isinstance(items, list) else []):
        path = (item.get("image") or item.get("dir")) if isinstance(item, dict) else None
        words = (
            [item[key] for key in keys if isinstance(item.get(key), str)] if isinstance(item, dict) else []
        )
        text = printable(" ".join(words))
        if isinstance(path, str) and is_menu_path(path) and text:
            texts[path.rstrip("/")] = text
        else:
            problems.append(
                f"{section}[{index}] needs an image or dir (a path) and {' or '.join(keys)} (a text)"
            )
    return texts


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
