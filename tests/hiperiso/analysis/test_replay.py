"""Stored sessions judged again."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiperiso.analysis.judge import Expectation
from hiperiso.analysis.replay import analyze_dir
from hiperiso.analysis.report import parse_meta, render_meta, render_text, write_report
from hiperiso.contract.manifest import Analysis
from hiperiso.contract.report import Quote, Report
from hiperiso.contract.seriallog import clean_lines
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import BootResult, BootStage, EndReason, FailureDomain, Fault, Source
from hiperiso.errors import UsageError
from property_tests import examples

CORPUS = Path(__file__).parent / "corpus"
LINUX = b"[    0.000000] Linux version 6.1.0-30-amd64 (debian)\n"


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "demo_20260101T000000Z"
    path.mkdir()
    return path


def test_a_torn_last_line_and_damaged_lines_are_passed_over(session: Path) -> None:
    lines = (CORPUS / "busybox-login/events.jsonl").read_bytes().splitlines(keepends=True)
    lines.insert(5, b"{broken\n")
    lines.insert(9, b"\xff\xfe\x00\n")
    lines.insert(12, b'{"n":1,"t":"x","source":"serial","kind":"line"}\n')
    lines.insert(14, b'{"n":1,"t":1,"source":"of the future","kind":"line"}\n')
    lines.insert(15, b"[" * 100_000 + b"\n")
    (session / "events.jsonl").write_bytes(b"".join(lines) + b'{"n": 99999, "t": 3')
    report = analyze_dir(session)
    assert report.analysis.boot_result is BootResult.SUCCESS
    assert report.analysis.boot_stage_final is BootStage.LOGIN


def test_evidence_names_the_event(session: Path) -> None:
    shutil.copy(CORPUS / "init-exits/events.jsonl", session)
    report = analyze_dir(session)
    numbers = {event.n: event for event in StoredSession(session).events()}
    panic = next(finding for finding in report.findings if finding.kind == "kernel_panic")
    for evidence in [*panic.evidence, *(stage.evidence for stage in report.stages)]:
        assert evidence.event is not None
        assert evidence.text in numbers[evidence.event].text
    assert "Attempted to kill init" in panic.evidence[0].text


def test_evidence_names_file_and_line_without_events(session: Path) -> None:
    shutil.copy(CORPUS / "foreign-init-exits/serial.log", session)
    rows = (session / "serial.log").read_text().splitlines()
    report = analyze_dir(session)
    for evidence in (finding.evidence[0] for finding in report.findings):
        assert evidence.file == "serial.log"
        assert evidence.line is not None
        assert rows[evidence.line - 1].strip() == evidence.text


def test_line_numbers_hold_over_reads_of_any_size(session: Path) -> None:
    log = session / "serial.log"
    log.write_bytes(b"".join(b"%d %s\r\n" % (n, b"x" * (n % 300)) for n in range(1, 5000)))
    for row in clean_lines(log):
        assert row.text.split()[0] == str(row.line)


def test_the_expectation_is_read_back(session: Path) -> None:
    (session / "serial.log").write_bytes(LINUX + b"work done\n")
    assert analyze_dir(session).analysis.boot_result is BootResult.INCOMPLETE
    (session / "env.txt").write_text(
        "[config]\nram_mb: 1024\nexpect: None\nexpect_text: work.done\n\n[config origins]\nexpect_text: --expect-text\n"
    )
    assert analyze_dir(session).end_reason is EndReason.EXPECTED_TEXT
    (session / "env.txt").write_text("[kvm]\nexpect: login\n\n[config]\nexpect: kernel\nexpect_text: None\n")
    assert analyze_dir(session).analysis.boot_result is BootResult.SUCCESS
    (session / "env.txt").write_text("[config]\nexpect: nonsense\nexpect_text: (((\n")
    assert analyze_dir(session).analysis.boot_result is BootResult.INCOMPLETE
    assert analyze_dir(session, Expectation(text="work")).end_reason is EndReason.EXPECTED_TEXT


def test_the_end_of_a_manifest_is_used_without_an_event(session: Path) -> None:
    (session / "serial.log").write_bytes(LINUX)
    (session / "session.json").write_text('{"session_id": "a", "end_reason": "interrupted"}')
    assert analyze_dir(session).end_reason is EndReason.INTERRUPTED
    (session / "session.json").write_text('{"session_id": "a", "qemu_exit_code": 124}')
    assert analyze_dir(session).end_reason is EndReason.TIMEOUT
    (session / "session.json").write_text("not json at all")
    assert analyze_dir(session).end_reason is None


def test_faults_of_another_recorder(session: Path) -> None:
    (session / "session.json").write_text('{"session_id": "a"}')
    (session / "status.json").write_text('{"status": "failed", "stage": "iso_not_found"}')
    analysis = analyze_dir(session).analysis
    assert (analysis.boot_result, analysis.fault) == (BootResult.INCOMPLETE, Fault.HARNESS)
    (session / "status.json").unlink()
    (session / "session.json").write_text('{"session_id": "a", "qemu_exit_code": 1}')
    assert analyze_dir(session).analysis.fault is Fault.HARNESS
    (session / "serial.log").write_bytes(LINUX + b"debian login: ")
    assert analyze_dir(session).analysis.boot_result is BootResult.SUCCESS


def test_a_log_that_ends_within_a_line(session: Path) -> None:
    (session / "serial.log").write_bytes(LINUX + b"[    1.0] Kernel panic - not syncing: VFS: Unable to mo")
    assert analyze_dir(session).analysis.kernel_panic_count == 1


def test_duration_from_timing_without_another_source(session: Path) -> None:
    (session / "serial.log").write_bytes(b"hello\n")
    (session / "timing.dat").write_text(
        "kvm_ok\t9.0\tx\nlaunching_qemu\t10.5\tx\njunk\nqemu_exited\t42.0\tx\ntorn\t4"
    )
    assert analyze_dir(session).analysis.boot_duration_ms == 31_500


def test_duration_from_the_kernels_clock(session: Path) -> None:
    (session / "serial.log").write_bytes(LINUX + b"[   12.345678] x\ndebian login: ")
    assert analyze_dir(session).analysis.boot_duration_ms == 12_345


def test_judging_again_gives_the_same(session: Path) -> None:
    shutil.copy(CORPUS / "installer-serial/events.jsonl", session)
    first = analyze_dir(session)
    write_report(session, first)
    second = analyze_dir(session)
    assert msgspec.structs.replace(second, generated_utc=first.generated_utc) == first


def test_what_is_written_is_read_back(session: Path) -> None:
    shutil.copy(CORPUS / "grub-missing-kernel/events.jsonl", session)
    words = [Quote(channel=Source.SCREEN, lines=["last", "\x1b[31mlines"])]
    report = msgspec.structs.replace(analyze_dir(session), last_words=words)
    write_report(session, report)
    assert msgspec.json.decode((session / "report.json").read_bytes(), type=Report) == report
    assert parse_meta((session / "analysis.meta").read_text()) == report.analysis
    text = (session / "report.txt").read_text()
    assert report.headline in text
    assert "/boot/vmlinuz-missing" in text
    assert "\x1b" not in text
    assert sorted(p.name for p in session.iterdir()) == [
        "analysis.meta",
        "events.jsonl",
        "report.json",
        "report.txt",
    ]


@pytest.mark.parametrize("files", [[], ["readme.txt"]])
def test_a_directory_of_something_else_is_refused(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        (tmp_path / name).write_text("x")
    with pytest.raises(UsageError, match="not a session directory"):
        analyze_dir(tmp_path)
    with pytest.raises(UsageError, match="no such directory"):
        analyze_dir(tmp_path / "gone")


@given(st.lists(st.binary(max_size=200), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))
def test_any_bytes_get_a_verdict(session: Path, rows: list[bytes]) -> None:
    for name in ("serial.log", "events.jsonl", "session.json", "timing.dat", "env.txt"):
        (session / name).write_bytes(b"\n".join(rows))
    report = analyze_dir(session)
    assert render_text(report)
    assert parse_meta(render_meta(report.analysis)) == report.analysis


PLAIN = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x17F, exclude_characters="\x7f"), max_size=60
)


@given(
    PLAIN,
    st.sampled_from(list(BootResult)),
    st.sampled_from(list(FailureDomain)),
    st.sampled_from(list(Fault)),
)
def test_meta_round_trip(cause: str, result: BootResult, domain: FailureDomain, fault: Fault) -> None:
    analysis = Analysis(
        boot_result=result, boot_stage_final=BootStage.LOGIN, failure_domain=domain, reached_login=1,
        kernel_panic_count=2, error_count=3, has_serial=1, has_trace=0, boot_duration_ms=4, fault=fault,
        graphics_drivers="i915,virtio_gpu", graphics_resolution="1024x768", cause=cause,
    )  # fmt: skip
    text = render_meta(analysis)
    assert len(text.splitlines()) == len(Analysis.__struct_fields__)
    again = parse_meta(text)
    assert msgspec.structs.replace(again, cause="") == msgspec.structs.replace(analysis, cause="")


def test_a_bad_meta_is_refused() -> None:
    with pytest.raises(ValueError, match=r"analysis\.meta"):
        parse_meta("boot_result=success\n")
    with pytest.raises(ValueError, match=r"analysis\.meta"):
        parse_meta(render_meta(analyze_dir(CORPUS / "no-root").analysis).replace("=failure", "=maybe"))
