"""Pictures in and out."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.observe.screen.png import encode_png
from hiperiso.observe.screen.ppm import Picture, PictureError, parse_ppm


def test_plain_header() -> None:
    picture = parse_ppm(b"P6\n2 1\n255\n" + b"abcdef")
    assert (picture.width_px, picture.height_px, picture.rgb) == (2, 1, b"abcdef")


def test_comments_and_white_space() -> None:
    picture = parse_ppm(b"P6 # made by hand\n 1\t2 \r\n# more\n255\n" + b"abcdef" + b"after")
    assert (picture.width_px, picture.height_px, picture.rgb) == (1, 2, b"abcdef")


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"P6",
            b"P5\n1 1\n255\nabc",
            b"P6\n0 1\n255\n",
            b"P6\n1 1\n65535\nabcdef",
            b"P6\n2 1\n255\nabcde",
        ),
        *(b"P6\n99999 1\n255\n", b"P6\n16384 16384\n255\n", b"P6\n-1 1\n255\nabc", b"P6" + b"\n" * 100_000),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(PictureError):
        parse_ppm(data)


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    for content in (data, b"P6\n" + data, b"P6\n3 4\n255\n" + data):
        try:
            picture = parse_ppm(content)
        except PictureError:
            continue
        assert len(picture.rgb) == picture.width_px * picture.height_px * 3


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255), st.data())
def test_png_holds_the_pixels(width: int, height: int, fill: int, data: st.DataObject) -> None:
    rgb = bytearray([fill]) * (width * height * 3)
    rgb[: width * 3] = data.draw(st.binary(min_size=width * 3, max_size=width * 3))
    png = encode_png(Picture(width, height, bytes(rgb)))
    assert png == encode_png(Picture(width, height, bytes(rgb)))
    assert pixels_of(png) == (width, height, bytes(rgb))


def pixels_of(png: bytes) -> tuple[int, int, bytes]:
    """A small PNG reader: chunks with their checksums, filters 0 and 2."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length)[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0]
    raw, rows, above = zlib.decompress(chunks[b"IDAT"]), [], bytes(width * 3)
    for start in range(0, len(raw), width * 3 + 1):
        kind_of_filter, row = raw[start], raw[start + 1 : start + 1 + width * 3]
        if kind_of_filter == 2:
            row = bytes((value + up) & 255 for value, up in zip(row, above, strict=True))
        else:
            assert kind_of_filter == 0
        rows.append(row)
        above = row
    return width, height, b"".join(rows)
