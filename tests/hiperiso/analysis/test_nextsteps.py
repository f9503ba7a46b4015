"""What a report advises, and whom it quotes."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from string import Formatter

import msgspec
import pytest

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.lastwords import QUOTED_LINES, LastWords
from hiperiso.analysis.nextsteps import MAX_STEPS, NEXT_STEP, PLACEHOLDERS, QUIET, next_steps
from hiperiso.analysis.replay import analyze_dir
from hiperiso.analysis.report import problems_first, render_text
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract.eventdata import fault_data
from hiperiso.contract.eventlines import decode_event, encode_event, event_of
from hiperiso.contract.events import FaultReported
from hiperiso.contract.faults import FaultKind
from hiperiso.contract.report import Evidence, Finding, Report
from hiperiso.contract.settings import ROWS
from hiperiso.contract.words import BootResult, EndReason, Fault, FindingKind, Severity, Source
from hiperiso.errors import HarnessFault, HiperisoError, IsoError, write_fault

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


def test_a_loader_without_memory_is_given_more_and_its_menu_is_not_blamed() -> None:
    report = analyze_dir(CORPUS / "grub-missing-kernel")
    findings = [
        Finding(kind=FindingKind.BOOTLOADER_ERROR, severity=Severity.ERROR, summary="GRUB: out of memory"),
        Finding(
            kind=FindingKind.BOOTLOADER_FAILED, severity=Severity.FATAL, summary="GRUB had no kernel to boot"
        ),
    ]
    cause = "GRUB: out of memory; then GRUB had no kernel to boot"
    analysis = msgspec.structs.replace(report.analysis, cause=cause)
    steps = next_steps(findings, analysis, None, {"guest_ram_mb": 64, "iso_basename": "a.iso"})
    assert len(steps) == 1
    assert "64 MB" in steps[0] and "--ram 2048" in steps[0]
    assert [one.summary for one in problems_first(of_findings(report, findings, cause))[0]] == [
        "GRUB: out of memory",
        "GRUB had no kernel to boot",
    ]


def test_a_loader_that_missed_a_file_has_it_named_and_one_step() -> None:
    report = analyze_dir(CORPUS / "grub-missing-kernel")
    missing = next(one for one in report.findings if one.kind is FindingKind.BOOTLOADER_FILE_MISSING)
    assert missing.summary in report.next_steps[0]
    assert not any("correct the menu entry" in step for step in report.next_steps)


@pytest.mark.parametrize(("loader", "said"), [((), "El Torito"), (("Welcome to GRUB!",), "came back")])
def test_a_loader_that_came_back_is_the_one_to_look_at(loader: tuple[str, ...], said: str) -> None:
    judge = Judge()
    menu = 'BdsDxe: starting Boot0000 "UiApp" from Fv(7CB8BDC9)/FvFile(462CAA21)'
    for n, text in enumerate((*loader, menu)):
        judge.feed(event_of(n, float(n), Source.SERIAL, "line", text=text, data={}))
    verdict = verdict_of(judge, EndReason.NO_BOOTABLE_DEVICE)
    assert verdict.result is BootResult.FAILURE and "setup menu" in verdict.cause
    analysis = msgspec.structs.replace(
        analyze_dir(CORPUS / "no-root").analysis,
        cause=verdict.cause,
        boot_result=verdict.result,
        boot_stage_final=verdict.stage,
    )
    (step,) = next_steps(judge.findings, analysis, None, {"iso_basename": "a.iso"})
    assert said in step


def after(*texts: str) -> Judge:
    judge = Judge()
    for n, text in enumerate(
        ("[    1.0] Linux version 6.1.0", "[    2.0] Run /init as init process", *texts)
    ):
        judge.feed(event_of(n, float(n), Source.SERIAL, "line", text=text, data={}))
    return judge


@pytest.mark.parametrize(
    "ending",
    [
        "[    9.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
        "BusyBox v1.36.1 built-in shell (ash)\n(initramfs) ",
        "You are in emergency mode. After logging in, type journalctl -xb to view system logs",
    ],
)
def test_a_full_file_system_of_the_guest_is_the_cause(ending: str) -> None:
    judge = after("cp: error writing '/overlay/home/demo': No space left on device", *ending.split("\n"))
    verdict = verdict_of(judge, EndReason.TIMEOUT)
    assert "No space left on device" in verdict.cause
    analysis = msgspec.structs.replace(
        analyze_dir(CORPUS / "no-root").analysis, cause=verdict.cause, boot_result=verdict.result
    )
    assert "--disk" in next_steps(judge.findings, analysis, None, {"guest_ram_mb": 512})[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("BOOT_IMAGE=/vmlinuz root=/dev/sdz9 quiet", "root=/dev/sdz9 names what this machine has not"),
        ("BOOT_IMAGE=/vmlinuz quiet", "the kernel got no root="),
    ],
)
def test_a_missing_root_is_named(line: str, said: str) -> None:
    report = analyze_dir(CORPUS / "no-root")
    findings = [
        Finding(
            kind=FindingKind.KERNEL_COMMAND_LINE,
            severity=Severity.INFO,
            summary=f"kernel command line: {line}",
        ),
        Finding(kind=FindingKind.ROOT_UNMOUNTABLE, severity=Severity.ERROR, summary="no root"),
    ]
    assert said in next_steps(findings, report.analysis, None, {})[0]


@pytest.mark.parametrize(
    ("panic", "said"),
    [
        (
            "VFS: Unable to mount root fs on unknown-block(0,0)",
            "root=/dev/sdz9 names what this machine has not",
        ),
        ("No working init found.  Try passing init= option", "check /init and its interpreter"),
        ("Attempted to kill init! exitcode=0x00000100", "read what it printed before the panic"),
        ("System is deadlocked on memory", "--ram 2048"),
        ("sysrq triggered crash", "/proc/sysrq-trigger"),
        ("Fatal exception in interrupt", "the function that crashed"),
        ("stack-protector: Kernel stack is corrupted", "the first error there is the cause"),
    ],
)
def test_a_panic_has_the_step_for_what_it_says(panic: str, said: str) -> None:
    judge = after(
        "[    0.0] Kernel command line: BOOT_IMAGE=/vmlinuz root=/dev/sdz9",
        f"[    9.0] Kernel panic - not syncing: {panic}",
    )
    analysis = msgspec.structs.replace(
        analyze_dir(CORPUS / "no-root").analysis, cause=verdict_of(judge, EndReason.PANIC).cause
    )
    assert said in next_steps(judge.findings, analysis, None, {"guest_ram_mb": 64})[0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (write_fault("cannot write", OSError(errno.ENOSPC, "full")), "free some space"),
        (write_fault("cannot write", OSError(errno.EDQUOT, "much")), "free some space"),
        (write_fault("cannot write: No space left on device", OSError(errno.EIO, "")), "hiperiso doctor"),
        (IsoError("too short with 3 bytes: /x"), "download"),
        (IsoError("not an ISO: no such file", missing=True), "hiperiso doctor"),
        (IsoError("it cannot be read", hint="chmod a+r {x}"), "chmod a+r {x}"),
        (HarnessFault("QEMU was killed by signal 9"), "hiperiso doctor"),
    ],
)
def test_a_fault_of_this_machine_gets_its_own_step_alone(error: HiperisoError, said: str) -> None:
    """By its kind, whatever its words are; it survives the log."""
    judge = Judge()
    written = encode_event(FaultReported(n=0, t=0.0, text="some words", data=fault_data(error)))
    event = decode_event(written)
    assert event
    judge.feed(event)
    analysis = msgspec.structs.replace(
        analyze_dir(CORPUS / "no-root").analysis, fault=Fault.HARNESS, boot_result=BootResult.INCOMPLETE
    )
    (step,) = next_steps([], analysis, EndReason.HARNESS_FAULT, {}, judge.harness.about)
    assert said in step


def test_a_disk_that_the_host_has_no_room_for_is_the_cause() -> None:
    judge = Judge()
    judge.feed(event_of(0, 1.0, Source.SERIAL, "line", text="SeaBIOS (version 1.16.2)", data={}))
    data = {"device": "virtio0", "nospace": True}
    judge.feed(event_of(1, 2.0, Source.QMP, "event", text="BLOCK_IO_ERROR", data=data))
    verdict = verdict_of(judge)
    assert (verdict.fault, verdict.cause) == (
        Fault.HARNESS,
        "the host could not serve the guest's disk virtio0: the host's disk is full",
    )
    assert judge.harness.about.kind is FaultKind.STORAGE_FULL


def of_findings(report: Report, findings: list[Finding], cause: str = "", **analysis: object) -> Report:
    changed = msgspec.structs.replace(report.analysis, cause=cause, **analysis)
    return msgspec.structs.replace(report, findings=findings, analysis=changed)


def test_what_a_hung_guest_does_is_no_mere_observation() -> None:
    report = analyze_dir(CORPUS / "no-root")
    idle = Finding(kind=FindingKind.GUEST_IDLE, severity=Severity.INFO, summary="the guest is idle")
    menu = Finding(kind=FindingKind.MENU_ENTRY, severity=Severity.INFO, summary="GRUB booted an entry")
    hung = of_findings(report, [menu, idle], boot_result=BootResult.INCOMPLETE)
    assert problems_first(hung) == ([idle], [menu])
    text = render_text(hung)
    assert text.index("\nFindings\n") < text.index("the guest is idle") < text.index("\nObservations\n")
    well = of_findings(report, [menu, idle], boot_result=BootResult.SUCCESS)
    assert problems_first(well) == ([], [menu, idle])


def test_evidence_says_when_and_where_it_was_seen() -> None:
    panic = Evidence(text="Kernel panic", source=Source.KERNEL, event=7, t=21.5)
    old = Evidence(text="Kernel panic", file="serial.log", line=3)
    findings = [
        Finding(
            kind=FindingKind.KERNEL_PANIC, severity=Severity.FATAL, summary="panic", evidence=[panic, old]
        )
    ]
    text = render_text(of_findings(analyze_dir(CORPUS / "no-root"), findings))
    assert "21.50 s, kernel log (event 7): Kernel panic" in text
    assert "serial.log, line 3: Kernel panic" in text


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


def panicked(lines_after: int, then: tuple[str, ...] = ()) -> Judge:
    judge = Judge()
    spoken = [
        *(f"[    1.{n:06}] line {n}" for n in range(20)),
        "[    2.000000] Kernel panic - not syncing: sysrq triggered crash",
        *(f"[    2.{n + 1:06}] RAX: {n}" for n in range(lines_after)),
        *then,
    ]
    for n, text in enumerate(spoken):
        judge.feed(event_of(n, n / 10, Source.KERNEL, "line", text=text, data={}))
    return judge


def test_a_panic_with_a_long_dump_is_quoted_from_before_its_line() -> None:
    (quote,) = panicked(30).last_words.quotes(failed=True)
    assert quote.at_failure
    assert len(quote.lines) == QUOTED_LINES
    assert [line.partition("] ")[2] for line in quote.lines[:5]] == [
        *("line 17", "line 18", "line 19"),
        *("Kernel panic - not syncing: sysrq triggered crash", "RAX: 0"),
    ]


def test_a_panic_that_is_among_the_last_lines_and_a_boot_that_went_well_are_quoted_to_the_end() -> None:
    (short,) = panicked(QUOTED_LINES - 1).last_words.quotes(failed=True)
    assert not short.at_failure
    assert "Kernel panic" in short.lines[0]
    (well,) = panicked(30).last_words.quotes()
    assert not well.at_failure
    assert well.lines[-1].endswith("RAX: 29")


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


def test_what_two_channels_show_is_quoted_once() -> None:
    lines = [f"line {n}" for n in range(20)]
    serial = [(1.0, Source.SERIAL, "line", line) for line in lines]
    assert len(words(*serial, (2.0, Source.SCREEN, "text", "\n".join(lines)))) == 1
    assert len(words(*serial, (2.0, Source.SCREEN, "text", "\n".join([*lines, "more"])))) == 2


def test_more_time_is_no_advice_for_a_guest_that_rests() -> None:
    report = of_findings(analyze_dir(CORPUS / "no-root"), [], boot_result=BootResult.INCOMPLETE)
    idle = Finding(kind=FindingKind.GUEST_IDLE, severity=Severity.INFO, summary="the guest is idle")
    busy = Finding(kind=FindingKind.GUEST_BUSY, severity=Severity.INFO, summary="the guest works")
    (resting,) = next_steps([idle], report.analysis, EndReason.TIMEOUT, {})
    assert "--keep" in resting
    assert any("--timeout" in step for step in next_steps([busy], report.analysis, EndReason.TIMEOUT, {}))
