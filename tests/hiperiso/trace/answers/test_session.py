"""The answers of a stored session, and its reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hiperiso.analysis.cli import main
from hiperiso.contract import files
from hiperiso.contract.eventdata import StartData
from hiperiso.contract.events import QemuStarted, RecordingEnded
from hiperiso.contract.report import Phase
from hiperiso.contract.words import EndReason
from hiperiso.session.eventlog import EventLog
from hiperiso.trace.answers import answers_of_session

from .lines import DECLARED, Guest

BEGAN_S = 1_700_000_000 - 10.0  # the trace's first record is ten seconds later


@pytest.fixture
def session(tmp_path: Path) -> Path:
    guest = Guest()
    guest.boots()
    for _ in range(4000):
        guest.read("ahci", 0xFEBD5128, 0)
    log = EventLog(tmp_path)
    log.emit(QemuStarted(t=0.0, data=StartData(wall_s=BEGAN_S)))
    log.emit(RecordingEnded(t=14.1, text=EndReason.TIMEOUT))
    log.close()
    (tmp_path / files.SESSION_JSON).write_text(json.dumps({"trace_level": "detailed"}))
    (tmp_path / files.TRACE_FORMATS).write_text(
        "\n".join(["# wall clock ahead by 0.000000 s", *DECLARED, ""])
    )
    (tmp_path / files.TRACE_LOG).write_text("".join(guest.lines))
    return tmp_path


def test_times_are_those_of_the_session(session: Path) -> None:
    phases = [Phase(name="firmware", start_s=0.0, duration_ms=12_000)]
    answers = answers_of_session(session, phases=phases)
    assert answers and answers.complete
    assert answers.first_s == pytest.approx(10.0, abs=0.001)
    (ahci,) = [row for row in answers.devices if row.device == "AHCI"]
    assert ahci.phases == {"firmware": pytest.approx(1995, abs=10), "after": pytest.approx(2006, abs=10)}
    assert answers.suspect and answers.suspect.since_s == pytest.approx(10.01, abs=0.01)
    assert any("PIT" in ports for ports in answers.unseen)


def test_a_success_has_no_suspect_and_a_budget_ends_the_reading(session: Path) -> None:
    successful = answers_of_session(session, success=True)
    assert successful and successful.suspect is None and successful.talking_to == "AHCI"
    seconds = iter(range(1000))
    short = answers_of_session(session, budget_s=1.0, clock=lambda: float(next(seconds)))
    assert short and not short.complete and short.suspect is None


def test_a_damaged_trace_gives_the_answers_of_its_beginning(session: Path) -> None:
    assert main(["analyze", "--no-exit-code", str(session)]) == 0
    whole = answers_of_session(session)
    (session / files.TRACE_BIN).write_bytes((session / files.TRACE_LOG).read_bytes()[:0] + b"\xff" * 40)
    damaged = answers_of_session(session)
    assert whole and whole.records > 4000
    assert damaged is None


def test_all_three_reports_have_the_section(session: Path) -> None:
    assert main(["analyze", "--no-exit-code", str(session)]) == 0
    report = json.loads((session / files.REPORT_JSON).read_text())
    assert report["trace"]["suspect"]["register"] == "port 0 PxSSTS (link status)"
    assert report["trace"]["pci"][0]["bars"][0]["address"] == "0xfebd5000"
    text = (session / files.REPORT_TXT).read_text()
    assert "stopped at  AHCI, port 0 PxSSTS (link status) at 0xfebd5128" in text
    assert "PCI 00:1f.2  8086:2922 ich9-ahci" in text
    page = (session / files.REPORT_HTML).read_text()
    assert 'id="trace"' in page and "port 0 PxSSTS (link status)" in page
