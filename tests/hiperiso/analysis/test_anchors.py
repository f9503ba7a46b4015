"""The first step of matching: the same lines with and without the compiled scan; none that a rule matches is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.analysis import anchors
from hiperiso.analysis.anchors import Anchors, anchor_of
from hiperiso.analysis.attention import Attention
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.lines import pieces
from hiperiso.analysis.logfeed import feed_file
from hiperiso.analysis.signature import Catalogue
from hiperiso.analysis.signatures import everything
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract.seriallog import clean_lines, serial_events

CATALOGUE = Catalogue(everything())
ALL = Attention(CATALOGUE).everything
WORDS = [*sorted(ALL.words)[:40], *ALL.marks[:60]]
PLAIN = Anchors(ALL.words, ALL.marks, compiled=False)
LOGS = sorted(Path(__file__).parent.glob("*/*/serial.log"))


@pytest.mark.parametrize(
    ("literal", "anchor"),
    [
        ("Kernel panic", (b"panic", True)),
        ("error: ", (b"error: ", False)),
        ("#", (b"#\n", False)),
        ("@", (b"@", False)),
    ],
)
def test_anchor_of(literal: str, anchor: tuple[bytes, bool]) -> None:
    assert anchor_of(literal) == anchor


@pytest.mark.parametrize("signature", everything(), ids=lambda s: s.example.strip()[:40])
def test_no_row_hides_behind_its_anchor(signature: object) -> None:
    """What the precise pattern of a row matches has one of its anchors."""
    row = next(row for row in CATALOGUE.rows if row.signature is signature)
    for example in (row.signature.example, *row.signature.more):
        for piece in pieces(example):
            if row.search(piece.text):
                assert row in CATALOGUE.candidates(piece.text)


@pytest.mark.skipif(not anchors.is_compiled(), reason="there was no compiler")
@given(
    st.lists(
        st.sampled_from(
            [*sorted(ALL.words)[:40], *ALL.marks[:60], b" ", b"\n", b"x", b"\xff", b"Panic", b":"]
        )
    )
)
def test_the_compiled_scan_gives_the_same(parts: list[bytes]) -> None:
    text = b"".join(parts)
    assert ALL.lines(text) == PLAIN.lines(text)
    start = text.find(b"\n") + 1
    assert ALL.lines(text, start) == PLAIN.lines(text, start)
    line = text.replace(b"\n", b"").decode("utf-8", "replace")
    assert ALL.find(line) == PLAIN.find(line)


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
