"""The judge, event by event: when to stop, and what changes its mind."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.analysis.judge import Expectation, Judge
from hiperiso.analysis.verdict import Verdict, verdict_of
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.events import Event
from hiperiso.contract.expected import Expected
from hiperiso.contract.words import (
    BootResult,
    BootStage,
    EndReason,
    FailureDomain,
    Fault,
    FindingKind,
    Source,
)

LINUX = "[    0.000000] Linux version 6.1.0-30-amd64 (debian)"
RUN_INIT = "[    1.900000] Run /init as init process"
PANIC = "[    9.000000] Kernel panic - not syncing: Fatal exception in interrupt"
RESET = {"guest": True, "reason": "guest-reset"}


class Recording:
    """Feeds a judge with a readable list of events."""

    def __init__(self, **expected: Any) -> None:
        self.judge = Judge(Expectation(**expected))
        self._numbers = count()

    def event(self, t: float, source: Source, kind: str, text: str = "", **data: Any) -> Recording:
        self.judge.feed(event_of(next(self._numbers), t, source, kind, text=text, data=data))
        return self

    def line(self, t: float, text: str) -> Recording:
        return self.event(t, Source.SERIAL, "line", text)

    def prompt(self, t: float, text: str) -> Recording:
        return self.event(t, Source.SERIAL, "partial", text)

    def screen(self, t: float, text: str) -> Recording:
        return self.event(t, Source.SCREEN, "text", text, cols=80, rows=25)

    def qmp(self, t: float, name: str, **data: Any) -> Recording:
        return self.event(t, Source.QMP, "event", name, **data)

    def harness(self, t: float, kind: str, text: str = "", **data: Any) -> Recording:
        return self.event(t, Source.HARNESS, kind, text, **data)

    def due(self) -> tuple[EndReason, float] | None:
        decision = self.judge.decide(self.judge.last_t)
        return (decision.reason, round(decision.at_s, 3)) if decision else None

    def verdict(self, reason: EndReason | None = None) -> Verdict:
        return verdict_of(self.judge, reason)


def test_a_login_settles() -> None:
    boot = Recording().line(1, LINUX).prompt(5, "debian login: ")
    assert boot.due() == (EndReason.EXPECTED_STAGE, 5.7)
    assert boot.judge.stage is BootStage.LOGIN


def test_a_panic_within_the_settle_time_wins() -> None:
    boot = Recording().line(1, LINUX).prompt(5, "debian login: ").line(5.3, PANIC)
    assert boot.due() == (EndReason.PANIC, 6.3)
    verdict = boot.verdict()
    assert (verdict.result, verdict.domain) == (BootResult.FAILURE, FailureDomain.KERNEL)


STOPPED = "[    5.000002] RIP: 0010:demo_read+0x1/0x2"


@pytest.mark.parametrize(
    ("reported", "kinds"),
    [
        ("[    5.000001] watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [init:1]", [FindingKind.LOCKUP]),
        (
            "[    5.000001] WARNING: CPU: 0 PID: 1 at kernel/demo.c:1 demo+0x1/0x2",
            [FindingKind.KERNEL_WARNING],
        ),
        ("[    5.000001] its first line was lost", [FindingKind.OOPS]),
    ],
)
def test_the_registers_of_a_warning_are_no_crash_of_their_own(
    reported: str, kinds: list[FindingKind]
) -> None:
    recording = Recording().line(1, LINUX).line(5, reported).line(5, STOPPED)
    assert [finding.kind for finding in recording.judge.findings] == kinds


def test_the_end_of_a_trace_shortens_the_wait() -> None:
    boot = Recording().line(1, PANIC).line(1.1, "[    9.1] ---[ end Kernel panic - not syncing: Fatal ]---")
    assert boot.due() == (EndReason.PANIC, 1.2)


@pytest.mark.parametrize(
    "text",
    [
        "debian login: ", "login: ", "localhost-live login:", "host.example login: [   12.3] random: crng init done",
        "archiso login: root (automatic login)", "Please press Enter to activate this console.",
    ],
)  # fmt: skip
def test_login_prompts(text: str) -> None:
    assert Recording().line(1, LINUX).prompt(2, text).judge.stage is BootStage.LOGIN


@pytest.mark.parametrize(
    "text",
    [
        "Last login: Mon Jan 1", "please login: now or never", "Type login: to go on, or wait for the end of it",
        "#### 45%", "error # 5", "100 $", "grub> ", "(initramfs) ", "boot: ", "Password: ",
    ],
)  # fmt: skip
def test_what_is_not_a_login(text: str) -> None:
    assert Recording().line(1, LINUX).prompt(2, text).judge.stage is not BootStage.LOGIN


@pytest.mark.parametrize(
    "text",
    [
        "root@archiso ~ # ",
        "~ # ",
        "/ # ",
        "[root@live ~]# ",
        "bash-5.2# ",
        "user@ubuntu:~$ ",
        "root@(none):/# ",
    ],
)
def test_a_shell_of_a_live_system_is_a_login(text: str) -> None:
    boot = Recording().line(1, LINUX).prompt(2, text)
    assert boot.due() == (EndReason.EXPECTED_STAGE, 2.7)
    early = Recording().line(1, "GNU GRUB  version 2.06").prompt(2, text)
    assert ("@" in text) == (early.due() is not None)


@pytest.mark.parametrize(
    "text",
    [
        "You are now being dropped into an emergency shell.",
        "ALERT!  /dev/sda1 does not exist.  Dropping to a shell!",
    ],
)
def test_a_shell_of_an_emergency_is_none(text: str) -> None:
    boot = Recording().line(1, LINUX).line(2, text).prompt(2.1, "/ # ")
    assert boot.due() == (EndReason.STUCK, 4.0)
    assert boot.judge.stage is BootStage.INITRAMFS


def test_a_prompt_that_goes_on_by_itself_is_not_stuck() -> None:
    boot = Recording().prompt(1, "grub> ")
    assert boot.due() == (EndReason.STUCK, 2.5)
    boot.line(2, LINUX)
    assert boot.due() is None


def test_the_uefi_shell_may_still_start_something() -> None:
    boot = Recording().line(1, "UEFI Interactive Shell v2.2")
    assert boot.due() == (EndReason.NO_BOOTABLE_DEVICE, 13.0)
    boot.line(6, "Welcome to GRUB!")
    assert boot.due() is None
    assert Recording().line(1, "UEFI Interactive Shell v2.2").prompt(6, "Shell> ").due() == (
        EndReason.NO_BOOTABLE_DEVICE,
        6.7,
    )


def test_init_that_cannot_run_is_not_an_initramfs() -> None:
    boot = Recording().line(1, LINUX).line(2, RUN_INIT).line(2, "[    1.901000] tsc: Refined TSC")
    assert boot.judge.stage is BootStage.KERNEL
    boot.line(2, "[    1.902000] Failed to execute /init (error -2)")
    boot.line(3, "[    3.000000] something later")
    assert boot.judge.stage is BootStage.KERNEL


def test_init_that_stays_silent_did_run() -> None:
    boot = Recording().line(1, LINUX).line(2, RUN_INIT)
    boot.judge.decide(2.5)
    assert BootStage.INITRAMFS not in boot.judge.stage_times
    boot.judge.decide(3.5)
    assert boot.judge.stage_times[BootStage.INITRAMFS] == 2
    assert boot.judge.stage is BootStage.INITRAMFS


@pytest.mark.parametrize(
    ("expected", "lines", "reason"),
    [
        ({"wanted": (Expected.KERNEL,)}, [LINUX], EndReason.EXPECTED_STAGE),
        ({"wanted": (Expected.INITRAMFS,)}, [LINUX], None),
        ({"wanted": (Expected.INSTALLER,)}, [LINUX, "[!!] Select a language"], EndReason.EXPECTED_STAGE),
        ({"wanted": (Expected.LOGIN,)}, [LINUX, "[!!] Select a language"], None),
        ({"text": "crng (init )?done"}, [LINUX, "random: crng done"], EndReason.EXPECTED_TEXT),
        ({"text": "crng done"}, [LINUX, "debian login: "], None),
        ({"text": "done", "wanted": (Expected.LOGIN,)}, ["done"], None),
        ({"text": "done", "wanted": (Expected.LOGIN,)}, ["done", "debian login: "], EndReason.EXPECTED_TEXT),
        ({"text": "done", "wanted": (Expected.LOGIN,)}, ["debian login: ", "done"], EndReason.EXPECTED_TEXT),
        ({"wanted": (Expected.LOGIN,)}, ["      Memtest86+ v6.10      | Intel"], None),
        ({}, ["      Memtest86+ v6.10      | Intel"], EndReason.EXPECTED_STAGE),
    ],
)
def test_expectations(expected: dict[str, Any], lines: list[str], reason: EndReason | None) -> None:
    boot = Recording(**expected)
    for t, text in enumerate(lines):
        boot.line(t, text)
    due = boot.due()
    assert (due and due[0]) == reason


def test_text_on_the_screen_counts_as_expected_text() -> None:
    assert Recording(text="Select a language").screen(3, "\n  Select a language\n").due() == (
        EndReason.EXPECTED_TEXT,
        3.7,
    )


@pytest.mark.parametrize(
    ("row", "software"),
    [
        ("   GNU GRUB  Version 2.06-13+deb12u2", "GRUB 2.06-13+deb12u2"), ("GNU GRUB versión 2.06", "GRUB 2.06"),
        ("GNU GRUB, версия 2.12", "GRUB 2.12"), ("GNU GRUB  phiên bản 2.12", "GRUB 2.12"),
        ("GNU GRUB versi\ufffdn 2.06", "GRUB 2.06"), ("GNU GRUB  2.06. verzió", "GRUB 2.06"),
        ("   Automatic boot in 7 seconds...", "syslinux"), ("      Press [Tab] to edit options", "syslinux"),
    ],
)  # fmt: skip
def test_boot_menus_of_any_language(row: str, software: str) -> None:
    boot = Recording().screen(1, f"  Boot menu\n{row}")
    assert boot.judge.stage is BootStage.BOOTLOADER
    assert list(boot.judge.recognised.values()) == [software]


@pytest.mark.parametrize(
    "rows",
    [
        "A problem has been detected and Windows has been shut down to prevent damage\nto your computer.",
        "*** STOP: 0x0000007B (0xF78D2524,0xC0000034,0x00000000,0x00000000)",
        "  Windows\nA fatal exception 0E has occurred at 0028:C0011E36 in VXD VMM(01) +\n00010E36.",
        ":(\nYour device ran into a problem and needs to restart. We're just",
        "KERNEL PANIC!\n\nPlease reboot your computer.",
    ],
)
def test_stop_screens_are_failures_of_the_kernel(rows: str) -> None:
    boot = Recording().screen(3, rows)
    assert boot.due() == (EndReason.PANIC, 5.0)
    verdict = boot.verdict()
    assert (verdict.result, verdict.stage) == (BootResult.FAILURE, BootStage.KERNEL)
    assert verdict.domain is FailureDomain.KERNEL
    assert Recording().line(3, rows.replace("\n", " ")).due() is None  # on a serial port it is only mentioned


@pytest.mark.parametrize("row", ["┌───┤ [!!] Sprache auswählen ├───┐", "     [!!] Choisir la langue"])
def test_the_first_page_of_an_installer_in_any_language(row: str) -> None:
    boot = Recording().line(1, LINUX).line(2, "Starting system log daemon: syslogd, klogd.")
    assert boot.screen(9, f"\n{row}\n│ C │").judge.stage is BootStage.INSTALLER
    log = Recording().line(1, LINUX).line(2, "[!] Something is wrong")
    assert log.judge.stage is BootStage.KERNEL


def test_a_fact_on_many_screens_and_on_serial_counts_once() -> None:
    boot = (
        Recording()
        .line(1, PANIC)
        .screen(1.1, f"x\n{PANIC}\n")
        .screen(1.2, f"{PANIC}\ny\n")
        .screen(2, f"z\n{PANIC}")
    )
    assert boot.judge.book.count(FindingKind.KERNEL_PANIC) == 1


def test_a_prompt_reported_twice_and_then_finished_counts_once() -> None:
    boot = (
        Recording()
        .line(1, LINUX)
        .prompt(2, "debian login: ")
        .prompt(3, "debian login: ")
        .line(4, "debian login: root")
    )
    assert boot.judge.book.count(FindingKind.LOGIN_PROMPT) == 1


def test_a_line_that_is_still_being_printed_is_not_a_finding_yet() -> None:
    boot = Recording().prompt(1, PANIC[:50])
    assert boot.due() is None
    assert boot.line(1.2, PANIC).judge.book.count(FindingKind.KERNEL_PANIC) == 1


def test_rows_wrapped_at_the_margin_are_read_as_one() -> None:
    row = "[    1.577614] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"
    boot = Recording().screen(1, f"{row[:80]}\n{row[80:]}\n")
    assert boot.judge.findings[-1].summary.endswith("unknown-block(0,0)")


@pytest.mark.parametrize(
    "row",
    [
        " │*Memtest86+ v6.10                                       │", "  Memtest86+ memory tester",
        "Memory test (memtest86+x64.bin)", " │ Windows Boot Manager (on /dev/sda1) │", " │*Install Windows 11  │",
        "Welcome to Debian GNU/Linux!", "Start Calamares", "Install using text mode", "Graphical install with YaST",
        "linux /vmlinuz debian-installer/locale=en_US auto=true subiquity/x=1 anaconda",
    ],
)  # fmt: skip
def test_a_boot_menu_promises_and_does_not_deliver(row: str) -> None:
    boot = Recording().line(1, "GNU GRUB  version 2.06").screen(2, f"\n{row}\n\n")
    assert boot.judge.stage is BootStage.BOOTLOADER
    assert boot.due() is None


def test_the_words_of_a_go_program_are_not_a_panic() -> None:
    text = "panic: runtime error: invalid memory address or nil pointer dereference"
    assert Recording().line(1, LINUX).line(2, text).due() is None


# ── resets ──


def test_a_pair_of_reset_events_is_one_reset() -> None:
    boot = Recording()
    for t in (5.0, 5.01, 12.0, 12.1):
        boot.qmp(t, "RESET", **RESET)
        if t in (5.01,):
            boot.line(6, LINUX)
    assert boot.judge.book.count(FindingKind.RESET) == 2


def test_two_resets_are_not_a_loop_three_are() -> None:
    boot = Recording()
    for t in (1, 10, 20):
        assert boot.due() is None
        boot.line(t, LINUX).line(t + 1, RUN_INIT).line(t + 2, "once more").qmp(t + 3, "RESET", **RESET)
    assert boot.due() == (EndReason.RESET_LOOP, 23.3)
    verdict = boot.verdict()
    assert (verdict.result, verdict.stage, verdict.domain) == (
        BootResult.FAILURE,
        BootStage.INITRAMFS,
        FailureDomain.USERSPACE,
    )


def test_resets_with_progress_in_between_are_not_a_loop() -> None:
    boot = Recording().line(0, "SeaBIOS (version 1.16)").qmp(1, "RESET", **RESET)
    boot.line(2, "Welcome to GRUB!").qmp(3, "RESET", **RESET).line(4, LINUX).qmp(5, "RESET", **RESET)
    assert boot.due() is None


def test_host_resets_do_not_count() -> None:
    boot = Recording()
    for t in range(5):
        boot.qmp(t, "RESET", guest=False, reason="host-qmp-system-reset")
    assert boot.due() is None


def test_a_stale_screen_is_not_read_again_after_a_reset() -> None:
    boot = Recording().screen(1, f"{PANIC}\n").qmp(2, "RESET", **RESET).screen(2.1, f"{PANIC}\n")
    assert boot.due() is None
    boot.screen(3, "SeaBIOS (version 1.16)").screen(9, f"{PANIC}\n")
    assert boot.due() == (EndReason.PANIC, 10.0)


def test_a_panic_that_restarts_the_machine_stays_the_verdict_until_it_does_better() -> None:
    boot = Recording().line(1, LINUX).line(2, PANIC).qmp(5, "RESET", **RESET)
    assert boot.verdict().result is BootResult.FAILURE
    boot.line(6, LINUX).prompt(9, "debian login: ")
    assert boot.verdict().result is BootResult.SUCCESS


def test_resets_are_seen_without_events_of_the_machine() -> None:
    boot = Recording()
    where = {"file": "serial.log", "line": 1}
    for _ in range(4):
        assert boot.judge.progress.loop is None
        for text in (LINUX, RUN_INIT, "once more", "[    2.5] reboot: Restarting system"):
            boot.event(0, Source.SERIAL, "line", text, **where)
    verdict = boot.verdict()
    assert (verdict.result, verdict.reason) == (BootResult.FAILURE, EndReason.RESET_LOOP)
    assert verdict.seconds is not None


def test_a_kernel_that_prints_its_log_twice_has_not_restarted() -> None:
    boot = Recording()
    for text in (
        LINUX,
        "[    0.5] console enabled",
        LINUX,
        "[    0.5] console enabled",
        LINUX,
        LINUX,
        RUN_INIT,
    ):
        boot.event(0, Source.SERIAL, "line", text, file="serial.log", line=1)
    assert not boot.judge.book.has(FindingKind.RESET)


# ── power off and the harness ──


def test_power_off_after_work_is_a_success() -> None:
    boot = (
        Recording()
        .line(1, LINUX)
        .line(2, RUN_INIT)
        .line(3, "work done")
        .line(4, "[    4.0] reboot: Power down")
    )
    assert boot.due() == (EndReason.POWERED_OFF, 6.0)
    boot.qmp(4.1, "SHUTDOWN", guest=True, reason="guest-shutdown")
    assert boot.due() == (EndReason.POWERED_OFF, 4.4)
    assert boot.verdict().result is BootResult.SUCCESS


@pytest.mark.parametrize(
    ("expected", "lines"),
    [({"wanted": (Expected.LOGIN,)}, [LINUX, RUN_INIT, "work"]), ({}, [LINUX]), ({}, [])],
)
def test_power_off_too_early_is_a_failure(expected: dict[str, Any], lines: list[str]) -> None:
    boot = Recording(**expected)
    for text in lines:
        boot.line(1, text)
    boot.qmp(4, "SHUTDOWN", guest=True, reason="guest-shutdown")
    verdict = boot.verdict()
    assert (verdict.result, verdict.fault) == (BootResult.FAILURE, Fault.GUEST)


@pytest.mark.parametrize(
    ("name", "data"), [("GUEST_PANICKED", {}), ("SHUTDOWN", {"guest": True, "reason": "guest-panic"})]
)
def test_a_panic_reported_to_the_hypervisor_counts(name: str, data: dict[str, Any]) -> None:
    boot = Recording().line(1, LINUX).qmp(2, name, **data)
    assert boot.due() == (EndReason.PANIC, 3.0)
    assert boot.line(2.1, PANIC).judge.attempt.fatal is not None


def test_a_login_then_a_shutdown_is_a_success() -> None:
    boot = (
        Recording()
        .line(1, LINUX)
        .prompt(2, "debian login: ")
        .qmp(2.2, "SHUTDOWN", guest=True, reason="guest-shutdown")
    )
    assert boot.due() == (EndReason.EXPECTED_STAGE, 2.7)


@pytest.mark.parametrize(
    ("kind", "text", "data"),
    [
        ("fault", "the disk is full", {}),
        ("exited", "", {"code": 1, "ended_by_us": False}),
        ("exited", "", {"code": -9, "ended_by_us": False}),
        ("stderr", "KVM internal error. Suberror: 1", {}),
        ("stderr", "error: kvm run failed Bad address", {}),
    ],
)
def test_faults_of_ours_are_never_the_guests(kind: str, text: str, data: dict[str, Any]) -> None:
    boot = Recording().line(1, LINUX).harness(2, kind, text, **data)
    assert boot.due() == (EndReason.HARNESS_FAULT, 2)
    verdict = boot.verdict()
    assert (verdict.result, verdict.fault, verdict.domain) == (
        BootResult.INCOMPLETE,
        Fault.HARNESS,
        FailureDomain.NONE,
    )


def test_a_fault_after_the_guest_was_judged_changes_nothing() -> None:
    boot = Recording().line(1, LINUX).line(2, PANIC).harness(3, "exited", code=-9, ended_by_us=False)
    verdict = boot.verdict()
    assert (verdict.result, verdict.fault) == (BootResult.FAILURE, Fault.GUEST)


@pytest.mark.parametrize(("accel", "fault"), [("tcg", "harness"), ("kvm", "guest")])
def test_a_timer_that_comes_too_late_is_the_emulators_fault(accel: str, fault: str) -> None:
    boot = Recording().harness(0, "plan", accel=accel).line(1, LINUX)
    boot.line(2, "[    0.2] Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with apic=debug")
    assert boot.verdict().fault == fault


def test_guest_text_cannot_blame_the_harness() -> None:
    boot = Recording().line(1, "KVM internal error. Suberror: 1")
    assert boot.due() is None


def test_an_exit_of_our_own_is_not_a_fault() -> None:
    boot = (
        Recording()
        .line(1, LINUX)
        .harness(2, "end", "timeout")
        .harness(3, "exited", code=-15, ended_by_us=True)
    )
    verdict = boot.verdict()
    assert (verdict.result, verdict.reason) == (BootResult.INCOMPLETE, EndReason.TIMEOUT)


@pytest.mark.parametrize("reason", [EndReason.TIMEOUT, EndReason.INTERRUPTED, EndReason.KILLED])
def test_what_was_not_finished_is_incomplete(reason: EndReason) -> None:
    assert Recording().line(1, LINUX).verdict(reason).result is BootResult.INCOMPLETE
    assert Recording().line(1, PANIC).verdict(reason).result is BootResult.FAILURE
    assert Recording().verdict(reason).result is BootResult.NO_SERIAL


def test_a_picture_alone_is_something_seen() -> None:
    boot = Recording().event(1, Source.SCREEN, "image", width=1024, height=768)
    assert boot.verdict(EndReason.TIMEOUT).result is BootResult.INCOMPLETE
    assert boot.judge.graphics.resolution == "1024x768"


# ── whatever comes ──

TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            LINUX, RUN_INIT, PANIC, "SeaBIOS (version 1)", "Welcome to GRUB!", "debian login: ", "(initramfs) ",
            "grub> ", "systemd[1]: Running in initrd.", "systemd[1]: Switching root.", "Welcome to Debian!",
            "[!!] Select a language", "[    1.95] Failed to execute /init (error -2)", "Memtest86+ v6",
            "reboot: Power down", "No bootable device.", "You are in emergency mode",
            "[  OK  ] Reached target graphical.target", "/ # ", "RESET", "SHUTDOWN",
        ]
    ),
)  # fmt: skip
DATA = st.dictionaries(
    st.sampled_from(
        ["guest", "reason", "cols", "width", "height", "code", "ended_by_us", "line", "file", "expect"]
    ),
    st.one_of(st.none(), st.booleans(), st.integers(-9, 99), st.text(max_size=8), st.just("guest-reset")),
    max_size=4,
)
KINDS = st.sampled_from(
    ["line", "partial", "text", "image", "event", "stderr", "exited", "fault", "end", "step", "?"]
)
EVENTS = st.lists(
    st.builds(
        event_of,
        n=st.integers(0, 10**6),
        t=st.floats(-1, 1e6, allow_nan=False),
        source=st.sampled_from(list(Source)),
        kind=KINDS,
        text=TEXTS,
        data=DATA,
    ),
    max_size=40,
)


@given(EVENTS)
def test_the_stage_falls_only_at_a_reset(events: list[Event]) -> None:
    judge = Judge()
    rank = 0
    for event in events:
        judge.feed(event)
        judge.decide(event.t)
        if event.source is Source.QMP and event.text == "RESET":
            rank = 0
        assert judge.stage.rank >= rank
        rank = judge.stage.rank


@given(EVENTS)
def test_blocks_give_what_single_events_give(events: list[Event]) -> None:
    single, block = Judge(), Judge()
    for event in events:
        single.feed(event)
    block.feed_all(events)
    assert verdict_of(single) == verdict_of(block)
    assert single.findings == block.findings
    assert single.recognised == block.recognised


@given(EVENTS, st.sampled_from([None, *EndReason]))
def test_every_recording_gets_a_verdict(events: list[Event], reason: EndReason | None) -> None:
    judge = Judge()
    judge.feed_all(events)
    verdict = verdict_of(judge, reason)
    assert (verdict.result is BootResult.FAILURE) == (verdict.fault is Fault.GUEST)
    assert (verdict.result is BootResult.SUCCESS) <= (verdict.domain is FailureDomain.NONE)
    assert (verdict.result is BootResult.FAILURE) <= (verdict.domain is not FailureDomain.NONE)
    assert verdict.cause
    assert judge.waiting_for
