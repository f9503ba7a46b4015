"""Takes over a ventoy.json: what hiperiso.json has a counterpart for, and a list of the rest. Pure.

The sections for ISOs stay in Ventoy's form, which hiperiso.json has, too; ``control`` gets the contract's names.
Source: Ventoy's documentation of its plugins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from hiperiso.config.check import check_config, check_section
from hiperiso.config.faults import Fault
from hiperiso.config.hiperiso_json import check_file, config_error
from hiperiso.config.jsontext import Path, Reading
from hiperiso.config.menu import entries_of, one_object
from hiperiso.config.rules import text_of
from hiperiso.contract.comments import is_comment
from hiperiso.contract.menukinds import MAX_DEPTH
from hiperiso.contract.sections import (
    ISO_OVERRIDES,
    SECTIONS,
    SUFFIXES,
    WITHOUT_COUNTERPART,
    Form,
)
from hiperiso.contract.words import FirmwareKind, Severity
from hiperiso.errors import UsageError

_SUFFIX: Final = {FirmwareKind.BIOS: "_legacy", FirmwareKind.UEFI: "_uefi"}


@dataclass(frozen=True)
class Imported:
    """A ventoy.json as a hiperiso.json.

    Attributes:
        document: the hiperiso.json.
        taken: the sections that were taken over, by their name in the ventoy.json.
        left: what has no counterpart or is invalid, each with the reason, in the order of the ventoy.json.
    """

    document: dict[str, Any]
    taken: tuple[str, ...]
    left: tuple[Fault, ...]

    @property
    def text(self) -> str:
        """The content of the hiperiso.json; characters that UTF-8 does not have are escaped."""
        text = json.dumps(self.document, indent=2, ensure_ascii=False)
        if text != text.encode("utf-8", "replace").decode("utf-8"):
            text = json.dumps(self.document, indent=2)
        return text + "\n"


def import_ventoy(raw: bytes, shown_as: str, firmware: FirmwareKind = FirmwareKind.UEFI) -> Imported:
    """Take over a ventoy.json; of sections for one firmware those for `firmware`.

    Raises:
        UsageError: it is not a JSON object; `shown_as` is its name.
    """
    checked = check_file(raw, shown_as)
    if not checked.is_json or not isinstance(checked.reading.value, dict):
        raise config_error(shown_as, checked.not_json if checked.document else checked.errors)
    importer = _Importer(checked.reading)
    document = importer.run(checked.document, _SUFFIX[firmware])
    left = sorted(importer.left, key=lambda fault: (fault.line, fault.column))
    imported = Imported(document, tuple(importer.taken), tuple(left))
    if wrong := check_config(imported.text.encode()).errors:
        raise UsageError(f"{shown_as} cannot be taken over: {wrong[0]}")
    return imported


class _Importer:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.left: list[Fault] = []
        self.taken: list[str] = []

    def run(self, ventoy: dict[str, Any], suffix: str) -> dict[str, Any]:
        made: dict[str, Any] = {"control": {}}
        for name, value in ventoy.items():
            base = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
            if is_comment(name):
                continue
            if base in WITHOUT_COUNTERPART:
                self._leave((name,), WITHOUT_COUNTERPART[base])
            elif base not in SECTIONS:
                self._leave((name,), "not a section of Ventoy that is known")
            elif name != base + suffix and (name != base or base + suffix in ventoy):
                why = f"{base}{suffix} takes precedence" if name == base else "for another firmware"
                self._leave((name,), why)
            else:
                self.taken.append(name)
                made[base] = self._section(base, value, (name,))
        made["control"] = self._control(made["control"])
        kept = {name: section for name, section in made.items() if section not in ([], None)}
        return kept | {ISO_OVERRIDES: {}}

    def _section(self, base: str, value: Any, path: Path) -> Any:
        """The valid part of a section; None if nothing of it is."""
        if base == "theme" and isinstance(value, dict) and value.get("gfxmode") == "max":
            value = value | {"gfxmode": "auto"}  # GRUB's word for the best mode that it finds
        found = check_section(base, value, self._reading, path)
        taken = ((*path, "default_file"),) if base == "theme" else ()
        self.left += [fault for at, fault in found if at not in taken]
        while bad := {at for at, fault in found if _is_left(base, at, fault)}:
            if path in bad:
                return None
            value = _without(value, path, bad)
            found = check_section(base, value, self._reading, path)
        form = SECTIONS[base].form
        if base == "theme":
            return _with_first_file(value, self._reading.value[path[0]])
        if form is Form.PATHS:
            return [_glob(path) for path in value]
        if form in (Form.ENTRIES, Form.TIPS):
            plugin = bool(SECTIONS[base].setting)
            entries = [_with_globs(entry) if plugin else entry for entry in entries_of(value)]
            # an image is more than its directory
            return sorted(entries, key=lambda entry: "image" in entry)
        return value

    def _control(self, value: Any) -> dict[str, Any]:
        """With our names; Ventoy searches the whole partition where nothing is said."""
        known = SECTIONS["control"].values(one_object(value))
        return {"search_root": "/", "depth": MAX_DEPTH} | known

    def _leave(self, path: Path, why: str) -> None:
        line, column = self._reading.line_and_column(self._reading.keys[path])
        self.left.append(
            Fault(path=text_of(path), line=line, column=column, message=f"no counterpart: {why}")
        )


def _with_first_file(theme: dict[str, Any], ventoy: dict[str, Any]) -> dict[str, Any]:
    """Of several files hiperiso takes the first; Ventoy the one of ``default_file``, counted from 1."""
    files, number = theme.get("file"), ventoy.get("default_file")
    if not isinstance(files, list) or not str(number).isdecimal() or not 1 < int(str(number)) <= len(files):
        return theme
    chosen = files[int(str(number)) - 1]
    return theme | {"file": [chosen, *(file for file in files if file != chosen)]}


def _with_globs(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: _glob(raw) if name in ("image", "iso") else raw for name, raw in entry.items()}


def _glob(path: str) -> str:
    """Ventoy's pattern as a glob: there ``*`` stands for exactly one character, and nothing else is special."""
    return re.sub(r"[*?\[]", lambda match: "?" if match[0] == "*" else f"[{match[0]}]", path)


def _is_left(base: str, at: Path, fault: Fault) -> bool:
    """Whether what is at fault is not taken over: errors, and keys without effect."""
    section = SECTIONS[base]
    unused = any(key.unused and key.name == at[-1] for key in (*section.keys, *section.outer))
    return fault.severity is Severity.ERROR or unused


def _without(value: Any, path: Path, bad: Collection[Path]) -> Any:
    if isinstance(value, dict):
        return {
            name: _without(inner, (*path, name), bad)
            for name, inner in value.items()
            if (*path, name) not in bad
        }
    if isinstance(value, list):
        return [_without(item, (*path, n), bad) for n, item in enumerate(value) if (*path, n) not in bad]
    return value
