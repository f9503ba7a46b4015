"""Random and mutated screens: no exception, no hang, and no text that was not on the screen.

A case is one look at a guest: a picture and, in text modes, VGA memory. Most are pieces of real screens, so that many
of them can be tried; mutations hit the header, the pixels, the size and the memory. What a look says is compared with
what the unharmed pieces say: every long word must come from there, one wrong character forgiven, for a pixel that
changes can make one letter another.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from hiperiso.observe.screen.glyphs import GlyphReader
from hiperiso.observe.screen.ppm import Picture, PictureError, parse_ppm
from hiperiso.observe.screen.text import CP437
from hiperiso.observe.screen.vga_text import VGA_MEMORY_BYTES
from hiperiso.observe.screen.watcher import ScreenObservation, ScreenWatcher
from machine_speed import assert_cheap

_CASE_LIMIT_S: Final = 5.0  # of processor time
_LOOKS_A_GUEST: Final = 40
_WORD: Final = re.compile(r"[A-Za-z0-9]{6,}")
_PIECE_PX: Final = (216, 208)


@dataclass(frozen=True)
class Look:
    """What a guest shows, and all words that may be read from it; None where nothing may be."""

    ppm: bytes
    vga: bytes | None
    words: frozenset[str] | None


class Fuzz:
    """Makes looks from real screens and judges what a watcher says of them."""

    def __init__(self, screens: Any, vga_card: Any, seed: str) -> None:
        self.rng = random.Random(seed)
        self.glyphs = GlyphReader()
        self.whole = [screens.load(name) for name in screens.names]
        self.pieces = [piece for screen in self.whole for piece in _pieces(screen.ppm, screen.text or "")]
        self.cards = [self._card(vga_card, screen.vga) for screen in self.whole if screen.vga]
        self.watcher = ScreenWatcher(glyphs=self.glyphs)
        self.t = 0.0
        self.slowest_s = 0.0
        self.texts = 0

    def run(self, cases: int) -> None:
        """Look `cases` times, at a new guest now and then."""
        for number in range(cases):
            if number % _LOOKS_A_GUEST == 0:
                self.watcher, self.t = ScreenWatcher(glyphs=self.glyphs), 0.0
            look = self.look()
            self.t += self.rng.choice((0.0, 0.5, 3.0))
            started_s = time.process_time()
            seen = self.watcher.observe(self.t, look.ppm, look.vga)
            if number % _LOOKS_A_GUEST == _LOOKS_A_GUEST - 1:
                self.watcher.finish(self.t)  # held back from looks before: only must not raise
            took_s = time.process_time() - started_s
            self.slowest_s = max(self.slowest_s, took_s)
            assert_cheap(took_s, _CASE_LIMIT_S)
            for observation in seen:
                self._check(look, observation)

    def look(self) -> Look:
        kind = self.rng.randrange(100)
        if kind < 10:
            return self._noise()
        if kind < 35:
            return self._mutated(self.rng.choice(self.pieces))
        if kind < 99:
            return self._mutated(self.rng.choice(self.cards))
        screen = self.rng.choice(self.whole)
        return self._mutated(Look(screen.ppm, screen.vga, _words_of(screen.text or "")))

    def _check(self, look: Look, seen: ScreenObservation) -> None:
        if seen.kind == "image":
            assert seen.png.startswith(b"\x89PNG") and not seen.text
            return
        self.texts += 1
        lines = seen.text.split("\n")
        assert len(lines) <= seen.rows
        assert all(len(line) <= seen.columns and (not line or line.isprintable()) for line in lines)
        if look.words is None:
            assert not _WORD.search(seen.text), seen.text
            return
        for word in _WORD.findall(seen.text):
            assert _is_known(word, look.words), (word, seen.decoder, seen.text)

    # ── where looks come from ──

    @staticmethod
    def _card(vga_card: Any, memory: bytes) -> Look:
        """The smallest text mode, showing the beginning of a real VGA memory."""
        picture = vga_card.draw(memory, columns=40, rows=12, cell=(9, 16))
        text = "".join(CP437[code] for code in memory[: 40 * 12 * 2 : 2])
        lines = [text[start : start + 40] for start in range(0, len(text), 40)]
        return Look(_ppm(picture), memory, _words_of("\n".join(lines)))

    def _noise(self) -> Look:
        """Nothing of a guest in it: fine and coarse noise, any size, any memory."""
        rng = self.rng
        width, height = rng.choice(((360, 192), (360, 192), (216, 208), (201, 203), (1, 1), (40, 300)))
        grain = rng.choice((1, 2, 4, 8, 9, 16))
        colours = [rng.randbytes(3) for _ in range(rng.choice((2, 3, 16, 256)))]
        row_count, column_count = -(-height // grain), -(-width // grain)
        rows = []
        for _ in range(row_count):
            row = b"".join([colour * grain for colour in rng.choices(colours, k=column_count)])[: width * 3]
            rows += [row] * grain
        picture = Picture(width, height, b"".join(rows[:height]))
        memory = rng.choice((None, rng.randbytes(VGA_MEMORY_BYTES), rng.choice(self.cards).vga))
        return Look(_ppm(picture), memory, None)

    # ── what is done to them ──

    def _mutated(self, look: Look) -> Look:
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            look = self.rng.choice(_MUTATIONS)(self, look)
        return look

    def pixels(self, look: Look) -> Look:
        data = bytearray(look.ppm)
        for _ in range(self.rng.choice((1, 10, 300))):
            data[self.rng.randrange(16, len(data))] = self.rng.randrange(256)
        return Look(bytes(data), look.vga, look.words)

    def stripe(self, look: Look) -> Look:
        """A stretch of bytes becomes noise, or of one colour."""
        data = bytearray(look.ppm)
        start = self.rng.randrange(16, len(data))
        length = min(self.rng.choice((100, 3000, 60_000)), len(data) - start)
        data[start : start + length] = self.rng.choice((bytes(length), self.rng.randbytes(length)))
        return Look(bytes(data), look.vga, look.words)

    def colours(self, look: Look) -> Look:
        """Every colour becomes another: text stays text."""
        table = bytearray(range(256))
        self.rng.shuffle(table)
        at = _pixels_at(look.ppm)
        return Look(look.ppm[:at] + look.ppm[at:].translate(bytes(table)), look.vga, look.words)

    def header(self, look: Look) -> Look:
        data = bytearray(look.ppm)
        for _ in range(self.rng.choice((1, 2, 5))):
            data[self.rng.randrange(min(18, len(data)))] = self.rng.choice(b"P60123456789 \n#\0\xff")
        return Look(bytes(data), look.vga, look.words)

    def size(self, look: Look) -> Look:
        """The same bytes with another width: lines lean."""
        try:
            picture = parse_ppm(look.ppm)
        except PictureError:
            return look
        width = max(1, picture.width_px + self.rng.choice((-9, -8, -1, 1, 7, 8, 160)))
        height = self.rng.choice((picture.height_px, len(picture.rgb) // (width * 3), 1, 16384))
        return Look(b"P6\n%d %d\n255\n" % (width, height) + picture.rgb, look.vga, look.words)

    def cut(self, look: Look) -> Look:
        return Look(look.ppm[: self.rng.randrange(len(look.ppm))], look.vga, look.words)

    def memory(self, look: Look) -> Look:
        vga = bytearray(look.vga or self.rng.choice(self.cards).vga or b"")
        for _ in range(self.rng.choice((1, 5, 500))):
            vga[self.rng.randrange(len(vga))] = self.rng.randrange(256)
        return Look(look.ppm, bytes(vga), None if look.words is None else look.words | _words_in(vga))

    def other_memory(self, look: Look) -> Look:
        """Memory that is not what the picture shows: stale, moved, of a wrong length, or noise."""
        vga = self.rng.choice(self.cards).vga or b""
        at = 2 * self.rng.randrange(len(vga) // 2)
        vga = self.rng.choice((vga, vga[at:] + vga[:at], vga[:at], self.rng.randbytes(len(vga))))
        return Look(look.ppm, vga, look.words)


_MUTATIONS: Final[tuple[Callable[[Fuzz, Look], Look], ...]] = (
    Fuzz.pixels,
    Fuzz.stripe,
    Fuzz.colours,
    Fuzz.header,
    Fuzz.size,
    Fuzz.cut,
    Fuzz.memory,
    Fuzz.other_memory,
)


def test_mutated_screens(screens: Any, vga_card: Any) -> None:
    fuzz = Fuzz(screens, vga_card, os.environ.get("HIPERISO_FUZZ_SEED", "screens"))
    fuzz.run(100)
    assert fuzz.texts > 12  # it does look at texts


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_many_mutated_screens(screens: Any, vga_card: Any, part: int) -> None:
    """A hundred thousand in all."""
    fuzz = Fuzz(screens, vga_card, f"{os.environ.get('HIPERISO_FUZZ_SEED', 'many screens')} {part}")
    fuzz.run(25_000)
    assert fuzz.texts > 2000


# ── words and pictures ──


def _pieces(ppm: bytes, text: str) -> list[Look]:
    """The left upper and the left lower corner of a screen, cut where cells begin."""
    picture = parse_ppm(ppm)
    width, height = (min(a, b) for a, b in zip(_PIECE_PX, _size(picture), strict=True))
    pieces = []
    for top in (0, (picture.height_px - height) // 16 * 16):
        rows = [
            picture.rgb[y * picture.width_px * 3 : (y * picture.width_px + width) * 3]
            for y in range(top, top + height)
        ]
        pieces.append(Look(_ppm(Picture(width, height, b"".join(rows))), None, _words_of(text)))
    return pieces


def _words_of(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


def _words_in(vga: bytes | bytearray) -> frozenset[str]:
    return _words_of("".join(CP437[code] for code in vga[::2]))


def _is_known(word: str, words: frozenset[str]) -> bool:
    """Whether `word` is part of one of `words`, but for one character."""
    if any(word in known for known in words):
        return True
    for at in range(len(word)):
        pattern = re.compile(f"{re.escape(word[:at])}.{re.escape(word[at + 1 :])}")
        if any(pattern.search(known) for known in words):
            return True
    return False


def _size(picture: Picture) -> tuple[int, int]:
    return picture.width_px, picture.height_px


def _ppm(picture: Picture) -> bytes:
    return b"P6\n%d %d\n255\n" % _size(picture) + picture.rgb


def _pixels_at(ppm: bytes) -> int:
    return min(len(ppm), 16)
