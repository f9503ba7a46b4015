"""What is expected, and what is then a success: an explicit expectation is strict."""

from __future__ import annotations

import pytest

from hiperiso.analysis.expectation import Expectation
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.report import ReportFacts, build_report
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract.events import QemuEvent, SerialLine
from hiperiso.contract.expected import Expected
from hiperiso.contract.words import BootResult, BootStage, EndReason, FindingKind, LineForm

LOGIN = "debian login: "
INSTALLER = "Starting system log daemon: syslogd, klogd."
QUESTION = "[!!] Select a language"
UP = "[   61.000000] systemd[1]: Startup finished in 4.1s (kernel) + 50.3s (userspace) = 54.4s."


def boot(wanted: tuple[Expected, ...], *lines: tuple[float, LineForm, str]) -> Judge:
    judge = Judge(Expectation(wanted))
    for number, (t, form, text) in enumerate(lines):
        judge.feed(SerialLine(n=number, t=t, form=form, text=text))
    return judge


def login(t: float = 60) -> tuple[float, LineForm, str]:
    return t, LineForm.PARTIAL, LOGIN


@pytest.mark.parametrize(
    ("wanted", "result"),
    [
        ((), BootResult.SUCCESS),
        ((Expected.LOGIN,), BootResult.SUCCESS),
        ((Expected.INSTALLER, Expected.LOGIN), BootResult.SUCCESS),
        ((Expected.USERSPACE,), BootResult.SUCCESS),
        ((Expected.INSTALLER,), BootResult.INCOMPLETE),
        ((Expected.DESKTOP,), BootResult.INCOMPLETE),
        ((Expected.RUNNING,), BootResult.INCOMPLETE),
    ],
)
def test_a_login_is_what_was_expected_or_is_not(wanted: tuple[Expected, ...], result: BootResult) -> None:
    verdict = verdict_of(boot(wanted, login()), EndReason.TIMEOUT)
    assert verdict.result is result
    assert verdict.stage is BootStage.LOGIN
    if result is BootResult.INCOMPLETE:
        assert Expectation(wanted).describe() in verdict.cause


def test_a_system_is_running_when_its_service_manager_says_so() -> None:
    judge = boot((Expected.RUNNING,), login(), (62, LineForm.LINE, UP))
    decision = judge.decide(62)
    assert decision is not None and decision.reason is EndReason.EXPECTED_STAGE
    verdict = verdict_of(judge)
    assert (verdict.result, verdict.seconds) == (BootResult.SUCCESS, 62)
    assert "54.4s" in verdict.cause


WENT_DOWN = (
    (10.0, LineForm.LINE, "[    6.025350] Run /init as init process"),
    (12.0, LineForm.LINE, "sample: work is done"),
    (13.0, LineForm.LINE, "The system is going down NOW!"),
    (13.5, LineForm.LINE, "Sent SIGTERM to all processes"),
)


def went_down(*wanted: Expected, reason: str = "guest-shutdown", before: tuple[str, ...] = ()) -> Judge:
    extra = tuple((12.5, LineForm.LINE, text) for text in before)
    judge = boot(wanted, *WENT_DOWN[:2], *extra, *WENT_DOWN[2:])
    judge.feed(QemuEvent(n=99, t=15.0, text="SHUTDOWN", data={"guest": True, "reason": reason}))
    return judge


def test_a_clean_power_off_that_was_expected_has_its_stages() -> None:
    judge = went_down(Expected.POWEROFF)
    decision = judge.decide(15.0)
    assert decision is not None and decision.reason is EndReason.POWERED_OFF
    verdict = verdict_of(judge)
    assert (verdict.result, verdict.reason) == (BootResult.SUCCESS, EndReason.POWERED_OFF)
    assert "2.0 s after its shutdown began" in verdict.cause
    stages = [found.summary for found in judge.findings if found.kind is FindingKind.SHUTDOWN]
    assert ["services" in stages[0], "processes" in stages[1]] == [True, True]
    facts = ReportFacts(
        session_id="x",
        generated_utc="2026-01-01T00:00:00Z",
        version="1",
        files=[],
        has_serial=True,
        has_trace=False,
    )
    phases = {
        phase.name: (phase.start_s, phase.duration_ms)
        for phase in build_report(judge, verdict, facts, {}).phases
    }
    assert phases["shutdown"] == (13.0, 2000)


def test_the_console_alone_shows_a_power_off_too() -> None:
    judge = boot((Expected.POWEROFF,), *WENT_DOWN, (15.0, LineForm.LINE, "[   10.7] reboot: Power down"))
    assert verdict_of(judge).result is BootResult.SUCCESS
    halted = boot((Expected.POWEROFF,), *WENT_DOWN, (15.0, LineForm.LINE, "[   10.7] reboot: System halted"))
    assert verdict_of(halted).result is BootResult.FAILURE


@pytest.mark.parametrize(
    "lines",
    [
        ("[    7.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",),
        ("ALERT!  UUID=1 does not exist.  Dropping to a shell!", "(initramfs) "),
    ],
)
def test_a_machine_that_goes_off_after_a_failure_did_not_shut_down_cleanly(lines: tuple[str, ...]) -> None:
    assert verdict_of(went_down(Expected.POWEROFF, before=lines)).result is BootResult.FAILURE


def test_a_login_is_no_power_off_and_a_power_off_no_login() -> None:
    judge = boot((Expected.POWEROFF,), *WENT_DOWN[:2], login())
    assert judge.decide(60) is None
    assert verdict_of(judge, EndReason.TIMEOUT).result is BootResult.INCOMPLETE
    assert "a clean power-off" in verdict_of(judge, EndReason.TIMEOUT).cause
    assert verdict_of(went_down(Expected.LOGIN)).result is BootResult.FAILURE


def test_what_is_expected_in_words() -> None:
    assert Expectation((Expected.INSTALLER, Expected.DESKTOP)).describe() == (
        "the stage installer or the desktop"
    )
    assert Expectation((Expected.RUNNING,), "ready").describe() == (
        "the end of the system's start and the text /ready/"
    )
