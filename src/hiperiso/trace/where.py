"""Conditions on records: ``--where 'lba >= 16 and not method == "dma"'``.

::

    condition   = all { "or" all }
    all         = one { "and" one }
    one         = "not" one | "(" condition ")" | NAME [ "&" NUMBER ] OPERATOR VALUE
    OPERATOR    = "==" | "!=" | "<" | "<=" | ">" | ">=" | "~"          "~": a glob pattern, for texts
    VALUE       = NUMBER (decimal, 0x hexadecimal, with a fraction) | "text" | 'text' | WORD

A name is that of an argument, or ``event``, ``pid``, or ``t``: seconds since the trace's first record. What an event
does not have fulfils no comparison; a number and a text are never equal.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from hiperiso.errors import UsageError
from hiperiso.trace.reader import Record

Condition = Callable[[Record, float], bool]
"""Whether a record, at that many seconds after the first, is selected."""

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>\"[^\"]*\"|'[^']*')|(?P<number>-?(?:0x[0-9a-fA-F]{1,16}|\d{1,20}(?:\.\d{1,9})?)\b)"
    r"|(?P<word>\w+)|(?P<sign>==|!=|<=|>=|[<>~&()])|(?P<end>$))"
)
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MAX_DEPTH: Final = 50
_MAX_CHARS: Final = 4000
_HINT: Final = "for example: --where 'lba >= 16 and method == \"dma\"'"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_condition(text: str) -> Condition:
    """The condition in `text`.

    Raises:
        UsageError: it does not follow the grammar; the message names the place.
    """
    if len(text) > _MAX_CHARS:
        raise UsageError(f"--where has more than {_MAX_CHARS} characters")
    parser = _Parser([*_tokens(text)])
    condition = parser.condition(0)
    parser.expect("end")
    return condition


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            raise _refused(f"{text[at:].lstrip()[:20]!r} is not understood", at)
        kind = match.lastgroup or "end"
        yield _Token(kind, match[kind], match.start(kind))
        if kind == "end":
            return
        at = match.end()


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def condition(self, depth: int) -> Condition:
        return self._joined(
            "or", lambda: self._joined("and", lambda: self._one(depth), every=True), every=False
        )

    def expect(self, kind: str, *texts: str) -> _Token:
        token = self._tokens[self._at]
        if token.kind != kind or (texts and token.text not in texts):
            wanted = (
                " or ".join(texts)
                if texts
                else {"end": "nothing more", "word": "a name"}.get(kind, f"a {kind}")
            )
            raise _refused(f"{token.text or 'the end'!r} where {wanted} should be", token.at)
        self._at += token.kind != "end"
        return token

    def _accept(self, kind: str, text: str) -> bool:
        token = self._tokens[self._at]
        found = (token.kind, token.text) == (kind, text)
        self._at += found
        return found

    def _joined(self, word: str, part: Callable[[], Condition], *, every: bool) -> Condition:
        parts = [part()]
        while self._accept("word", word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        join = all if every else any
        return lambda record, t_s: join(one(record, t_s) for one in parts)

    def _one(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise _refused("nested too deeply", self._tokens[self._at].at)
        if self._accept("word", "not"):
            inner = self._one(depth + 1)
            return lambda record, t_s: not inner(record, t_s)
        if self._accept("sign", "("):
            inner = self.condition(depth + 1)
            self.expect("sign", ")")
            return inner
        name = self.expect("word").text
        mask = int(self.expect("number").text, 0) if self._accept("sign", "&") else None
        sign = self.expect("sign", *_COMPARE, "~").text
        return _comparison(_value(name), mask, sign, self._constant(sign))

    def _constant(self, sign: str) -> float | str:
        token = self._tokens[self._at]
        if token.kind not in ("number", "text", "word"):
            raise _refused(f"{token.text or 'the end'!r} where a value should be", token.at)
        self._at += 1
        if token.kind == "number" and sign != "~":
            return (
                float(token.text) if "." in token.text else int(token.text, 16 if "x" in token.text else 10)
            )
        return token.text[1:-1] if token.kind == "text" else token.text


def _value(name: str) -> Callable[[Record, float], float | str | None]:
    if name == "event":
        return lambda record, _: record.event
    if name == "pid":
        return lambda record, _: record.pid
    if name == "t":
        return lambda _, t_s: t_s

    def argument(record: Record, _: float) -> float | str | None:
        names = record.form.arguments if record.form else ("raw",)
        return record.values[names.index(name)] if name in names else None

    return argument


def _comparison(
    value: Callable[[Record, float], float | str | None], mask: int | None, sign: str, constant: float | str
) -> Condition:
    def holds(record: Record, t_s: float) -> bool:
        found = value(record, t_s)
        if mask is not None:
            found = found & mask if isinstance(found, int) else None
        if isinstance(found, str) and isinstance(constant, str):
            if sign == "~":
                return fnmatchcase(found, constant)
            order = (found > constant) - (found < constant)
            return _COMPARE[sign](order, 0)
        if found is None or isinstance(found, str) or isinstance(constant, str):
            return found is not None and sign == "!="
        return _COMPARE[sign](found, constant)

    return holds


def _refused(why: str, at: int) -> UsageError:
    return UsageError(f"--where: {why} (character {at + 1})", hint=_HINT)
