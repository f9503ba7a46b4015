"""A stored session judged again: from events.jsonl, or from serial.log where another tool of the contract recorded.

Everything is streamed; memory stays bounded however large the files are. A torn last line and damaged lines are
passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from hiperiso import __version__
from hiperiso.analysis.harness import end_reason
from hiperiso.analysis.judge import Expectation, Judge
from hiperiso.analysis.report import ReportFacts, build_report
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract import files
from hiperiso.contract.events import Event
from hiperiso.contract.naming import utc_now, utc_text
from hiperiso.contract.report import Report
from hiperiso.contract.words import BootStage, EndReason, LifecycleStage, Source
from hiperiso.errors import UsageError
from hiperiso.text import TextCleaner

CHUNK_BYTES: Final = 1 << 18
MAX_EVENT_BYTES: Final = 1 << 22
_TIME_LIMIT_CODES: Final = (124, 137, 143, -9, -15)  # of timeout(1), and of the signals it sends
_FAULT_STAGES: Final = (LifecycleStage.ISO_NOT_FOUND, LifecycleStage.FATAL_ERROR)
_MAX_FILES: Final = 2000
_PLAN_WITHIN: Final = 200  # events; the plan is among the first
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
_MARKS: Final = (files.SESSION_JSON, files.STATUS_JSON, files.EVENTS_JSONL, files.SERIAL_LOG)


@dataclass(frozen=True)
class Replay:
    """A judged session directory: the report, and the judge for who wants to know more."""

    report: Report
    judge: Judge


def analyze_dir(path: Path, expectation: Expectation | None = None) -> Report:
    """Judge the session in a directory; nothing is written.

    Args:
        path: the session directory.
        expectation: what the boot should have reached; by default what the recording itself says.

    Raises:
        UsageError: no such directory, or nothing of a session in it.
        OSError: a file cannot be read.
    """
    return replay_dir(path, expectation).report


def replay_dir(path: Path, expectation: Expectation | None = None) -> Replay:
    """As ``analyze_dir``, with the judge."""
    check_session_dir(path)
    manifest = _json_object(path / files.SESSION_JSON)
    judge = Judge(expectation or _recorded_expectation(path) or Expectation())
    events = path / files.EVENTS_JSONL
    if _size(events):
        judge.feed_all(read_events(events))
    if not judge.channels and _size(path / files.SERIAL_LOG):
        judge.feed_all(serial_events(path / files.SERIAL_LOG))
    if not _size(events):
        for fault in _faults_of_manifest(path, manifest):
            judge.harness.blame(fault)
    verdict = verdict_of(
        judge, end_reason(str(manifest.get("end_reason", ""))) or _reason_from_exit(manifest)
    )
    facts = ReportFacts(
        session_id=str(manifest.get("session_id") or path.resolve().name)[:200],
        generated_utc=utc_text(utc_now()),
        version=__version__,
        files=_files(path),
        has_serial=_size(path / files.SERIAL_LOG) > 0 or Source.SERIAL in judge.channels,
        has_trace=any(_size(path / name) > 0 for name in (files.TRACE_BIN, files.TRACE_LOG)),
        recording_s=_recording_s(path),
    )
    return Replay(build_report(judge, verdict, facts), judge)


def check_session_dir(path: Path) -> None:
    """Raise UsageError, in one clear line, when a path is not a session directory."""
    if not path.exists():
        raise UsageError(f"no such directory: {path}")
    if not path.is_dir():
        raise UsageError(f"not a directory: {path}", hint=f"`hiperiso-log serial {path}` reads a serial log")
    if not any((path / name).is_file() for name in _MARKS):
        raise UsageError(
            f"not a session directory: {path}",
            hint=f"it holds none of {', '.join(_MARKS)}",
        )


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of an events.jsonl; lines that are none are skipped."""
    decoder = msgspec.json.Decoder(Event)
    with path.open("rb") as file:
        while line := file.readline(MAX_EVENT_BYTES):
            if line.strip():
                try:
                    yield decoder.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    continue


def serial_events(path: Path) -> Iterator[Event]:
    """Yield an event for each line of a serial.log; ``data`` holds ``file`` and ``line`` (from 1), t is 0."""
    number = 0
    for number, row in enumerate(clean_lines(path), start=1):
        data: dict[str, Any] = {"file": path.name, "line": row.line}
        for kind in ("line",) if row.whole else ("partial", "line"):
            yield Event(n=number - 1, t=0.0, source=Source.SERIAL, kind=kind, text=row.text, data=data)


@dataclass(frozen=True, slots=True)
class SerialRow:
    """A cleaned line, the number of the physical line it begins on (from 1), and whether it was finished."""

    text: str
    line: int
    whole: bool = True


def clean_lines(path: Path) -> Iterator[SerialRow]:
    """Yield the cleaned lines of a serial log, streamed."""
    with path.open("rb") as file:
        yield from _clean_stream(file)


def _clean_stream(file: BinaryIO) -> Iterator[SerialRow]:
    cleaner = TextCleaner()
    base = 0
    line_number = 1
    while chunk := file.read(CHUNK_BYTES):
        counted = base
        for text, offset in cleaner.feed(chunk):
            if offset > counted:
                line_number += chunk.count(b"\n", counted - base, offset - base)
                counted = offset
            yield SerialRow(text, line_number)
        line_number += chunk.count(b"\n", counted - base)
        base += len(chunk)
    for text, _ in cleaner.flush():
        yield SerialRow(text, line_number, whole=False)


def _json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none."""
    try:
        value = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _recorded_expectation(path: Path) -> Expectation | None:
    """What the recording was to reach: ``expect`` and ``expect_text`` of the plan event, else of env.txt."""
    told = _expectation_of_plan(path) or _expectation_of_environment(path)
    stage, text = told.get("expect"), told.get("expect_text")
    if text:
        try:
            re.compile(str(text))
        except (re.error, OverflowError, RecursionError):
            text = None
    if not stage and not text:
        return None
    return Expectation(BootStage(stage) if stage in set(BootStage) else None, str(text) if text else None)


def _expectation_of_plan(path: Path) -> dict[str, Any]:
    events = path / files.EVENTS_JSONL
    if _size(events):
        for event in islice(read_events(events), _PLAN_WITHIN):
            if (
                event.source is Source.HARNESS
                and event.kind in ("plan", "started")
                and "expect" in event.data
            ):
                return event.data
    return {}


def _expectation_of_environment(path: Path) -> dict[str, Any]:
    try:
        with (path / files.ENV_TXT).open(errors="replace") as file:
            rows = file.readlines(1 << 20)
    except OSError:
        return {}
    values: dict[str, Any] = {}
    section = ""
    for row in rows:
        key, colon, value = row.strip().partition(":")
        if row.startswith("["):
            section = row.strip()
        elif section == "[config]" and colon and key in ("expect", "expect_text"):
            values[key] = value.strip()
    return {key: value for key, value in values.items() if value not in ("", "None")}


def _reason_from_exit(manifest: dict[str, Any]) -> EndReason | None:
    """For sessions of other tools: a QEMU that was ended by a time limit exits with timeout(1)'s code."""
    return EndReason.TIMEOUT if manifest.get("qemu_exit_code") in _TIME_LIMIT_CODES else None


def _faults_of_manifest(path: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """For sessions of other tools: what status.json and the exit code say of the recorder's own failures."""
    stage = _json_object(path / files.STATUS_JSON).get("stage")
    if stage in _FAULT_STAGES:
        yield f"the recorder ended at {stage}"
    code = manifest.get("qemu_exit_code")
    if isinstance(code, int) and code != 0 and code not in _TIME_LIMIT_CODES:
        yield f"QEMU ended with exit code {code}"


def _recording_s(path: Path) -> float | None:
    """How long QEMU ran by timing.dat (phase, uptime, time; tab-separated), None when it does not say."""
    try:
        with (path / files.TIMING_DAT).open(errors="replace") as file:
            rows = [line.rstrip("\n").split("\t") for line in file.readlines(1 << 20)]
    except OSError:
        return None
    marks: list[tuple[str, float]] = []
    for row in rows:
        if len(row) >= 2:
            try:
                marks.append((row[0], float(row[1])))
            except ValueError:
                continue
    starts = [uptime for phase, uptime in marks if "launch" in phase]
    ends = [uptime for phase, uptime in marks if "exit" in phase]
    return max(ends[-1] - starts[0], 0.0) if starts and ends else None


def _files(path: Path) -> list[str]:
    """The evidence in a session directory: what was there before it was judged."""
    names = (p.relative_to(path).as_posix() for p in sorted(path.glob("**/*"))[:_MAX_FILES] if p.is_file())
    return [name for name in names if not name.startswith(".") and name not in _OWN_OUTPUT]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
