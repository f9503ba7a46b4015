"""A client of the RFB protocol (VNC), as far as needed for a local QEMU. Pure: bytes in, updates and bytes to send out.

Source: RFC 6143 (RFB 3.8), and the community's rfbproto for the encodings DesktopSize, QEMU pointer motion change and
QEMU extended key event. Only raw pixels are requested: over a local socket compression costs more than it saves.

The bytes may arrive in chunks of any size; the updates are the same.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from hiperiso.errors import HarnessFault
from hiperiso.stick.screen.pixels import Band, PixelFormat
from hiperiso.text import plain

MAX_WIDTH_PX: Final = 8192
MAX_HEIGHT_PX: Final = 8192
BAND_ROWS: Final = 64
"""A rectangle is split into bands of at most this many rows, which bounds the memory."""

_VERSION = b"RFB 003.008\n"
_SECURITY_NONE = 1
_MAX_TEXT_BYTES = 1 << 20
_MAX_SHOWN_CHARS = 200
_RAW, _DESKTOP_SIZE, _POINTER_MODE, _KEY_EVENTS = 0, -223, -257, -258
_ENCODINGS = (_RAW, _DESKTOP_SIZE, _POINTER_MODE, _KEY_EVENTS)


class RfbFault(HarnessFault):
    """The server violates the protocol, or refused."""


@dataclass(frozen=True)
class Resized:
    """The new size of the picture. Always precedes pixels."""

    width_px: int
    height_px: int


@dataclass(frozen=True)
class PointerMode:
    """Whether the guest's pointer takes positions (`absolute`) or movements."""

    absolute: bool


@dataclass(frozen=True)
class Updated:
    """The end of the updates for one request."""


News = Resized | PointerMode | Updated | Band


class RfbClient:
    """One connection.

    Pass it the server's bytes; then send what `to_send` returns.
    """

    def __init__(self, form: PixelFormat) -> None:
        """Request pixels in the format `form`, of 2 or 4 bytes."""
        self.width_px = 0
        self.height_px = 0
        self._format = form
        self._buffer = bytearray()
        self._outgoing = bytearray()
        self._news: list[News] = []
        self._reader = self._session()
        self._wanted = next(self._reader)

    @property
    def ready(self) -> bool:
        """Whether the handshake is over: requests and events may be sent."""
        return self.width_px > 0

    def feed(self, data: bytes) -> list[News]:
        """Process bytes; returns the resulting updates, in order.

        Raises:
            RfbFault: the bytes violate the protocol. The connection is then unusable.
        """
        self._buffer += data
        while len(self._buffer) >= self._wanted:
            piece = bytes(memoryview(self._buffer)[: self._wanted])
            del self._buffer[: self._wanted]
            self._wanted = self._reader.send(piece)
        news, self._news = self._news, []
        return news

    def to_send(self) -> bytes:
        """The protocol's own bytes to send; mostly empty."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def update_request(self, *, incremental: bool) -> bytes:
        """Request changes, or the whole picture."""
        return struct.pack(">BBHHHH", 3, incremental, 0, 0, self.width_px, self.height_px)

    # ── server messages: a generator that yields the number of bytes it needs next ──

    def _session(self) -> Generator[int, bytes]:
        yield from self._handshake()
        while True:
            kind = (yield 1)[0]
            if kind == 0:
                yield from self._update()
            elif kind == 1:  # SetColourMapEntries: never with true colour, but skipped
                yield from self._skip(struct.unpack(">xHH", (yield 5))[1] * 6)
            elif kind == 3:  # ServerCutText
                yield from self._text((yield 7)[3:])
            elif kind != 2:  # Bell
                raise RfbFault(f"the screen's server sent a message of kind {kind}")

    def _handshake(self) -> Generator[int, bytes]:
        version = yield len(_VERSION)
        if not version.startswith(b"RFB 003.") or version < _VERSION:
            raise RfbFault(f"the screen's server uses {version!r}, not RFB 3.8")
        self._outgoing += _VERSION
        offered = yield from self._counted((yield 1)[0])
        if not offered:
            raise RfbFault(f"the screen's server refused: {(yield from self._text((yield 4)))}")
        if _SECURITY_NONE not in offered:
            raise RfbFault("the screen's server asks for a password")
        self._outgoing.append(_SECURITY_NONE)
        if struct.unpack(">I", (yield 4))[0] != 0:
            raise RfbFault(f"the screen's server refused: {(yield from self._text((yield 4)))}")
        self._outgoing.append(1)  # shared
        width_px, height_px = struct.unpack(">HH16x", (yield 20))
        yield from self._text((yield 4))
        self._outgoing += _set_format(self._format)
        self._outgoing += struct.pack(f">BxH{len(_ENCODINGS)}i", 2, len(_ENCODINGS), *_ENCODINGS)
        self._resize(width_px, height_px)

    def _update(self) -> Generator[int, bytes]:
        (count,) = struct.unpack(">xH", (yield 3))
        for _ in range(count):
            x_px, y_px, width_px, height_px, encoding = struct.unpack(">HHHHi", (yield 12))
            if encoding == _RAW:
                yield from self._raw(x_px, y_px, width_px, height_px)
            elif encoding == _DESKTOP_SIZE:
                self._resize(width_px, height_px)
            elif encoding == _POINTER_MODE:
                self._news.append(PointerMode(absolute=x_px == 1))
            elif encoding != _KEY_EVENTS:
                raise RfbFault(f"the screen's server uses the encoding {encoding}, which it was not offered")
        self._news.append(Updated())

    def _raw(self, x_px: int, y_px: int, width_px: int, height_px: int) -> Generator[int, bytes]:
        if x_px + width_px > self.width_px or y_px + height_px > self.height_px:
            raise RfbFault(
                f"the screen's server paints {width_px}x{height_px} at ({x_px}, {y_px}), outside of "
                f"{self.width_px}x{self.height_px}"
            )
        row_bytes = width_px * self._format.size_bytes
        for top_px in range(0, height_px if row_bytes else 0, BAND_ROWS):
            rows = min(BAND_ROWS, height_px - top_px)
            pixels = yield rows * row_bytes
            self._news.append(Band(x_px, y_px + top_px, width_px, rows, pixels))

    def _resize(self, width_px: int, height_px: int) -> None:
        if not (1 <= width_px <= MAX_WIDTH_PX and 1 <= height_px <= MAX_HEIGHT_PX):
            raise RfbFault(f"the guest's screen cannot have {width_px}x{height_px} pixels")
        self.width_px, self.height_px = width_px, height_px
        self._news.append(Resized(width_px, height_px))

    def _text(self, length: bytes) -> Generator[int, bytes, str]:
        (size_bytes,) = struct.unpack(">I", length)
        if size_bytes > _MAX_TEXT_BYTES:
            raise RfbFault(f"the screen's server announces a text of {size_bytes} bytes")
        return plain((yield from self._counted(size_bytes)).decode("latin-1"), _MAX_SHOWN_CHARS)

    def _counted(self, size_bytes: int) -> Generator[int, bytes, bytes]:
        return (yield size_bytes) if size_bytes else b""

    def _skip(self, size_bytes: int) -> Generator[int, bytes]:
        if size_bytes:
            yield size_bytes


def key_event(keycode: int, *, down: bool) -> bytes:
    """A key by its position on the keyboard (QEMU extended key event).

    Args:
        keycode: the XT scan code; 0x80 is added for those prefixed with 0xe0.
        down: pressed, else released.
    """
    return struct.pack(">BBHII", 255, 0, down, 0, keycode)


def pointer_event(x_px: int, y_px: int, buttons: int) -> bytes:
    """The pointer's position with its buttons (bit 0 left, 1 middle, 2 right, 3 and 4 the wheel)."""
    return struct.pack(">BBHH", 5, buttons, x_px, y_px)


def wake() -> bytes:
    """An empty clipboard: no effect on the guest, but QEMU checks the screen again at once.

    QEMU checks an unchanged screen less and less often, down to once in three seconds.
    """
    return struct.pack(">BxxxI", 6, 0)


def _set_format(form: PixelFormat) -> bytes:
    colours = (form.red, form.green, form.blue)
    highest = ((1 << bits) - 1 for _, bits in colours)
    shifts = (shift for shift, _ in colours)
    return struct.pack(">BxxxBBBBHHHBBBxxx", 0, form.size_bytes * 8, form.depth_bits, 0, 1, *highest, *shifts)
