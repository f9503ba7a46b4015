"""What a report advises, and whom it quotes."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import msgspec
import pytest

from hiperiso.analysis.lastwords import QUOTED_LINES, LastWords
from hiperiso.analysis.nextsteps import MAX_STEPS, NEXT_STEP, PLACEHOLDERS, QUIET, next_steps
from hiperiso.analysis.replay import analyze_dir
from hiperiso.analysis.report import render_text
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.report import Finding
from hiperiso.contract.settings import ROWS
from hiperiso.contract.words import BootResult, FindingKind, Severity, Source

CORPUS = Path(__file__).parent / "corpus"
RECORDINGS = sorted(path.parent.name for path in CORPUS.glob("*/events.jsonl"))


def test_every_kind_that_is_more_than_information_has_its_step() -> None:
    grave = {kind for kind in FindingKind if set(kind.severities) != {Severity.INFO}}
    without = grave - set(NEXT_STEP) - {FindingKind.IO_WARNING, FindingKind.PROGRAM_TRAP}
    assert without == set()
    assert set(QUIET) <= set(NEXT_STEP)


@pytest.mark.parametrize("kind", sorted(NEXT_STEP))
def test_a_step_names_only_what_there_is(kind: FindingKind) -> None:
    step = NEXT_STEP[kind]
    fields = {name for _, name, _, _ in Formatter().parse(step) if name}
    assert fields <= set(PLACEHOLDERS)
    flags = {row.flag for row in ROWS.values()}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", step)) <= flags
    assert step[0].islower() or step[0] == "`"


@pytest.mark.parametrize("recording", RECORDINGS)
def test_real_recordings(recording: str) -> None:
    """A boot that went wrong gets a step, a boot that went well none; and who spoke is quoted."""
    report = analyze_dir(CORPUS / recording)
    if report.analysis.boot_result is BootResult.SUCCESS:
        assert report.next_steps == []
    else:
        assert 1 <= len(report.next_steps) <= MAX_STEPS
    assert not any("{" in step for step in report.next_steps)
    text = render_text(report)
    for quote in report.last_words:
        assert 1 <= len(quote.lines) <= QUOTED_LINES
        assert f"  | {quote.lines[-1][:150]}" in text


def test_the_cause_comes_first() -> None:
    report = analyze_dir(CORPUS / "grub-missing-kernel")
    findings = [
        Finding(kind=FindingKind.SEGFAULT, severity=Severity.WARNING, summary="x crashed"),
        Finding(kind=FindingKind.KERNEL_PANIC, severity=Severity.FATAL, summary="a panic"),
        Finding(kind=FindingKind.INITRAMFS_CORRUPT, severity=Severity.ERROR, summary="the initramfs is cut"),
    ]
    analysis = msgspec.structs.replace(report.analysis, cause="the initramfs is cut; then a panic")
    steps = next_steps(findings, analysis, None, {"guest_ram_mb": 512, "iso_basename": "a\x1b[31m.iso"})
    assert "512 MB" in steps[0]
    assert "panic" in steps[1]
    assert not any("\x1b" in step for step in steps)


@pytest.mark.parametrize("manifest", [{}, {"guest_ram_mb": "much", "timeout_s": -1, "firmware": 7}])
def test_a_manifest_of_another_tool(manifest: dict[str, object]) -> None:
    report = analyze_dir(CORPUS / "no-root")
    assert next_steps(report.findings, report.analysis, report.end_reason, manifest)


def words(*spoken: tuple[float, Source, str, str]) -> list[tuple[str, list[str]]]:
    last = LastWords()
    for n, (t, source, kind, text) in enumerate(spoken):
        last.take(event_of(n, t, source, kind, text=text, data={}))
    return [(quote.channel.value, quote.lines) for quote in last.quotes()]


def test_a_silent_kernel_is_quoted_from_memory() -> None:
    loader = (1.0, Source.SERIAL, "line", "Booting `Debian'")
    kernel = [(5.0 + n, Source.KERNEL, "line", f"line {n}") for n in range(30)]
    quotes = words(loader, *kernel)
    assert quotes[0] == ("kernel", [f"line {n}" for n in range(20, 30)])
    assert quotes[1] == ("serial", ["Booting `Debian'"])


def test_a_kernel_that_prints_on_serial_is_quoted_once() -> None:
    assert words(
        (5.0, Source.SERIAL, "line", "panic"),
        (5.5, Source.KERNEL, "line", "panic"),
    ) == [("serial", ["panic"])]


def test_a_screen_a_prompt_and_the_firmware() -> None:
    assert words(
        (0.1, Source.FIRMWARE, "line", "SeaBIOS"),
        (1.0, Source.SERIAL, "partial", "boot: "),
        (9.0, Source.SCREEN, "text", "\n  No bootable device\n\n"),
    ) == [("screen", ["  No bootable device"]), ("serial", ["boot: "])]
    assert words((0.1, Source.FIRMWARE, "line", "SeaBIOS")) == [("firmware", ["SeaBIOS"])]
    assert words() == []
