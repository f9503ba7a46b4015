"""Text modes: real screens, drawn screens, and memory that is not what the picture shows."""

from __future__ import annotations

import random
import struct
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiperiso.observe.screen.fonts import FontSet
from hiperiso.observe.screen.ppm import Picture, parse_ppm
from hiperiso.observe.screen.text import CP437
from hiperiso.observe.screen.vga_cells import geometries
from hiperiso.observe.screen.vga_text import VGA_MEMORY_BYTES, VgaTextDecoder, wants_vga_memory
from machine_speed import assert_cheap
from property_tests import examples

CELLS = VGA_MEMORY_BYTES // 2
BLANK = 0x0720


def memory_of(words: list[int]) -> bytes:
    return struct.pack(f"<{CELLS}H", *words)


def typed(words: list[int], at: int, text: str, attribute: int = 7) -> None:
    for k, character in enumerate(text):
        words[(at + k) % CELLS] = attribute << 8 | CP437.index(character)


def console(lines: int, *, word: str = "line", stale: int = BLANK) -> list[int]:
    """Memory as a scrolling console leaves it: all lines one after another."""
    words = [stale] * CELLS
    for number in range(lines):
        typed(
            words,
            number * 80,
            f"[{number / 7:12.6f}] {word} {number * number} of a long boot {'ab' * (number % 9)}",
        )
    return words


def expected_lines(words: list[int], origin: int, columns: int, rows: int) -> tuple[str, ...]:
    text = "".join(CP437[words[(origin + k) % CELLS] & 0xFF] for k in range(columns * rows))
    return tuple(text[k : k + columns].rstrip() for k in range(0, len(text), columns))


def test_real_screen(screens: Any, text_mode_name: str) -> None:
    screen = screens.load(text_mode_name)
    found = VgaTextDecoder().decode(parse_ppm(screen.ppm), screen.vga)
    assert found is not None
    assert found.text == screen.text
    assert (found.columns, found.rows, found.decoder, found.partial) == (80, 25, "vga_text", False)


def test_cursor_is_where_the_prompt_ends(screens: Any) -> None:
    screen = screens.load("linux_vgacon_login")
    found = VgaTextDecoder().decode(parse_ppm(screen.ppm), screen.vga)
    assert found is not None
    assert found.cursor == (24, len("testbox login: "))


def test_real_graphics_are_not_text(screens: Any, graphics_name: str) -> None:
    picture = parse_ppm(screens.load(graphics_name).ppm)
    for name in ("linux_vgacon_boot", "seabios_no_bootable", "memtest_bios"):
        assert VgaTextDecoder().decode(picture, screens.load(name).vga) is None
    assert VgaTextDecoder().decode(picture, bytes(VGA_MEMORY_BYTES)) is None


def test_stale_memory_of_another_screen(screens: Any) -> None:
    picture = parse_ppm(screens.load("grub_menu").ppm)
    for name in ("linux_vgacon_boot", "debian_installer_newt", "seabios_no_bootable"):
        assert VgaTextDecoder().decode(picture, screens.load(name).vga) is None


@pytest.mark.parametrize("first", [0, 1, 37, 150, 179])
def test_scrolled_console(vga_card: Any, first: int) -> None:
    words = console(204)
    picture = vga_card.draw(memory_of(words), origin=first * 80, cursor=24 * 80)
    found = VgaTextDecoder().decode(picture, memory_of(words))
    assert found is not None
    assert found.lines == expected_lines(words, first * 80, 80, 25)
    assert found.cursor == (24, 0)


def test_pages_that_differ_in_a_number_only(vga_card: Any) -> None:
    words = [BLANK] * CELLS
    for page in range(7):
        typed(words, page * 2048 + 80, f"This is page {page} of 7, of which all else is the same")
    decoder = VgaTextDecoder(FontSet())
    for page in (0, 1, 2, 3, 4, 5, 6, 2, 0):
        found = decoder.decode(vga_card.draw(memory_of(words), origin=page * 2048), memory_of(words))
        assert found is not None
        assert found.lines[1] == f"This is page {page} of 7, of which all else is the same"


def test_wraps_at_the_end_of_memory(vga_card: Any) -> None:
    words = console(180)
    typed(words, CELLS - 160, "the last whole row")
    typed(words, 0, "and the first")
    origin = CELLS - 800
    found = VgaTextDecoder().decode(vga_card.draw(memory_of(words), origin=origin), memory_of(words))
    assert found is not None
    assert found.lines == expected_lines(words, origin, 80, 25)


def test_guest_writes_between_picture_and_memory(vga_card: Any) -> None:
    words = console(60)
    picture = vga_card.draw(memory_of(words), origin=30 * 80)
    typed(words, 50 * 80 + 60, "late words")
    found = VgaTextDecoder().decode(picture, memory_of(words))
    assert found is not None
    assert found.lines == expected_lines(words, 30 * 80, 80, 25)


@pytest.mark.parametrize(
    ("columns", "rows", "cell"),
    [
        *(
            (80, 25, (9, 16)),
            (80, 25, (8, 16)),
            (80, 50, (9, 8)),
            (80, 50, (8, 8)),
            (80, 43, (9, 8)),
            (40, 25, (9, 16)),
        ),
        *(
            (40, 25, (16, 16)),
            (132, 25, (8, 16)),
            (132, 43, (9, 8)),
            (80, 30, (8, 16)),
            (80, 60, (8, 8)),
            (80, 28, (9, 14)),
        ),
    ],
)
def test_text_modes(vga_card: Any, columns: int, rows: int, cell: tuple[int, int]) -> None:
    rng = random.Random(columns * rows)
    words = [BLANK] * CELLS
    for row in range(CELLS // columns):
        line = "".join(rng.choice("abcdefgh ijklmnop 0123456789 -:[]") for _ in range(rng.randrange(columns)))
        typed(words, row * columns, line, rng.choice((7, 7, 15, 0x1F, 0x70)))
    picture = vga_card.draw(memory_of(words), columns=columns, rows=rows, cell=cell, origin=3 * columns)
    assert wants_vga_memory(picture.width_px, picture.height_px)
    found = VgaTextDecoder().decode(picture, memory_of(words))
    assert found is not None
    assert (found.columns, found.rows) == (columns, rows)
    assert found.lines == expected_lines(words, 3 * columns, columns, rows)


@given(data=st.data())
@settings(max_examples=examples(30), deadline=None)
def test_any_screen_comes_back(vga_card: Any, data: st.DataObject) -> None:
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    density = data.draw(st.sampled_from((0.02, 0.3, 0.9)))
    attributes = data.draw(
        st.lists(st.sampled_from((7, 15, 12, 0x17, 0x1E, 0x70, 0x4F, 0x87)), min_size=1, max_size=4)
    )
    codes = [*range(33, 127), *range(33, 127), *range(1, 32), *range(127, 255)]
    words = [
        rng.choice(attributes) << 8 | (rng.choice(codes) if rng.random() < density else 0x20)
        for _ in range(CELLS)
    ]
    origin = data.draw(st.one_of(st.integers(0, 179).map(lambda row: row * 80), st.integers(0, CELLS - 1)))
    cursor = data.draw(st.one_of(st.none(), st.integers(0, 1999)))
    picture = vga_card.draw(memory_of(words), origin=origin, cursor=cursor)
    found = VgaTextDecoder().decode(picture, memory_of(words))
    assert found is not None
    assert found.lines == expected_lines(words, origin, 80, 25)
    assert all(character.isprintable() for line in found.lines for character in line)


@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([(720, 400), (640, 480), (360, 400), (720, 350), (641, 400)]),
)
@settings(max_examples=examples(30), deadline=None)
def test_noise_is_not_text(seed: int, size: tuple[int, int]) -> None:
    rng = random.Random(seed)
    picture = Picture(*size, rng.randbytes(size[0] * size[1] * 3))
    assert VgaTextDecoder().decode(picture, rng.randbytes(VGA_MEMORY_BYTES)) is None


@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(20), deadline=None)
def test_text_of_other_memory_is_not_believed(vga_card: Any, seed: int) -> None:
    rng = random.Random(seed)
    shown, stale = console(100), console(100, word="other", stale=0x1F20)
    rng.shuffle(stale)
    picture = vga_card.draw(memory_of(shown), origin=rng.randrange(70) * 80)
    assert VgaTextDecoder().decode(picture, memory_of(stale)) is None


def test_wrong_length() -> None:
    picture = Picture(720, 400, bytes(720 * 400 * 3))
    assert VgaTextDecoder().decode(picture, b"") is None
    assert VgaTextDecoder().decode(picture, bytes(VGA_MEMORY_BYTES + 1)) is None


def test_sizes_of_graphics_modes_are_not_text() -> None:
    for size in ((800, 600), (1024, 768), (1280, 800), (1280, 1024), (1920, 1080)):
        assert not wants_vga_memory(*size)
    assert geometries(720, 400)[0] == (80, 25, 9, 16)


def test_speed(screens: Any, vga_card: Any) -> None:
    words = console(204)
    memory = memory_of(words)
    decoder = VgaTextDecoder()
    decoder.decode(vga_card.draw(memory), memory)
    times = []
    for row in range(20, 120, 20):
        picture = vga_card.draw(memory, origin=row * 80)
        start = time.process_time()
        assert decoder.decode(picture, memory) is not None
        times.append(time.process_time() - start)
    assert_cheap(min(times), 0.025)
