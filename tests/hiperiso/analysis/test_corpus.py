"""Every stored recording against the verdict beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hiperiso.analysis.replay import replay_dir

HERE = Path(__file__).parent
CASES = sorted(p for folder in ("corpus", "synthetic") for p in (HERE / folder).iterdir() if p.is_dir())


@pytest.mark.parametrize("case", [c for c in CASES if c.name != "__pycache__"], ids=lambda case: case.name)
def test_verdict(case: Path) -> None:
    seen = verdict(case)
    golden = case / "expected.json"
    if not golden.exists():
        golden.write_text(json.dumps(seen, indent=2, ensure_ascii=False) + "\n")
        pytest.fail(f"{golden} was missing and is written: read it, then run again")
    assert seen == json.loads(golden.read_text())


def verdict(case: Path) -> dict[str, Any]:
    """What must stay: the analysis, how each stage was reached, the findings and when the end was due."""
    replay = replay_dir(case)
    report = replay.report
    decision = replay.judge.decide(replay.judge.last_t)
    return {
        "analysis": msgspec.to_builtins(report.analysis),
        "end_reason": report.end_reason and report.end_reason.value,
        "decision": decision and [decision.reason.value, round(decision.at_s, 2)],
        "stages": [[stage.stage.value, stage.t, _place(stage.evidence)] for stage in report.stages],
        "findings": [[f.kind, f.severity, f.domain.value, f.count, f.summary] for f in report.findings],
        "recognised": report.recognised,
    }


def _place(evidence: Any) -> str:
    return f"{evidence.file}:{evidence.line}" if evidence.file else f"event {evidence.event}"


def test_the_corpus_is_there() -> None:
    assert len(CASES) > 50
