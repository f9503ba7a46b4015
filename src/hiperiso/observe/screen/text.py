"""The text of a screen: the value that all decoders return, and the character set of the PC's text mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Decoder = Literal["vga_text", "glyphs", "console"]

UNKNOWN: Final = "\ufffd"
"""Marks a cell that contains something, but no known character."""

_CONTROL_GLYPHS = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"
_CP437 = (
    _CONTROL_GLYPHS
    + bytes(range(32, 127)).decode("ascii")
    + "⌂"
    + bytes(range(128, 255)).decode("cp437")
    + " "
)

CP437: Final[tuple[str, ...]] = tuple(_CP437)
"""The printable Unicode character of each of the 256 codes; 0 and 255 are blank."""


@dataclass(frozen=True)
class TextScreen:
    """The text of one screen.

    ``lines`` has ``rows`` entries, each at most ``columns`` characters long, without trailing blanks; every character
    is printable. ``cursor`` is (row, column) from 0 when it was seen. ``unknown`` counts the cells that are U+FFFD.
    ``partial``: the picture contains more than this text (a logo, a background, another font).
    ``cell`` is the position of the text in the picture: width and height of a cell, left and top of the first, in
    pixels; None where the text was not read from the picture.
    """

    columns: int
    rows: int
    lines: tuple[str, ...]
    decoder: Decoder
    cursor: tuple[int, int] | None = None
    unknown: int = 0
    partial: bool = False
    cell: tuple[int, int, int, int] | None = None

    @property
    def text(self) -> str:
        """The rows joined by newlines, without blank rows at the end."""
        return "\n".join(self.lines).rstrip("\n")
