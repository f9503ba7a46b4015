"""A screen on which nothing is drawn, and what is drawn over it."""

from __future__ import annotations

from hiperiso.observe.screen.fonts import FontSet
from hiperiso.observe.screen.glyphs import GlyphReader
from hiperiso.observe.screen.watcher import ScreenObservation, ScreenWatcher

WIDTH, HEIGHT = 1280, 800
BLACK = bytes(3)


class Screen:
    """A watcher that looks at a picture of one colour with rectangles on it, once a second."""

    def __init__(self) -> None:
        self._watcher = ScreenWatcher(glyphs=GlyphReader(FontSet()))
        self._t = 0.0

    def see(self, colour: bytes, *rectangles: tuple[int, int, int, int]) -> list[tuple[str, str, bool]]:
        rgb = bytearray(colour * (WIDTH * HEIGHT))
        for x, y, width, height in rectangles:
            for row in range(y, y + height):
                at = (row * WIDTH + x) * 3
                rgb[at : at + 3 * width] = b"\xc0\x40\x20" * width
        ppm = b"P6\n%d %d\n255\n" % (WIDTH, HEIGHT) + bytes(rgb)
        seen: list[ScreenObservation] = []
        for _ in range(3):
            self._t += 1
            seen += self._watcher.observe(self._t, ppm)
        return [(one.kind, one.text, one.detail) for one in seen]


def test_a_blank_screen_is_reported_once_and_what_comes_over_it_is_a_scene() -> None:
    screen = Screen()
    assert screen.see(BLACK) == [("blank", "#000000", False)]
    assert screen.see(BLACK) == []
    greeter = (400, 300, 480, 200)
    assert screen.see(BLACK, greeter) == [("image", "", False)]
    assert screen.see(BLACK) == [("blank", "#000000", False)]
    assert screen.see(BLACK, greeter) == [("image", "", False)]  # the same again


def test_a_pointer_is_a_detail() -> None:
    screen = Screen()
    pointer = (640, 400, 12, 18)
    assert screen.see(BLACK) == [("blank", "#000000", False)]
    assert screen.see(BLACK, pointer) == [("blank", "#000000", True)]
    assert screen.see(BLACK, (700, 420, 12, 18)) == screen.see(BLACK) == []


def test_its_colour_is_named() -> None:
    assert Screen().see(b"\x46\x82\xb4") == [("blank", "#4682b4", False)]
