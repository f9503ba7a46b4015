"""A session that has just arrived from a stick: recovered, judged again, checked against the contract, indexed."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from hiperiso.analysis.report import parse_meta
from hiperiso.contract import files
from hiperiso.contract.manifest import Analysis, Host, IndexLine
from hiperiso.contract.store import append_line, atomic_write, atomic_write_json
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import BootResult, SessionStatus
from hiperiso.session.finalize import failure_text, run_analyzer
from hiperiso.session.recovery import recover_orphans


def recover_session(path: Path) -> list[str]:
    """Finalize a session whose recorder died, as failed and incomplete. Returns what went wrong.

    The host that it names stays the one it ran on: what env.txt tells of it, or nothing.
    """
    (path / files.OWNER_LOCK).touch(
        mode=0o600
    )  # nobody holds it: says that this one is to be recovered at once
    host = _recorded_host(StoredSession(path))
    problems = [found.error for found in recover_orphans(path.parent) if found.path == path and found.error]
    if not (path / files.SESSION_COMPLETE).exists():
        return problems or ["its recorder died, and it could not be finalized"]
    manifest = StoredSession(path).manifest
    if manifest is not None:
        atomic_write_json(path / files.SESSION_JSON, replace(manifest, host=host))
    return problems


def judge_session(path: Path) -> list[str]:
    """Run ``hiperiso-log analyze`` on it, in a process of its own: what a guest wrote is hostile.

    The verdict goes into session.json, so that manifest and report never contradict each other.
    """
    problem = run_analyzer(path)
    if problem:
        return [problem]
    _take_verdict(path)
    return []


def check_session(path: Path) -> list[str]:
    """What of a finished session is not as the contract says, a line each."""
    session = StoredSession(path)
    problems = [f"{name} is missing" for name in files.GUARANTEED if not session.has(name)]
    manifest = session.manifest
    for name, document in ((files.STATUS_JSON, session.status), (files.SESSION_JSON, manifest)):
        if document is not None and document.session_id != path.name:
            problems.append(f"{name} is of the session {document.session_id!r}")
    problems += map(str, session.problems)
    if manifest is not None:
        missing = [name for name in _FINAL_FIELDS if getattr(manifest, name) is msgspec.UNSET]
        if missing:
            problems.append(f"{files.SESSION_JSON} lacks {', '.join(missing)}")
        if manifest.status not in (SessionStatus.COMPLETE, SessionStatus.FAILED):
            problems.append(f"{files.SESSION_JSON} has the status {manifest.status}")
        if manifest.report_available == 1 and not session.has(files.REPORT_JSON):
            problems.append(f"{files.REPORT_JSON} is missing")
    return problems


def index_session(path: Path) -> list[str]:
    """Append the session's line to index.jsonl of its log root, unless it stands there."""
    index = path.parent / files.INDEX_JSONL
    manifest = StoredSession(path).manifest
    if manifest is None or not isinstance(manifest.analysis, Analysis):
        return [f"not in {files.INDEX_JSONL}: {files.SESSION_JSON} is not complete"]
    if _stands_in(index, manifest.session_id):
        return []
    names = IndexLine.__struct_fields__
    values = {name: getattr(manifest, name) for name in names if hasattr(manifest, name)}
    values |= {name: getattr(manifest.analysis, name) for name in names if hasattr(manifest.analysis, name)}
    if lacking := [name for name in names if values.get(name, msgspec.UNSET) is msgspec.UNSET]:
        return [f"not in {files.INDEX_JSONL}: {files.SESSION_JSON} lacks {', '.join(lacking)}"]
    append_line(index, path.parent / files.INDEX_LOCK, msgspec.json.encode(IndexLine(**values)))
    return []


_FINAL_FIELDS = (
    "result",
    "end_time_utc",
    "qemu_exit_code",
    "report_available",
    "host",
    "analysis",
    "hw_inventory",
)


def _take_verdict(path: Path) -> None:
    """analysis.meta into session.json; keys that are not ours stay."""
    session = StoredSession(path)
    manifest, document = session.manifest, session.document
    try:
        analysis = parse_meta(session.text(files.ANALYSIS_META))
    except ValueError:
        return  # what cannot be read is reported by check_session
    if manifest is None:
        return
    verdict = {
        "analysis": msgspec.to_builtins(analysis),
        "result": str(analysis.boot_result),
        "report_available": 1,
    }
    if manifest.status is SessionStatus.COMPLETE and "fault" in document:
        verdict["fault"] = str(analysis.fault)
    if document | verdict != document:
        atomic_write_json(path / files.SESSION_JSON, document | verdict)
    failed = manifest.status is SessionStatus.FAILED or analysis.boot_result is BootResult.FAILURE
    judged = StoredSession(path).manifest
    if failed and judged is not None and not (path / files.FAILURE_TXT).exists():
        atomic_write(path / files.FAILURE_TXT, failure_text(judged).encode())
    elif not failed:
        (path / files.FAILURE_TXT).unlink(missing_ok=True)


def _recorded_host(session: StoredSession) -> Host:
    """The host as session.json or else env.txt says."""
    if session.manifest is not None and isinstance(session.manifest.host, Host):
        return session.manifest.host
    values: dict[str, str] = {}
    for section in session.environment.values():
        values = section | values

    def number(name: str) -> int:
        return int(values[name]) if values.get(name, "").isdecimal() else 0

    return Host(
        kernel_version=values.get("kernel_version", "unknown"),
        cpu_model=values.get("cpu_model", "unknown"),
        cpu_logical_cores=number("cpu_logical_cores"),
        total_ram_mb=number("total_ram_mb"),
        virt_supported=values.get("virt_supported") == "True",
    )


def _stands_in(index: Path, session_id: str) -> bool:
    wanted = f'"session_id":"{session_id}"'.encode()
    try:
        with index.open("rb") as lines:
            return any(wanted in line for line in lines)
    except OSError:
        return False
