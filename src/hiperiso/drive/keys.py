"""Text as keys of a PC keyboard with the US layout, by the names that QMP's ``send-key`` uses (qcodes).

Source: QEMU, qapi/ui.json, QKeyCode.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

Chord = tuple[str, ...]
"""Keys that are held down together, as qcodes."""

ENTER: Final[Chord] = ("ret",)
UP: Final[Chord] = ("up",)
DOWN: Final[Chord] = ("down",)
HOME: Final[Chord] = ("home",)

_ON_A_TERMINAL: Final = {ENTER: "\r", UP: "\x1b[A", DOWN: "\x1b[B", HOME: "\x1b[H"}
_PLAIN: Final = {
    " ": "spc",
    "-": "minus",
    "=": "equal",
    "[": "bracket_left",
    "]": "bracket_right",
    ";": "semicolon",
    "'": "apostrophe",
    "`": "grave_accent",
    "\\": "backslash",
    ",": "comma",
    ".": "dot",
    "/": "slash",
    "\n": "ret",
    "\t": "tab",
}
_SHIFTED: Final = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./", strict=True))


def chords_of(text: str) -> tuple[Chord, ...]:
    """The keys that type `text`.

    Raises:
        ValueError: a character that the US layout does not have.
    """
    return tuple(_chord(char) for char in text)


def typed(chords: Iterable[Chord]) -> str:
    """The same keys as a terminal on a serial port sends them; keys that a menu does not need are left out.

    Source: ECMA-48, and what a VT100 sends.
    """
    return "".join(_ON_A_TERMINAL.get(chord, "") for chord in chords)


def _chord(char: str) -> Chord:
    if char in _SHIFTED:
        return ("shift", _key(_SHIFTED[char]))
    if char.isascii() and char.isupper():
        return ("shift", char.lower())
    return (_key(char),)


def _key(char: str) -> str:
    if char.isascii() and char.isalnum():
        return char
    try:
        return _PLAIN[char]
    except KeyError:
        raise ValueError(f"{char!r} cannot be typed on a US keyboard") from None
