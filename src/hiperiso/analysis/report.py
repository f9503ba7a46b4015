"""The report: built from a judge and its verdict; written as report.json, report.txt and analysis.meta.

``analysis.meta`` is flat ``KEY=VALUE``, one a line, the keys being the field names of ``Analysis``; values stand on one
line without quotes. ``parse_meta`` reads it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.ledger import Mark
from hiperiso.analysis.nextsteps import QUIET, next_steps, ranked
from hiperiso.analysis.phases import host_line, phases_of
from hiperiso.analysis.tracetext import trace_lines
from hiperiso.analysis.verdict import Verdict
from hiperiso.contract import files
from hiperiso.contract.manifest import Analysis, IsoFacts
from hiperiso.contract.network import NetworkSummary, network_lines
from hiperiso.contract.report import Evidence, Finding, Phase, Report, StageReached
from hiperiso.contract.store import atomic_write
from hiperiso.contract.words import BootResult, BootStage, FailureDomain, FindingKind, Severity, Source
from hiperiso.text import plain

_COUNTED: Final = (Severity.ERROR, Severity.FATAL)
_MAX_SECONDS: Final = 10**9


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """Facts unknown to the judge: names, files and the times of the recording."""

    session_id: str
    generated_utc: str
    version: str
    files: list[str]
    has_serial: bool
    has_trace: bool
    recording_s: float | None = None
    notes: tuple[str, ...] = ()
    iso: IsoFacts | None = None
    network: NetworkSummary | None = None


def build_report(judge: Judge, verdict: Verdict, facts: ReportFacts, manifest: Mapping[str, Any]) -> Report:
    """Return the report on a judged recording; ``manifest`` is session.json as far as there is one."""
    findings = judge.findings
    analysis = Analysis(
        boot_result=verdict.result,
        boot_stage_final=verdict.stage,
        failure_domain=verdict.domain,
        reached_login=int(verdict.stage is BootStage.LOGIN),
        kernel_panic_count=judge.book.count(FindingKind.KERNEL_PANIC),
        error_count=sum(finding.count for finding in findings if finding.severity in _COUNTED),
        has_serial=int(facts.has_serial),
        has_trace=int(facts.has_trace),
        boot_duration_ms=_duration_ms(judge, verdict, facts),
        graphics_drivers=judge.graphics.drivers,
        graphics_resolution=judge.graphics.resolution,
        fault=verdict.fault,
        cause=plain(verdict.cause),
        guest=plain(", ".join(judge.recognised.values())),
    )
    return Report(
        session_id=plain(facts.session_id),
        generated_utc=facts.generated_utc,
        hiperiso_version=facts.version,
        analysis=analysis,
        end_reason=verdict.reason,
        headline=_headline(analysis),
        stages=_ladder(_shown_marks(judge)),
        findings=findings,
        recognised=[plain(name) for name in judge.recognised.values()],
        files=[plain(name, 1000) for name in facts.files],
        phases=_phases(judge),
        host=judge.presence.clock.use,
        next_steps=next_steps(findings, analysis, verdict.reason, manifest, judge.harness.about),
        last_words=judge.last_words.quotes(failed=verdict.result is BootResult.FAILURE),
        notes=[plain(note, 1000) for note in facts.notes],
        iso=facts.iso and _cleaned(facts.iso),
        network=facts.network,
    )


def write_report(path: Path, report: Report) -> None:
    """Write report.json, report.txt and analysis.meta into a session directory.

    Raises:
        OSError: the directory is not writable.
    """
    atomic_write(path / files.REPORT_JSON, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    atomic_write(path / files.REPORT_TXT, render_text(report).encode())
    atomic_write(path / files.ANALYSIS_META, render_meta(report.analysis).encode())


def render_meta(analysis: Analysis) -> str:
    """Return analysis.meta."""
    values = {name: getattr(analysis, name) for name in Analysis.__struct_fields__}
    return "".join(f"{name}={plain(str(value))}\n" for name, value in values.items())


def parse_meta(text: str) -> Analysis:
    """Return the Analysis of an analysis.meta; unknown keys and lines without ``=`` are skipped.

    Raises:
        ValueError: a key is missing or a value is not one of its words.
    """
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    values: dict[str, Any] = {key.strip().lower(): value.strip() for key, value in pairs}
    known = {name: values[name] for name in Analysis.__struct_fields__ if name in values}
    try:
        return msgspec.convert(known, Analysis, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"analysis.meta: {error}") from None


def render_text(report: Report) -> str:
    """Return report.txt: plain text, safe on a terminal."""
    problems, observed = problems_first(report)
    observations = [row for one in observed for row in finding_lines(one)]
    blocks = [
        [*title(report), "", *fact_lines(report)],
        advice_lines(report),
        ["Notes", *(f"  {note}" for note in report.notes)] if report.notes else [],
        stage_lines(report),
        phase_lines(report),
        ["Findings", *(row for one in problems for row in finding_lines(one))]
        + ([] if problems else ["  none"]),
        ["Observations", *observations] if observations else [],
        network_block(report),
        [*trace_lines(report.trace)] if report.trace else [],
        recognised_lines(report),
    ]
    lines = [line for block in blocks if block for line in [*block, ""]]
    return "\n".join([*lines[:-1], *quoted(report), "", "Files", *(f"  {name}" for name in report.files), ""])


def title(report: Report) -> list[str]:
    """The headline, underlined."""
    return [report.headline, "=" * min(len(report.headline), 100)]


def fact_lines(report: Report) -> list[str]:
    """What was booted, and the verdict on it, one fact a line."""
    analysis = report.analysis
    lines = [
        f"Session   {report.session_id}",
        f"Result    {analysis.boot_result}",
        f"Stage     {analysis.boot_stage_final}",
        f"Domain    {analysis.failure_domain}",
        f"Fault     {analysis.fault}",
        f"Cause     {analysis.cause}",
        f"Ended     {report.end_reason.value if report.end_reason else 'unknown'}",
        f"Duration  {analysis.boot_duration_ms / 1000:.1f} s",
    ]
    lines += [f"{name:<9} {value}" for name, value in iso_rows(report.iso)] if report.iso else []
    if analysis.graphics_drivers or analysis.graphics_resolution:
        lines.append(f"Graphics  {analysis.graphics_drivers or '-'} {analysis.graphics_resolution}".rstrip())
    return lines


def advice_lines(report: Report) -> list[str]:
    """The next steps, below their heading; none after a success."""
    return ["What to do next", *(f"  - {step}" for step in report.next_steps)] if report.next_steps else []


def stage_lines(report: Report) -> list[str]:
    """The stages, below their heading."""
    return ["Stages", *(map(_stage_line, report.stages) if report.stages else ["  none was seen"])]


def phase_lines(report: Report) -> list[str]:
    """The phases and the load of the host, below their heading, where they are known."""
    if not report.phases:
        return []
    host = [f"  {host_line(report.host)}"] if report.host else []
    return ["Phases", *map(_phase_line, report.phases), *host]


def network_block(report: Report) -> list[str]:
    """The network's summary, below its heading, where there is one."""
    if not report.network:
        return []
    return ["Network", *(f"  {plain(line, 400)}" for line in network_lines(report.network))]


def recognised_lines(report: Report) -> list[str]:
    """What was recognised, below its heading."""
    return ["Recognised", f"  {', '.join(report.recognised) or 'nothing'}"]


def problems_first(report: Report) -> tuple[list[Finding], list[Finding]]:
    """The findings that may be the cause, likeliest first, and what was merely observed.

    What a quiet guest did is not a mere observation where the boot did not come out well.
    """
    hung = report.analysis.boot_result is not BootResult.SUCCESS
    facts = [
        one for one in report.findings if one.severity is Severity.INFO and not (hung and one.kind in QUIET)
    ]
    return [one for one in ranked(report.findings, report.analysis) if one not in facts], facts


def iso_rows(iso: IsoFacts) -> list[tuple[str, str]]:
    """What the ISO is, by label; only what is known."""
    named = f" (by {iso.named_by})" if iso.named_by else ""
    rows = [
        ("System", f"{iso.distribution} {iso.version}".strip() + named if iso.distribution else ""),
        ("Volume", iso.volume_id),
        ("Created", iso.created_utc.replace("T", " ").replace("Z", " UTC")),
        ("Size", f"{iso.size_bytes / 1e6:.1f} MB ({iso.size_bytes} bytes)"),
        ("SHA-256", iso.sha256),
    ]
    return [(name, value) for name, value in rows if value]


def _cleaned(iso: IsoFacts) -> IsoFacts:
    texts = {
        name: plain(str(getattr(iso, name)), 120)
        for name in IsoFacts.__struct_fields__
        if name != "size_bytes"
    }
    return msgspec.structs.replace(iso, **texts)


def quoted(report: Report, *, channels: int | None = None) -> list[str]:
    """The last lines of each channel, or of as many, with a heading each; or a note for a silent guest."""
    if not report.last_words:
        return ["", "Last lines", "  | nothing was seen on any channel"]
    lines: list[str] = []
    for quote in report.last_words[:channels]:
        which = "Lines around the failure, of" if quote.at_failure else "Last lines of"
        lines += ["", f"{which} {_CHANNELS.get(quote.channel, quote.channel)}"]
        lines += [f"  | {plain(line, 200)}" for line in quote.lines]
    return lines


SOURCE_WORDS: Final[dict[Source, str]] = {
    Source.SERIAL: "serial console",
    Source.KERNEL: "kernel log",
    Source.FIRMWARE: "firmware log",
    Source.PROCESS: "processes",
    Source.QMP: "QEMU",
    Source.HARNESS: "recorder",
}
"""The channels in words, where those differ from their own."""

_CHANNELS: Final = {
    Source.SERIAL: "serial",
    Source.KERNEL: "the kernel log (from memory)",
    Source.SCREEN: "the screen",
    Source.FIRMWARE: "the firmware log",
}


def _headline(analysis: Analysis) -> str:
    result, stage = analysis.boot_result, analysis.boot_stage_final
    seconds = f" after {analysis.boot_duration_ms / 1000:.1f} s" if analysis.boot_duration_ms else ""
    plain_domain = analysis.failure_domain.value in (FailureDomain.NONE.value, stage.value)
    domain = "" if plain_domain else f" ({analysis.failure_domain})"
    head = {
        BootResult.SUCCESS: f"Success: {stage}{seconds}",
        BootResult.FAILURE: f"Failure at {stage}{domain}{seconds}",
        BootResult.INCOMPLETE: f"Incomplete at {stage}{seconds}",
        BootResult.NO_SERIAL: "Nothing was seen",
    }[result]
    return f"{head}: {analysis.cause}" if analysis.cause else head


def _duration_ms(judge: Judge, verdict: Verdict, facts: ReportFacts) -> int:
    seconds = verdict.seconds
    if seconds is None:
        seconds = judge.last_t or facts.recording_s or judge.last_kernel_s or 0.0
    return _milliseconds(seconds)


def _milliseconds(seconds: float) -> int:
    return int(max(0.0, min(seconds, _MAX_SECONDS)) * 1000)


def _shown_marks(judge: Judge) -> list[Mark]:
    """The ladder of the attempt of the verdict: the last, or the best if that one had no time."""
    if judge.attempt.marks and not judge.progress.loop:
        return judge.attempt.marks
    return max(
        (attempt.marks for attempt in judge.progress.attempts),
        key=lambda marks: marks[-1].stage.rank if marks else 0,
    )


def _ladder(marks: list[Mark]) -> list[StageReached]:
    out: list[StageReached] = []
    before: float | None = None
    for mark in marks:
        t = round(mark.seconds, 3) if mark.seconds is not None else None
        delta = None if t is None else _milliseconds(t - (before or 0.0))
        out.append(StageReached(stage=mark.stage, t=t, delta_ms=delta, evidence=mark.evidence))
        before = t if t is not None else before
    return out


def _stage_line(stage: StageReached) -> str:
    at = "      -" if stage.t is None else f"{stage.t:7.2f}"
    delta = "" if stage.delta_ms is None else f"+{stage.delta_ms / 1000:.2f}"
    return f"  {stage.stage:<11}{at} s {delta:>8}  {_channel(stage.evidence)}: {stage.evidence.text[:120]}"


def _phases(judge: Judge) -> list[Phase]:
    presence = judge.presence
    times = {mark.stage: mark.seconds for mark in _shown_marks(judge)}
    began_s, off = judge.attempt.stopping_s, judge.attempt.off
    shutdown = (began_s, off.seconds) if began_s is not None and off and off.seconds is not None else None
    return phases_of(
        times,
        kernel_began_s=presence.kernel_began_s,
        desktop=presence.desktop_span_s,
        shutdown=shutdown,
    )


def _phase_line(phase: Phase) -> str:
    return f"  {phase.name:<11}{phase.duration_ms / 1000:7.2f} s  from {phase.start_s:.2f} s"


def finding_line(finding: Finding) -> str:
    """A finding without its evidence."""
    times = f" ({finding.count} times)" if finding.count > 1 else ""
    return f"  {finding.severity:<8}{finding.kind}: {finding.summary}{times}"


def finding_lines(finding: Finding) -> list[str]:
    """A finding, and its evidence below it."""
    return [finding_line(finding)] + [
        f"            {_when(evidence)}{_channel(evidence)}: {evidence.text[:160]}"
        for evidence in finding.evidence
    ]


def _when(evidence: Evidence) -> str:
    return f"{evidence.t:.2f} s, " if evidence.t is not None else ""


def _channel(evidence: Evidence) -> str:
    """Where it was seen, in words, and where to read on."""
    if evidence.event is None:
        return f"{evidence.file}, line {evidence.line}"
    source = evidence.source
    return f"{SOURCE_WORDS.get(source, source) if source else 'recording'} (event {evidence.event})"
