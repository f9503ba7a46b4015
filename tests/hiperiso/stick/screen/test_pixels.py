"""Pictures painted into a buffer, against the same done pixel by pixel."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.stick.screen.pixels import XRGB, Band, Painter, PixelFormat, Surface, place
from machine_speed import assert_cheap

RGB565 = PixelFormat(2, (11, 5), (5, 6), (0, 5))
RGB888 = PixelFormat(3, (16, 8), (8, 8), (0, 8))
FORMATS = (XRGB, RGB565, RGB888)


class Screen:
    """A framebuffer in memory, with something behind every row and at the end that must stay."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self.bytes = bytearray(b"\xaa" * (surface.size_bytes + 7))
        self.painter = Painter(memoryview(self.bytes), surface)

    def rows(self) -> list[list[bytes]]:
        size, stride = self.surface.format.size_bytes, self.surface.stride_bytes
        rows = []
        for y in range(self.surface.height_px):
            row = self.bytes[y * stride : (y + 1) * stride]
            used = self.surface.width_px * size
            assert set(row[used:]) <= {0xAA}, "painted past the end of a row"
            rows.append([bytes(row[at : at + size]) for at in range(0, used, size)])
        assert self.bytes[self.surface.size_bytes :] == b"\xaa" * 7
        return rows


def picture(width: int, height: int, size_bytes: int, seed: int = 1) -> list[list[bytes]]:
    source = random.Random(seed)
    return [[source.randbytes(size_bytes) for _ in range(width)] for _ in range(height)]


def band(rows: list[list[bytes]], x: int, y: int, width: int, height: int) -> Band:
    data = b"".join(b"".join(row[x : x + width]) for row in rows[y : y + height])
    return Band(x, y, width, height, data)


def expected(rows: list[list[bytes]], surface: Surface) -> list[list[bytes]]:
    """The picture on the surface, pixel by pixel."""
    size = surface.format.size_bytes
    here = place(len(rows[0]), len(rows), surface)
    out = [[bytes(size)] * surface.width_px for _ in range(surface.height_px)]
    for y in range(here.height_px):
        for x in range(here.width_px):
            pixel = rows[y * len(rows) // here.height_px][x * len(rows[0]) // here.width_px]
            out[here.top_px + y][here.left_px + x] = pixel[:size]
    return out


@given(
    form=st.sampled_from(FORMATS),
    screen=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    guest=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    padding=st.integers(0, 9),
    cuts=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=2),
)
def test_any_picture_in_any_bands_is_on_any_screen(
    form: PixelFormat,
    screen: tuple[int, int],
    guest: tuple[int, int],
    padding: int,
    cuts: list[tuple[int, int]],
) -> None:
    surface = Surface(*screen, screen[0] * form.size_bytes + padding, form)
    shown = Screen(surface)
    rows = picture(*guest, surface.source.size_bytes)
    shown.painter.resize(*guest)
    columns = sorted({0, guest[0], *(min(x, guest[0]) for x, _ in cuts)})
    lines = sorted({0, guest[1], *(min(y, guest[1]) for _, y in cuts)})
    for top, bottom in itertools.pairwise(lines):
        for left, right in itertools.pairwise(columns):
            shown.painter.paint(band(rows, left, top, right - left, bottom - top))
    assert shown.rows() == expected(rows, surface)


SIZES = st.tuples(st.integers(1, 4000), st.integers(1, 3000))


@given(screen=SIZES, guest=SIZES)
def test_a_picture_keeps_its_proportions_and_stays_within_the_screen(
    screen: tuple[int, int], guest: tuple[int, int]
) -> None:
    width, height = guest
    surface = Surface(*screen, screen[0] * 4, XRGB)
    here = place(width, height, surface)
    assert 0 <= here.left_px <= here.left_px + here.width_px <= screen[0]
    assert 0 <= here.top_px <= here.top_px + here.height_px <= screen[1]
    if here.factor:
        assert (here.width_px, here.height_px) == (width * here.factor, height * here.factor)
        assert here.width_px + width > screen[0] or here.height_px + height > screen[1]
    else:
        assert here.width_px == screen[0] or here.height_px == screen[1]


def test_a_new_size_leaves_nothing_of_the_old_one() -> None:
    shown = Screen(Surface(30, 20, 128, XRGB))
    for size in ((30, 20), (7, 5)):
        shown.painter.resize(*size)
        rows = picture(*size, 4)
        shown.painter.paint(band(rows, 0, 0, *size))
    assert shown.rows() == expected(rows, shown.surface)
    shown.painter.clear()
    assert {pixel for row in shown.rows() for pixel in row} == {bytes(4)}


@pytest.mark.parametrize(
    ("surface", "guest"),
    [
        (Surface(1024, 768, 4096, XRGB), (1024, 768)),
        (Surface(1920, 1080, 7680, XRGB), (1024, 768)),
        (Surface(3840, 2160, 15360, XRGB), (720, 400)),
        (Surface(1024, 768, 2048, RGB565), (1024, 768)),
        (Surface(1024, 768, 3072, RGB888), (1024, 768)),
        (Surface(1024, 768, 4096, XRGB), (1280, 1024)),
    ],
    ids=lambda value: f"{value.width_px}x{value.height_px}" if isinstance(value, Surface) else "",
)
def test_ten_whole_pictures_a_second(surface: Surface, guest: tuple[int, int]) -> None:
    painter = Painter(memoryview(bytearray(surface.size_bytes)), surface)
    painter.resize(*guest)
    size = surface.source.size_bytes
    data = random.Random(1).randbytes(guest[0] * 64 * size)
    bands = [
        Band(0, top, guest[0], min(64, guest[1] - top), data[: guest[0] * size * min(64, guest[1] - top)])
        for top in range(0, guest[1], 64)
    ]

    def whole() -> None:
        for band in bands:
            painter.paint(band)

    assert_cheap(best_of(3, whole), 0.1)


def best_of(count: int, work: Callable[[], None]) -> float:
    taken = []
    for _ in range(count):
        began_s = time.thread_time()
        work()
        taken.append(time.thread_time() - began_s)
    return min(taken)
