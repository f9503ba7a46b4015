"""Which ISOs the list of a stick shows, in which order and with which titles: shared by all such lists. Pure.

The workstation builds the boot menu with it, ``stick list`` prints it, and the initramfs shows the same list where
the boot loader cannot, and after a recording. It is derived from the sections ``control``, ``menu_alias`` and
``menu_tip`` of hiperiso.json: `hiperiso.contract.sections`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from hiperiso.contract.sections import DEFAULT_DEPTH, SECTIONS, Section
from hiperiso.contract.stick import ISO_FOLDER
from hiperiso.text import printable

SUFFIXES: Final = (".iso", ".img")
"""Of files that a stick boots: ISOs and raw disk images. Other images need programs that a stick has no room for."""


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
    depth: int = DEFAULT_DEPTH
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


def parse_menu_list(document: dict[str, Any]) -> MenuList:
    """The list's part of a hiperiso.json. What is invalid counts as not there: `hiperiso.config.check` names it."""
    return MenuList(**menu_fields(document))


def menu_fields(document: dict[str, Any]) -> dict[str, Any]:
    """The fields of `MenuList` that a hiperiso.json sets."""
    control = SECTIONS["control"].values(one_object(document.get("control")))
    fields: dict[str, Any] = {"timeout": "timeout_s"}
    return {fields.get(name, name): value for name, value in control.items()} | {
        "titles": _texts(document.get("menu_alias"), SECTIONS["menu_alias"]),
        "tips": _texts(document.get("menu_tip"), SECTIONS["menu_tip"]),
    }


def is_image_name(path: str) -> bool:
    """Whether a file is in the list of a stick by its name."""
    return path.lower().endswith(SUFFIXES)


def entries_of(value: Any) -> list[Any]:
    """The entries of a section: of a list, or of an object with ``tips``."""
    items = value.get("tips") if isinstance(value, dict) else value
    return items if isinstance(items, list) else []


def one_object(value: Any) -> dict[str, Any]:
    """One object, from the contract's object or from Ventoy's array of one-pair objects."""
    merged: dict[str, Any] = {}
    for item in value if isinstance(value, list) else [value]:
        merged |= item if isinstance(item, dict) else {}
    return merged


def _texts(value: Any, section: Section) -> dict[str, str]:
    """Path -> text of ``menu_alias`` and ``menu_tip``."""
    texts: dict[str, str] = {}
    for item in entries_of(value):
        found = section.values(item)
        words = [found[name] for group in section.needs for name in group if name in found]
        if "image" in found and words:
            texts[found["image"]] = printable(" ".join(words))
    return texts
