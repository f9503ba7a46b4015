"""The end of a session: report, canonical manifest, index line, sentinel; the same after a crash.

Each step leaves valid files, and running it again completes what an earlier run began: a recorder killed anywhere in
here is finished by `hiperiso.session.recovery`.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from hiperiso.contract import files
from hiperiso.contract.manifest import Analysis, HwInventory, IndexLine, Manifest
from hiperiso.contract.naming import utc_now, utc_text
from hiperiso.contract.store import append_line, atomic_write, atomic_write_json, encode_json
from hiperiso.contract.words import (
    BootResult,
    BootStage,
    EndReason,
    FailureDomain,
    Fault,
    LifecycleStage,
    SessionStatus,
)
from hiperiso.session.directory import drop_ballast, write_status
from hiperiso.session.host import read_host
from hiperiso.session.timing import write_timing

ANALYZE_TIMEOUT_S = 120.0
_MAX_OUTPUT_BYTES = 1 << 20


@dataclass(frozen=True)
class Ending:
    """How the recording itself ended.

    Attributes:
        status: ``complete``, or ``failed`` where the recording did not run to its own end.
        stage: the last lifecycle stage: ``session_complete``, ``iso_not_found`` or ``fatal_error``.
        reason: why it ended.
        qemu_exit_code: QEMU's exit code, negative for a signal; None when QEMU never ran to an end.
        fault: one line, what failed on our side; empty when nothing did.
    """

    status: SessionStatus
    stage: LifecycleStage
    reason: EndReason
    qemu_exit_code: int | None = None
    fault: str = ""


def finalize_session(path: Path, started: Manifest, ending: Ending) -> Manifest:
    """Write everything that the contract wants at the end of the session in `path`, on success and on failure.

    Returns:
        The canonical manifest.

    Raises:
        OSError: the disk is full beyond what was kept in reserve, or gone.
    """
    drop_ballast(path)
    with contextlib.suppress(OSError):
        write_timing(path)
    analysis = _run_analysis(path)
    manifest = _canonical_manifest(path, started, ending, analysis)
    atomic_write_json(path / files.SESSION_JSON, manifest)
    close_session(path, manifest, ending.stage)
    return manifest


def close_session(path: Path, manifest: Manifest, stage: LifecycleStage) -> None:
    """The last steps, from a session.json that is already canonical: index line, status.json, sentinel.

    Raises:
        OSError: the disk is full or gone.
    """
    if manifest.result is BootResult.FAILURE or manifest.status is SessionStatus.FAILED:
        atomic_write(path / files.FAILURE_TXT, failure_text(manifest).encode(errors="backslashreplace"))
    append_to_index(path, manifest)
    write_status(path, manifest.status, stage, qemu_exit_code=manifest.qemu_exit_code)
    atomic_write(path / files.SESSION_COMPLETE, f"{manifest.status} {manifest.result}\n".encode())


def failure_text(manifest: Manifest) -> str:
    """FAILURE.txt: what failed, where, why, and where to read on."""
    analysis = manifest.analysis if isinstance(manifest.analysis, Analysis) else unknown_analysis()
    fault = manifest.fault_detail if isinstance(manifest.fault_detail, str) else ""
    return "\n".join(
        [
            f"ISO:            {manifest.iso_path}",
            f"Session:        {manifest.session_id}",
            f"Result:         {manifest.result}",
            f"Stage reached:  {analysis.boot_stage_final}",
            f"Failure domain: {analysis.failure_domain}",
            f"Fault:          {manifest.fault}",
            f"Cause:          {fault or analysis.cause or 'unknown'}",
            f"Ended because:  {manifest.end_reason}",
            "",
            f"The evidence is in {files.REPORT_TXT}, {files.EVENTS_JSONL} and {files.SERIAL_LOG} beside this file.",
            "",
        ]
    )


def append_to_index(path: Path, manifest: Manifest) -> None:
    """Append the session's line to index.jsonl of the log root, once, under a lock."""
    log_root = path.parent
    index = log_root / files.INDEX_JSONL
    if (path / files.SESSION_COMPLETE).exists() or _stands_in_index(index, manifest.session_id):
        return
    analysis = manifest.analysis
    assert isinstance(analysis, Analysis)
    values = {
        name: getattr(manifest, name) for name in IndexLine.__struct_fields__ if hasattr(manifest, name)
    }
    values |= {
        name: getattr(analysis, name) for name in IndexLine.__struct_fields__ if hasattr(analysis, name)
    }
    append_line(index, log_root / files.INDEX_LOCK, encode_json(IndexLine(**values)))


def unknown_analysis() -> Analysis:
    """The analysis of a session that could not be analysed."""
    return Analysis(
        boot_result=BootResult.INCOMPLETE,
        boot_stage_final=BootStage.UNKNOWN,
        failure_domain=FailureDomain.UNKNOWN,
        reached_login=0,
        kernel_panic_count=0,
        error_count=0,
        has_serial=0,
        has_trace=0,
        boot_duration_ms=0,
        fault=Fault.HARNESS,
        cause="the analysis failed: see report.log",
    )


def run_analyzer(path: Path) -> str:
    """Run ``hiperiso-log analyze`` in a process of its own: hostile guest output can stop it, not its caller.

    Its raw output goes into report.log (cut at 1 MB). Returns what went wrong in one line; empty when it ended well.
    """
    argv = [sys.executable, "-m", "hiperiso.analysis.cli", "analyze", str(path)]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ANALYZE_TIMEOUT_S,
            start_new_session=True,  # a second Ctrl-C must not cut the report short
            check=False,
        )
        output = done.stdout[:_MAX_OUTPUT_BYTES]
        ended = f"hiperiso-log analyze ended with {done.returncode}: see {files.REPORT_LOG}"
        problem = ended if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = f"hiperiso-log analyze did not finish: {error}"
        output = f"{problem}\n".encode()
    with contextlib.suppress(OSError):
        atomic_write(path / files.REPORT_LOG, output)
    return problem


def _run_analysis(path: Path) -> Analysis:
    from hiperiso.analysis.report import parse_meta  # brings the judge along

    run_analyzer(path)
    try:
        return parse_meta((path / files.ANALYSIS_META).read_text())
    except (OSError, ValueError):
        return unknown_analysis()


def _canonical_manifest(path: Path, started: Manifest, ending: Ending, analysis: Analysis) -> Manifest:
    hardware = sorted(entry.name for entry in (path / files.HW_DIR).glob("*") if entry.is_file())
    fault = Fault.HARNESS if ending.fault or ending.status is SessionStatus.FAILED else analysis.fault
    return replace(
        started,
        status=ending.status,
        result=analysis.boot_result,
        end_time_utc=utc_text(utc_now()),
        qemu_exit_code=ending.qemu_exit_code,
        report_available=int((path / files.REPORT_JSON).exists()),
        host=read_host(),
        analysis=analysis,
        hw_inventory=HwInventory(
            available=bool(hardware),
            files=",".join(hardware),
            has_timing=(path / files.TIMING_JSON).exists(),
            has_network_pcap=(path / files.NETWORK_PCAP).exists(),
        ),
        fault=fault,
        fault_detail=ending.fault or UNSET,
        end_reason=ending.reason,
    )


def _stands_in_index(index: Path, session_id: str) -> bool:
    """Whether a recorder killed between index and sentinel had already written its line; looks at the end only."""
    try:
        with index.open("rb") as file:
            file.seek(max(0, index.stat().st_size - (1 << 20)))
            return f'"session_id":"{session_id}"'.encode() in file.read()
    except OSError:
        return False
