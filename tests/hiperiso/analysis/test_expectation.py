"""What is expected, and what is then a success: an explicit expectation is strict."""

from __future__ import annotations

import pytest

from hiperiso.analysis.expectation import Expectation
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract.events import SerialLine
from hiperiso.contract.expected import Expected
from hiperiso.contract.words import BootResult, BootStage, EndReason, LineForm

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


def test_what_is_expected_in_words() -> None:
    assert Expectation((Expected.INSTALLER, Expected.DESKTOP)).describe() == (
        "the stage installer or the desktop"
    )
    assert Expectation((Expected.RUNNING,), "ready").describe() == (
        "the end of the system's start and the text /ready/"
    )
