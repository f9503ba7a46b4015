"""The end of a session: report, canonical manifest, FAILURE.txt, index line, status, sentinel.

The only writer of these, whether the session is ended by the recorder, by recovery after a crash, or by `stick
collect`, which re-evaluates what another machine recorded. Each step leaves valid files, and running it again completes
an earlier run: `hiperiso.session.recovery` finishes after a recorder killed at any point here.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

from msgspec import UNSET

from hiperiso.contract import files
from hiperiso.contract.manifest import Analysis, Host, HwInventory, Manifest
from hiperiso.contract.naming import utc_now, utc_text
from hiperiso.contract.report import Report
from hiperiso.contract.store import atomic_write
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import (
    BootResult,
    BootStage,
    FailureDomain,
    Fault,
    LifecycleStage,
    SessionStatus,
    TraceBin,
)
from hiperiso.session.directory import drop_ballast
from hiperiso.session.ending import Ending
from hiperiso.session.host import read_host
from hiperiso.session.index import add_to_index
from hiperiso.session.record import SessionRecord
from hiperiso.session.timing import write_timing
from hiperiso.text import printable
from hiperiso.trace.ring import join_ring

ANALYZE_TIMEOUT_S = 120.0
_MAX_OUTPUT_BYTES = 1 << 20


def finalize_session(record: SessionRecord, ending: Ending, *, host: Host | None = None) -> Manifest:
    """Write everything that the contract requires at the end of a session, on success and on failure.

    Args:
        record: the session.
        ending: how the recording ended.
        host: the machine that recorded it, if not this one.

    Returns:
        The canonical manifest.

    Raises:
        OSError: the disk is full in spite of the reserve, or gone.
    """
    path = record.path
    drop_ballast(path)
    with contextlib.suppress(OSError):
        write_timing(path)
    _make_trace(record)
    with contextlib.suppress(OSError):  # the report names what is known; a full disk shows itself below
        record.write()
    analysis = _run_analysis(path)
    record.note(**_canonical_facts(StoredSession(path), ending, analysis), host=host or read_host())
    record.write()
    close_session(record, ending.stage)
    return record.manifest


def announce_session(record: SessionRecord, ending: Ending) -> Manifest:
    """Write the verdict on a guest that is left running: report, manifest, FAILURE.txt. Its status stays ``running``.

    Raises:
        OSError: the disk is full or gone.
    """
    path = record.path
    with contextlib.suppress(OSError):
        write_timing(path)
    record.write()
    analysis = _run_analysis(path)
    facts = _canonical_facts(StoredSession(path), ending, analysis)
    record.note(**facts | {"status": SessionStatus.RUNNING, "end_time_utc": UNSET}, host=read_host())
    record.write()
    write_failure(path, record.manifest)
    return record.manifest


def close_session(record: SessionRecord, stage: LifecycleStage) -> None:
    """The last steps, after session.json is canonical: index line, status.json, sentinel.

    Raises:
        OSError: the disk is full or gone.
    """
    manifest = record.manifest
    write_failure(record.path, manifest)
    add_to_index(record.path, manifest)
    code = None if manifest.qemu_exit_code is UNSET else manifest.qemu_exit_code
    record.reach(stage, status=manifest.status, qemu_exit_code=code)
    sentinel = f"{manifest.status} {manifest.result}\n"
    atomic_write(record.path / files.SESSION_COMPLETE, sentinel.encode())


def _make_trace(record: SessionRecord) -> None:
    """The ``trace.bin`` of a session whose QEMU has written text; without it the session is whole all the same."""
    with contextlib.suppress(OSError):
        for name in (files.TRACE_BIN, files.TRACE_LOG):
            join_ring(record.path / name)
    if (record.path / files.TRACE_BIN).is_file() and not (record.path / files.TRACE_LOG).is_file():
        record.note(trace_bin=TraceBin.RECORDED)
        return
    try:
        from hiperiso.trace.binary import make_binary  # only now: a recording starts without it

        deferred = make_binary(record.path)
    except OSError:
        deferred = True
    if deferred:
        record.note(trace_bin=TraceBin.DEFERRED)
    elif (record.path / files.TRACE_BIN).is_file():
        record.note(trace_bin=TraceBin.MADE)


def judge_again(record: SessionRecord) -> str:
    """Evaluate a session that has ended, and store the verdict in the manifest and FAILURE.txt.

    Returns:
        The problem in one line; empty on success.

    Raises:
        OSError: the disk is full or gone.
    """
    if problem := run_analyzer(record.path):
        return problem
    analysis = _analysis_of(record.path)
    if analysis is None:
        return f"{files.ANALYSIS_META} does not match the contract"
    record.note(analysis=analysis, result=analysis.boot_result, report_available=1)
    if record.manifest.status is SessionStatus.COMPLETE and record.manifest.fault is not UNSET:
        record.note(fault=analysis.fault)
    if record.manifest.trace_bin is TraceBin.DEFERRED and (record.path / files.TRACE_BIN).is_file():
        record.note(trace_bin=TraceBin.MADE)
    changed = record.write()
    write_failure(record.path, record.manifest, anew=changed)
    return ""


def write_failure(path: Path, manifest: Manifest, *, anew: bool = True) -> None:
    """FAILURE.txt of a failed session; removed for any other. An existing one is kept, unless `anew`.

    Raises:
        OSError: the disk is full or gone.
    """
    target = path / files.FAILURE_TXT
    if manifest.result is not BootResult.FAILURE and manifest.status is not SessionStatus.FAILED:
        target.unlink(missing_ok=True)
    elif anew or not target.exists():
        text = failure_text(manifest, StoredSession(path).report)
        atomic_write(target, text.encode(errors="backslashreplace"))


def failure_text(manifest: Manifest, report: Report | None = None) -> str:
    """FAILURE.txt: what failed, where, why, what to do, the last words of the guest, and where to read on."""
    analysis = manifest.analysis if isinstance(manifest.analysis, Analysis) else unknown_analysis()
    fault = manifest.fault_detail if isinstance(manifest.fault_detail, str) else ""
    return "\n".join(
        [
            f"ISO:            {_on_a_line(manifest.iso_path)}",
            f"Session:        {manifest.session_id}",
            f"Result:         {manifest.result}",
            f"Stage reached:  {analysis.boot_stage_final}",
            f"Failure domain: {analysis.failure_domain}",
            f"Fault:          {manifest.fault}",
            f"Cause:          {_on_a_line(fault or analysis.cause or 'unknown')}",
            f"Ended because:  {manifest.end_reason}",
            *_advice(report),
            "",
            f"The evidence is in {files.REPORT_TXT}, {files.EVENTS_JSONL} and {files.SERIAL_LOG} beside this file.",
            "",
        ]
    )


def _advice(report: Report | None) -> list[str]:
    if report is None:
        return []
    from hiperiso.analysis.report import quoted  # imports the judge

    steps = [f"  - {printable(step, 400)}" for step in report.next_steps]
    return [*(["", "What to do next", *steps] if steps else []), *quoted(report)]


def _on_a_line(text: str) -> str:
    """Nothing that acts on a terminal; bytes of a file name that are no UTF-8 stay to be seen."""
    return printable(text.encode(errors="backslashreplace").decode(), 4096)


def unknown_analysis() -> Analysis:
    """The placeholder analysis of a session that could not be analysed."""
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
    """Run ``hiperiso-log analyze`` in a process of its own: hostile guest output can crash it, but not its caller.

    Its raw output goes into report.log (cut at 1 MB). Returns the problem in one line; empty on success.
    """
    argv = [sys.executable, "-m", "hiperiso.analysis.cli", "analyze", "--no-exit-code", "--", str(path)]
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
    run_analyzer(path)
    return _analysis_of(path) or unknown_analysis()


def _analysis_of(path: Path) -> Analysis | None:
    from hiperiso.analysis.report import parse_meta  # imports the judge

    try:
        return parse_meta(StoredSession(path).text(files.ANALYSIS_META))
    except ValueError:
        return None


def _canonical_facts(session: StoredSession, ending: Ending, analysis: Analysis) -> dict[str, Any]:
    hardware = sorted(entry.name for entry in (session.path / files.HW_DIR).glob("*") if entry.is_file())
    report = session.report
    failed = bool(ending.fault) or ending.status is SessionStatus.FAILED
    return {
        "status": ending.status,
        "result": analysis.boot_result,
        "end_time_utc": utc_text(utc_now()),
        "qemu_exit_code": ending.qemu_exit_code,
        "report_available": int(session.has(files.REPORT_JSON)),
        "analysis": analysis,
        "hw_inventory": HwInventory(
            available=bool(hardware),
            files=",".join(hardware),
            has_timing=session.has(files.TIMING_JSON),
            has_network_pcap=session.has(files.NETWORK_PCAP),
        ),
        "fault": Fault.HARNESS if failed else analysis.fault,
        "fault_detail": ending.fault or UNSET,
        "end_reason": ending.reason,
        "trace_dropped": report.trace.lost if report and report.trace else UNSET,
    }
