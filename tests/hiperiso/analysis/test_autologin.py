"""Automatic logins: the session is awaited, stands, or ends again and again; another login beside it is not the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.processes import automatic_user
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.words import BootResult, BootStage, EndReason, FailureDomain
from judged_guest import Guest

CORPUS = Path(__file__).parent / "corpus"
GETTY = "/sbin/agetty --autologin live --noclear tty1 linux"
LOGIN = "/bin/login -f live"
SERIAL = "debian login: "


def logs_in(guest: Guest, t: float, pid: int, until: float | None = None) -> Guest:
    guest.process(t, pid, GETTY).process(t + 0.5, pid, LOGIN, "became")
    return guest.process(until, pid, LOGIN, "ended") if until is not None else guest


def test_a_login_beside_an_automatic_one_is_not_the_end() -> None:
    guest = logs_in(Guest(), 37, 400)
    guest.add(38, "serial", "partial", SERIAL)
    assert guest.decision(42) is None
    assert guest.judge.waiting_for == "the session of an automatic login"
    guest.process(39, 420, "-bash", ppid=400)
    found = guest.decision(50)
    assert found is not None
    assert found[0] is EndReason.EXPECTED_STAGE
    verdict = guest.verdict(51)
    assert (verdict.result, verdict.stage) == (BootResult.SUCCESS, BootStage.LOGIN)


def test_what_its_session_starts_is_waited_for() -> None:
    guest = logs_in(Guest(), 37, 400).process(38, 420, "-bash", ppid=400)
    guest.add(38, "serial", "partial", SERIAL)
    guest.add(39, "screen", "text", "Debian GNU/Linux 12 debian tty1", cols=80)
    guest.process(42, 420, "/usr/bin/weston", "became", ppid=400)
    assert guest.judge.waiting_for == "the desktop"
    guest.picture(50)
    assert guest.decision(52) == (EndReason.EXPECTED_STAGE, 53.0)


def test_an_automatic_login_that_ends_again_and_again_is_a_failure() -> None:
    guest = Guest()
    for number in range(3):
        logs_in(guest, 37 + 6 * number, 400 + number, 42.5 + 6 * number)
        guest.add(42.6 + 6 * number, "serial", "partial", SERIAL)
        reason, due_s = guest.decision(43 + 6 * number) or (EndReason.BOOT_FAILED, 99)
        assert due_s > 43 + 6 * number
    assert (reason, due_s) == (EndReason.BOOT_FAILED, 57.5)
    verdict = guest.verdict(70)
    assert (verdict.result, verdict.domain) == (BootResult.FAILURE, FailureDomain.USERSPACE)
    assert "the automatic login of live was tried 3 times" in verdict.cause


def test_one_that_lives_after_all_is_a_login() -> None:
    guest = Guest()
    for number in range(3):
        logs_in(guest, 37 + 3 * number, 400 + number, 39 + 3 * number)
    logs_in(guest, 46, 410).process(47, 411, "-bash", ppid=410)
    guest.add(48, "screen", "text", "live@debian:~$ ", cols=80)
    assert guest.decision(48.1) is not None
    assert guest.verdict(60).result is BootResult.SUCCESS


def test_one_that_ended_for_good_is_a_failure_where_no_other_login_waits() -> None:
    guest = Guest(getty=False)
    logs_in(guest, 37, 400, 38.5)
    assert guest.decision(39) == (EndReason.BOOT_FAILED, 68.5)
    assert "was not started again" in guest.verdict(70).cause


def test_a_getty_that_asks_after_an_automatic_session_is_a_login() -> None:
    guest = logs_in(Guest(getty=False), 37, 400, 39)
    guest.process(39.5, 401, "/sbin/agetty --noclear tty1 linux")
    guest.add(40, "serial", "partial", SERIAL)
    assert guest.decision(44) is not None
    assert guest.verdict(50).result is BootResult.SUCCESS


def announced(t: float, judge: Judge, number: int) -> None:
    judge.feed(event_of(number, t, "serial", "line", text="debian login: live (automatic login)", data={}))


def test_lines_alone_show_it_where_no_process_is_seen() -> None:
    judge = Judge()
    for number, t in enumerate((40, 46, 52)):
        announced(t, judge, number)
        found = judge.decide(t + 1)
        assert found is None or found.at_s > t + 6
    verdict = verdict_of(judge)
    assert verdict.result is not BootResult.SUCCESS
    assert judge.decide(63) is not None
    assert "tried 3 times" in verdict_of(judge).cause


def test_a_second_automatic_login_may_be_the_one_that_lives() -> None:
    judge = Judge()
    announced(40, judge, 0)
    announced(46, judge, 1)
    found = judge.decide(56.1)
    assert found is not None
    assert (found.reason, found.at_s) == (EndReason.EXPECTED_STAGE, 56.0)


def test_a_real_login_that_fails_in_a_loop_is_a_failure_where_nothing_graphical_is_started() -> None:
    """The recording of a kiosk beside such a login, without its compositor."""
    judge = Judge()
    found = None
    for line in (CORPUS / "kiosk-black" / "events.jsonl").read_text().splitlines():
        row = json.loads(line)
        if "weston" in line:
            continue
        found = judge.decide(row["t"])
        if found and found.at_s <= row["t"]:
            break
        rest = {name: row[name] for name in ("text", "path", "data") if name in row}
        judge.feed(event_of(row["n"], row["t"], row["source"], row["kind"], **rest))
    assert found is not None
    assert found.reason is EndReason.BOOT_FAILED
    assert "the automatic login of user was tried" in found.detail
    assert verdict_of(judge).result is BootResult.FAILURE


@pytest.mark.parametrize(
    ("comm", "argv", "user"),
    [
        ("login", "/bin/login -f root", "root"),
        ("login", "login -- ", None),
        ("agetty", "/sbin/agetty -o -p -- \\u --noclear tty1 linux", None),
        ("agetty", "/sbin/agetty -a user - linux", "user"),
        ("mingetty", "/sbin/mingetty --autologin=root tty1", "root"),
        ("ssh-agent", "/usr/bin/ssh-agent -a socket", None),
    ],
)
def test_who_is_logged_in(comm: str, argv: str, user: str | None) -> None:
    assert automatic_user(comm, argv.split()) == user
