"""Turns polls of the guest's screen into observations: texts and scenes, each once.

The session requests a picture from QEMU about twice a second (QMP ``screendump`` into a RAM file, 2-8 ms) and, where
``wants_vga_memory`` is set, VGA memory (QMP ``pmemsave`` of ``VGA_MEMORY_BYTES`` from ``VGA_MEMORY_ADDRESS``,
1 ms), reads both files with ``read_dump`` and passes the bytes to ``ScreenWatcher.observe``. In text mode the picture
is nearly always 720x400; VGA memory is not worth reading at the sizes that firmware and graphical systems use (800x600,
1024x768, 1280x800).
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter, deque
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from hiperiso.observe.screen.glyphs import GlyphReader
from hiperiso.observe.screen.png import encode_png
from hiperiso.observe.screen.ppm import MAX_PIXELS, Picture, PictureError, parse_ppm
from hiperiso.observe.screen.scene import SceneRules, SceneTracker
from hiperiso.observe.screen.text import Decoder, TextScreen
from hiperiso.observe.screen.vga_text import (
    VGA_MEMORY_ADDRESS,
    VGA_MEMORY_BYTES,
    VgaTextDecoder,
    wants_vga_memory,
)

__all__ = [
    "VGA_MEMORY_ADDRESS",
    "VGA_MEMORY_BYTES",
    "ScreenObservation",
    "ScreenWatcher",
    "read_dump",
    "wants_vga_memory",
]

_COUNTER_INTERVAL_S: Final = 1.0  # least time between two texts that differ by counters only ...
_COUNTER_INTERVAL_MAX_S: Final = 30.0  # ... which doubles up to this while nothing else changes
_RECENT_TEXTS: Final = 8
_BURST_TEXTS: Final = 20  # that may follow at once; on a screen that never rests, one text a second
_TEXT_IMAGE_INTERVAL_S: Final = (
    5.0  # a graphics screen that consists of text is read; its picture adds little
)
_TORN_LOOKS: Final = (
    2  # picture and memory captured while the guest was writing: how often in a row that is assumed
)
_COUNTERS: Final = re.compile(r"(?:0x[0-9a-fA-F]+|[-\d\\|/#=.█▓▒░>* ])+")

PLACEHOLDER: Final = "Guest has not initialized the display (yet)."
"""What QEMU itself draws before the guest's display adapter is set up."""

_SWITCHED_OFF: Final = "Display output is not active."
"""What QEMU itself draws while the guest has switched its display off."""

_PLACEHOLDER_SIZE: Final = (640, 480)
_PLACEHOLDER_SHA256: Final = "9d0add7c361db07d4dcf86bbcb557bbe5856337d2997a7c6a166df6a0c7b07a7"  # QEMU 7.2's


@dataclass(frozen=True)
class ScreenObservation:
    """One thing seen on the screen at ``t``.

    Attributes:
        kind: ``text``, ``image`` or ``blank``, as in events.jsonl.
        text: the rows joined by newlines, printable characters only; of a blank screen its colour; empty for images.
        png: the picture as a PNG file; empty for texts.
        columns, rows: the text grid; 0 for images.
        decoder: how the text was read; None for images.
        cursor: row and column of the cursor from 0, when it was seen.
        partial: the picture holds more than this text.
        detail: there is one on the blank screen, such as a pointer.
        minor: differs from the text before by numbers, a spinner or a progress bar only.
    """

    t: float
    kind: Literal["text", "image", "blank"]
    width_px: int
    height_px: int
    text: str = ""
    png: bytes = b""
    columns: int = 0
    rows: int = 0
    decoder: Decoder | None = None
    cursor: tuple[int, int] | None = None
    partial: bool = False
    minor: bool = False
    detail: bool = False


class ScreenWatcher:
    """Detects what is new on the screen of one guest.

    Args:
        glyphs: reads text in graphics modes; the default uses the fonts of this machine.
        rules: when a picture is a new scene.
    """

    def __init__(self, *, glyphs: GlyphReader | None = None, rules: SceneRules | None = None) -> None:
        self._glyphs = glyphs or GlyphReader()
        self._vga = VgaTextDecoder(self._glyphs.fonts)
        self._scenes = SceneTracker(rules)
        self._texts = _TextFilter()
        self._console_texts = _TextFilter()
        self.unread = False
        """Whether the last picture holds more than the text that was read from it."""
        self.wordless = False
        """Whether the last picture is one in which no text could be read at all."""
        self.screen: TextScreen | None = None
        """The text of the last picture; None where it could not be read."""
        self.steady = False
        """Whether the last poll returned a whole picture drawn by the guest."""
        self._picture: Picture | None = None
        self._text_size: tuple[int, int] | None = None  # of the picture while the guest is in text mode
        self._image_t = float("-inf")
        self._blank = False  # reported, and nothing else was since
        self._detail = False  # on the blank screen that was reported last
        self._torn = 0

    def observe(self, t: float, ppm: bytes, vga: bytes | None = None) -> list[ScreenObservation]:
        """Return what is new at ``t`` seconds; an empty list when nothing is, or when ``ppm`` is not a whole picture.

        ``ppm`` is a screendump, ``vga`` the VGA memory taken right after it. Times must not decrease.
        """
        picture = self._picture  # the same object again: the decoders recognise it at once
        if picture is None or not _is_dump_of(ppm, picture):
            try:
                picture = self._picture = parse_ppm(ppm)
            except PictureError:
                return []
        self.unread = self.wordless = self.steady = False
        self.screen = None
        size = (picture.width_px, picture.height_px)
        if size == _PLACEHOLDER_SIZE and sha256(picture.rgb).hexdigest() == _PLACEHOLDER_SHA256:
            return []  # recognised by its hash: no font has to be loaded
        if vga is not None and wants_vga_memory(*size):
            screen = self._vga.decode(picture, vga)
            if screen is not None:
                self._text_size, self._torn, self._blank = size, 0, False
                self.screen, self.steady = screen, True
                return self._texts.feed(t, picture, screen)
            if self._text_size == size and self._torn < _TORN_LOOKS:
                self._torn += 1
                return []
        self._text_size = None
        return self._observe_graphics(t, picture)

    @property
    def picture(self) -> Picture | None:
        """The last picture."""
        return self._picture

    @property
    def holds_back(self) -> bool:
        """Whether something new is held back: the next poll decides."""
        return self._texts.holds_back or (self._text_size is None and self._scenes.waits)

    def observe_console(self, t: float, screen: TextScreen) -> list[ScreenObservation]:
        """Return what the guest's copy of its text console contains beyond the picture that could not be read."""
        if self._picture is None or not self.unread:
            return []
        if set(screen.lines) <= {*self._texts.passed.split("\n"), ""}:
            return []
        return self._console_texts.feed(t, self._picture, screen)

    def finish(self, t: float) -> list[ScreenObservation]:
        """Return what was held back (a counter's last value, a scene that was not stable)."""
        found = self._texts.flush(t)
        if self._text_size is None and (scene := self._scenes.flush(t)) is not None:
            found.append(_image(t, scene))
        return found

    def _observe_graphics(self, t: float, picture: Picture) -> list[ScreenObservation]:
        screen = self._glyphs.read(picture)
        if screen is not None and screen.text.strip() == PLACEHOLDER:
            return []  # drawn by QEMU, not by the guest
        if screen is not None and screen.text.strip() == _SWITCHED_OFF:
            return self._go_blank(t, picture)
        self.screen, self.steady = screen, True
        self.wordless = screen is None and not picture.is_plain
        self.unread = screen is None or screen.partial or screen.unknown > 0
        found = [] if screen is None else self._texts.feed(t, picture, screen)
        all_text = screen is not None and not screen.partial
        if all_text and t - self._image_t < _TEXT_IMAGE_INTERVAL_S:
            self._blank = False
            return found
        new_scene = self._scenes.feed(t, picture)
        if self._scenes.is_blank and (screen is None or not screen.text.strip()):
            return found + (self._go_blank(t, picture) if self._scenes.at_rest else [])
        self._blank = False
        if new_scene:
            self._image_t = t
            found.append(_image(t, picture))
        return found

    def _go_blank(self, t: float, picture: Picture) -> list[ScreenObservation]:
        """A blank screen is reported once; it is not a scene, but what is drawn over it is one."""
        detail = self._scenes.has_detail
        if self._blank and (self._detail or not detail):
            return []
        self._blank, self._detail = True, detail
        self._scenes.blank()
        width, height = picture.width_px, picture.height_px
        return [
            ScreenObservation(
                t=t, kind="blank", width_px=width, height_px=height, text=_colour(picture), detail=detail
            )
        ]


def read_dump(path: Path, *, max_bytes: int = 3 * MAX_PIXELS + 64) -> bytes | None:
    """Return the bytes of a file that QEMU has written, or None when there is no regular file, or it is too large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return None
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            return file.read(status.st_size)  # no larger buffer: allocating it would cost more than the read
    finally:
        os.close(descriptor)


def _is_dump_of(ppm: bytes, picture: Picture) -> bool:
    """Whether QEMU would write ``picture`` as ``ppm``."""
    header = b"P6\n%d %d\n255\n" % (picture.width_px, picture.height_px)
    same_size = len(ppm) == len(header) + len(picture.rgb)
    return same_size and ppm.startswith(header) and ppm.endswith(picture.rgb)


class _TextFilter:
    """Passes a text when it is new, counters now and then, and one text a second of a screen that never rests."""

    def __init__(self) -> None:
        self._recent: deque[str] = deque(maxlen=_RECENT_TEXTS)
        self.passed = ""
        self._passed_t = float("-inf")
        self._fed_t = 0.0
        self._allowance: float = _BURST_TEXTS
        self._interval_s = _COUNTER_INTERVAL_S
        self._held: ScreenObservation | None = None

    @property
    def holds_back(self) -> bool:
        return self._held is not None

    def feed(self, t: float, picture: Picture, screen: TextScreen) -> list[ScreenObservation]:
        text = screen.text
        if text == self.passed or not text.strip():
            self._held = None
            return []
        minor = text in self._recent or _without_counters(text) == _without_counters(self.passed)
        seen = ScreenObservation(
            t=t,
            kind="text",
            width_px=picture.width_px,
            height_px=picture.height_px,
            text=text,
            columns=screen.columns,
            rows=screen.rows,
            decoder=screen.decoder,
            cursor=screen.cursor,
            partial=screen.partial,
            minor=minor,
        )
        self._allowance = (
            min(_BURST_TEXTS, self._allowance + t - self._fed_t) if self.passed else _BURST_TEXTS
        )
        self._fed_t = t
        if self._allowance < 1 or (minor and t - self._passed_t < self._interval_s):
            self._held = seen
            return []
        self._allowance -= 1
        self._interval_s = (
            min(2 * self._interval_s, _COUNTER_INTERVAL_MAX_S) if minor else _COUNTER_INTERVAL_S
        )
        return self._let_pass(seen)

    def flush(self, t: float) -> list[ScreenObservation]:
        return [] if self._held is None else self._let_pass(replace(self._held, t=t))

    def _let_pass(self, seen: ScreenObservation) -> list[ScreenObservation]:
        self._held = None
        self.passed, self._passed_t = seen.text, seen.t
        self._recent.append(seen.text)
        return [seen]


def _colour(picture: Picture) -> str:
    """The colour of most of some places all over a picture, ``#rrggbb``."""
    pixels = picture.width_px * picture.height_px
    places = [pixels * part // 17 * 3 for part in range(17)]
    return "#" + Counter(picture.rgb[at : at + 3].hex() for at in places).most_common(1)[0][0]


def _without_counters(text: str) -> str:
    return _COUNTERS.sub("", text)


def _image(t: float, picture: Picture) -> ScreenObservation:
    return ScreenObservation(
        t=t, kind="image", width_px=picture.width_px, height_px=picture.height_px, png=encode_png(picture)
    )
