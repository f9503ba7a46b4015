"""Requests and answers on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootchain.wire import RequestReader, encode_answer, encode_request

WORDS = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=5
)


@given(st.lists(WORDS, max_size=5), st.integers(1, 50))
def test_requests_survive_any_cut(requests: list[list[str]], size: int) -> None:
    data = b"".join(encode_request(*words) for words in requests)
    reader = RequestReader()
    got = [words for at in range(0, len(data), size) for words in reader.feed(data[at : at + size])]
    assert got == requests
    assert reader.garbage == 0


@given(st.binary(max_size=200), st.integers(1, 40))
def test_garbage_never_hurts(garbage: bytes, size: int) -> None:
    reader = RequestReader()
    data = garbage + b"\n" + encode_request("break")
    for at in range(0, len(data), size):
        for words in reader.feed(data[at : at + size]):
            assert words


def test_request_after_garbage_is_received() -> None:
    reader = RequestReader()
    assert reader.feed(b"hello\0\xff\n" + encode_request("break")) == [["break"]]
    assert reader.garbage == 8


@pytest.mark.parametrize("header", [b"BC1 0\0", b"BC1 x\0", b"BC1 999999\0", b"BC1 \0", b"BC1 -1\0"])
def test_wrong_headers_are_garbage(header: bytes) -> None:
    reader = RequestReader()
    assert reader.feed(header + encode_request("break")) == [["break"]]
    assert reader.garbage == len(header)


def test_memory_is_bounded() -> None:
    reader = RequestReader()
    assert reader.feed(b"BC1 2\0") == []
    for _ in range(40):
        assert reader.feed(b"x" * 65536) == []
    assert reader.garbage > 0
    assert len(reader._buffer) < 2 << 20


def test_answers() -> None:
    assert encode_answer(0, ".1", "/a b") == b"0 .1 /a b\n"
    assert encode_answer(1, ".2", "") == b"1 .2 \n"
    assert encode_answer(0, ".3", "a\nb\n") == b"0+ .3 a\n0+ .3 b\n0 .3 \n"
    assert encode_answer(0, ".4", "\udcff") == b"0 .4 \xff\n"


@pytest.mark.parametrize("words", [("a\0",), ("x" * (1 << 20),), ("",) * 100_000])
def test_requests_that_cannot_be_sent(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="a request takes"):
        encode_request(*words)
