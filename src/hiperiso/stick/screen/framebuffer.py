"""The machine's screen as memory: /dev/fb0, with any driver (efifb, vesafb, simpledrm, ...).

Source: Documentation/fb/api.rst and include/uapi/linux/fb.h (x86-64).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from pathlib import Path
from typing import Final

from hiperiso.errors import HarnessFault
from hiperiso.stick.screen.pixels import PixelFormat, Surface

FRAMEBUFFER: Final = Path("/dev/fb0")

_GET_VARIABLE, _GET_FIXED = 0x4600, 0x4602
_VARIABLE = struct.Struct("40I")
_FIXED = struct.Struct("@16sLIIIIHHHILIIHHH2x")
_PACKED_PIXELS = 0
_TRUE_COLOUR, _DIRECT_COLOUR = 2, 4
_SIZES = {16: 2, 24: 3, 32: 4}
_MAX_BYTES = 1 << 28


class Framebuffer:
    """An open framebuffer. ``surface`` describes it, ``buffer`` is its write-only content."""

    def __init__(self, path: Path = FRAMEBUFFER) -> None:
        """Open and map it.

        Raises:
            HarnessFault: it does not exist, or is of an unsupported kind.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise HarnessFault(f"{path}: {error.strerror}") from None
        try:
            self.surface, start = read_geometry(
                _asked(descriptor, _GET_VARIABLE, _VARIABLE.size), _asked(descriptor, _GET_FIXED, _FIXED.size)
            )
            self._memory = mmap.mmap(descriptor, start + self.surface.size_bytes)
        except (OSError, ValueError) as error:
            raise HarnessFault(f"{path}: not a supported framebuffer: {error}") from None
        finally:
            os.close(descriptor)
        self._whole = memoryview(self._memory)
        self.buffer = self._whole[start : start + self.surface.size_bytes]

    def close(self) -> None:
        """Unmap the memory; the picture stays."""
        self.buffer.release()
        self._whole.release()
        self._memory.close()


def read_geometry(variable: bytes, fixed: bytes) -> tuple[Surface, int]:
    """Parse the kernel's two structures.

    Args:
        variable: ``fb_var_screeninfo``.
        fixed: ``fb_fix_screeninfo``.

    Returns:
        The surface, and the offset of its first byte in the mapped memory.

    Raises:
        HarnessFault: the pixel format is not supported.
    """
    width_px, height_px, _, _, x_px, y_px, bits, grey, *rest = _VARIABLE.unpack(variable)
    red, green, blue = rest[0:3], rest[3:6], rest[6:9]
    _, memory_start, memory_bytes, kind, _, visual, _, _, _, stride_bytes, *_ = _FIXED.unpack(fixed)
    size_bytes = _SIZES.get(bits, 0)
    plain = kind == _PACKED_PIXELS and visual in (_TRUE_COLOUR, _DIRECT_COLOUR) and not grey
    if not (size_bytes and plain and _colours_fit(bits, red, green, blue)):
        raise HarnessFault(f"a framebuffer with {bits} bits a pixel (visual {visual}) is not supported")
    form = PixelFormat(size_bytes, (red[0], red[1]), (green[0], green[1]), (blue[0], blue[1]))
    surface = Surface(width_px, height_px, stride_bytes, form)
    start = memory_start % mmap.PAGESIZE + y_px * stride_bytes + x_px * size_bytes
    fits = width_px * size_bytes <= stride_bytes and start + surface.size_bytes <= min(
        memory_bytes + mmap.PAGESIZE, _MAX_BYTES
    )
    if not (width_px and height_px and fits):
        raise HarnessFault(
            f"a framebuffer of {width_px}x{height_px} pixels does not fit its {memory_bytes} bytes"
        )
    return surface, start


def _colours_fit(bits: int, *colours: list[int]) -> bool:
    return all(
        1 <= length <= 8 and shift + length <= bits and not swapped for shift, length, swapped in colours
    )


def _asked(descriptor: int, request: int, size_bytes: int) -> bytes:
    answer = bytearray(size_bytes)
    fcntl.ioctl(descriptor, request, answer)
    return bytes(answer)
