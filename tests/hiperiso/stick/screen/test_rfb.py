"""The client of the screen's protocol, against byte streams written by hand."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.stick.screen.pixels import XRGB, Band, PixelFormat
from hiperiso.stick.screen.rfb import (
    BAND_ROWS,
    News,
    PointerMode,
    Resized,
    RfbClient,
    RfbFault,
    Updated,
    key_event,
    pointer_event,
    wake,
)

HELLO = b"RFB 003.008\n" + b"\x01\x01" + struct.pack(">I", 0)
SIZE = (20, 150)


def greeting(width: int = SIZE[0], height: int = SIZE[1]) -> bytes:
    return HELLO + struct.pack(">HH16xI", width, height, 4) + b"QEMU"


def update(*rectangles: bytes) -> bytes:
    return struct.pack(">BxH", 0, len(rectangles)) + b"".join(rectangles)


def rectangle(x: int, y: int, width: int, height: int, *rest: int | bytes) -> bytes:
    """Encoding (raw when it is not said) and data follow the place and the size."""
    encoding, data = (*rest, b"")[:2] if rest else (0, b"")
    assert isinstance(data, bytes)
    return struct.pack(">HHHHi", x, y, width, height, encoding) + data


WHOLE = bytes(range(250)) * (SIZE[0] * SIZE[1] * 4 // 250)
STREAM = greeting() + b"".join(
    (
        update(rectangle(0, 0, 0, 0, -258), rectangle(0, 0, 0, 0, -257)),
        update(rectangle(0, 0, *SIZE, 0, WHOLE)),
        b"\x02",  # bell
        struct.pack(">BxxxI", 3, 5) + b"hello",
        struct.pack(">BxHH", 1, 0, 2) + bytes(12),
        update(rectangle(0, 0, 5, 4, -223)),
        update(rectangle(1, 2, 3, 1, 0, b"abcdefghijkl"), rectangle(0, 0, 0, 4), rectangle(0, 0, 1, 0, -257)),
        update(),
    )
)


def reported(pieces: Iterator[bytes]) -> tuple[list[News], bytes]:
    client, news, sent = RfbClient(XRGB), [], b""
    for piece in pieces:
        news += client.feed(piece)
        sent += client.to_send()
    return news, sent


def test_what_is_reported() -> None:
    news, sent = reported(iter([STREAM]))
    kinds = [type(item) for item in news]
    assert kinds == [
        *(Resized, PointerMode, Updated, Band, Band, Band, Updated),
        *(Resized, Updated, Band, PointerMode, Updated, Updated),
    ]
    assert (news[0], news[7]) == (Resized(*SIZE), Resized(5, 4))
    bands = [item for item in news[:7] if isinstance(item, Band)]
    assert [(b.y_px, b.height_px) for b in bands] == [(0, BAND_ROWS), (64, BAND_ROWS), (128, 22)]
    assert b"".join(b.data for b in bands) == WHOLE
    assert news[9] == Band(1, 2, 3, 1, b"abcdefghijkl")
    assert sent.startswith(
        b"RFB 003.008\n\x01\x01\x00\x00\x00\x00\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00"
    )
    assert struct.unpack(">BxH4i", sent[34:])[2:] == (0, -223, -257, -258)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_pieces_of_any_size_give_the_same(cuts: list[int]) -> None:
    ends = sorted({0, len(STREAM), *cuts})
    assert reported(STREAM[a:b] for a, b in itertools.pairwise(ends)) == reported(iter([STREAM]))


def test_byte_by_byte() -> None:
    assert reported(STREAM[at : at + 1] for at in range(len(STREAM))) == reported(iter([STREAM]))


@given(
    data=st.binary(max_size=300), start=st.sampled_from([b"", HELLO, greeting(), greeting() + b"\0\0\0\1"])
)
def test_hostile_bytes_are_named_or_waited_for(data: bytes, start: bytes) -> None:
    client = RfbClient(XRGB)
    try:
        for news in (client.feed(start), client.feed(data)):
            for item in news:
                if isinstance(item, Band):
                    assert len(item.data) == item.width_px * item.height_px * 4
    except RfbFault as fault:
        assert fault.message.isprintable() and len(fault.message) < 400


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"HTTP/1.1 200", "not RFB 3.8"),
        (b"RFB 003.003\n", "not RFB 3.8"),
        (b"RFB 003.008\n\x00" + struct.pack(">I", 4) + b"busy", "refused: busy"),
        (b"RFB 003.008\n\x00" + struct.pack(">I", 1 << 31), "text of"),
        (b"RFB 003.008\n\x01\x02", "password"),
        (b"RFB 003.008\n\x01\x01" + struct.pack(">II", 1, 2) + b"no", "refused: no"),
        (greeting(0, 5), "0x5"),
        (greeting(65535, 65535), "65535x65535"),
        (greeting() + update(rectangle(0, 0, 9000, 1, -223)), "9000x1"),
        (greeting() + update(rectangle(1, 0, *SIZE)), "outside"),
        (greeting() + update(rectangle(0, 1, *SIZE)), "outside"),
        (greeting() + update(rectangle(0, 0, 1, 1, 7)), "encoding 7"),
        (greeting() + b"\x09", "kind 9"),
    ],
)
def test_what_cannot_be_is_said(stream: bytes, words: str) -> None:
    with pytest.raises(RfbFault, match=words):
        RfbClient(XRGB).feed(stream)


def test_what_a_terminal_would_obey_is_not_in_an_error() -> None:
    with pytest.raises(RfbFault) as caught:
        RfbClient(XRGB).feed(b"RFB 003.008\n\x00" + struct.pack(">I", 5) + b"\x1b[2Jx")
    assert caught.value.message.isprintable()


def test_messages_to_the_server() -> None:
    client = RfbClient(PixelFormat(2, (11, 5), (5, 6), (0, 5)))
    client.feed(greeting())
    assert client.to_send()[14:34] == bytes.fromhex("0000000010100001001f003f001f0b0500000000")
    assert client.update_request(incremental=True) == bytes.fromhex("03 01 0000 0000 0014 0096")
    assert client.update_request(incremental=False)[1] == 0
    assert key_event(0x9D, down=True) == bytes.fromhex("ff 00 0001 00000000 0000009d")
    assert pointer_event(0x8000, 0x7FFE, 5) == bytes.fromhex("05 05 8000 7ffe")
    assert wake() == bytes.fromhex("06 000000 00000000")
