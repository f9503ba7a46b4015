"""Reads the picture that QEMU's ``screendump`` writes: binary PPM ("P6"), 8 bits a channel.

Source: the netpbm format description, ppm(5). The header is ``P6``, width, height and the greatest value, as decimal
numbers between white space, then one white-space byte, then rows of red, green, blue bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_SIDE_PX: Final = 16384
MAX_PIXELS: Final = 64 * 1024 * 1024

_BLANK = rb"(?:[ \t\r\n\v\f]|#[^\r\n]{0,200}[\r\n])"
_NUMBER = rb"([0-9]{1,5})"
_HEADER = re.compile(rb"P6" + (_BLANK + rb"{1,16}" + _NUMBER) * 3 + rb"[ \t\r\n\v\f]")


class PictureError(ValueError):
    """The bytes are not a whole picture of the expected kind."""


@dataclass(frozen=True)
class Picture:
    """A picture: ``rgb`` holds ``height_px`` rows of ``width_px`` pixels of 3 bytes."""

    width_px: int
    height_px: int
    rgb: bytes

    def __post_init__(self) -> None:
        if len(self.rgb) != self.width_px * self.height_px * 3 or not self.rgb:
            raise PictureError(f"{len(self.rgb)} bytes are not a {self.width_px}x{self.height_px} picture")

    @property
    def is_plain(self) -> bool:
        """Whether all pixels have the same colour."""
        return is_plain(self.rgb)


def is_plain(rgb: bytes) -> bool:
    """Return whether all pixels in ``rgb`` have the same colour."""
    return rgb[:3] * (len(rgb) // 3) == rgb


def parse_ppm(data: bytes) -> Picture:
    """Return the picture in ``data``; bytes after it are ignored.

    Raises:
        PictureError: not a binary PPM with 8 bits a channel, too large, empty, or cut short.
    """
    header = _HEADER.match(data)
    if header is None:
        raise PictureError("no binary PPM header")
    width, height, greatest = (int(number) for number in header.groups())
    if greatest != 255:
        raise PictureError(f"{greatest + 1} levels a channel instead of 256")
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX and width * height <= MAX_PIXELS):
        raise PictureError(f"a picture of {width}x{height} is out of bounds")
    size_bytes = width * height * 3
    rgb = data[header.end() : header.end() + size_bytes]
    if len(rgb) != size_bytes:
        raise PictureError(f"cut short: {len(rgb)} of {size_bytes} bytes")
    return Picture(width, height, rgb)
