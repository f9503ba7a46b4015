"""The form of a line in which lines that differ in nothing but digits are alike.

Two such lines match the same rules, unless a rule distinguishes one digit from another. A boot log says thousands of
lines in a few hundred forms; what is known of a form need not be found out again. Each digit is written as ``0``;
``[1]``, the number of the first process, remains distinct from others. The length stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_DIGITS: Final = bytes(0x30 if 0x31 <= c <= 0x39 else c for c in range(256))
_DIGITS_OF_TEXT: Final = str.maketrans("123456789", "000000000")
_FIRST: Final = "[1]"
_FIRST_FORM: Final = "[\x01]"  # cleaned text has no control characters
_NO_DIGIT_OF_TEXT: Final = r"(?<!\\)\{\d{0,6},?\d{0,6}\}|\(\?P<\w+>|\\\[1\\\]|\\\[\(\?!1\\\]\)"
"""What holds digits in a pattern and names none of the text: counts, names of groups; and ``[1]``."""

_DIGIT: Final = re.compile(rf"(?P<other>{_NO_DIGIT_OF_TEXT}|\\.)|(?P<any>\[(?:\\.|[^\]\\])+\])|[0-9]")
_RANGE: Final = re.compile(r"(?P<other>\\.)|[0-9]-[0-9]|[0-9]")
_ANY_DIGIT: Final = re.compile(rf"\\d|0-9|{_NO_DIGIT_OF_TEXT}")
_NAMED_DIGIT: Final = re.compile(r"[0-9]|\(\?P=")
_UNLESS: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])+\]|(?P<unless>\(\?<?!)|(?P<open>\()|(?P<close>\))")


def form_of(text: bytes) -> bytes:
    """The form of a text: of the same length, each line that of the line."""
    return text.replace(_FIRST.encode(), _FIRST_FORM.encode()).translate(_DIGITS)


def form_of_text(text: str) -> str:
    """As ``form_of``."""
    return text.replace(_FIRST, _FIRST_FORM).translate(_DIGITS_OF_TEXT)


def distinguishes_digits(pattern: str, literals: Iterable[str]) -> bool:
    """Whether a rule may match one of two lines of the same form and not the other."""
    names = _NAMED_DIGIT.search(_ANY_DIGIT.sub("", pattern)) is not None
    return names or any(_NAMED_DIGIT.search(literal.replace(_FIRST, "")) for literal in literals)


def for_any_digits(pattern: str) -> str:
    """A pattern that matches at least what `pattern` matches, with these and with other digits."""
    if not _NAMED_DIGIT.search(_ANY_DIGIT.sub("", pattern)):
        return pattern
    loose = _DIGIT.sub(_any_digit, _without_refusals(pattern))
    return "" if "(?P=" in pattern or re.search(r"\[\^[^\]]*\\d", loose) else loose


def _any_digit(match: re.Match[str]) -> str:
    if match["any"]:
        return _RANGE.sub(lambda part: part["other"] or r"\d", match["any"])
    return match["other"] or r"\d"


def _without_refusals(pattern: str) -> str:
    """A pattern without what must not be before or behind a place."""
    kept, depth, begin = [], 0, 0
    inside = 0  # how deep a refusal was opened
    for token in _UNLESS.finditer(pattern):
        depth += bool(token["unless"] or token["open"]) - bool(token["close"])
        if token["unless"] and not inside:
            kept.append(pattern[begin : token.start()])
            inside = depth
        elif token["close"] and inside and depth < inside:
            begin, inside = token.end(), 0
    return "".join(kept) + pattern[begin:]
