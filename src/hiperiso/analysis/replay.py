"""Re-evaluates a stored session: from events.jsonl, or from serial.log where another tool of the contract recorded.

Everything is streamed; memory stays bounded however large the files are. A torn last line and damaged lines are
skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from msgspec import UNSET

from hiperiso.analysis.harness import end_reason
from hiperiso.analysis.judge import Expectation, Judge
from hiperiso.analysis.logfeed import LogFeed
from hiperiso.analysis.report import ReportFacts, build_report
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract import files
from hiperiso.contract.events import MachinePlanned, QemuStarted
from hiperiso.contract.expected import Expected
from hiperiso.contract.naming import utc_now, utc_text
from hiperiso.contract.report import Report
from hiperiso.contract.stored import MARKS, StoredSession
from hiperiso.contract.words import EndReason, LifecycleStage, Source
from hiperiso.errors import UsageError
from hiperiso.version import __version__

_TIME_LIMIT_CODES: Final = (124, 137, 143, -9, -15)  # of timeout(1), and of the signals it sends
_FAULT_STAGES: Final = (LifecycleStage.ISO_NOT_FOUND, LifecycleStage.FATAL_ERROR)
_OWN_OUTPUT: Final = frozenset(
    {
        files.REPORT_JSON,
        files.REPORT_TXT,
        files.REPORT_HTML,
        files.REPORT_LOG,
        files.ANALYSIS_META,
        files.FAILURE_TXT,
        files.SESSION_COMPLETE,
        files.HEARTBEAT,
        files.OWNER_LOCK,
    }
)


@dataclass(frozen=True)
class Replay:
    """A judged session directory: the report, and the judge, for details."""

    report: Report
    judge: Judge


def analyze_dir(path: Path, expectation: Expectation | None = None) -> Report:
    """Evaluate the session in a directory; nothing is written.

    Args:
        path: the session directory.
        expectation: what the boot should have reached; by default as recorded.

    Raises:
        UsageError: no such directory, or nothing of a session in it.
        OSError: a file cannot be read.
    """
    return replay_dir(path, expectation).report


def replay_dir(path: Path, expectation: Expectation | None = None) -> Replay:
    """As ``analyze_dir``, with the judge."""
    check_session_dir(path)
    session = StoredSession(path)
    judge = Judge(expectation or _recorded_expectation(session) or Expectation())
    verdict = verdict_of(judge, _feed(judge, session))
    manifest = session.document
    facts = ReportFacts(
        session_id=str(manifest.get("session_id") or session.session_id)[:200],
        generated_utc=utc_text(utc_now()),
        version=__version__,
        files=[name for name in session.file_names() if name not in _OWN_OUTPUT],
        has_serial=session.size_bytes(files.SERIAL_LOG) > 0 or Source.SERIAL in judge.channels,
        has_trace=any(session.size_bytes(name) > 0 for name in (files.TRACE_BIN, files.TRACE_LOG)),
        recording_s=_recording_s(session.marks),
        notes=_notes_of_plan(session),
        iso=(session.manifest and session.manifest.iso) or None,
        network=session.network,
    )
    return Replay(build_report(judge, verdict, facts, manifest), judge)


def feed_session(judge: Judge, path: Path) -> EndReason | None:
    """Feed a judge with a stored session; returns why the recording ended, if the manifest has it."""
    return _feed(judge, StoredSession(path))


def _feed(judge: Judge, session: StoredSession) -> EndReason | None:
    recorded = session.size_bytes(files.EVENTS_JSONL)
    if recorded:
        judge.feed_all(session.events())
    if not judge.channels:
        feed = LogFeed(judge, files.SERIAL_LOG)
        for block in session.serial_blocks():
            feed.take(block)
    if not recorded:
        for fault in _recorder_faults(session):
            judge.harness.blame(fault)
    manifest = session.document
    return end_reason(str(manifest.get("end_reason", ""))) or _reason_from_exit(manifest)


def check_session_dir(path: Path) -> None:
    """Raise UsageError, in one clear line, when a path is not a session directory."""
    if not path.exists():
        raise UsageError(f"no such directory: {path}")
    if not path.is_dir():
        raise UsageError(f"not a directory: {path}", hint=f"`hiperiso-log serial {path}` reads a serial log")
    if not StoredSession(path).exists:
        raise UsageError(f"not a session directory: {path}", hint=f"it holds none of {', '.join(MARKS)}")


def _recorded_expectation(session: StoredSession) -> Expectation | None:
    """What the recording was to reach: ``expect`` and ``expect_text`` of the plan event, else of env.txt."""
    recorded = _expectation_of_plan(session) or _expectation_of_environment(session)
    words = re.split(r"[,\s]+", str(recorded.get("expect") or ""))
    wanted = tuple(Expected(word) for word in words if word in set(Expected))
    text = recorded.get("expect_text")
    if text:
        try:
            re.compile(str(text))
        except (re.error, OverflowError, RecursionError):
            text = None
    if not wanted and not text:
        return None
    return Expectation(wanted, str(text) if text else None)


def _expectation_of_plan(session: StoredSession) -> dict[str, Any]:
    for event in session.head:
        if isinstance(event, MachinePlanned | QemuStarted) and event.data.expect is not UNSET:
            return {"expect": event.data.expect, "expect_text": event.data.expect_text or None}
    return {}


def _notes_of_plan(session: StoredSession) -> tuple[str, ...]:
    planned = (event for event in session.head if isinstance(event, MachinePlanned))
    return tuple(note for event in planned for note in event.data.notes or ())


def _expectation_of_environment(session: StoredSession) -> dict[str, Any]:
    values = session.environment.get("config", {})
    return {
        name: values[name] for name in ("expect", "expect_text") if values.get(name) not in (None, "", "None")
    }


def _reason_from_exit(manifest: dict[str, Any]) -> EndReason | None:
    """For sessions of other tools: a QEMU that was ended by a time limit exits with timeout(1)'s code."""
    return EndReason.TIMEOUT if manifest.get("qemu_exit_code") in _TIME_LIMIT_CODES else None


def _recorder_faults(session: StoredSession) -> Iterator[str]:
    """For sessions of other tools: what status.json and the exit code say of the recorder's own failures."""
    stage = session.status_document.get("stage")
    if stage in _FAULT_STAGES:
        yield f"the recorder ended at {stage}"
    code = session.document.get("qemu_exit_code")
    if isinstance(code, int) and code != 0 and code not in _TIME_LIMIT_CODES:
        yield f"QEMU ended with exit code {code}"


def _recording_s(marks: list[tuple[str, float]]) -> float | None:
    """How long QEMU ran by timing.dat, None when it does not say."""
    starts = [uptime for phase, uptime in marks if "launch" in phase]
    ends = [uptime for phase, uptime in marks if "exit" in phase]
    return max(ends[-1] - starts[0], 0.0) if starts and ends else None
