"""Terminal bytes to lines."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.text import (
    MAX_LINE_CHARS,
    MAX_TITLE_CHARS,
    CleanLine,
    TextCleaner,
    ascii_field,
    clean_text,
    harmless,
    made_visible,
    masked,
    plain,
    printable,
)

TERMINAL = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [
                b"\x1b[", b"\x1b]", b"\x1bP", b"\x1b\\", b"\x07", b"\x1b(0", b"\x1b(B", b"\x1b)0", b"\x0e", b"\x0f",
                b"\x1b[2J", b"\x1b[3;4H", b"\x1b[K", b"\x1b[1K", b"\x1b[2K", b"\x1b[5C", b"\x1b[9D", b"\x1b[7G",
                b"\x1b[31m", b"\x1b[?25l", b"\r", b"\n", b"\r\n", b"\b", b"\t", b"\0", "é".encode(), "界".encode(),
                b"\xe2\x80\xae", b"\xc2\x9b31m", b"lqqk", b"login: ", b"12;", b"\x1b" + b"[" + b"1" * 70 + b"m",
            ]
        ),
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


def lines(data: bytes) -> list[str]:
    return clean_text(data).split("\n") if clean_text(data) else []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"plain\r\n", ["plain"]),
        (b"\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[m\n", ["red and green"]),
        (b"\x1b]0;title\x07text\n", ["text"]),
        (b"\x1b]0;title\x1b\\text\n", ["text"]),
        (b"\x1bP+q544e\x1b\\text\n", ["text"]),
        (b"\x1b]never closed\nKernel panic\n", ["Kernel panic"]),
        (b" 10%\r 55%\r100%\r\ndone\n", ["100%", "done"]),
        (b"loading\r\x1b[Kready\n", ["ready"]),
        (b"abd\bc\n", ["abc"]),
        (b"|\b/\b-\b\\\bok\n", ["ok"]),
        (b"\x1b[10;20HSelect a language\x1b[12;20HEnglish", ["Select a language", "English"]),
        (b"\x1b(0lqqk\x1b(B\x1b[2;1Hword\n", ["word"]),
        (b"\x0eKernel panic\x0f\n", ["Kernel panic"]),
        (b"\x1b)0\x0eKernel panic\x0f\n", ["Kernel panic"]),
        (b"a\0b\x01c\x7f\n", ["abc"]),
        (b"\xff\xfe ok\n", ["\ufffd\ufffd ok"]),
        (b"cut \xe2\x82\n", ["cut \ufffd"]),
        ("\u202egnp.exe\n".encode(), ["gnp.exe"]),
        (b"\x1b[60G[ OK ]\n", [" " * 59 + "[ OK ]"]),
        (b"a\x1b[3Cb\n", ["a   b"]),
        (b"one\x1b[Atwo\n", ["one", "two"]),
        (b"\n\n   \n", []),
        (b"col\tumn\n", ["col     umn"]),
        (b"\x1b[" + b"9" * 100 + b"Hello\n", ["9" * 36 + "Hello"]),
    ],
)
def test_what_a_person_would_read(data: bytes, expected: list[str]) -> None:
    assert lines(data) == expected


def test_partial_is_the_prompt_with_its_space() -> None:
    cleaner = TextCleaner()
    assert cleaner.feed(b"Debian 12\r\n\r\ndebian login: ") == [CleanLine("Debian 12", 0)]
    assert cleaner.partial == "debian login: "
    assert cleaner.flush() == [CleanLine("debian login:", 13)]
    assert cleaner.partial == ""


def test_offsets_are_where_the_text_begins() -> None:
    data = b"first\r\n\x1b[1msecond\x1b[m\r\n\x1b[5;1Hthird\x1b[6;1Hfourth\n"
    for text, offset in TextCleaner().feed(data):
        assert data[offset:].startswith(text.encode())


def test_overlong_lines_come_in_pieces() -> None:
    data = b"x" * (3 * MAX_LINE_CHARS + 5) + b"\n"
    out = TextCleaner().feed(data)
    assert [len(line.text) for line in out] == [MAX_LINE_CHARS] * 3 + [5]
    assert "".join(line.text for line in out) == "x" * (3 * MAX_LINE_CHARS + 5)


def test_memory_is_bounded_without_any_newline() -> None:
    cleaner = TextCleaner()
    cleaner.feed(b"\x1b]" + b"y" * 100_000)
    cleaner.feed(b"\x1b[" + b"1" * 100_000)
    for _ in range(100):
        cleaner.feed(b"z" * 10_000)
    assert len(cleaner.partial) <= MAX_LINE_CHARS


@given(TERMINAL, st.lists(st.integers(1, 9), max_size=60))
def test_any_pieces_give_the_same(data: bytes, sizes: list[int]) -> None:
    whole = TextCleaner()
    expected, expected_partial = whole.feed(data), whole.partial
    pieces = TextCleaner()
    seen: list[CleanLine] = []
    start = 0
    for size in sizes:
        seen += pieces.feed(data[start : start + size])
        start += size
    seen += pieces.feed(data[start:])
    assert (seen, pieces.partial) == (expected, expected_partial)
    assert pieces.flush() == whole.flush()


@given(TERMINAL)
def test_nothing_that_acts_on_a_terminal_comes_out(data: bytes) -> None:
    cleaner = TextCleaner()
    out = [line.text for line in cleaner.feed(data)]
    out.append(cleaner.partial)
    out += [line.text for line in cleaner.flush()]
    for text in out:
        assert not [
            c for c in text if unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in "\u202e\u2066\u200b"
        ]
        assert len(text) <= MAX_LINE_CHARS * 8


@given(st.text(max_size=300))
def test_plain_is_one_safe_line(text: str) -> None:
    out = plain(text, 100)
    assert len(out) <= 100
    assert (
        not [c for c in out if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")] or out.isprintable()
    )
    assert "\n" not in out
    assert "\x1b" not in out


def test_titles_and_fields_are_made_harmless() -> None:
    assert printable(" a\x1b[31m\u202eb\r\n\ud800 ") == "a [31m b ?"
    assert printable("x" * 500) == "x" * MAX_TITLE_CHARS
    assert harmless("one\x00\ntwo\x07") == "one\ntwo"
    assert masked("a\tb\nc", keep="\n") == "a?b\nc" and masked("a\x1bb", "") == "ab"
    assert made_visible("a\x1b\u202e\r\n\tb") == "a\ufffd\ufffd\n\tb"
    assert ascii_field(b"  Debian \xfc\x07 \0rest") == "Debian ??"


@given(st.text())
def test_nothing_that_acts_on_a_terminal_is_left(text: str) -> None:
    assert len(masked(text)) == len(text) and masked(text).isprintable()
    for clean in (printable(text), harmless(text), made_visible(text)):
        assert not set(clean) & {"\x1b", "\x9b", "\x07", "\u202e", "\x00"}
