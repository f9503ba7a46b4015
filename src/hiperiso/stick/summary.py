"""A report as the console of a stick shows it, with its colours: what matters first, and short."""

from __future__ import annotations

from hiperiso.analysis.report import (
    advice_lines,
    fact_lines,
    finding_line,
    phase_lines,
    problems_first,
    quoted,
    recognised_lines,
    stage_lines,
    title,
)
from hiperiso.contract.report import Report
from hiperiso.contract.words import BootResult, Severity
from hiperiso.stick.console import Line, Tone

_RESULT = {
    BootResult.SUCCESS: Tone.GOOD,
    BootResult.INCOMPLETE: Tone.CAUTION,
    BootResult.FAILURE: Tone.BAD,
    BootResult.NO_SERIAL: Tone.BAD,
}
_SEVERITY = {Severity.FATAL: Tone.BAD, Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.CAUTION}


def summary_of(report: Report) -> list[Line]:
    """report.txt as far as it fits a console: findings without their evidence, one channel's end, no files.

    The findings follow the headline: the fatal ones, then the others as the report ranks them.
    """
    headline, *underline = title(report)
    problems, _ = problems_first(report)
    problems.sort(key=lambda one: one.severity is not Severity.FATAL)
    findings = [Line(finding_line(one), _SEVERITY.get(one.severity, Tone.PLAIN)) for one in problems]
    notes = [f"  {note}" for note in report.notes]
    blocks = [
        fact_lines(report),
        advice_lines(report),
        ["Notes", *notes] if notes else [],
        stage_lines(report),
        phase_lines(report),
        recognised_lines(report),
    ]
    return [
        Line(headline, _RESULT[report.analysis.boot_result]),
        *map(Line, [*underline, "", "Findings"]),
        *(findings or [Line("  none")]),
        *(Line(text) for block in blocks if block for text in ["", *block]),
        *map(Line, quoted(report, channels=1)),
    ]
