"""Which settings a hiperiso.json has for which ISOs: ``iso_overrides``, and Ventoy's sections by ISO. Pure.

A rule is a pattern with settings. The order is that of the file, and later ones win; of ``dud`` and ``conf_replace`` in
Ventoy's form all entries for an ISO count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Any

from hiperiso.config.jsontext import Path
from hiperiso.config.menu import entries_of
from hiperiso.contract.comments import is_comment
from hiperiso.contract.sections import ISO_OVERRIDES, SECTIONS, Form, Section
from hiperiso.contract.settings import ROWS
from hiperiso.contract.words import BootMode


@dataclass(frozen=True)
class Rule:
    """Settings for the ISOs that a pattern matches.

    Attributes:
        pattern: a glob; of a parent, a directory.
        values: setting -> raw value.
        origins: setting -> path of its value in the file, as text.
        lines: setting -> its line in the file; empty where not known.
        parent: the pattern is the directory that the ISOs are in.
        section: of a plugin, for rules that add to others of the same section.
    """

    pattern: str
    values: Mapping[str, Any]
    origins: Mapping[str, str]
    lines: Mapping[str, int] = field(default_factory=dict)
    parent: bool = False
    section: str = ""

    def applies(self, iso_path: str) -> bool:
        """Whether the rule is for this ISO."""
        if self.parent:
            return str(PurePath(iso_path).parent).lower() == self.pattern.lower()
        return matches(self.pattern, iso_path)

    def added(self, name: str, value: Any, before: Any, last: Rule | None) -> Any:
        """The value of a setting after this rule; `before` is the one of the rule `last`."""
        adds = last is not None and bool(self.section) and last.section == self.section
        return [*before, *value] if adds and ROWS[name].kind.repeated else value


def matches(pattern: str, iso_path: str) -> bool:
    """Whether a glob matches this ISO: by whole path, by name, or by name below ``./``.

    Case is ignored: the data partition is exFAT or NTFS.
    """
    path = PurePath(iso_path)
    wanted = pattern.lower()
    names = (str(path), path.name, f"./{path.name}", f".{path}" if path.is_absolute() else f"./{path}")
    return any(fnmatchcase(name.lower(), wanted) for name in names)


def text_of(path: Path) -> str:
    """A path into a document: ``iso_overrides['*.iso'].ram``, ``menu_alias[0].image``."""
    text = ""
    for depth, step in enumerate(path):
        is_pattern = depth == 1 and path[0] == ISO_OVERRIDES
        if isinstance(step, str) and step.isidentifier() and step.isascii() and not is_pattern:
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text


def rules_of(document: Mapping[str, Any], line_of: Callable[[Path], int] | None = None) -> tuple[Rule, ...]:
    """The rules of a hiperiso.json, in its order. What is invalid in its form is passed over."""
    found: list[Rule] = []
    for name, value in document.items():
        if name == ISO_OVERRIDES:
            found += _overrides(value, line_of)
        elif name in SECTIONS and SECTIONS[name].setting:
            found += _plugin(SECTIONS[name], value, line_of)
    return tuple(found)


def _overrides(value: Any, line_of: Callable[[Path], int] | None) -> Iterator[Rule]:
    for pattern, entry in value.items() if isinstance(value, dict) else ():
        if isinstance(entry, dict) and not is_comment(pattern):
            settings = {name: raw for name, raw in entry.items() if not is_comment(name)}
            paths: dict[str, Path] = {name: (ISO_OVERRIDES, pattern, name) for name in settings}
            origins = {name: text_of(path) for name, path in paths.items()}
            yield Rule(pattern, settings, origins, _lines(paths, line_of))


def _plugin(section: Section, value: Any, line_of: Callable[[Path], int] | None) -> Iterator[Rule]:
    if section.form is Form.PATHS:
        for index, pattern in enumerate(value if isinstance(value, list) else []):
            if isinstance(pattern, str):
                path: Path = (section.name, index)
                yield _one(section, pattern, BootMode.MEMDISK.value, path, line_of)
        return
    (key,) = {names[0] for names in section.needs[-1:]}
    for index, entry in enumerate(entries_of(value)):
        known = section.values(entry)
        targets = [name for name in section.targets if name in known]
        if not targets or not all(set(group) & set(known) for group in section.needs):
            continue
        if (raw := _chosen(section, entry, known, key)) is not None:
            parent = "image" not in targets and targets[0] == "parent"
            yield _one(section, known[targets[0]], raw, (section.name, index, key), line_of, parent=parent)


def _one(
    section: Section,
    pattern: str,
    raw: Any,
    path: Path,
    line_of: Callable[[Path], int] | None,
    *,
    parent: bool = False,
) -> Rule:
    name = section.setting
    return Rule(
        pattern, {name: raw}, {name: text_of(path)}, _lines({name: path}, line_of), parent, section.name
    )


def _chosen(section: Section, entry: dict[str, Any], known: dict[str, Any], key: str) -> Any:
    """The raw value of the setting; None if the entry chooses none."""
    if section.setting == "conf_replace":
        return [{"org": entry["org"], "new": entry["new"]}]
    raw = entry[key] if isinstance(entry[key], list) else [entry[key]]
    if section.key("autosel") is None:
        return raw if ROWS[section.setting].kind.repeated else raw[0]
    number = known.get("autosel", 1)
    return raw[number - 1] if 0 < number <= len(raw) else None


def _lines(paths: Mapping[str, Path], line_of: Callable[[Path], int] | None) -> dict[str, int]:
    return {name: line_of(path) for name, path in paths.items()} if line_of else {}
