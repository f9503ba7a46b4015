"""Screens drawn for the tests: rows of text, one of them under a bar, as a 720x400 text mode shows them."""

from __future__ import annotations

from hiperiso.drive.look import Look
from hiperiso.observe.screen.ppm import Picture
from hiperiso.observe.screen.text import TextScreen

CELL = (9, 16, 0, 0)
COLUMNS, ROWS = 80, 25


def text_look(t: float, rows: list[str], bar: int | None = None) -> Look:
    """A look at rows of text. The picture has the bar and, for each character, a pixel of its code."""
    lines = (*rows, *[""] * (ROWS - len(rows)))
    width, height = COLUMNS * CELL[0], ROWS * CELL[1]
    rgb = bytearray(width * height * 3)
    for number, row in enumerate(lines):
        top = number * CELL[1]
        if number == bar:
            inner = row.strip(" │")
            first, last = row.index(inner), len(row.rstrip(" │"))
            for y in range(top, top + CELL[1]):
                start, end = (y * width + first * 9) * 3, (y * width + (last + 2) * 9) * 3
                rgb[start:end] = b"\xaa" * (end - start)
        for column, char in enumerate(row):
            at = ((top + 8) * width + column * 9) * 3
            rgb[at : at + 3] = ord(char).to_bytes(3, "big")
    return Look(
        t, Picture(width, height, bytes(rgb)), TextScreen(COLUMNS, ROWS, lines, "vga_text", cell=CELL)
    )


def picture_look(t: float, shade: int) -> Look:
    """A look at a picture without any text."""
    row = bytes([shade, 40, 80]) * 320 + bytes([90, shade, 10]) * 320
    return Look(t, Picture(640, 480, row * 480), None)


def blank_look(t: float) -> Look:
    return Look(t, Picture(640, 480, bytes(640 * 480 * 3)), None)
