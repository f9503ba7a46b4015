"""Real screens from ``fixtures/`` and screens drawn with the VGA BIOS's own font."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from hiperiso.observe.screen.fonts import VGA_ROMS, parse_vga_font
from hiperiso.observe.screen.ppm import Picture

FIXTURES = Path(__file__).parent / "fixtures"
_PALETTE = [
    bytes(colour)
    for colour in (
        *(
            (0, 0, 0),
            (0, 0, 170),
            (0, 170, 0),
            (0, 170, 170),
            (170, 0, 0),
            (170, 0, 170),
            (170, 85, 0),
            (170, 170, 170),
        ),
        *(
            (85, 85, 85),
            (85, 85, 255),
            (85, 255, 85),
            (85, 255, 255),
            (255, 85, 85),
            (255, 85, 255),
            (255, 255, 85),
        ),
        (255, 255, 255),
    )
]


@dataclass(frozen=True)
class Screen:
    """One screen of a real guest."""

    name: str
    ppm: bytes
    vga: bytes | None
    text: str | None


class Screens:
    """The screens in ``fixtures/``."""

    names = sorted(path.name.removesuffix(".ppm.gz") for path in FIXTURES.glob("*.ppm.gz"))

    def load(self, name: str) -> Screen:
        vga, text = FIXTURES / f"{name}.vga.gz", FIXTURES / f"{name}.txt"
        return Screen(
            name=name,
            ppm=gzip.decompress((FIXTURES / f"{name}.ppm.gz").read_bytes()),
            vga=gzip.decompress(vga.read_bytes()) if vga.exists() else None,
            text=text.read_text().removesuffix("\n") if text.exists() else None,
        )


class VgaCard:
    """Draws text modes as QEMU does: cells of 8, 9 or 16 pixels, 16 colours, a cursor."""

    def __init__(self, rom: bytes) -> None:
        self._fonts = {height: self._codes(rom, height) for height in (8, 14, 16)}

    def draw(
        self,
        memory: bytes,
        *,
        columns: int = 80,
        rows: int = 25,
        cell: tuple[int, int] = (9, 16),
        origin: int = 0,
        cursor: int | None = None,
    ) -> Picture:
        width, height = cell
        words = struct.unpack(f"<{len(memory) // 2}H", memory)
        font = self._fonts[height]
        lines: list[bytes] = []
        for row in range(rows):
            cells = [words[(origin + row * columns + column) % len(words)] for column in range(columns)]
            for y in range(height):
                parts = []
                for column, word in enumerate(cells):
                    code = word & 0xFF
                    if cursor == row * columns + column and y >= height - 2:
                        code = 0xDB  # the cursor is as wide as the cell
                    parts.append(_scan_line(font[code * height + y], word >> 8 & 15, word >> 12, code, width))
                lines.append(b"".join(parts))
        return Picture(columns * width, rows * height, b"".join(lines))

    @staticmethod
    def _codes(rom: bytes, height: int) -> bytes:
        """The font as 256 glyphs in order of their codes."""
        first = min(
            rom.find(cell) for cell, character in parse_vga_font(rom, height).items() if character == "☺"
        )
        return rom[first - height : first + 255 * height]


@cache
def _scan_line(bits: int, foreground: int, background: int, code: int, width: int) -> bytes:
    pixels = [_PALETTE[foreground if bits & 0x80 >> x else background] for x in range(8)]
    if width == 9:
        pixels.append(pixels[7] if 0xC0 <= code <= 0xDF else _PALETTE[background])
    if width == 16:
        pixels = [pixel for pixel in pixels for _ in range(2)]
    return b"".join(pixels)


@pytest.fixture(scope="session")
def screens() -> Screens:
    return Screens()


@pytest.fixture(scope="session")
def vga_card() -> VgaCard:
    rom = next(path for path in VGA_ROMS if path.suffix == ".bin" and path.exists())
    return VgaCard(rom.read_bytes())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "text_mode_name" in metafunc.fixturenames:
        names = [name for name in Screens.names if (FIXTURES / f"{name}.vga.gz").exists()]
        metafunc.parametrize("text_mode_name", names)
    if "graphics_name" in metafunc.fixturenames:
        names = [name for name in Screens.names if not (FIXTURES / f"{name}.vga.gz").exists()]
        metafunc.parametrize("graphics_name", names)
