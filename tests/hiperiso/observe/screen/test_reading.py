"""When a scene is read by guessing: the newest, one at a time, not too often."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hiperiso.observe.screen.reading import MAX_ROW_CHARS, MAX_ROWS, ReadingQueue, Scene


def scene(t: float) -> Scene:
    return Scene(t, 800, 600, b"png")


def test_the_newest_scene_is_read_once() -> None:
    queue = ReadingQueue()
    assert queue.take(1.0) is None
    queue.offer(scene(1.0))
    queue.offer(scene(2.0))
    assert queue.take(2.5) == scene(2.0)
    assert queue.take(2.5) is None
    queue.put_back(scene(2.0))
    queue.offer(scene(3.0))
    queue.put_back(scene(2.0))
    assert queue.take(3.0) == scene(3.0)
    queue.offer(scene(4.0))
    queue.withdraw()
    assert queue.take(4.0, last=True) is None


def test_reading_takes_a_fifth_of_the_time_at_most() -> None:
    queue = ReadingQueue()
    queue.offer(scene(0.0))
    assert queue.take(0.0)
    assert queue.done(10.0, 10.0, "words") == "words"
    queue.offer(scene(11.0))
    assert queue.take(49.9) is None
    assert queue.take(50.0) == scene(11.0)
    assert queue.done(50.1, 0.1, "words") == ""  # reported before
    queue.offer(scene(50.2))
    assert queue.take(51.0) is None
    assert queue.take(51.0, last=True) == scene(50.2)


@given(st.text(max_size=2000))
def test_what_was_read_is_clean_and_bounded(text: str) -> None:
    reported = ReadingQueue().done(0.0, 0.0, text)
    rows = reported.split("\n") if reported else []
    assert len(rows) <= MAX_ROWS
    assert all(row and row.isprintable() and len(row) <= MAX_ROW_CHARS for row in rows)
