"""The first step of matching: the same lines with and without the compiled scan; none that a rule matches is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.analysis import anchors
from hiperiso.analysis.alike import form_of
from hiperiso.analysis.anchors import Anchors, anchor_of
from hiperiso.analysis.attention import Attention
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.knownlines import KnownLines
from hiperiso.analysis.lines import pieces
from hiperiso.analysis.logfeed import feed_file
from hiperiso.analysis.signature import Catalogue
from hiperiso.analysis.signatures import everything
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract.seriallog import clean_lines, serial_events

CATALOGUE = Catalogue(everything())
ALL = Attention(CATALOGUE).everything
LITERALS = [anchor.literal for anchor in ALL.anchors]
MARKS = [anchor.literal for anchor in ALL.anchors if not anchor.length]
PLAIN = Anchors(LITERALS, compiled=False)
LOGS = sorted(Path(__file__).parent.glob("*/*/serial.log"))


@pytest.mark.parametrize(
    ("literal", "word"),
    [
        (b"Kernel panic", b"panic"),
        (b"error: ", b"error"),
        (b"Remounting filesystem read-only", b"Remounting"),
        (b" to open", b"to"),
        (b"@", b""),
    ],
)
def test_anchor_of(literal: bytes, word: bytes) -> None:
    assert anchor_of(literal).word == word
    assert anchor_of(literal).literal == literal


def test_a_prompt_character_ends_its_line() -> None:
    assert anchor_of(b"#").literal == b"#\n"


@pytest.mark.parametrize("anchors_of_all", [ALL, PLAIN], ids=["default", "plain"])
def test_an_anchor_is_a_whole_word(anchors_of_all: Anchors) -> None:
    text = b"kernel panicked\nKernel panic - not syncing\n  [1]: Kernel panic\nxKernel panic\nKernel\tpanic\n"
    found = [text[begin:end] for begin, end in anchors_of_all.lines(text)]
    assert found == [b"Kernel panic - not syncing", b"  [1]: Kernel panic", b"xKernel panic"]


@pytest.mark.parametrize("signature", everything(), ids=lambda s: s.examples[0].strip()[:40])
def test_no_row_hides_behind_its_anchor(signature: object) -> None:
    """What the precise pattern of a row matches has one of its anchors."""
    row = next(row for row in CATALOGUE.rows if row.signature is signature)
    for example in row.signature.examples:
        for piece in pieces(example):
            if row.search(piece.text):
                assert row in CATALOGUE.candidates(piece.text)


@pytest.mark.skipif(not anchors.is_compiled(), reason="there was no compiler")
@given(
    st.lists(
        st.one_of(
            st.sampled_from(LITERALS),
            st.sampled_from(MARKS),
            st.sampled_from(
                [b" ", b"\n", b"\n", b"x", b"0", b"\xff", b"panic", b"Kernel ", b":", b"[\x01]", b"s6"]
            ),
        )
    )
)
def test_the_compiled_scan_gives_the_same(parts: list[bytes]) -> None:
    text = b"".join(parts)
    assert ALL.lines(text) == PLAIN.lines(text)
    line = text.replace(b"\n", b"")
    assert ALL.find(line) == PLAIN.find(line)
    assert bool(PLAIN.find(line)) == bool(PLAIN.lines(line + b"\n"))


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.parent.name)
def test_what_is_remembered_of_forms_changes_no_line(log: Path) -> None:
    attention = Attention(CATALOGUE)
    attention.everything = PLAIN
    known = KnownLines(attention)
    forms = form_of(log.read_bytes().replace(b"\r", b"")) + b"\n"
    assert known.with_literals(forms) == PLAIN.lines(forms)
    assert known.with_literals(forms) == PLAIN.lines(forms)


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.parent.name)
def test_blocks_give_the_verdict_of_lines(log: Path) -> None:
    by_lines, by_blocks = Judge(), Judge()
    by_lines.feed_all(serial_events(log.name, clean_lines(log)))
    with log.open("rb") as file:
        feed_file(by_blocks, log.name, file)
    assert verdict_of(by_lines) == verdict_of(by_blocks)
    assert by_lines.findings == by_blocks.findings
    assert by_lines.last_kernel_s == by_blocks.last_kernel_s
    assert by_lines.last_words.quotes() == by_blocks.last_words.quotes()
