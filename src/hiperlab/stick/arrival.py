"""Processes a session just copied from a stick: recovers, re-evaluates, checks against the contract, indexes."""

from __future__ import annotations

from pathlib import Path

from msgspec import UNSET

from hiperiso.contract import files
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import SessionStatus
from hiperiso.session.closing import judge_again, run_analyzer
from hiperiso.session.index import add_to_index
from hiperiso.session.record import SessionRecord
from hiperiso.session.recovery import recover_session


def recover_arrival(path: Path) -> list[str]:
    """Finalize a session whose recorder died, as failed and incomplete. Returns the problems."""
    recovered = recover_session(path, at_once=True)
    problems = [recovered.error] if recovered and recovered.error else []
    if not StoredSession(path).complete:
        return problems or ["its recorder died, and it could not be finalized"]
    return problems


def judge_arrival(path: Path) -> list[str]:
    """Evaluate it with the rules of this version. Returns the problems."""
    record = SessionRecord.of(StoredSession(path))
    problem = judge_again(record) if record else run_analyzer(path)
    return [problem] if problem else []


def check_session(path: Path) -> list[str]:
    """The deviations of a finished session from the contract, one line each."""
    session = StoredSession(path)
    problems = [f"{name} is missing" for name in files.GUARANTEED if not session.has(name)]
    manifest = session.manifest
    for name, document in ((files.STATUS_JSON, session.status), (files.SESSION_JSON, manifest)):
        if document is not None and document.session_id != path.name:
            problems.append(f"{name} is of the session {document.session_id!r}")
    problems += map(str, session.problems)
    if manifest is not None:
        missing = [name for name in _FINAL_FIELDS if getattr(manifest, name) is UNSET]
        if missing:
            problems.append(f"{files.SESSION_JSON} lacks {', '.join(missing)}")
        if manifest.status not in (SessionStatus.COMPLETE, SessionStatus.FAILED):
            problems.append(f"{files.SESSION_JSON} has the status {manifest.status}")
        if manifest.report_available == 1 and not session.has(files.REPORT_JSON):
            problems.append(f"{files.REPORT_JSON} is missing")
    return problems


def index_arrival(path: Path) -> list[str]:
    """Add it to the index of its log root. Returns the problems."""
    manifest = StoredSession(path).manifest
    if manifest is None:
        return [f"not in {files.INDEX_JSONL}: {files.SESSION_JSON} is not complete"]
    problem = add_to_index(path, manifest)
    return [problem] if problem else []


_FINAL_FIELDS = (
    "result",
    "end_time_utc",
    "qemu_exit_code",
    "report_available",
    "host",
    "analysis",
    "hw_inventory",
)
