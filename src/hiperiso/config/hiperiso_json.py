"""hiperiso.json: which of its ``iso_overrides`` apply to an ISO, and how ISOs are listed.

Source: the interface contract, "Config File Format"::

    {"iso_overrides": {"*./windows11*.iso": {"ram": 4096, "tpm": true, "cpu_features": ["vmx"]}}}
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from hiperiso.config.menu import MenuList, parse_menu_list
from hiperiso.config.settings import Layer, absolute_path
from hiperiso.contract.values import Locate
from hiperiso.errors import UsageError

_MAX_SIZE_BYTES = 4 << 20


@dataclass(frozen=True)
class HiperisoConfig:
    """A configuration file that was read and is well-formed."""

    shown_as: str
    """Its name in messages: its path."""
    iso_overrides: dict[str, dict[str, Any]]
    menu: MenuList = field(default_factory=MenuList)

    def layer_for(self, iso_path: str, locate: Locate | None = None) -> Layer:
        """The overrides of every pattern that matches `iso_path`, in the order of the file, later ones winning.

        Relative paths are resolved from the directory of the file, or by `locate`.
        """
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for pattern, overrides in self.iso_overrides.items():
            if matches(pattern, iso_path):
                values.update(overrides)
                origins |= {key: f"{self.shown_as}: iso_overrides[{pattern!r}].{key}" for key in overrides}
        return Layer(values, origins.__getitem__, locate or self._beside)

    def _beside(self, text: str) -> Path:
        return absolute_path(self.shown_as).parent / Path(text).expanduser()


def read_config(path: Path) -> HiperisoConfig:
    """Read the file at `path`.

    Raises:
        UsageError: it cannot be read, or as for `parse_config`.
    """
    return parse_config(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The content of a configuration file; of one that is too large, just enough to detect that.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SIZE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from None


def parse_config(raw: bytes, shown_as: str) -> HiperisoConfig:
    """Read the content of a hiperiso.json; messages name it `shown_as`.

    Raises:
        UsageError: as for `parse_document`.
    """
    document = parse_document(raw, shown_as)
    return HiperisoConfig(shown_as, document.get("iso_overrides", {}), parse_menu_list(document)[0])


def parse_document(raw: bytes, shown_as: str) -> dict[str, Any]:
    """The JSON object in a hiperiso.json: UTF-8, a byte order mark allowed.

    Raises:
        UsageError: it is not JSON, or does not match the contract; all errors are reported at once.
    """
    if len(raw) > _MAX_SIZE_BYTES:
        raise UsageError(f"{shown_as}: larger than {_MAX_SIZE_BYTES >> 20} MB, so not a configuration file")
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, a number with thousands of digits
        raise UsageError(
            f"{shown_as} is not valid JSON: {error}", hint="check it with `python3 -m json.tool`"
        ) from None
    problems = list(_problems(document))
    if problems:
        raise UsageError(f"{shown_as}: " + "; ".join(problems))
    checked: dict[str, Any] = document
    return checked


def matches(pattern: str, iso_path: str) -> bool:
    """Whether a glob of ``iso_overrides`` matches this ISO: by whole path, by name, or by name below ``./``.

    Case is ignored: the data partition is exFAT or NTFS.
    """
    path = PurePath(iso_path)
    wanted = pattern.lower()
    names = (str(path), path.name, f"./{path.name}", f".{path}" if path.is_absolute() else f"./{path}")
    return any(fnmatchcase(name.lower(), wanted) for name in names)


_SHAPES: dict[str, tuple[type, ...]] = {
    "control": (dict, list),
    "theme": (dict,),
    "menu_alias": (list,),
    "menu_tip": (list,),
    "iso_overrides": (dict,),
}
"""Those of the contract; ``control`` may also be Ventoy's array, and ``menu_tip`` Ventoy's object."""


def _is_tips(key: str, value: Any) -> bool:
    return key == "menu_tip" and isinstance(value, dict) and isinstance(value.get("tips"), list)


def _problems(document: Any) -> list[str]:
    if not isinstance(document, dict):
        return ["the document is not an object"]
    problems = [
        f"{key} is not {'an object' if shapes[0] is dict else 'a list'}"
        for key, shapes in _SHAPES.items()
        if key in document and not isinstance(document[key], shapes) and not _is_tips(key, document[key])
    ]
    overrides = document.get("iso_overrides")
    if isinstance(overrides, dict):
        problems += [
            f"iso_overrides[{k!r}] is not an object" for k, v in overrides.items() if not isinstance(v, dict)
        ]
    return problems
