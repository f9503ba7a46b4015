"""Checks a whole hiperiso.json before anything runs: every error at once, each with its place and what was meant. Pure.

What is allowed where follows from the tables `hiperiso.contract.settings` and `hiperiso.contract.sections`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, Final

import msgspec

from bootchain.nearest import nearest
from hiperiso.config.faults import Fault
from hiperiso.config.jsontext import Earlier, Path, Reading, read_json_bytes
from hiperiso.config.rules import text_of
from hiperiso.config.settings import unknown_setting
from hiperiso.contract.comments import is_comment
from hiperiso.contract.jsontypes import wrong_type
from hiperiso.contract.menukinds import MenuPath, Pattern
from hiperiso.contract.row import Row, Where
from hiperiso.contract.sections import (
    ISO_OVERRIDES,
    SECTIONS,
    SUFFIXES,
    WITHOUT_COUNTERPART,
    Form,
    Key,
    Section,
)
from hiperiso.contract.settings import ROWS
from hiperiso.contract.values import Kind, Locate, Several
from hiperiso.contract.words import Severity
from hiperiso.text import printable

_MAX_FAULTS: Final = 1000
_PATTERN: Final = Pattern()
_SCHEMA: Final = "$schema"
"""With which a file names its JSON Schema to an editor."""


@dataclass(frozen=True)
class Place:
    """Where a file is to be used.

    Attributes:
        where: a setting has to apply there; None: anywhere.
        locate: the file that a path in the configuration means. Raises ValueError where it can mean none.
        exists: whether a file is there; None where that is not known.
        root: of the data partition, for the files of the menu; None where it is not known.
        strict: a missing file is an error.
    """

    where: Where | None = None
    locate: Locate | None = None
    exists: Callable[[FilePath], bool] | None = None
    root: FilePath | None = None
    strict: bool = False


ANYWHERE: Final = Place()


@dataclass
class Checked:
    """A configuration file.

    Attributes:
        reading: its text, read.
        document: its object; empty if it is none.
        faults: in the order of the file.
        not_json: those of them that are errors of the text itself.
    """

    reading: Reading
    document: dict[str, Any]
    faults: list[Fault]
    not_json: list[Fault] = field(default_factory=list)

    @property
    def errors(self) -> list[Fault]:
        """The faults that keep it from being used."""
        return [fault for fault in self.faults if fault.severity is Severity.ERROR]

    @property
    def is_json(self) -> bool:
        """Whether its text is JSON."""
        return self.reading.whole and not any(fault.syntax for fault in self.reading.faults)

    def line_of(self, path: Path) -> int:
        """The line of a value."""
        return self.reading.line_and_column(self.reading.places.get(path, 0))[0]


def check_config(raw: bytes, place: Place = ANYWHERE) -> Checked:
    """Check the content of a hiperiso.json: UTF-8, a byte order mark allowed."""
    reading = read_json_bytes(raw)
    checker = _Checker(reading, place)
    checker.syntax()
    document = reading.value
    with suppress(_Enough):
        if isinstance(document, dict):
            checker.document(document)
            for earlier in reading.earlier:
                checker.replaced(earlier)
        elif reading.places and reading.whole:
            checker.fault((), "the document is not an object")
    faults = sorted(
        {fault for _, fault in checker.found}, key=lambda fault: (fault.line, fault.column, str(fault))
    )
    return Checked(reading, document if isinstance(document, dict) else {}, faults, checker.not_json)


def check_section(name: str, value: Any, reading: Reading, path: Path) -> list[tuple[Path, Fault]]:
    """Check one section that stands at `path` of what was read; each fault with the path of what is wrong."""
    checker = _Checker(reading, ANYWHERE)
    with suppress(_Enough):
        checker.section(SECTIONS[name], value, path)
    return checker.found


class _Enough(Exception):
    """There are more faults than a person reads."""


@dataclass
class _Checker:
    """Collects the faults of one reading, each with the path of what is wrong; with `only` those of that value."""

    reading: Reading
    place: Place
    only: Path = ()
    found: list[tuple[Path, Fault]] = field(default_factory=list)
    not_json: list[Fault] = field(default_factory=list)

    def syntax(self) -> None:
        for fault in self.reading.faults:
            if not fault.syntax and is_comment(str(fault.path[-1])):
                continue
            line, column = self.reading.line_and_column(fault.offset)
            message = f"not valid JSON: {fault.message}" if fault.syntax else fault.message
            found = Fault(path=text_of(fault.path), line=line, column=column, message=message)
            self.found.append((fault.path, found))
            self.not_json += [found] if fault.syntax else []

    def document(self, document: dict[str, Any]) -> None:
        for name, value in document.items():
            path: Path = (name,)
            if name == ISO_OVERRIDES:
                self._overrides(value, path)
            elif name in SECTIONS:
                self.section(SECTIONS[name], value, path)
            elif name != _SCHEMA and not is_comment(name):
                self._unknown_section(name, path)

    def replaced(self, earlier: Earlier) -> None:
        """The faults of a value that a later one of the same key has replaced: nothing else hides an error."""
        if any(isinstance(step, int) and step >= _MAX_FAULTS for step in earlier.path):
            return
        document: Any = earlier.value
        for step in reversed(earlier.path):
            document = {step: document} if isinstance(step, str) else [*[{}] * step, document]
        reading = replace(self.reading, keys=earlier.keys, places=earlier.places)
        checker = _Checker(reading, self.place, earlier.path)
        checker.document(document)
        self.found += checker.found

    def fault(
        self, path: Path, message: str, *, key: bool = False, near: str = "", warn: bool = False
    ) -> None:
        """Note a fault of a value, or of its key; not where the text itself was in error."""
        if path[: len(self.only)] != self.only or (path in self.reading.unfinished and not key):
            return
        places = self.reading.keys if key else self.reading.places
        line, column = self.reading.line_and_column(places.get(path, self.reading.places.get(path, 0)))
        severity = Severity.WARNING if warn else Severity.ERROR
        shown = f"{message}; did you mean {near!r}?" if near and "did you mean" not in message else message
        fault = Fault(
            path=text_of(path), line=line, column=column, message=shown, nearest=near, severity=severity
        )
        self.found.append((path, fault))
        if len(self.found) >= _MAX_FAULTS:
            more = msgspec.structs.replace(
                fault, message="there may be more errors behind this one", nearest=""
            )
            self.found.append((path, more))
            raise _Enough

    # -- keys --

    def _unknown_section(self, name: str, path: Path) -> None:
        base = next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), "")
        if name in WITHOUT_COUNTERPART:
            self.fault(path, f"Ventoy's section has no counterpart: {WITHOUT_COUNTERPART[name]}", key=True)
        elif base in SECTIONS:
            self.fault(path, "a section is for every firmware", key=True, near=base)
        elif name in ROWS:
            example = f'{{"{ISO_OVERRIDES}": {{"*.iso": {{"{name}": ...}}}}}}'
            self.fault(
                path, f"a setting stands in {ISO_OVERRIDES}, with the ISOs it is for: {example}", key=True
            )
        else:
            known = (*SECTIONS, ISO_OVERRIDES)
            near = nearest(name[:64], known)
            self.fault(path, f"unknown section {printable(name)!r}{_known(near, known)}", key=True, near=near)

    def _unknown_key(self, name: str, path: Path, keys: Iterable[Key]) -> None:
        names = [word for key in keys for word in (key.name, *key.aliases)]
        shown = [key.name for key in keys if not key.unused]
        near = nearest(name[:64], names)
        self.fault(path, f"unknown key {printable(name)!r}{_known(near, shown)}", key=True, near=near)

    # -- sections --

    def section(self, section: Section, value: Any, path: Path) -> None:
        if isinstance(value, dict) and section.form in (Form.OBJECT, Form.PAIRS):
            self._keys(section, value, path)
        elif isinstance(value, dict) and section.form is Form.TIPS and isinstance(value.get("tips"), list):
            outer = {name: raw for name, raw in value.items() if name != "tips"}
            self._keys(section, outer, path, section.outer)
            self._entries(section, value["tips"], (*path, "tips"))
        elif isinstance(value, list) and section.form is not Form.OBJECT:
            self._entries(section, value, path)
        else:
            self.fault(path, f"{section.name} is not {section.form}")

    def _entries(self, section: Section, entries: list[Any], path: Path) -> None:
        for index, entry in enumerate(entries):
            inner = (*path, index)
            if section.form is Form.PATHS:
                self._key(section.keys[0], entry, inner)
            elif not isinstance(entry, dict):
                self.fault(inner, "an entry is an object")
            else:
                self._keys(section, entry, inner)
                if section.form is not Form.PAIRS:
                    self._complete(section, entry, inner)

    def _keys(self, section: Section, entry: dict[str, Any], path: Path, keys: tuple[Key, ...] = ()) -> None:
        keys = keys or section.keys
        by_name = {word: key for key in keys for word in (key.name, *key.aliases)}
        given: dict[str, str] = {}
        for name, raw in entry.items():
            inner = (*path, name)
            key = by_name.get(name)
            if is_comment(name):
                continue
            if key is None:
                self._unknown_key(name, inner, keys)
            elif key.unused:
                self.fault(inner, f"Ventoy's key has no effect: {key.unused}", key=True, warn=True)
            elif key.name in given:
                self.fault(inner, f"means the same as {given[key.name]!r}, which is given, too", key=True)
            else:
                given[key.name] = name
                self._key(key, raw, inner)

    def _key(self, key: Key, raw: Any, path: Path) -> None:
        if self._value(key.kind, raw, path):
            self._files(key.kind, raw, path)

    def _complete(self, section: Section, entry: dict[str, Any], path: Path) -> None:
        """What an entry has to have, and which of several values it takes."""
        if path in self.reading.unfinished:
            return
        names = [word for key in section.keys for word in (key.name, *key.aliases)]
        meant = {name if name in names else nearest(name[:64], names) for name in entry}
        for group in (section.targets, *section.needs):
            if not set(group) & meant:
                self.fault(path, f"the entry has no {' or '.join(group)}")
        for name in [name for name in section.targets if name in entry][1:]:
            if section.key(name) is not section.key(section.targets[0]):
                self.fault((*path, name), f"the entry has {section.targets[0]}, too: one of them", key=True)
        several = next(
            (raw for group in section.needs for raw in [entry.get(group[0])] if isinstance(raw, list)), None
        )
        number = entry.get("autosel")
        if several is None or section.key("autosel") is None:
            return
        if str(number).isdecimal() and int(str(number)) > len(several):
            self.fault((*path, "autosel"), f"there are {len(several)} to choose from")
        elif number is None and len(several) > 1:
            self.fault(path, "of several the first is taken: autosel chooses", warn=True)

    # -- settings --

    def _overrides(self, value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            self.fault(path, f"{ISO_OVERRIDES} is not an object")
            return
        for pattern, settings in value.items():
            inner = (*path, pattern)
            if is_comment(pattern):
                continue
            if self._value(_PATTERN, pattern, inner, key=True):
                self._on_stick(pattern, inner, key=True)
            if not isinstance(settings, dict):
                self.fault(inner, f"{text_of(inner)} is not an object")
                continue
            for name, raw in settings.items():
                if not is_comment(name):
                    self._setting(name, raw, (*inner, name))

    def _setting(self, name: str, raw: Any, path: Path) -> None:
        row = ROWS.get(name)
        if row is None:
            message, near = unknown_setting(name)
            self.fault(path, message, key=True, near=near)
        elif self._value(row.kind, raw, path):
            self._applies(row, raw, path)
            self._files(row.kind, raw, path)

    def _applies(self, row: Row, raw: Any, path: Path) -> None:
        place = self.place.where
        if row.where is None or row.kind.parse(raw) == row.default:
            return
        if place is None:
            self.fault(path, f"only on a {row.where}, and an error elsewhere: {row.why}", key=True, warn=True)
        elif not row.applies(place):
            self.fault(path, f"{row.name} does not apply on a {place}: {row.why}", key=True)

    # -- values --

    def _value(self, kind: Kind, raw: Any, path: Path, *, key: bool = False) -> bool:
        """Whether a value is valid; items of a list and keys of an object are reported one by one."""
        if isinstance(raw, dict) and (names := kind.members):
            return self._members(names, raw, path)
        if isinstance(kind, Several) and isinstance(raw, list):
            valid = [self._value(kind.item, item, (*path, index)) for index, item in enumerate(raw)]
            return all(valid)
        try:
            if problem := wrong_type(kind, raw):
                raise ValueError(problem)
            kind.parse(raw)
        except ValueError as error:
            near = nearest(str(raw)[:64], kind.choices) if isinstance(raw, str) else ""
            self.fault(path, str(error), key=key, near=near)
            return False
        return True

    def _members(self, names: tuple[str, ...], raw: dict[str, Any], path: Path) -> bool:
        """Whether an object has just the keys that it needs, each a text."""
        before = len(self.found)
        meant = {
            name: nearest(name[:64], names) for name in raw if name not in names and not is_comment(name)
        }
        for name, near in meant.items():
            message = f"unknown key {printable(name)!r}{_known(near, names)}"
            self.fault((*path, name), message, key=True, near=near)
        for name in names:
            if name not in raw and name not in meant.values():
                self.fault(path, f"there is no {name!r} in it")
            elif name in raw and not isinstance(raw[name], str):
                self.fault((*path, name), f"{raw[name]!r} is not a text")
        return len(self.found) == before

    def _files(self, kind: Kind, raw: Any, path: Path) -> None:
        """Report what a valid value names and is not there."""
        if isinstance(kind, Several) and isinstance(raw, list):
            for index, item in enumerate(raw):
                self._files(kind.item, item, (*path, index))
        elif isinstance(getattr(kind, "item", kind), MenuPath | Pattern):
            self._on_stick(raw, path)
        elif self.place.locate is not None:
            try:
                kind.located(kind.parse(raw), lambda text: self._located(text, path))
            except ValueError as error:
                self.fault(path, str(error))

    def _on_stick(self, text: str, path: Path, *, key: bool = False) -> None:
        """Report a file of the data partition that is not there; a pattern may match others."""
        root = self.place.root
        if root is None or not text.startswith("/") or set(text) & set("*?["):
            return
        if self.place.exists and not self.place.exists(root / text.lstrip("/")):
            self.fault(path, f"{printable(text)!r} is not on the stick", key=key, warn=True)

    def _located(self, text: str, path: Path) -> FilePath:
        file = self.place.locate(text) if self.place.locate else FilePath(text)
        if self.place.exists and not self.place.exists(file):
            self.fault(path, f"no such file: {file}", warn=not self.place.strict)
        return file


def _known(near: str, names: Iterable[str]) -> str:
    return f"; did you mean {near!r}?" if near else f"; known: {', '.join(names)}"
