"""What is a new scene."""

from __future__ import annotations

import itertools

from hiperiso.observe.screen.ppm import Picture
from hiperiso.observe.screen.scene import SceneTracker

WIDTH, HEIGHT = 640, 480


def picture(*boxes: tuple[int, int, int, int], background: int = 0, grey: int = 200) -> Picture:
    """Grey boxes (x, y, width, height) on a background."""
    rows = [bytearray([background]) * (WIDTH * 3) for _ in range(HEIGHT)]
    for x, y, width, height in boxes:
        for row in rows[y : y + height]:
            row[x * 3 : (x + width) * 3] = bytes([grey]) * (width * 3)
    return Picture(WIDTH, HEIGHT, b"".join(rows))


def scenes(*looks: tuple[float, Picture]) -> list[float]:
    tracker = SceneTracker()
    return [t for t, seen in looks if tracker.feed(t, seen)]


LOGIN = picture((100, 100, 400, 200))
DESKTOP = picture((0, 0, 640, 40), background=90)


def test_a_scene_is_stored_once() -> None:
    assert scenes(*((t / 2, LOGIN) for t in range(20))) == [0.5]


def test_blank_pictures_are_none() -> None:
    assert scenes(*((t / 2, picture(background=t * 9)) for t in range(20))) == []


def test_cursor_spinner_and_clock_are_details() -> None:
    looks = []
    for t in range(40):
        spinner = (320 + t % 4 * 8, 400, 8, 8)
        clock = (600, 4, 8 + t % 3, 12)
        cursor = (110, 110, 2, 14 * (t % 2))
        looks.append((t / 2, picture((100, 100, 400, 200), spinner, clock, cursor)))
    assert len(scenes(*looks)) == 1


def test_the_next_scene() -> None:
    looks = [(t / 2, LOGIN if t < 6 else DESKTOP) for t in range(16)]
    assert scenes(*looks) == [0.5, 3.5]


def test_back_to_the_first() -> None:
    looks = [(t / 2, DESKTOP if 6 <= t < 12 else LOGIN) for t in range(20)]
    assert scenes(*looks) == [0.5, 3.5, 6.5]


def test_a_fade_is_stored_at_its_end() -> None:
    looks = [(t / 2, picture((100, 100, 400, 200), grey=min(200, 20 + 40 * t))) for t in range(12)]
    stored = scenes(*looks)
    assert stored == [3.0]


def test_restless_pictures_are_bounded() -> None:
    looks = [(t / 10, picture((t * 7 % 500, 50, 100, 300), grey=t % 250 + 1)) for t in range(300)]
    stored = scenes(*looks)
    assert 5 <= len(stored) <= 30
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(stored))


def test_another_size_is_another_scene() -> None:
    small = Picture(320, 240, b"\1\2\3" * 320 * 239 + b"\0" * 960)
    assert scenes((0, LOGIN), (1, LOGIN), (2, small), (3, small)) == [1, 3]


def test_flush_keeps_what_had_not_come_to_rest() -> None:
    tracker = SceneTracker()
    assert not tracker.flush(0)
    assert not tracker.feed(0, LOGIN)
    assert tracker.flush(0.1)
    assert not tracker.flush(0.2)
