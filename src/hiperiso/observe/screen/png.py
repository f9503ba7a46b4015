"""Writes a picture as PNG, the same bytes for the same picture.

Source: the PNG specification (ISO/IEC 15948): signature, IHDR, one IDAT with zlib-compressed rows, IEND.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from hiperiso.observe.screen.ppm import Picture

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR_RGB: Final = 2
_FILTER_NONE: Final = b"\0"
_FILTER_UP: Final = 2


def encode_png(picture: Picture, *, level: int = 6) -> bytes:
    """Return ``picture`` as an RGB PNG file; ``level`` is zlib's, 1 fast to 9 small."""
    header = struct.pack(">IIBBBBB", picture.width_px, picture.height_px, 8, _COLOUR_RGB, 0, 0, 0)
    rows = zlib.compress(_filtered_rows(picture), level)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _filtered_rows(picture: Picture) -> bytes:
    """Rows with their filter byte; a row equal to the one above is 'up' of nothing: all zero."""
    pitch = picture.width_px * 3
    same = bytes([_FILTER_UP]) + bytes(pitch)
    above = b""
    parts: list[bytes] = []
    for start in range(0, len(picture.rgb), pitch):
        row = picture.rgb[start : start + pitch]  # a copy: comparing memory views takes ten times as long
        if row == above:
            parts.append(same)
        else:
            parts += (_FILTER_NONE, row)
        above = row
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
