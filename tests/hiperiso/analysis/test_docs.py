"""docs/verdict.md names every finding and every stage."""

from __future__ import annotations

from pathlib import Path

from hiperiso.analysis.signatures import everything
from hiperiso.contract.words import BootStage

PAGE = Path(__file__).parents[3] / "docs/verdict.md"


def test_every_finding_and_stage_is_explained() -> None:
    text = PAGE.read_text()
    words = {signature.kind for signature in everything()} - {""} | set(BootStage) | {"reset"}
    assert not [word for word in sorted(words) if f"`{word}`" not in text]
