# ruff: noqa: D102 - the base class documents each method
"""The kinds of values that a setting can have: how each is read, written, shown and described.

A kind reads a raw value as it comes from JSON (text, number, boolean, list), from an environment variable, a kernel
parameter or an option (text; a list of texts where an option is repeated). It raises ``ValueError`` with the reason.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any

from bootchain.nearest import nearest
from hiperiso.contract.menupolicy import MenuPolicy, parse_menu

Locate = Callable[[str], Path]
"""Resolves a path as written to the absolute path of the file."""

_FLAG_ON = ("1", "true", "yes", "on")
_FLAG_OFF = ("", "0", "false", "no", "off")
_MAX_TEXT = 4096


class Kind:
    """A kind of value.

    Attributes:
        metavar: the placeholder in help texts: its unit, or its choices.
        choices: all possible values; empty if there is no such list.
        flag: whether an option of this kind takes no value.
        repeated: whether an option or kernel parameter of this kind may be given several times, one item each.
        members: the keys of an object of this kind in JSON, each with a text; empty where it cannot be one.
    """

    metavar = "VALUE"
    choices: tuple[str, ...] = ()
    flag = False
    repeated = False
    members: tuple[str, ...] = ()

    def parse(self, raw: Any) -> Any:
        """The value of `raw`.

        Raises:
            ValueError: it is invalid.
        """
        raise NotImplementedError

    def text(self, value: Any) -> str:
        """A value as text of an environment variable."""
        return "" if value is None else str(value)

    def plain(self, value: Any) -> Any:
        """A value as JSON."""
        return None if value is None else str(value)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the raw values in a configuration file."""
        return {"type": "string"}

    def located(self, value: Any, locate: Locate) -> Any:  # noqa: ARG002 - for kinds that name files
        """`value` with each path in it made absolute by `locate`."""
        return value


class Menu(Kind):
    """What to do about a boot menu."""

    metavar = "auto|wait|list|off|N|TEXT"

    def parse(self, raw: Any) -> MenuPolicy:
        return parse_menu(str(raw))

    def schema(self) -> dict[str, Any]:
        return {"type": ["integer", "string"]}


class Integer(Kind):
    """A whole number from `low` to `high`."""

    metavar = "N"

    def __init__(self, what: str, low: int, high: int) -> None:
        self._what, self._low, self._high = what, low, high

    def parse(self, raw: Any) -> int:
        text = str(raw).strip()
        if (
            isinstance(raw, bool)
            or not re.fullmatch(r"[0-9]{1,9}", text)
            or not self._low <= int(text) <= self._high
        ):
            raise ValueError(f"{raw!r} is not a {self._what} from {self._low} to {self._high}")
        return int(text)

    def plain(self, value: int | None) -> int | None:
        return value

    def schema(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self._low, "maximum": self._high}
        return {"anyOf": [number, {"type": "string", "pattern": r"^\s*[0-9]{1,9}\s*$"}]}


class Megabytes(Kind):
    """An amount of memory in MB (MiB), or with a unit: ``4G``."""

    metavar = "MB"

    def __init__(self, what: str, low_mb: int, high_mb: int) -> None:
        self._what, self._low, self._high = what, low_mb, high_mb

    def parse(self, raw: Any) -> int:
        match = re.fullmatch(r"([0-9]{1,9})\s*([MG]?)I?B?", str(raw).strip(), re.IGNORECASE)
        megabytes = 0
        if match and not isinstance(raw, bool):
            megabytes = int(match[1]) * (1024 if match[2].upper() == "G" else 1)
        if not self._low <= megabytes <= self._high:
            raise ValueError(
                f"{raw!r} is not {self._what} in MB (or like 4G) from {self._low} to {self._high}"
            )
        return megabytes

    def plain(self, value: int | None) -> int | None:
        return value

    def schema(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self._low, "maximum": self._high}
        pattern = r"^\s*[0-9]{1,9}\s*[MmGg]?[Ii]?[Bb]?\s*$"
        return {"anyOf": [number, {"type": "string", "pattern": pattern}]}


class Positive(Kind):
    """A positive number."""

    def __init__(self, what: str, metavar: str) -> None:
        self._what, self.metavar = what, metavar

    def parse(self, raw: Any) -> float:
        try:
            value = float(raw)
        except (TypeError, ValueError, OverflowError):
            value = 0.0
        if isinstance(raw, bool) or not 0 < value < 1e7:  # also refuses nan
            raise ValueError(f"{raw!r} is not a positive {self._what}")
        return value

    def plain(self, value: float | None) -> float | None:
        return value

    def text(self, value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    def schema(self) -> dict[str, Any]:
        number = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e7}
        return {"anyOf": [number, {"type": "string", "pattern": r"^\s*\+?[0-9_.]+([eE][-+]?[0-9]+)?\s*$"}]}


class Flag(Kind):
    """On or off."""

    metavar = "1|0"
    flag = True

    def parse(self, raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        text = str(raw).strip().lower()
        if text in _FLAG_ON:
            return True
        if text in _FLAG_OFF:
            return False
        raise ValueError(f"{raw!r} is neither 1 nor 0")

    def plain(self, value: bool | None) -> bool:
        return bool(value)

    def text(self, value: bool | None) -> str:
        return "1" if value else "0"

    def schema(self) -> dict[str, Any]:
        return {"enum": [True, False, 1, 0, *_FLAG_ON, *_FLAG_OFF]}


class Choice(Kind):
    """A value of an enumeration, in any letter case; with `among` only one of those."""

    def __init__(self, words: type[StrEnum], among: Sequence[StrEnum] = (), *, metavar: str = "") -> None:
        self._words = words
        self.choices = tuple(str(word) for word in among or words)
        self.metavar = metavar or "|".join(self.choices)

    def parse(self, raw: Any) -> StrEnum:
        text = str(raw).strip().lower()
        if text not in self.choices:
            near = nearest(text[:64], self.choices)
            meant = f"; did you mean {near}?" if near else ""
            raise ValueError(f"{raw!r} is not one of {', '.join(self.choices)}{meant}")
        return self._words(text)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.choices)}


class Name(Kind):
    """A name that matches `pattern`, in lower case unless `cased`."""

    metavar = "NAME"

    def __init__(self, what: str, pattern: str, *, cased: bool = False) -> None:
        self._what, self._pattern, self._cased = what, pattern, cased

    def parse(self, raw: Any) -> str:
        text = str(raw).strip()
        text = text if self._cased else text.lower()
        if not re.fullmatch(self._pattern, text):
            raise ValueError(f"{text!r} is not {self._what}")
        return text


class Regex(Kind):
    """A regular expression of Python."""

    metavar = "REGEX"

    def parse(self, raw: Any) -> str:
        try:
            re.compile(str(raw))
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{raw!r} is not a regular expression: {error}") from None
        return str(raw)


class Text(Kind):
    """A line of text that is not empty."""

    def __init__(self, metavar: str = "TEXT") -> None:
        self.metavar = metavar

    def parse(self, raw: Any) -> str:
        if not isinstance(raw, str) or not raw.strip() or len(raw) > _MAX_TEXT or not raw.isprintable():
            raise ValueError(f"{raw!r} is not a line of text")
        return raw.strip()


class Arguments(Text):
    """Arguments of a program, quoted as in a shell."""

    def __init__(self) -> None:
        super().__init__("ARGS")

    def parse(self, raw: Any) -> str:
        text = super().parse(raw)
        try:
            shlex.split(text)
        except ValueError as error:
            raise ValueError(f"{raw!r} cannot be split into arguments: {error}") from None
        return text


class File(Kind):
    """The path of a file or directory. A relative one is resolved by the origin of the value: see `Locate`."""

    def __init__(self, metavar: str = "FILE") -> None:
        self.metavar = metavar

    def parse(self, raw: Any) -> Path:
        if not isinstance(raw, str | PurePath) or not str(raw) or "\0" in str(raw):
            raise ValueError(f"{raw!r} is not a path")
        return Path(raw)

    def located(self, value: Path, locate: Locate) -> Path:
        return locate(str(value))


class Several(Kind):
    """A list of items of one kind, as a tuple.

    In JSON it is a list. In an environment variable the items are separated by `separator`. With `repeated` an option
    and a kernel parameter are given once per item, and an item may then contain the separator; else they are given
    once, with separated items.
    """

    def __init__(self, item: Kind, *, separator: str = ",", repeated: bool = False) -> None:
        self.item, self.separator, self.repeated = item, separator, repeated
        self.choices = item.choices
        self.metavar = item.metavar if repeated else "LIST"

    def parse(self, raw: Any) -> tuple[Any, ...]:
        items = raw if isinstance(raw, list | tuple) else str(raw).split(self.separator)
        return tuple(self.item.parse(item) for item in items if not isinstance(item, str) or item.strip())

    def plain(self, value: tuple[Any, ...] | None) -> list[Any]:
        return [self.item.plain(item) for item in value or ()]

    def text(self, value: tuple[Any, ...] | None) -> str:
        return self.separator.join(self.item.text(item) for item in value or ())

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "array", "items": self.item.schema()}, {"type": "string"}]}

    def located(self, value: tuple[Any, ...], locate: Locate) -> tuple[Any, ...]:
        return tuple(self.item.located(item, locate) for item in value)
