"""Phrases in what OCR read: found in spite of mistakes, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.reading import PictureWords
from hiperiso.analysis.signatures.pictures import SIGNATURES
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.events import Event
from hiperiso.contract.words import BootStage, FailureDomain, FindingKind, Source
from property_tests import examples

SCREENS = Path(__file__).parents[1] / "observe" / "screen" / "fixtures"
WORDS = PictureWords()
PHRASES = [phrase for signature in SIGNATURES for phrase in signature.literals]


def kinds(row: str) -> set[FindingKind | None]:
    return {hit.signature.kind for hit in WORDS.hits(row)}


@pytest.mark.parametrize("phrase", PHRASES)
def test_every_phrase_is_found(phrase: str) -> None:
    assert kinds(phrase)
    assert kinds(f"xx {phrase.upper()} yy") == kinds(phrase)


@settings(deadline=None)
@given(st.sampled_from([p for p in PHRASES if len(p) >= 24]), st.randoms(use_true_random=False))
def test_mistakes_are_forgiven(phrase: str, chance: object) -> None:
    letters = list(phrase)
    at = chance.randrange(4, len(letters) - 4)  # type: ignore[attr-defined]
    letters[at] = chance.choice(["", "x", "~", " "])  # type: ignore[attr-defined]
    mistaken = "".join(letters).replace("o", "0").replace("i", "l")
    assert kinds(phrase) <= kinds(mistaken), mistaken


@given(st.text(max_size=300))
@settings(max_examples=examples(300), deadline=None)
def test_any_text_raises_nothing(text: str) -> None:
    assert kinds(text) <= {signature.kind for signature in SIGNATURES}


def test_ordinary_screens_hold_none_of_them() -> None:
    found = {
        path.stem: [row for row in path.read_text().splitlines() if kinds(row)]
        for path in sorted(SCREENS.glob("*.txt"))
    }
    (row,) = found.pop("debian_installer_newt")
    assert "Choose the language to be used for the installation process" in row
    assert len(found) > 10 and not any(found.values())


def read(text: str, *, t: float = 5.0) -> Event:
    return event_of(1, t, Source.SCREEN, "text", text=text, data={"reader": "ocr", "cols": 400})


def test_a_stop_screen_is_a_failure_with_the_words_as_evidence() -> None:
    judge = Judge()
    judge.feed(read("Y0ur PC ran lnto a problem and needs to restarl. We're"))
    decision = judge.decide(30.0)
    assert decision is not None
    (finding,) = judge.findings
    assert (finding.kind, finding.domain) == ("stop_screen", FailureDomain.KERNEL)
    assert "Y0ur PC" in finding.evidence[0].text


def test_a_login_counts_only_when_a_system_runs() -> None:
    judge = Judge()
    judge.feed(read("Not listed?"))
    assert str(judge.stage) == "unknown"
    kernel = "Linux version 6.1.0 (gcc)"
    judge.feed(event_of(2, 6.0, Source.KERNEL, "line", text=kernel))
    judge.feed(read("Not llsted?\nSample user", t=9.0))
    assert judge.stage is BootStage.LOGIN


def test_exact_signatures_do_not_apply_to_guesses() -> None:
    judge = Judge()
    judge.feed(read("Kernel panic - not syncing: Attempted to kill init!\nsample login:"))
    assert judge.findings == []
    assert judge.stage is BootStage.UNKNOWN
