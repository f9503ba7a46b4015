"""The ISOs of a stick: what the menu shows for each, and its settings with their origin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiperiso.config.settings import resolve_settings
from hiperiso.contract.row import Where
from hiperiso.contract.settings import BY_ATTRIBUTE
from hiperiso.errors import HiperisoError
from hiperiso.stick.order import on_data_partition
from hiperlab.stick.data import DataPartition, StickFile
from hiperlab.stick.image import read_config_of
from hiperlab.stick.imagecheck import image_warning_on
from hiperlab.stick.settings_file import StickConfig, lenient_config


@dataclass(frozen=True)
class ListedIso:
    """One ISO.

    Attributes:
        title: what the menu shows.
        default: whether the cursor starts on it.
        settings: setting -> value, those that are not defaults.
        why: setting -> origin of its value.
        problem: why its settings cannot be used; empty if they can.
        warning: why it is not an image that can be booted, or not a whole one; empty if it is.
        files: the files of the data partition that its settings name.
    """

    path: str
    size_bytes: int
    title: str
    default: bool
    settings: dict[str, Any]
    why: dict[str, str]
    problem: str = ""
    warning: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """All ISOs of a stick, in the order of the menu, and the problems of hiperiso.json."""

    isos: tuple[ListedIso, ...]
    problems: tuple[str, ...]
    free_bytes: int


def list_stick(data: DataPartition) -> Listing:
    """Determine what the menu of the stick will show.

    Raises:
        HarnessFault: the data partition is damaged.
    """
    config = lenient_config(read_config_of(data))
    menu = config.menu
    found = {
        file.path: file
        for file in data.walk(menu.search_root)
        if not file.is_folder and menu.shows(file.path)
    }
    isos = tuple(_listed(data, found[path], config) for path in menu.in_order(found))
    return Listing(isos, config.problems, data.free_bytes)


def _listed(data: DataPartition, file: StickFile, config: StickConfig) -> ListedIso:
    settings: dict[str, Any] = {}
    why: dict[str, str] = {}
    problem = ""
    files: list[str] = []

    def locate(text: str) -> Path:
        path = on_data_partition(text, Path("/"))
        files.append(str(path))
        return path

    layer = config.overrides.layer_for(file.path, locate)
    try:
        resolved, why = resolve_settings([layer], Where.STICK)
        settings = {name: BY_ATTRIBUTE[name].kind.plain(getattr(resolved, name)) for name in why}
    except HiperisoError as error:
        problem = error.message
        settings = dict(layer.values)
        why = {name: layer.origin(name) for name in settings}
    if missing := [path for path in files if data.find(path) is None]:
        problem = "; ".join([*filter(None, [problem]), f"missing on the stick: {', '.join(missing)}"])
    return ListedIso(
        path=file.path,
        size_bytes=file.size_bytes,
        title=config.menu.title_of(file.path),
        default=file.path == config.menu.default_image,
        settings=settings,
        why=why,
        problem=problem,
        warning=image_warning_on(data, file),
        files=tuple(dict.fromkeys(files)),
    )
