"""Lines of one form mean the same, whatever their digits are."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.analysis.alike import distinguishes_digits, for_any_digits, form_of, form_of_text
from hiperiso.analysis.attention import Attention
from hiperiso.analysis.signature import Catalogue, Signature
from hiperiso.analysis.signatures import everything

CATALOGUE = Catalogue(everything())
ATTENTION = Attention(CATALOGUE)


def with_other_digits(text: str, chance: random.Random) -> str:
    kept = re.sub("[0-9]", lambda _: str(chance.randrange(10)), text.replace("[1]", "[\x01]"))
    return kept.replace("[1]", "[2]").replace("[\x01]", "[1]")


@given(st.text(st.sampled_from("[1]2x0 é\n")))
def test_a_form_keeps_the_length_and_all_but_digits(text: str) -> None:
    form = form_of(text.encode())
    assert form == form_of_text(text).encode()
    assert len(form) == len(text.encode())
    assert form == form_of(with_other_digits(text, random.Random(1)).encode())


def test_the_first_process_is_told_from_others() -> None:
    assert form_of(b"systemd[1]: ") != form_of(b"systemd[2]: ") == form_of(b"systemd[3]: ")


@pytest.mark.parametrize(
    ("pattern", "literals", "expected"),
    [
        (r"^a \d{1,3} [0-9a-f]{2,4} (?P<x1>\w)", ("a ",), False),
        (r"\bsystemd\[1\]: x", ("systemd[1]: ",), False),
        (r"^EXT[234]-fs", ("EXT",), True),
        (r"^code: 0", ("code: ",), True),
        (r"^(?P<a>\w) (?P=a)", ("x",), True),
        (r"^x", ("PXE-E53",), True),
    ],
)
def test_which_patterns_distinguish_digits(pattern: str, literals: tuple[str, ...], expected: bool) -> None:
    assert distinguishes_digits(pattern, literals) is expected


@pytest.mark.parametrize(
    ("pattern", "loose"),
    [
        (r"^EXT[234]-fs \d{1,3}", r"^EXT[\d\d\d]-fs \d{1,3}"),
        (r"x86-64-v\d", r"x\d\d-\d\d-v\d"),
        (r"a(?!0x0(?:b|\))) 1", r"a \d"),
        (r"[0-9a-f]{4} (?<!2)[1-9]", r"[\da-f]{4} [\d]"),
    ],
)
def test_a_pattern_for_any_digits(pattern: str, loose: str) -> None:
    assert for_any_digits(pattern) == loose


@pytest.mark.parametrize("signature", everything(), ids=lambda s: s.examples[0].strip()[:40])
def test_lines_of_one_form_mean_the_same(signature: Signature) -> None:
    chance = random.Random(signature.examples[0])
    for example in (*signature.examples, signature.unlike):
        text = f"[    1.000000] {example}"
        sight = ATTENTION.sight(form_of(text.encode()), text)
        for _ in range(5):
            other = with_other_digits(text, chance)
            assert form_of(other.encode()) == form_of(text.encode())
            seen = ATTENTION.sight(form_of(other.encode()), other)
            assert seen == sight or (seen.by_digits and sight.by_digits)
