"""Blocks of a log give the same lines as the state machine, whatever is in them; UTF-16 is read."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.contract.seriallog import clean_stream
from hiperiso.textblocks import clean_blocks

PARTS = [
    b"\x1b[", b"\x1b", b"[31m", b"\x1b[0m", b"\r", b"\n", b"\n", b"\r\n", b"abc", b"login: ",
    b"\x1b[K", b"\x1b[2K", b"\x1b[5;3H",
    b"\t", b"\x08", b"\x0e", b"\x0f", b"\x1b(0", b"\x1b(B", b"\xc3\xa9", b"\x00", b"\x07", b"x" * 50, b"\x1b]0;t\x07",
    b"\x1b[?25h", b"\xe2\x80\xae", b"; ", b"y" * 5000,
]  # fmt: skip


def by_blocks(data: bytes) -> list[tuple[str, int]]:
    rows = []
    for block in clean_blocks(io.BytesIO(data)):
        number_at, at = block.numbers(), 0
        for text in block.text.split(b"\n"):
            rows.append((text.decode().rstrip(), number_at(at)))
            at += len(text) + 1
    return [row for row in rows if row[0]]


def by_lines(data: bytes) -> list[tuple[str, int]]:
    return [(row.text.rstrip(), row.line) for row in clean_stream(io.BytesIO(data)) if row.text.strip()]


@given(st.lists(st.sampled_from(PARTS), max_size=14))
def test_the_same_lines(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert by_blocks(data) == by_lines(data)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16(encoding: str) -> None:
    text = "Welcome to Demo Linux 1!\r\ndemo login: \r\n" * 3
    assert [row[0] for row in by_blocks(text.encode(encoding))] == [
        "Welcome to Demo Linux 1!",
        "demo login:",
    ] * 3


def test_a_prompt_at_the_end_is_unfinished() -> None:
    blocks = list(clean_blocks(io.BytesIO(b"a\nb: ")))
    assert [(block.text.strip(), block.whole) for block in blocks] == [(b"a", True), (b"b:", False)]
