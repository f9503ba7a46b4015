"""All lines of all channels, ordered by time, with search and filter."""

from __future__ import annotations

from collections import Counter

from hiperiso.analysis.html.markup import Markup, tag
from hiperiso.analysis.html.recording import LEVEL_NAMES, WARNING, Recording, Row, evidence_anchor
from hiperiso.analysis.html.screens import chosen
from hiperiso.analysis.html.timeline import LANES
from hiperiso.contract.words import BootResult, Severity

_QUIET = ("screen", "disk")
"""Channels with their own section; their lines are hidden by default."""


def log(recording: Recording) -> Markup | None:
    """The section, or None for a session without a line."""
    if not recording.rows:
        return None
    counts = Counter(row.source for row in recording.rows)
    labels = dict(LANES)
    order = [name for name, _ in LANES if name in counts]
    order += [name for name in counts if name not in labels and name != "note"]
    chips = [
        tag(
            "label",
            tag("input", type="checkbox", name="source", value=name, checked=name not in _QUIET),
            tag("span", labels.get(name, name), tag("small", f"{counts[name]}")),
            class_="chip",
        )
        for name in order
    ]
    levels = [
        tag("option", "all levels", value="0"),
        tag("option", "notices and worse", value="2"),
        tag("option", "warnings and worse", value=str(WARNING)),
        tag("option", "errors", value=str(WARNING + 1)),
    ]
    controls = tag(
        "form",
        tag(
            "input",
            type="search",
            id="search",
            placeholder="Search the log ( / )",
            aria_label="Search the log",
            autocomplete="off",
            spellcheck="false",
        ),
        tag("select", *levels, id="level", aria_label="Level"),
        tag("span", *chips, class_="chips", role="group", aria_label="Channels"),
        tag("output", "", id="shown", aria_live="polite"),
        id="filters",
        class_="tools only-script",
    )
    film = {f"s{screen.n}" for screen in chosen(recording.screens)}
    decisive = decisive_line(recording)
    rows = tag(
        "ol",
        *(_row(row, film, decisive=row.anchor == decisive) for row in recording.rows),
        id="log",
        class_="log",
        tabindex="0",
        aria_label="Log",
        data_open=decisive,
    )
    return tag("div", controls, rows)


def decisive_line(recording: Recording) -> str | None:
    """The anchor of the line that the gravest finding of an unsuccessful boot rests on, where the page holds it."""
    report = recording.report
    if report is None or report.analysis.boot_result is BootResult.SUCCESS:
        return None
    severities = list(Severity)
    for finding in sorted(report.findings, key=lambda finding: -severities.index(finding.severity)):
        if finding.severity is Severity.INFO:
            break
        for evidence in finding.evidence:
            anchor = evidence_anchor(recording, evidence)
            if anchor is not None:
                return anchor
    return None


def _row(row: Row, film: set[str], *, decisive: bool = False) -> Markup:
    level = LEVEL_NAMES[row.level]
    if row.kind == "note":
        return tag("li", row.text, id=row.anchor, class_="note", data_t=f"{row.t:.3f}")
    body = tag("a", row.text, href=f"#{row.screen}") if row.screen in film else row.text
    return tag(
        "li",
        tag("a", f"{row.t:.3f}", href=f"#{row.anchor}"),
        tag("b", row.source),
        tag("span", body),
        id=row.anchor,
        class_=" ".join([level] * (row.level != 1) + ["decisive"] * decisive) or None,
        data_s=row.source,
        data_l=str(row.level),
    )
