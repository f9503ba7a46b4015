"""What the console of a stick shows of a report: of real recordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from hiperiso.analysis.replay import analyze_dir
from hiperiso.analysis.report import render_text
from hiperiso.contract.report import Report
from hiperiso.contract.words import BootResult, Severity
from hiperiso.stick.console import Line, Tone
from hiperiso.stick.summary import summary_of

CORPUS = Path(__file__).parents[1] / "analysis" / "corpus"
RECORDINGS = sorted(path.parent.name for path in CORPUS.glob("*/events.jsonl"))


@pytest.fixture(params=RECORDINGS)
def report(request: pytest.FixtureRequest) -> Report:
    return analyze_dir(CORPUS / request.param)


def block(lines: list[Line], heading: str) -> list[Line]:
    """The lines below a heading."""
    texts = [line.text for line in lines]
    start = texts.index(heading) + 1
    return lines[start : texts.index("", start) if "" in texts[start:] else None]


def test_a_console_shows_what_happened_without_evidence_and_files(report: Report) -> None:
    lines = summary_of(report)
    texts = [line.text for line in lines]
    assert set(texts) <= set(render_text(report).split("\n"))
    assert texts[0] == report.headline and texts[3] == "Findings"
    assert not {"Files", "Observations"} & set(texts)
    assert not any(" (event " in line.text for line in block(lines, "Findings"))
    quotes = [text for text in texts if text.startswith(("Last lines", "Lines around the failure"))]
    assert len(quotes) == 1 and texts[-1].startswith("  | ")
    if report.next_steps:
        assert [line.text for line in block(lines, "What to do next")] == [
            f"  - {step}" for step in report.next_steps
        ]


def test_the_fatal_finding_comes_first_and_each_has_its_colour(report: Report) -> None:
    lines = summary_of(report)
    found = block(lines, "Findings")
    words = [line.text.split()[0] for line in found]
    assert words == sorted(words, key=lambda word: word != Severity.FATAL)
    tones = {"fatal": Tone.BAD, "error": Tone.BAD, "warning": Tone.CAUTION}
    assert [line.tone for line in found] == [tones.get(word, Tone.PLAIN) for word in words]
    assert {line.tone for line in lines if line not in found and line is not lines[0]} == {Tone.PLAIN}


@pytest.mark.parametrize(
    ("result", "tone"),
    [
        (BootResult.SUCCESS, Tone.GOOD),
        (BootResult.INCOMPLETE, Tone.CAUTION),
        (BootResult.FAILURE, Tone.BAD),
        (BootResult.NO_SERIAL, Tone.BAD),
    ],
)
def test_the_headline_has_the_colour_of_the_result(result: BootResult, tone: Tone) -> None:
    report = analyze_dir(CORPUS / "no-root")
    changed = replace(report, headline="words", analysis=replace(report.analysis, boot_result=result))
    assert summary_of(changed)[0] == Line("words", tone)


def test_some_recording_has_a_fatal_finding_that_the_report_ranks_later() -> None:
    """Else the order above would be tested by none."""
    kinds = [
        [line.text.split()[0] for line in block(summary_of(analyze_dir(CORPUS / name)), "Findings")]
        for name in RECORDINGS
    ]
    assert any(words[0] == "fatal" and len(words) > 1 for words in kinds)
