"""Distinguishes a new scene from a blinking cursor, a spinner or a clock.

The picture is cut into square tiles. Two pictures show the same scene when few tiles differ. A scene is reported when
the screen is stable, or after a bounded wait when it never is, at most once per interval.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from hiperiso.observe.screen.ppm import Picture

TILE_PX: Final = 32


@dataclass(frozen=True)
class SceneRules:
    """When a picture is a new scene.

    Attributes:
        changed_fraction: of all tiles that must differ from the stored scene.
        interval_s: least time between two stored scenes.
        settle_s: a change is stored once it has held still for this long (fades, scrolling, half-drawn pages) ...
        patience_s: ... or after this long, should it never hold still.
    """

    changed_fraction: float = 0.02
    interval_s: float = 1.0
    settle_s: float = 0.4
    patience_s: float = 3.0


class SceneTracker:
    """Processes every picture; decides which to keep."""

    def __init__(self, rules: SceneRules | None = None) -> None:
        self._rules = rules or SceneRules()
        self._stored: tuple[bytes, ...] = ()
        self._stored_size = (0, 0)
        self._stored_t = float("-inf")
        self._last: Picture | None = None
        self._last_tiles: tuple[bytes, ...] = ()
        self._changed_t = float("-inf")  # when the picture last changed by more than a detail
        self._waiting_since: float | None = None
        self._moved = self._is_blank = False

    @property
    def waits(self) -> bool:
        """Whether there is a new scene that is not stable yet."""
        return self._waiting_since is not None

    def feed(self, t: float, picture: Picture) -> bool:
        """Return True when ``picture``, seen at ``t`` seconds, is a new scene and should be stored.

        A picture of one colour (blank, faded out) is never a scene. Times must not decrease.
        """
        moved = self._moved = self._look(t, picture)
        if not self._is_new_scene(picture):
            self._waiting_since = None
            return False
        if self._waiting_since is None:
            self._waiting_since = t
        rules = self._rules
        at_rest = not moved and t - self._changed_t >= rules.settle_s
        if t - self._stored_t < rules.interval_s or not (
            at_rest or t - self._waiting_since >= rules.patience_s
        ):
            return False
        self._stored, self._stored_size, self._stored_t = self._last_tiles, _size(picture), t
        self._waiting_since = None
        return True

    @property
    def is_blank(self) -> bool:
        """Whether the last picture shows nothing: its tiles are alike, all but those of a detail such as a pointer."""
        return self._is_blank

    @property
    def has_detail(self) -> bool:
        """Whether the last picture, a blank one, has a detail on it."""
        return len(set(self._last_tiles)) > 1

    @property
    def at_rest(self) -> bool:
        """Whether the last picture is as the one before."""
        return not self._moved

    def blank(self) -> None:
        """Take the last picture, a blank one, as stored: what is drawn over it is a new scene."""
        if self._last is not None:
            self._stored, self._stored_size = self._last_tiles, _size(self._last)
            self._waiting_since = None

    def flush(self, t: float) -> Picture | None:
        """At the end of a recording: return the last picture when it is a scene not stored yet."""
        if self._last is None or not self._is_new_scene(self._last):
            return None
        self._stored, self._stored_size, self._stored_t = self._last_tiles, _size(self._last), t
        return self._last

    def _look(self, t: float, picture: Picture) -> bool:
        """Process the picture; return whether more than a detail changed since the last one."""
        last = self._last
        if last is not None and _size(last) == _size(picture) and last.rgb == picture.rgb:
            return False
        tiles = _tiles(picture)
        moved = last is None or _size(last) != _size(picture) or self._differs(tiles, self._last_tiles)
        self._last, self._last_tiles = picture, tiles
        commonest = max(Counter(tiles).values())
        self._is_blank = len(tiles) - commonest <= max(2, self._rules.changed_fraction * len(tiles))
        if moved:
            self._changed_t = t
        return moved

    def _is_new_scene(self, picture: Picture) -> bool:
        if picture.is_plain:
            return False
        if self._stored_size != _size(picture):
            return True
        return self._differs(self._last_tiles, self._stored)

    def _differs(self, a: tuple[bytes, ...], b: tuple[bytes, ...]) -> bool:
        different = sum(map(bytes.__ne__, a, b))
        return different > max(2, self._rules.changed_fraction * len(a))


def _size(picture: Picture) -> tuple[int, int]:
    return picture.width_px, picture.height_px


def _tiles(picture: Picture) -> tuple[bytes, ...]:
    """The pixels of each tile, sampled on every fourth row: enough to notice a change of one character."""
    pitch, width = picture.width_px * 3, TILE_PX * 3
    rgb = picture.rgb
    tiles = []
    for top in range(0, picture.height_px, TILE_PX):
        bottom = min(top + TILE_PX, picture.height_px)
        for left in range(0, pitch, width):
            right = min(left + width, pitch)
            tiles.append(b"".join([rgb[y * pitch + left : y * pitch + right] for y in range(top, bottom, 4)]))
    return tuple(tiles)
