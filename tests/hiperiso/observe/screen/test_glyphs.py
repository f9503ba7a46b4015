"""Graphics modes: real screens, drawn consoles at odd offsets, and pictures that hold no text."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiperiso.observe.screen.fonts import FontSet
from hiperiso.observe.screen.glyphs import GlyphReader
from hiperiso.observe.screen.ppm import Picture, parse_ppm
from hiperiso.observe.screen.text import CP437
from machine_speed import assert_cheap
from property_tests import examples

FONTS = FontSet()


def canvas(width: int, height: int, colour: tuple[int, int, int]) -> list[bytearray]:
    return [bytearray(bytes(colour) * width) for _ in range(height)]


def put(
    rows: list[bytearray], x: int, y: int, text: str, colour: tuple[int, int, int], *, cell_px: int = 16
) -> None:
    """Draw ``text`` with the machine's own console font, background as it is."""
    glyphs = {character: bitmap for bitmap, character in reversed(FONTS.glyphs(cell_px).items())}
    for k, character in enumerate(text):
        for line, bits in enumerate(glyphs.get(character, bytes(cell_px))):
            for column in range(8):
                if bits & 0x80 >> column:
                    at = (x + 8 * k + column) * 3
                    rows[y + line][at : at + 3] = bytes(colour)


def picture_of(rows: list[bytearray]) -> Picture:
    return Picture(len(rows[0]) // 3, len(rows), b"".join(rows))


def test_real_screen(screens: Any, graphics_name: str) -> None:
    screen = screens.load(graphics_name)
    found = GlyphReader(FONTS).read(parse_ppm(screen.ppm))
    assert (found.text if found else None) == screen.text
    if found is not None:
        assert found.decoder == "glyphs"
        assert found.unknown == 0
        assert found.partial == (graphics_name in ("isolinux_vesamenu", "ipxe_efi"))


def test_cursor_is_not_text(screens: Any) -> None:
    found = GlyphReader(FONTS).read(parse_ppm(screens.load("ovmf_shell").ppm))
    assert found is not None
    assert found.cursor == (41, len("Shell> "))


def test_one_reader_for_all_screens_in_any_order(screens: Any) -> None:
    reader = GlyphReader(FONTS)
    names = [name for name in screens.names if screens.load(name).vga is None and name != "isolinux_vesamenu"]
    for name in [*names, *reversed(names)]:
        screen = screens.load(name)
        found = reader.read(parse_ppm(screen.ppm))
        assert (found.text if found else None) == screen.text, name


@pytest.mark.parametrize("left", range(8))
@pytest.mark.parametrize(("top", "cell_px"), [(3, 16), (10, 19)])
def test_any_offset(left: int, top: int, cell_px: int) -> None:
    rows = canvas(800, 600, (0, 0, 0))
    put(
        rows,
        left + 80,
        top + 2 * cell_px,
        "Booting `Debian GNU/Linux' in a moment ...",
        (170, 170, 170),
        cell_px=cell_px,
    )
    put(
        rows,
        left + 80,
        top + 5 * cell_px,
        "error: file `/boot/vmlinuz' not found.",
        (255, 85, 85),
        cell_px=cell_px,
    )
    found = GlyphReader(FONTS).read(picture_of(rows))
    assert found is not None
    assert "Booting `Debian GNU/Linux' in a moment ..." in found.text
    assert "error: file `/boot/vmlinuz' not found." in found.text
    assert not found.partial


def test_all_printable_characters() -> None:
    text = "".join(CP437[code] for code in range(33, 127))
    rows = canvas(800, 480, (0, 0, 170))
    put(rows, 0, 32, text, (255, 255, 255))
    found = GlyphReader(FONTS).read(picture_of(rows))
    assert found is not None
    assert found.lines[2] == text


def test_text_on_a_photo() -> None:
    rows = [bytearray(min(200, x // 12 + y // 6) for x in range(640 * 3)) for y in range(480)]
    put(rows, 104, 200, "Install the operating system", (255, 255, 255))
    put(rows, 104, 216, "Try it first", (255, 255, 255))
    found = GlyphReader(FONTS).read(picture_of(rows))
    assert found is not None
    assert found.partial
    assert "Install the operating system" in found.text
    assert "Try it first" in found.text


def test_small_change_is_cheap(screens: Any) -> None:
    reader = GlyphReader(FONTS)
    picture = parse_ppm(screens.load("linux_efifb_boot").ppm)
    reader.read(picture)
    changed = bytearray(picture.rgb)
    changed[1280 * 3 * 400 : 1280 * 3 * 400 + 24] = b"\xff" * 24
    start = time.process_time()
    assert reader.read(Picture(1280, 800, bytes(changed))) is not None
    assert_cheap(time.process_time() - start, 0.020)


def test_full_change_is_quick(screens: Any) -> None:
    picture = parse_ppm(screens.load("linux_efifb_boot").ppm)
    FONTS.glyphs(16)
    times = []
    for _ in range(3):
        reader = GlyphReader(FONTS)
        start = time.process_time()
        assert reader.read(picture) is not None
        times.append(time.process_time() - start)
    assert_cheap(min(times), 0.150)


@given(
    seed=st.integers(0, 2**32),
    width=st.integers(1, 700),
    height=st.integers(1, 300),
    grain=st.integers(1, 40),
)
@settings(max_examples=examples(40), deadline=None)
def test_noise_is_not_text(seed: int, width: int, height: int, grain: int) -> None:
    rng = random.Random(seed)
    line = b"".join(rng.randbytes(3) * grain for _ in range(width))[: width * 3]
    rgb = b"".join(
        bytes(rng.sample(list(line), len(line))) if y % grain == 0 else line for y in range(height)
    )
    assert GlyphReader(FONTS).read(Picture(width, height, rgb)) is None


def test_without_fonts_nothing_is_read(screens: Any, tmp_path: Path) -> None:
    broken = tmp_path / "font"
    broken.write_bytes(b"FILE\0\0\0\4PFF2CHIX\xff\xff\xff\xff" + bytes(100))
    for files in ((), (tmp_path / "missing", tmp_path, broken)):
        fonts = FontSet(vga_roms=files, grub_fonts=files, edk2_firmware=files)
        assert GlyphReader(fonts).read(parse_ppm(screens.load("memtest_uefi").ppm)) is None
