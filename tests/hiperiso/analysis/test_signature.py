"""The tables of signatures, each row checked against its own example."""

from __future__ import annotations

import re
import time

import pytest

from hiperiso.analysis.lines import pieces
from hiperiso.analysis.signature import Catalogue, Effect, On, Signature
from hiperiso.analysis.signatures import everything
from hiperiso.contract.words import Severity
from machine_speed import assert_cheap

SIGNATURES = everything()
CATALOGUE = Catalogue(SIGNATURES)
ENDING = (Effect.FATAL, Effect.STUCK, Effect.WAITING, Effect.SHELL)


def name(signature: Signature) -> str:
    return f"{signature.kind or signature.software or 'stage'}:{signature.examples[0].strip()[:30]}"


@pytest.mark.parametrize("signature", SIGNATURES, ids=name)
def test_row(signature: Signature) -> None:
    for example in signature.examples:
        assert re.search(signature.pattern, example)
        assert not signature.literals or any(literal in example + "\n" for literal in signature.literals)
    assert signature.unlike
    assert not re.search(signature.pattern, signature.unlike)
    assert isinstance(signature.severity, Severity)
    assert bool(signature.kind) == bool(signature.summary)
    assert signature.effect not in ENDING or signature.reason is not None
    names = set(re.compile(signature.pattern).groupindex)
    wanted = set(re.findall(r"\{(\w+)\}", signature.summary + signature.software)) - {"0"}
    assert wanted <= names


@pytest.mark.parametrize("signature", SIGNATURES, ids=name)
def test_repeats_are_bounded(signature: Signature) -> None:
    """A guest must not be able to make the judge slow."""
    without_escapes = re.sub(r"\\.", "", signature.pattern)
    without_classes = re.sub(r"\[[^\]]*\]", "", without_escapes)
    assert not set(without_classes) & set("*+")


@pytest.mark.parametrize("signature", SIGNATURES, ids=name)
def test_hostile_lines_cost_little(signature: Signature) -> None:
    pattern = re.compile(signature.pattern)
    seeds = [
        signature.examples[0],
        signature.examples[0] * 40,
        *(literal * 600 for literal in signature.literals or ("a ",)),
    ]
    seeds += [literal + " " * 2000 + "x" * 2000 for literal in signature.literals]
    began = time.process_time()
    for text in seeds:
        pattern.search(text[:4096])
    assert_cheap(time.process_time() - began, 0.5)


def test_every_literal_is_needed_by_its_pattern() -> None:
    """A literal that cannot lead to a match would only cost time; one that is missing would hide a match."""
    catalogue = Catalogue(SIGNATURES)
    for signature in SIGNATURES:
        channel = On.STDERR if signature.on is On.STDERR else On.SCREEN
        for example in signature.examples:
            hits = [
                hit.signature
                for piece in pieces(example)
                for hit in catalogue.hits(piece.text, channel, prompt=True)
            ]
            assert signature in hits, signature


def word(signature: Signature) -> str:
    return signature.kind or signature.family or signature.software or "stage"


def has_weight(signature: Signature) -> bool:
    """Whether it says more than how far the boot got."""
    return bool(signature.kind and signature.severity is not Severity.INFO) or signature.effect not in (
        Effect.NONE,
        Effect.IN_INITRAMFS,
    )


@pytest.mark.parametrize("signature", SIGNATURES, ids=name)
def test_no_other_rule_takes_its_example(signature: Signature) -> None:
    """What two rules may read says so in its row."""
    channel = On.STDERR if signature.on is On.STDERR else On.SCREEN
    for example in signature.examples:
        for piece in pieces(example):
            for hit in CATALOGUE.hits(piece.text, channel, prompt=True):
                other = hit.signature
                mine = word(other) == word(signature)
                shared = word(other) in signature.shares or word(signature) in other.shares
                assert mine or shared or not has_weight(other), (other.kind, other.examples)
