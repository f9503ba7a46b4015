"""Which ISOs the list of a stick shows, in which order and with which titles: shared by all such lists. Pure.

The workstation builds the boot menu with it, ``stick list`` prints it, and the initramfs shows the same list where
the boot loader cannot, and after a recording. It is derived from the sections ``control``, ``menu_alias`` and
``menu_tip`` of hiperiso.json: the contract names the sections; their content follows Ventoy's documented plugins of the
same names, so that a ventoy.json can be reused: ``control`` (an object, or an array of one-pair objects, ``VTOY_*``),
``menu_alias`` (``image``|``dir``, ``alias``), ``menu_tip`` (``image``|``dir``, ``tip``|``tip1``, ``tip2``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from hiperiso.contract.stick import ISO_FOLDER
from hiperiso.text import MAX_TITLE_CHARS, printable

SUFFIXES: Final = (".iso", ".img")
"""Of files that a stick boots: ISOs and raw disk images. Other images need programs that a stick has no room for."""

MAX_DEPTH: Final = 8
_DEFAULT_DEPTH = 4
_MAX_TIMEOUT_S = 3600
_FILE_PATH = re.compile(r"/[^\x00-\x1f\\]*")


@dataclass(frozen=True)
class MenuList:
    """The list of ISOs. Paths are absolute, from the root of the data partition.

    Attributes:
        timeout_s: seconds until the default entry starts; None waits forever.
        default_image: path of the ISO that the cursor starts on, or ``""``.
        search_root: the directory that is searched.
        depth: how many levels of directories below it are searched too.
        titles: path of an ISO or directory -> title shown instead.
        tips: path -> the line that explains it.
    """

    timeout_s: int | None = None
    default_image: str = ""
    search_root: str = ISO_FOLDER
    depth: int = _DEFAULT_DEPTH
    titles: dict[str, str] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)

    def shows(self, path: str) -> bool:
        """Whether the file at `path` is in the list: an image by its name, not hidden, within the search depth."""
        return is_image_name(path) and self._level(path) >= 0

    def enters(self, path: str) -> bool:
        """Whether the directory at `path` is searched for ISOs."""
        return 0 <= self._level(path) < self.depth

    def in_order(self, paths: Iterable[str]) -> list[str]:
        """`paths`, ordered directory by directory, level by level, as GRUB finds them.

        Within a level the file system's order is kept, because the boot menu cannot have another one.
        """
        return sorted(paths, key=lambda path: path.count("/"))

    def title_of(self, path: str) -> str:
        """The text shown for the ISO at `path`: its alias or file name, followed by its tip."""
        title = self.titles.get(path) or self._folder_title(path)
        tip = self.tips.get(path)
        return f"{title}  -  {tip}" if tip else title

    def _level(self, path: str) -> int:
        """The number of directories between the search root and `path`; -1 outside of the search."""
        root = self.search_root.rstrip("/")
        relative = path.removeprefix(f"{root}/")
        if relative == path or any(part.startswith(".") for part in relative.split("/")):
            return -1
        level = relative.count("/")
        return level if level <= self.depth else -1

    def _folder_title(self, path: str) -> str:
        relative = path.removeprefix(self.search_root).lstrip("/")
        folder = str(PurePosixPath(path).parent)
        alias = self.titles.get(folder)
        name = PurePosixPath(path).name
        return f"{alias}/{printable(name)}" if alias else printable(relative)


def parse_menu_list(document: dict[str, Any]) -> tuple[MenuList, list[str]]:
    """The list's part of a well-formed hiperiso.json.

    Returns:
        The list, and one line for each value that was ignored, with the reason.
    """
    problems: list[str] = []
    control = _control(document.get("control"), problems)
    depth = _integer(
        control, ("depth", "VTOY_MAX_SEARCH_LEVEL"), 0, MAX_DEPTH, default=_DEFAULT_DEPTH, problems=problems
    )
    menu = MenuList(
        timeout_s=_integer(
            control, ("timeout", "VTOY_MENU_TIMEOUT"), 0, _MAX_TIMEOUT_S, default=None, problems=problems
        ),
        default_image=_path(control, ("default_image", "VTOY_DEFAULT_IMAGE"), "", problems),
        search_root=_search_root(control, problems),
        depth=depth or 0,
        titles=_texts(document.get("menu_alias"), "menu_alias", ("alias",), problems),
        tips=_texts(document.get("menu_tip"), "menu_tip", ("tip", "tip1", "tip2"), problems),
    )
    return menu, problems


def is_image_name(path: str) -> bool:
    """Whether a file is in the list of a stick by its name."""
    return path.lower().endswith(SUFFIXES)


def is_menu_path(text: str) -> bool:
    """Whether `text` is an absolute path that a boot menu can name."""
    return (
        bool(_FILE_PATH.fullmatch(text))
        and printable(text) == text.strip()[:MAX_TITLE_CHARS]
        and not {".", ".."} & set(text.split("/"))
        and not {"*", "?"} & set(text)
    )


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


def _search_root(values: dict[str, Any], problems: list[str]) -> str:
    root = _path(values, ("search_root", "VTOY_DEFAULT_SEARCH_ROOT"), ISO_FOLDER, problems)
    if "/." not in root:
        return root
    problems.append(
        f"control.search_root: {printable(root)!r} is hidden, and hidden directories are not searched"
    )
    return ISO_FOLDER


def _path(values: dict[str, Any], names: Iterable[str], default: str, problems: list[str]) -> str:
    for name in names:
        value = values.get(name)
        if value is None:
            continue
        if isinstance(value, str) and is_menu_path(value):
            return re.sub("/+", "/", value).rstrip("/") or "/"
        problems.append(f"control.{name}: {printable(str(value))!r} is not a path like /ISOs/debian.iso")
    return default


def _texts(value: Any, section: str, keys: tuple[str, ...], problems: list[str]) -> dict[str, str]:
    """Path -> text of ``menu_alias`` and ``menu_tip``; Ventoy's ``{"tips": [...]}`` is accepted too."""
    items = value.get("tips") if isinstance(value, dict) else value
    texts: dict[str, str] = {}
    for index, item in enumerate(items if isinstance(items, list) else []):
        path = (item.get("image") or item.get("dir")) if isinstance(item, dict) else None
        words = (
            [item[key] for key in keys if isinstance(item.get(key), str)] if isinstance(item, dict) else []
        )
        text = printable(" ".join(words))
        if isinstance(path, str) and is_menu_path(path) and text:
            texts[re.sub("/+", "/", path).rstrip("/")] = text
        else:
            problems.append(
                f"{section}[{index}] needs an image or dir (a path) and {' or '.join(keys)} (a text)"
            )
    return texts
