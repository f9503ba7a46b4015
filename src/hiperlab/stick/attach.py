"""Files that belong to ISOs of a stick: put on the data partition, and named in its hiperiso.json.

A setting of an ISO that names a file (answers, persistence, driver update disks, an injection, a replacement) finds it
on the data partition only. ``stick add --dud FILE`` and its like put the file into /hiperiso/files, and the path into
``iso_overrides`` under the path of the ISO.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from hiperiso.config.settings import Layer, absolute_path, resolve_settings
from hiperiso.contract.row import Row, Where
from hiperiso.contract.sections import ISO_OVERRIDES
from hiperiso.contract.settings import ROWS
from hiperiso.contract.stick import CONFIG_PATH, OWN_FOLDER
from hiperiso.errors import UsageError
from hiperiso.images.answers import read_answers
from hiperlab.archive.repack import repack
from hiperlab.stick.data import DataPartition
from hiperlab.stick.exfat.records import name_problem
from hiperlab.stick.image import read_config_of
from hiperlab.stick.settings_file import DEFAULT_CONFIG, parse_stick_config

FILES_FOLDER: Final = f"{OWN_FOLDER}/files"
"""Where ``stick add`` puts the files of settings."""

ATTACHED: Final = ("auto_install", "persistence", "dud", "injection", "conf_replace")
"""The settings whose files ``stick add`` takes along, an option each."""


@dataclass(frozen=True)
class Attachments:
    """Settings of the added ISOs.

    Attributes:
        values: setting -> the raw value of its option: text, or a list of texts.
        settings: further settings, as ``NAME=VALUE``.
    """

    values: dict[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedSettings:
    """What becomes of `Attachments` on a stick.

    Attributes:
        overrides: setting -> value in ``iso_overrides``, with paths on the stick.
        files: local file -> path on the stick.
    """

    overrides: dict[str, Any] = field(default_factory=dict)
    files: dict[Path, str] = field(default_factory=dict)


def plan_settings(asked: Attachments, scratch: Path) -> PlannedSettings:
    """Check the settings, and where their files will be.

    Args:
        asked: the settings.
        scratch: an existing directory for an archive in a form that the stick can read, until it is copied.

    Raises:
        UsageError: a setting is unknown or invalid, a file is missing, or two have one name; all are reported.
        HarnessFault: a program that reads the archive is missing.
        Unsupported: a setting that this version does not implement.
    """
    raw = {name: value for name, value in asked.values.items() if value}
    for text in asked.settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text!r} is not NAME=VALUE", hint="such as --set ram=4096")
        raw[name.strip().replace("-", "_")] = value
    layer = Layer(raw, lambda name: f"--{name.replace('_', '-')}" if name in ATTACHED else f"--set {name}")
    resolve_settings([layer], Where.STICK)
    files: dict[Path, str] = {}
    _readable_archive(raw, scratch)
    overrides = {name: _on_stick(ROWS[name], value, files) for name, value in raw.items()}
    if problems := list(_file_problems(files, _replacing(raw))):
        raise UsageError("; ".join(problems))
    if answers := raw.get("auto_install"):
        read_answers(absolute_path(str(answers)))
    return PlannedSettings(overrides, files)


def put_settings(data: DataPartition, isos: Iterable[str], overrides: dict[str, Any]) -> bytes:
    """Set `overrides` for each of `isos` (paths on the stick) in hiperiso.json; returns its new content.

    They become the last of the file, so that nothing else changes them.

    Raises:
        UsageError: the hiperiso.json on the stick is invalid.
    """
    raw = read_config_of(data)
    parse_stick_config(raw or DEFAULT_CONFIG)
    document = json.loads((raw or DEFAULT_CONFIG).decode("utf-8-sig"))
    entries = document[ISO_OVERRIDES] = document.pop(ISO_OVERRIDES, {})
    for path in isos:
        pattern = glob.escape(path)
        entries[pattern] = entries.pop(pattern, {}) | overrides
    changed = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
    data.make_folders(OWN_FOLDER)
    data.replace(CONFIG_PATH, changed)
    return changed


def _readable_archive(raw: dict[str, Any], scratch: Path) -> None:
    """Check the archive, and put one of zstd or 7z, for which a stick has no program, in another form."""
    named = raw.get("injection")
    if named and (archive := absolute_path(str(named))).is_file():
        raw["injection"] = str(repack(archive, scratch))


def _on_stick(row: Row, raw: Any, files: dict[Path, str]) -> Any:
    """The value for hiperiso.json: as JSON, each local file replaced by its path on the stick, noted in `files`."""

    def moved(text: str) -> Path:
        local = absolute_path(text)
        return Path(files.setdefault(local, f"{FILES_FOLDER}/{local.name}"))

    value = row.kind.located(row.kind.parse(raw), moved)
    return row.kind.plain(value)


def _replacing(raw: dict[str, Any]) -> set[Path]:
    """The files that a guest sees in place of others."""
    name = "conf_replace"
    return {absolute_path(str(one.new)) for one in ROWS[name].kind.parse(raw[name])} if name in raw else set()


def _file_problems(files: dict[Path, str], may_be_empty: set[Path]) -> Iterable[str]:
    places: dict[str, Path] = {}
    for local, target in files.items():
        name = PurePosixPath(target).name
        missing = "is not a file" if local.exists() else "no such file"
        problem = "" if local.is_file() else missing
        problem = problem or name_problem(name)
        if other := places.setdefault(target.lower(), local):
            problem = problem or (f"has the name of {other}" if other != local else "")
        if not problem and not local.stat().st_size and local not in may_be_empty:
            problem = "is empty"
        if problem:
            yield f"{local}: {problem}"
