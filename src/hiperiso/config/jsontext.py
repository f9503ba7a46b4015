"""A reader of JSON that keeps the place of every key and value, and reads on after an error.

A person's file has several errors at once; a reader that stops at the first hides the others. So errors with a likely
meaning (a comment, a missing or extra comma, single quotes, a word without quotes) are reported and read past; at any
other the reader stops, and `Reading.whole` is false. Source: RFC 8259.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any, Final

from bootchain.nearest import nearest

Path = tuple[str | int, ...]
"""The keys and indexes that lead to a value; ``()`` is the document."""

_MAX_DEPTH: Final = 64
_MAX_FAULTS: Final = 200
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(\.[0-9]{1,300})?([eE][-+]?[0-9]{1,5})?")
_MAX_NUMBER_CHARS: Final = 300
_WORD: Final = re.compile(r"[^\s,:{}\[\]\"'/#]+")
_GAP: Final = re.compile(r"[ \t\n\r]*")
_COMMENT: Final = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
_SINGLE: Final = re.compile(r"'([^'\n]*)'")
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class TextFault:
    """An error of the text itself, at an offset in characters. Not of `syntax`: it is JSON, and ambiguous."""

    offset: int
    message: str
    path: Path = ()
    syntax: bool = True


@dataclass(frozen=True)
class Earlier:
    """A value that a later one of the same key has replaced, with the offsets of what is in it."""

    path: Path
    value: Any
    keys: dict[Path, int]
    places: dict[Path, int]


@dataclass
class Reading:
    """What was read.

    Attributes:
        text: the whole text.
        value: the document; what was read until the reader stopped.
        keys: path -> offset of the key of that value; not for items of lists.
        places: path -> offset of the value.
        faults: errors, in the order of the text.
        whole: whether the reader came to the end.
        unfinished: the objects and lists that were open when the reader stopped.
        earlier: of keys that are given again, the values before the last.
    """

    text: str
    value: Any = None
    keys: dict[Path, int] = field(default_factory=dict)
    places: dict[Path, int] = field(default_factory=dict)
    faults: list[TextFault] = field(default_factory=list)
    whole: bool = True
    unfinished: set[Path] = field(default_factory=set)
    earlier: list[Earlier] = field(default_factory=list)

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Both counted from 1, the column in characters."""
        starts = self._line_starts
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]


class _Stop(Exception):
    """The text cannot be read any further."""


def read_json(text: str) -> Reading:
    """Read a JSON document. Never raises: errors are in `Reading.faults`."""
    reader = _Reader(text)
    try:
        reader.document()
    except _Stop:
        reader.reading.whole = False
    return reader.reading


def read_json_bytes(raw: bytes) -> Reading:
    """Read a JSON document from UTF-8, a byte order mark allowed. Never raises, as `read_json`."""
    if encoding := _other_encoding(raw):
        fault = TextFault(0, f"the file is {encoding}, not UTF-8: save it as UTF-8")
        return Reading("", faults=[fault], whole=False)
    try:
        return read_json(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        text, bad = error.object, error.start
        offset = len(text[:bad].decode())
        fault = TextFault(offset, f"byte 0x{text[bad]:02x} is not UTF-8")
        return Reading(text.decode(errors="replace"), faults=[fault], whole=False)


def _other_encoding(raw: bytes) -> str:
    """UTF-16 or UTF-32, by its byte order mark or the zeros beside the first character; else empty."""
    if raw.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")) or raw[:3] == b"\0\0\0" or raw[1:4] == b"\0\0\0":
        return "UTF-32"
    return "UTF-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw[:2] else ""


class _Reader:
    def __init__(self, text: str) -> None:
        self.reading = Reading(text)
        self._text = text
        self._at = 0
        self._open: list[tuple[str, int]] = []

    def document(self) -> None:
        self._gap()
        if self._at == len(self._text):
            self._stop("the file is empty")
        self.reading.value = self._value((), lambda value: setattr(self.reading, "value", value))
        self._gap()
        if self._at < len(self._text):
            self._stop(f"{self._shown()} after the end of the document")

    # -- values --

    def _value(self, path: Path, keep: Any) -> Any:
        """The next value. `keep` takes an object or list as soon as it is opened, so that none is lost by a stop."""
        self.reading.places[path] = self._at
        char = self._text[self._at : self._at + 1]
        if char in ("{", "["):
            return self._container(path, char, keep)
        if char == '"':
            return self._string(path)
        if char == "'" and (match := _SINGLE.match(self._text, self._at)):
            self._fault("a text is written in double quotes", path)
            self._at = match.end()
            return match[1]
        return self._bare(path)

    def _container(self, path: Path, char: str, keep: Any) -> Any:
        if len(path) >= _MAX_DEPTH:
            self._stop(f"nested more than {_MAX_DEPTH} levels deep")
        made: Any = {} if char == "{" else []
        keep(made)
        self._open.append((char, self._at))
        self.reading.unfinished.add(path)
        self._at += 1
        closer = "}" if char == "{" else "]"
        self._gap()
        while not self._closed(closer, path):
            if char == "{":
                self._member(made, path)
            else:
                made.append(None)
                slot = len(made) - 1
                made[slot] = self._value(
                    (*path, slot), lambda value, slot=slot: made.__setitem__(slot, value)
                )
            self._comma(closer, path)
        self._open.pop()
        self.reading.unfinished.discard(path)
        return made

    def _closed(self, closer: str, path: Path) -> bool:
        char = self._text[self._at : self._at + 1]
        if char == closer:
            self._at += 1
            return True
        if not char:
            line, _ = self.reading.line_and_column(self._open[-1][1])
            self._stop(f"the file ends before the {closer!r} for the {self._open[-1][0]!r} in line {line}")
        if char in ("}", "]"):
            line, _ = self.reading.line_and_column(self._open[-1][1])
            self._stop(f"{char!r} where the {self._open[-1][0]!r} in line {line} needs {closer!r}")
        if char in (",", ":"):
            self._fault(f"there is nothing before {char!r}", path)
            self._at += 1
            self._gap()
            return self._closed(closer, path)
        return False

    def _member(self, made: dict[str, Any], path: Path) -> None:
        start = self._at
        key = self._key(path)
        inner = (*path, key)
        if key in made:
            line, _ = self.reading.line_and_column(self.reading.keys[inner])
            self._fault(f"{key!r} is given twice, first in line {line}", inner, at=start, syntax=False)
            self._keep(inner, made[key])
        self.reading.keys[inner] = start
        self._gap()
        char = self._text[self._at : self._at + 1]
        if char == ":":
            self._at += 1
        elif char in ("=", '"', "'", "{", "[") or char.isalnum():
            self._fault(f"':' is missing between {key!r} and its value", inner)
            self._at += char == "="
        else:
            self._stop(f"{self._shown()} in place of ':' and the value of {key!r}")
        self._gap()
        if self._text[self._at : self._at + 1] in ("", "}", "]", ","):
            self._fault(f"{key!r} has no value", inner)
            made[key] = None
            self.reading.unfinished.add(inner)
            return
        made[key] = self._value(inner, lambda value: made.__setitem__(key, value))

    def _keep(self, path: Path, value: Any) -> None:
        """Note a value that is about to be replaced, with its offsets."""
        paths = list(_below(path, value))
        known = (self.reading.keys, self.reading.places)
        keys, places = ({one: offsets[one] for one in paths if one in offsets} for offsets in known)
        self.reading.earlier.append(Earlier(path, value, keys, places))

    def _key(self, path: Path) -> str:
        char = self._text[self._at]
        if char == '"':
            return self._string(path)
        if match := _SINGLE.match(self._text, self._at) or _WORD.match(self._text, self._at):
            self._fault("a key is written in double quotes", path)
            self._at = match.end()
            return match[match.lastindex or 0]
        self._stop(f"{self._shown()} in place of a key in double quotes")
        return ""

    def _comma(self, closer: str, path: Path) -> None:
        """Read past the comma after an item, or the gap before the end."""
        end = self._at
        self._gap()
        char = self._text[self._at : self._at + 1]
        if char == ",":
            comma = self._at
            self._at += 1
            self._gap()
            if self._text[self._at : self._at + 1] == closer:
                self._fault(f"a comma before {closer!r}", path, at=comma)
        elif char and char not in "}]":
            self._fault("a comma is missing after this", path, at=max(end - 1, 0))

    def _string(self, path: Path) -> str:
        start = self._at
        try:
            value, self._at = scanstring(self._text, start + 1, False)
        except JSONDecodeError as error:
            if error.msg.startswith("Unterminated"):
                self._stop("this text has no closing quote")
            self._at = error.pos
            self._stop(f"{error.msg[0].lower()}{error.msg[1:]}")
        if "\n" in self._text[start : self._at]:
            self._at = start
            self._stop("this text has no closing quote in its line")
        if found := _CONTROL.search(value) and _CONTROL.search(self._text, start, self._at):
            self._fault(f"control character {found[0]!r} in a text", path, at=found.start())
        return str(value)

    def _bare(self, path: Path) -> Any:
        """A number, true, false, null; or what was meant by another word."""
        match = _WORD.match(self._text, self._at)
        if match is None:
            self._stop(f"{self._shown()} in place of a value")
            return None
        start, word = self._at, match[0]
        self._at = match.end()
        if word in _WORDS:
            return _WORDS[word]
        if number := _NUMBER.fullmatch(word):
            return float(word) if number[1] or number[2] else int(word)
        self.reading.unfinished.add(path)
        near = nearest(word[:16].lower(), _WORDS)
        meant = f"; did you mean {near}?" if near else "; a text is written in double quotes"
        if len(word) > _MAX_NUMBER_CHARS and re.fullmatch(r"-?[0-9][-+0-9.eE]*", word):
            self._fault(f"{_cut(word)!r} has too many digits", path, at=start)
            return word
        what = "a number" if re.match(r"[-+.]?[0-9]", word) else "a value"
        self._fault(
            f"{_cut(word)!r} is not {what} in JSON{'' if what == 'a number' else meant}", path, at=start
        )
        return _WORDS.get(near, word)

    # -- text --

    def _gap(self) -> None:
        """Read past white space, and past comments, which are errors."""
        while True:
            gap = _GAP.match(self._text, self._at)
            self._at = gap.end() if gap else self._at
            comment = _COMMENT.match(self._text, self._at)
            if comment is None:
                return
            self._fault("JSON has no comments")
            self._at = comment.end()

    def _shown(self) -> str:
        return repr(self._text[self._at]) if self._at < len(self._text) else "the end of the file"

    def _fault(self, message: str, path: Path = (), *, at: int | None = None, syntax: bool = True) -> None:
        self.reading.faults.append(TextFault(self._at if at is None else at, message, path, syntax))
        if len(self.reading.faults) >= _MAX_FAULTS:
            raise _Stop

    def _stop(self, message: str) -> None:
        self.reading.faults.append(TextFault(min(self._at, len(self._text)), message))
        raise _Stop


def _below(path: Path, value: Any) -> Iterator[Path]:
    """The path of a value, and those of everything in it."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in inner:
        yield from _below((*path, step), one)


def _cut(word: str) -> str:
    return word if len(word) <= 40 else word[:40] + "..."
