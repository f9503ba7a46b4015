"""Traces that are limited, windowed and changed while the guest runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from commands import LOG_COMMANDS, run_command
from hiperiso.contract import files
from hiperiso.trace.show import TraceFile
from hiperlab.samples import build_sample
from integration.conftest import Boot, Booted, command, environment
from waiting import DEADLINE_S, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.boots]
LIMIT_MB = 4
FULL = ("--firmware", "bios", "--trace", "full", "--expect-text", "Run /init", "--timeout", "120")


def trace_events(session: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in (session / files.EVENTS_JSONL).read_text().splitlines()]
    return [(row["kind"], row["text"]) for row in rows if row["source"] == "trace"]


def written_mb(booted: Booted) -> float:
    names = (files.TRACE_LOG, files.TRACE_BIN)
    path = next(booted.session / name for name in names if (booted.session / name).exists())
    return path.stat().st_size / (1 << 20)


@pytest.mark.parametrize("keep", ["first", "last"])
def test_a_trace_stays_near_its_limit(boot: Boot, keep: str) -> None:
    booted = boot(build_sample("login-serial"), *FULL, "--trace-limit", str(LIMIT_MB), "--trace-keep", keep)
    assert booted.exit_code == 0
    assert booted.manifest["trace_limited"] == keep
    assert trace_events(booted.session) == [("limited", keep)]
    assert LIMIT_MB / 2 <= written_mb(booted) < 3 * LIMIT_MB  # checked four times a second
    report = json.loads((booted.session / files.REPORT_JSON).read_text())
    ended_s = report["analysis"]["boot_duration_ms"] / 1000
    if keep == "first":
        assert report["trace"]["first_s"] < 2 < ended_s - report["trace"]["last_s"]
    else:
        assert report["trace"]["first_s"] > 2 > ended_s - report["trace"]["last_s"]


def test_a_window_has_the_full_tier(boot: Boot) -> None:
    booted = boot(build_sample("login-serial"), *FULL, "--trace-from", "kernel", "--trace-until", "Memory:")
    assert booted.exit_code == 0
    assert trace_events(booted.session) == [("tier", "full"), ("tier", "standard")]
    trace = TraceFile(booted.session)
    rows = {row.event: row for row in trace.summary().events}
    full, disk = rows["memory_region_ops_read"], rows["blk_co_preadv"]
    assert disk.first_s < 1 < full.first_s < full.last_s


def test_the_tier_of_a_running_boot_is_changed(tmp_path: Path) -> None:
    argv = command("boot", build_sample("memtest"), "--firmware", "bios", "--expect-text", "never printed")
    argv += ["--timeout", "300", "--log-root", str(tmp_path), "--json"]
    with subprocess.Popen(argv, env=environment(), stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: any(tmp_path.glob("*/serial.log")), "no session", deadline_s=DEADLINE_S)
            (session,) = (path.parent for path in tmp_path.glob("*/serial.log"))
            assert run_command("trace", session, "--tier", "full", module=LOG_COMMANDS).returncode == 0
            log = session / files.TRACE_LOG
            wait_until(lambda: b"memory_region_ops" in log.read_bytes(), "the tier", deadline_s=DEADLINE_S)
        finally:
            process.terminate()
    assert trace_events(session) == [("tier", "full")]
    assert (session / files.SESSION_COMPLETE).is_file()
