"""What each rule matched in a log, which decided, and why the others did not: for authors of rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.logshape import shaped_rows
from hiperiso.analysis.replay import check_session_dir, feed_session
from hiperiso.analysis.signature import Hit, Signature
from hiperiso.analysis.verdict import considered, verdict_of
from hiperiso.contract.events import Event, StreamLine
from hiperiso.contract.seriallog import serial_events
from hiperiso.errors import UsageError
from hiperiso.text import plain

_SHOWN_LINES: Final = 3


@dataclass
class Seen:
    """One rule: how often it matched and counted, where at first, and why it did not count."""

    signature: Signature
    matched: int = 0
    counted: int = 0
    places: list[str] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    text: str = ""


@dataclass
class Explanation:
    """The rules in the order in which they matched, and the rules of the verdict, the deciding one last."""

    rules: list[Seen]
    considered: list[tuple[str, str]]
    judge: Judge


def explain(path: Path) -> Explanation:
    """Judge a serial log or a session, and keep what each rule matched.

    Raises:
        UsageError: neither of them.
        OSError: it cannot be read.
    """
    judge = Judge()
    seen: dict[int, Seen] = {}

    def witness(hit: Hit, event: Event, why_not: str) -> None:
        rule = seen.setdefault(id(hit.signature), Seen(hit.signature))
        rule.matched += 1
        rule.counted += not why_not
        if why_not:
            rule.reasons[why_not] = rule.reasons.get(why_not, 0) + 1
        if len(rule.places) < _SHOWN_LINES:
            rule.places.append(_place(event))
        rule.text = rule.text or event.text.strip()[:160]

    judge.witness = witness
    reason = None
    if path.is_dir():
        check_session_dir(path)
        reason = feed_session(judge, path)
    elif path.is_file():
        judge.feed_all(serial_events(path.name, shaped_rows(path, judge.attention)))
    else:
        raise UsageError(f"no such file or directory: {path}")
    verdict_of(judge, reason)
    return Explanation(list(seen.values()), list(considered(judge, reason)), judge)


def _place(event: Event) -> str:
    if isinstance(event, StreamLine) and event.data.line is not None:
        return f"line {event.data.line}"
    return f"event {event.n} ({event.source}, {event.t:.1f} s)"


def name_of(signature: Signature) -> str:
    """A rule as text."""
    return str(signature.kind or signature.family or signature.software or signature.stage or "stage")


def as_text(explanation: Explanation) -> Iterator[str]:
    """The text output, line by line."""
    for rule in explanation.rules:
        signature = rule.signature
        stage = f", stage {signature.stage}" if signature.stage else ""
        effect = f", {signature.effect}" if signature.effect != "none" else ""
        yield f"{name_of(signature)} ({signature.severity}{stage}{effect}): {rule.counted} of {rule.matched} counted"
        yield f"    at {', '.join(rule.places)}{' ...' if rule.matched > len(rule.places) else ''}"
        yield f"    read: {plain(rule.text, 160)}"
        for reason, count in rule.reasons.items():
            yield f"    not counted, {count} times: {reason}"
    yield ""
    for name, answer in explanation.considered:
        yield f"verdict rule {name}: {plain(answer, 300)}"


def as_object(explanation: Explanation) -> dict[str, Any]:
    """The JSON output."""
    return {
        "rules": [
            {
                "rule": name_of(rule.signature),
                "pattern": rule.signature.pattern,
                "severity": rule.signature.severity.value,
                "stage": rule.signature.stage.value if rule.signature.stage else None,
                "effect": rule.signature.effect.value,
                "matched": rule.matched,
                "counted": rule.counted,
                "places": rule.places,
                "text": plain(rule.text, 160),
                "not_counted": rule.reasons,
            }
            for rule in explanation.rules
        ],
        "verdict_rules": [{"rule": name, "answer": answer} for name, answer in explanation.considered],
    }
