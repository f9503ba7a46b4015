"""The top of the page: what came of the boot, how far it got, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hiperiso.analysis.html.markup import Markup, tag
from hiperiso.analysis.html.recording import Recording, evidence_anchor
from hiperiso.analysis.phases import host_line
from hiperiso.analysis.report import SOURCE_WORDS, problems_first
from hiperiso.contract.report import Evidence, Finding, Report
from hiperiso.contract.words import BootResult, BootStage

_SIGNS: Final = {
    BootResult.SUCCESS: ("good", "✓"),
    BootResult.FAILURE: ("bad", "✕"),
    BootResult.INCOMPLETE: ("open", "…"),
    BootResult.NO_SERIAL: ("open", "…"),
}
_LADDER: Final = (
    BootStage.FIRMWARE,
    BootStage.BOOTLOADER,
    BootStage.KERNEL,
    BootStage.INITRAMFS,
    BootStage.USERSPACE,
    BootStage.LOGIN,
)
_MAX_FINDINGS: Final = 200


def banner(recording: Recording) -> Markup:
    """The verdict in one look."""
    report = recording.report
    if report is None:
        return tag(
            "section",
            tag("div", tag("span", "?", class_="sign", aria_hidden="true"), class_="sign-box"),
            tag(
                "div", tag("h1", "This session has not been evaluated"), tag("p", "There is no report.json.")
            ),
            class_="banner open",
            id="verdict",
        )
    tone, sign = _SIGNS[report.analysis.boot_result]
    word, rest = _first_word(report.headline)
    name = str(recording.manifest.get("iso_basename") or report.session_id)
    return tag(
        "section",
        tag("span", sign, class_="sign", aria_hidden="true"),
        tag(
            "div",
            tag("p", name, class_="iso"),
            tag("h1", tag("span", word, class_="word"), rest),
            tag("p", report.analysis.guest, class_="guest") if report.analysis.guest else None,
            _facts(recording, report),
        ),
        class_=f"banner {tone}",
        id="verdict",
    )


def _first_word(headline: str) -> tuple[str, str]:
    """The headline's first word, which names the result and is coloured, and the rest of it."""
    for end, letter in enumerate(headline):
        if not letter.isalpha():
            return headline[:end], headline[end:]
    return headline, ""


def _facts(recording: Recording, report: Report) -> Markup:
    manifest = recording.manifest
    accel = {"kvm": "KVM", "tcg": "emulated (TCG)"}.get(str(manifest.get("accel")), "")
    firmware = {"bios": "BIOS", "uefi": "UEFI"}.get(str(manifest.get("firmware")), "")
    ram, cpus = manifest.get("guest_ram_mb"), manifest.get("guest_cpus")
    iso = report.iso
    facts = [
        ("System", f"{iso.distribution} {iso.version}".strip() if iso else ""),
        ("Stage", report.analysis.boot_stage_final.value),
        ("Domain", report.analysis.failure_domain.value if report.analysis.failure_domain != "none" else ""),
        ("Fault", report.analysis.fault.value if report.analysis.fault != "none" else ""),
        (
            "Boot time",
            f"{report.analysis.boot_duration_ms / 1000:.1f} s" if report.analysis.boot_duration_ms else "",
        ),
        ("Recorded", f"{recording.end_s:.1f} s" if recording.end_s else ""),
        ("Ended because", (report.end_reason or "").replace("_", " ")),
        (
            "Machine",
            ", ".join(
                str(part)
                for part in (
                    f"{ram} MiB" if ram else "",
                    f"{cpus} CPU{'s' if cpus != 1 else ''}" if cpus else "",
                    firmware,
                    accel,
                )
                if part
            ),
        ),
        ("Started", str(manifest.get("start_time_utc") or "").replace("T", " ").replace("Z", " UTC")),
    ]
    return tag(
        "dl", *(tag("div", tag("dt", key), tag("dd", value)) for key, value in facts if value), class_="facts"
    )


def ladder(recording: Recording, report: Report) -> Markup:
    """The six rungs, with the time of each that was reached."""
    reached = {stage.stage: stage for stage in report.stages}
    if BootStage.INSTALLER in reached:
        reached.setdefault(BootStage.LOGIN, reached[BootStage.INSTALLER])
    failed = report.analysis.boot_result is BootResult.FAILURE
    top = max((stage.rank for stage in reached), default=0)
    rungs = []
    for stage in _LADDER:
        mark = reached.get(stage)
        name = mark.stage.value if mark else stage.value
        state = "reached" if mark else "passed" if stage.rank < top else "missing"
        if mark and stage.rank == top and failed:
            state = "last"
        body = [tag("span", name, class_="rung-name")]
        if mark is None:
            body.append(tag("span", "not seen" if state == "passed" else "not reached", class_="rung-time"))
        else:
            at = f"{mark.t:.2f} s" if mark.t is not None else "–"
            delta = f"+{mark.delta_ms / 1000:.2f} s" if mark.delta_ms is not None else ""
            body.append(tag("span", at, tag("small", delta), class_="rung-time"))
            body.append(_link(recording, mark.evidence))
        rungs.append(tag("li", *body, class_=f"rung {state} stage-{name}"))
    return tag("ol", *rungs, class_="ladder")


def phases(report: Report) -> Markup | None:
    """How long each phase took, with its place in the whole as a bar; and how busy the host was."""
    if not report.phases:
        return None
    whole_s = max(phase.start_s + phase.duration_ms / 1000 for phase in report.phases) or 1.0
    rows = [
        tag(
            "tr",
            tag("th", phase.name, scope="row"),
            tag("td", f"{phase.duration_ms / 1000:.2f} s", class_="number"),
            tag("td", f"from {phase.start_s:.2f} s", class_="number"),
            tag("td", _span(phase.start_s / whole_s, phase.duration_ms / 1000 / whole_s), class_="span"),
        )
        for phase in report.phases
    ]
    host = tag("p", host_line(report.host), class_="hint") if report.host else None
    return tag("div", tag("table", tag("tbody", *rows), class_="phases"), host)


def _span(start: float, share: float) -> Markup:
    rect = tag("rect", x=f"{start:.2%}", width=f"{max(share, 0.002):.2%}", y="0", height="100%")
    return tag("svg", rect, class_="bar", role="img", aria_hidden="true")


def findings(recording: Recording, report: Report) -> Markup | None:
    """What was found, the gravest first, with links to the lines it rests on; mere observations folded away."""
    if not report.findings:
        return None
    most = int(_MAX_FINDINGS * recording.scale)
    grave, mere = problems_first(report)
    problems = [_finding(recording, finding) for finding in grave[:most]]
    facts = [_finding(recording, finding) for finding in mere[: max(0, most - len(problems))]]
    left_out = len(report.findings) - most
    observations = f"{len(facts)} observation{'' if len(facts) == 1 else 's'}"
    return tag(
        "div",
        tag("ul", *problems, class_="findings") if problems else tag("p", "No warnings, no errors."),
        tag("details", tag("summary", observations), tag("ul", *facts)) if facts else None,
        tag("p", f"{left_out} more are in report.json.", class_="hint") if left_out > 0 else None,
    )


def steps(report: Report) -> Markup | None:
    """What a person can do about it, the likeliest first."""
    rows = [tag("li", *_with_commands(step)) for step in report.next_steps]
    return tag("ol", *rows, class_="steps") if rows else None


def _with_commands(step: str) -> Iterator[str]:
    """Its text, what stands in backquotes as code."""
    for number, part in enumerate(step.split("`")):
        yield tag("code", part) if number % 2 else part


def _finding(recording: Recording, finding: Finding) -> Markup:
    count = tag("small", f" ×{finding.count}") if finding.count > 1 else None
    links = (tag("li", _link(recording, item, channel=True)) for item in finding.evidence[:5])
    return tag(
        "li",
        tag("span", finding.severity, class_=f"badge {finding.severity}"),
        tag("div", tag("p", finding.summary[:600], count), tag("ul", *links, class_="evidence")),
        tag("code", finding.kind[:80]),
        class_="finding",
    )


def _link(recording: Recording, evidence: Evidence, *, channel: bool = False) -> Markup:
    """A link to the line on this page; where the page does not hold it, its words alone."""
    words = evidence.text[:300]
    anchor = evidence_anchor(recording, evidence)
    at = f"{evidence.t:.2f} s" if evidence.t is not None else f"line {evidence.line}" if evidence.line else ""
    if channel and evidence.source:
        at = f"{at}, {SOURCE_WORDS.get(evidence.source, evidence.source)}"
    parts = (tag("span", at, class_="at"), " ", words)
    if anchor is None:
        return tag("span", *parts, class_="to-line")
    return tag("a", *parts, href=f"#{anchor}", class_="to-line")
