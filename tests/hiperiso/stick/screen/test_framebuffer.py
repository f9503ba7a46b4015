"""A framebuffer in the kernel's own structures."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault
from hiperiso.stick.screen.framebuffer import Framebuffer, read_geometry
from hiperiso.stick.screen.pixels import PixelFormat, Surface

C888 = ((16, 8, 0), (8, 8, 0), (0, 8, 0))
C565 = ((11, 5, 0), (5, 6, 0), (0, 5, 0))


def variable(
    size: tuple[int, int] = (1024, 768),
    bits: int = 32,
    colours: tuple[tuple[int, int, int], ...] = C888,
    *,
    offset: tuple[int, int] = (0, 0),
    grey: int = 0,
) -> bytes:
    channels = [number for colour in (*colours, (24, 8, 0)) for number in colour]
    return struct.pack("40I", *size, *size, *offset, bits, grey, *channels, *[0] * 20)


def fixed(
    stride: int = 4096, *, start: int = 0xE0000000, memory: int = 8 << 20, kind: int = 0, visual: int = 2
) -> bytes:
    return struct.pack(
        "@16sLIIIIHHHILIIHHH2x",
        *(b"EFI VGA", start, memory, kind, 0, visual, 0, 0, 0, stride, 0, 0, 0, 0, 0, 0),
    )


def test_the_usual_ones() -> None:
    assert read_geometry(variable(), fixed()) == (
        Surface(1024, 768, 4096, PixelFormat(4, (16, 8), (8, 8), (0, 8))),
        0,
    )
    surface, _ = read_geometry(variable(bits=24), fixed(3072))
    assert surface.format.size_bytes == 3 and surface.source.size_bytes == 4
    surface, _ = read_geometry(variable(bits=16, colours=C565), fixed(2048))
    assert surface.format == surface.source == PixelFormat(2, (11, 5), (5, 6), (0, 5))
    assert surface.format.depth_bits == 16


def test_where_the_picture_begins() -> None:
    assert read_geometry(variable(offset=(2, 3)), fixed(start=0xE0000010))[1] == 16 + 3 * 4096 + 8


@pytest.mark.parametrize(
    ("var", "fix"),
    [
        (variable(bits=8), fixed()),
        (variable(bits=4), fixed(visual=0)),
        (variable(), fixed(visual=3)),
        (variable(), fixed(kind=1)),
        (variable(grey=1), fixed()),
        (variable(colours=((30, 8, 0), *C888[1:])), fixed()),
        (variable(colours=((16, 10, 0), *C888[1:])), fixed()),
        (variable(colours=((16, 8, 1), *C888[1:])), fixed()),
        (variable(size=(0, 0)), fixed()),
        (variable(), fixed(stride=4092)),
        (variable(), fixed(memory=1 << 20)),
        (variable(size=(1024, 200_000)), fixed(memory=(1 << 32) - 1)),
    ],
)
def test_what_cannot_be_painted_on_is_refused(var: bytes, fix: bytes) -> None:
    with pytest.raises(HarnessFault, match="framebuffer"):
        read_geometry(var, fix)


def test_none_and_something_else_are_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessFault, match="fb9"):
        Framebuffer(tmp_path / "fb9")
    with pytest.raises(HarnessFault, match="null: not a supported framebuffer"):
        Framebuffer(Path("/dev/null"))
