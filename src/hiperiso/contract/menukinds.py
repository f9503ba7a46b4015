# ruff: noqa: D102 - the base class documents each method
"""The kinds of values in the sections of hiperiso.json for the menu and for plugins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from hiperiso.contract.stick import ISO_FOLDER
from hiperiso.contract.values import Integer, Kind, Several
from hiperiso.text import MAX_TITLE_CHARS, printable

MAX_DEPTH: Final = 8
_FILE_PATH: Final = re.compile(r"/[^\x00-\x1f\\]*")


def is_menu_path(text: str) -> bool:
    """Whether `text` is an absolute path that a boot menu can name."""
    return (
        bool(_FILE_PATH.fullmatch(text))
        and printable(text) == text.strip()[:MAX_TITLE_CHARS]
        and not {".", ".."} & set(text.split("/"))
        and not {"*", "?"} & set(text)
    )


def pattern_problem(pattern: str) -> str:
    """Why a glob can match no ISO; empty if it can."""
    if not pattern.strip():
        return "the pattern is empty"
    if not pattern.isprintable():
        return "the pattern has a character that is in no name"
    if pattern.endswith("/"):
        return "the pattern ends in /, so it matches no file"
    position = 0
    while (start := pattern.find("[", position)) >= 0:
        first = start + 1 + (pattern[start + 1 : start + 2] == "!")
        end = pattern.find("]", first + 1)
        if end < 0:
            return "[ is not closed: write [[] for the character itself"
        for low, high in _ranges(pattern[first:end]):
            if low > high:
                return f"the range {low}-{high} is empty"
        position = end + 1
    return ""


def _ranges(inside: str) -> Iterator[tuple[str, str]]:
    for index in range(1, len(inside) - 1):
        if inside[index] == "-":
            yield inside[index - 1], inside[index + 1]


class Pattern(Kind):
    """A glob of the path or of the name of an ISO."""

    metavar = "PATTERN"

    def parse(self, raw: Any) -> str:
        if problem := pattern_problem(str(raw)):
            raise ValueError(problem)
        return str(raw)


class MenuPath(Kind):
    """An absolute path on the data partition, without wildcards; with `shown` in no hidden directory."""

    metavar = "PATH"

    def __init__(self, *, shown: bool = False) -> None:
        self._shown = shown

    def parse(self, raw: Any) -> str:
        if not isinstance(raw, str) or not is_menu_path(raw):
            raise ValueError(f"{_said(raw)} is not a path like {ISO_FOLDER}/debian.iso")
        if self._shown and "/." in raw:
            raise ValueError(f"{_said(raw)} is hidden, and hidden directories are not searched")
        return re.sub("/+", "/", raw).rstrip("/") or "/"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^/"}


class Depth(Integer):
    """How many levels of directories are searched; ``max`` for as many as possible."""

    def parse(self, raw: Any) -> int:
        return MAX_DEPTH if raw == "max" else super().parse(raw)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [*super().schema()["anyOf"], {"const": "max"}]}


class Title(Kind):
    """A text that a menu can show."""

    metavar = "TEXT"

    def parse(self, raw: Any) -> str:
        text = printable(raw) if isinstance(raw, str) else ""
        if not text:
            raise ValueError(f"{_said(raw)} is not a text that a menu can show")
        return text


class Words(Kind):
    """One of some words, as they are written."""

    def __init__(self, *words: str) -> None:
        self.choices = words
        self.metavar = "|".join(words)

    def parse(self, raw: Any) -> str:
        if raw not in self.choices:
            raise ValueError(f"{_said(raw)} is not one of {', '.join(self.choices)}")
        return str(raw)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.choices)}


class OneOrMore(Several):
    """An item, or a list of such items."""

    def __init__(self, item: Kind) -> None:
        super().__init__(item, separator="\0", repeated=True)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "array", "items": self.item.schema()}, self.item.schema()]}


class Unused(Kind):
    """A value of Ventoy's that is accepted and has no effect."""

    def parse(self, raw: Any) -> Any:
        return raw

    def schema(self) -> dict[str, Any]:
        return {}


def _said(raw: Any) -> str:
    return repr(printable(raw)) if isinstance(raw, str) else repr(raw)
