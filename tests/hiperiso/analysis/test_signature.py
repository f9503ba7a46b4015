"""The tables of signatures, each row checked against its own example."""

from __future__ import annotations

import re
import time

import pytest

from hiperiso.analysis.signature import KERNEL_PREFIX, Catalogue, Effect, On, Signature
from hiperiso.analysis.signatures import everything
from machine_speed import assert_cheap

SIGNATURES = everything()
ENDING = (Effect.FATAL, Effect.STUCK, Effect.WAITING, Effect.SHELL)


def name(signature: Signature) -> str:
    return f"{signature.kind or signature.software or 'stage'}:{signature.example.strip()[:30]}"


@pytest.mark.parametrize("signature", SIGNATURES, ids=name)
def test_row(signature: Signature) -> None:
    assert re.search(signature.pattern, signature.example)
    assert not signature.literals or any(literal in signature.example for literal in signature.literals)
    assert signature.kind is None or signature.severity in signature.kind.severities
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
        signature.example,
        signature.example * 40,
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
        body = KERNEL_PREFIX.sub("", signature.example)
        hits = [hit.signature for hit in catalogue.hits(body, channel, prompt=True)]
        assert signature in hits, signature


def test_relevant_keeps_what_matches() -> None:
    catalogue = Catalogue(SIGNATURES)
    text = "\n".join(signature.example for signature in SIGNATURES[:50])
    part = catalogue.relevant(text)
    assert set(SIGNATURES[:50]) <= set(part.signatures)
    nothing = catalogue.relevant("zzz")
    assert len(nothing.signatures) < len(SIGNATURES) / 10


def test_kernel_prefix() -> None:
    for text in ("[    1.234567] x", "<6>[    1.234567] x", "[ 1.234567][    T1] x", "[  1.234567][ C0] x"):
        match = KERNEL_PREFIX.match(text)
        assert match
        assert text[match.end() :] == "x"
        assert float(match["s"]) == pytest.approx(1.234567)
