"""When a desktop stands, when it has failed, and what a text login beside it is worth."""

from __future__ import annotations

import pytest

from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract.expected import Expected
from hiperiso.contract.words import BootResult, BootStage, EndReason, FailureDomain, FindingKind
from judged_guest import GREETER, MANAGER, SERVER, Guest


def test_without_anything_graphical_a_text_login_is_the_end() -> None:
    guest = Guest().login()
    assert guest.decision(38) == (EndReason.EXPECTED_STAGE, 40.2)


def test_a_desktop_that_is_drawn_and_still_is_the_end() -> None:
    guest = Guest().started()
    assert guest.judge.stage is BootStage.LOGIN
    assert guest.judge.waiting_for == "the desktop"
    guest.process(50, 420, GREETER, ppid=411)
    assert guest.decision(58) == (EndReason.BOOT_FAILED, 80.0)  # a black screen, should it stay
    guest.picture(60)
    assert guest.decision(60) == (EndReason.EXPECTED_STAGE, 63.0)
    guest.picture(62)
    assert guest.decision(62) == (EndReason.EXPECTED_STAGE, 65.0)
    verdict = guest.verdict(66)
    assert (verdict.result, verdict.stage, verdict.seconds) == (BootResult.SUCCESS, BootStage.LOGIN, 62)
    assert "lightdm-gtk-greeter" in verdict.cause


def test_reads_of_the_medium_are_unrest() -> None:
    guest = Guest().started().process(50, 420, GREETER, ppid=411).picture(60)
    guest.add(62.5, "disk", "read", "/live/filesystem.squashfs", bytes=4 << 20)
    assert guest.decision(62.5) == (EndReason.EXPECTED_STAGE, 65.5)


def test_a_screen_that_never_rests_counts_at_last() -> None:
    guest = Guest().started().process(50, 420, GREETER, ppid=411)
    for second in range(60, 100):
        guest.picture(second)
        if guest.judge.attempt.desktop:
            break
    assert second == 90


def test_waits_are_longer_where_the_guest_is_emulated_and_the_host_busy() -> None:
    guest = Guest(accel="tcg").started().process(50, 420, GREETER, ppid=411)
    guest.add(58, "harness", "load", load=9, cpus=2, waited_share=0.5, stolen_share=0.0).picture(60)
    assert guest.decision(60) == (EndReason.EXPECTED_STAGE, 86.0)


def test_an_x_server_alone_is_nobodys_login() -> None:
    guest = Guest().started().picture(47)
    assert guest.decision(48) == (EndReason.BOOT_FAILED, 77.0)
    assert guest.decision(77) is not None
    verdict = guest.verdict(93)
    assert (verdict.result, verdict.domain) == (BootResult.FAILURE, FailureDomain.USERSPACE)
    assert "no greeter and no session" in verdict.cause


def test_a_screen_that_stays_black_is_a_failure() -> None:
    guest = Guest().started().process(50, 420, GREETER, ppid=411)
    verdict = guest.verdict(100)
    assert (verdict.result, verdict.domain) == (BootResult.FAILURE, FailureDomain.USERSPACE)
    assert "the screen stays black" in verdict.cause and "standard VGA" in verdict.cause


@pytest.mark.parametrize("dies", [SERVER, GREETER, MANAGER])
def test_what_dies_again_and_again_is_a_failure(dies: str) -> None:
    guest = Guest().process(39, 400, MANAGER).login()
    for turn in range(3):
        guest.process(44 + 4 * turn, 410 + turn, dies, ppid=400)
        guest.process(46 + 4 * turn, 410 + turn, dies, "ended")
    assert guest.decision(54) == (EndReason.BOOT_FAILED, 57.0)
    verdict = guest.verdict(60)
    assert (verdict.result, verdict.reason) == (BootResult.FAILURE, EndReason.BOOT_FAILED)
    assert "3 times" in verdict.cause


@pytest.mark.parametrize("drawn", [False, True])
def test_a_shell_that_its_session_starts_again_and_again_is_a_failure(drawn: bool) -> None:
    guest = Guest().process(39, 400, "/usr/sbin/gdm3").process(40, 401, "gdm-session-worker", ppid=400)
    guest.process(42, 410, "/usr/libexec/gdm-x-session --run-script gnome-session", ppid=401)
    guest.process(43, 411, SERVER, ppid=410).process(44, 412, "/usr/libexec/gnome-session-binary", ppid=410)
    guest.add(45, "screen", "blank", width=1280, height=800, colour="#000000", detail=True)
    for turn in range(3):
        guest.process(46 + 20 * turn, 420 + turn, "/usr/bin/gnome-shell", ppid=300)
        if drawn:
            guest.picture(53 + 20 * turn)
        guest.process(54 + 20 * turn, 420 + turn, "/usr/bin/gnome-shell", "ended", ppid=300)
        if drawn:  # what it had drawn is gone with it
            guest.add(
                54.2 + 20 * turn, "screen", "blank", width=1280, height=800, colour="#000000", detail=True
            )
        assert not guest.judge.attempt.desktop
    assert guest.decision(95) == (EndReason.BOOT_FAILED, 97.0)
    verdict = guest.verdict(98)
    assert verdict.result is BootResult.FAILURE
    assert "gnome-shell was started 3 times" in verdict.cause


def test_a_session_whose_shell_ended_for_good_is_a_failure_that_names_it() -> None:
    guest = Guest().process(39, 400, "/usr/sbin/gdm3").process(40, 401, "gdm-session-worker", ppid=400)
    guest.process(42, 410, "/usr/libexec/gdm-wayland-session gnome-session", ppid=401)
    guest.process(43, 412, "/usr/libexec/gnome-session-binary", ppid=410)
    guest.add(43.5, "screen", "blank", width=1280, height=800, colour="#000000")
    guest.process(46, 420, "/usr/bin/gnome-shell").process(50, 420, "/usr/bin/gnome-shell", "ended")
    guest.picture(52)  # a program that says "Oh no! Something has gone wrong."
    assert guest.decision(60) == (EndReason.BOOT_FAILED, 82.0)
    verdict = guest.verdict(83)
    assert verdict.result is BootResult.FAILURE
    assert "the session gnome-shell ended" in verdict.cause


AVX = "[    0.317071] x86/fpu: Supporting XSAVE feature 0x004: 'AVX registers'"
CRASH = (
    "[  362.288579] llvmpipe-0[617]: segfault at 562f8f2af8c0 ip 00007f45332304b5 sp 00007f4574e19180 error 4"
)


@pytest.mark.parametrize(
    ("accel", "lines", "soon"), [("tcg", (AVX,), True), ("tcg", (), False), ("kvm", (AVX,), False)]
)
def test_a_renderer_that_crashes_in_emulated_avx_is_not_awaited_again_and_again(
    accel: str, lines: tuple[str, ...], soon: bool
) -> None:
    guest = Guest(accel=accel)
    for line in lines:
        guest.add(5, "kernel", "line", line, boot=0)
    guest.process(39, 400, "/usr/sbin/gdm3").process(43, 412, "/usr/libexec/gnome-session-binary", ppid=400)
    guest.process(46, 420, "/usr/bin/gnome-shell").process(55, 420, "/usr/bin/gnome-shell", "ended")
    guest.add(54, "screen", "blank", width=1280, height=800, colour="#000000")
    guest.add(54, "kernel", "line", CRASH, boot=0)
    decision = guest.decision(56)
    assert (decision == (EndReason.BOOT_FAILED, 72.0)) == soon
    guest.process(57, 421, "/usr/bin/gnome-shell").picture(70)
    decision = guest.decision(71)
    assert decision is not None and decision[0] is EndReason.EXPECTED_STAGE  # it was drawn after all


def test_a_plain_colour_is_not_a_shell_with_a_panel() -> None:
    guest = Guest().started().process(50, 420, "/usr/bin/gnome-shell", ppid=400)
    guest.add(52, "screen", "blank", width=1280, height=800, colour="#232323", detail=True)
    assert guest.decision(53) == (EndReason.BOOT_FAILED, 82.0)
    assert "the screen stays blank" in guest.verdict(90).cause


def test_an_error_message_in_place_of_the_desktop_is_a_failure_if_it_stays() -> None:
    guest = Guest().process(39, 400, "/usr/sbin/gdm3").process(43, 412, "/usr/libexec/gnome-session-binary")
    guest.add(43.5, "screen", "blank", width=1280, height=800, colour="#000000")
    guest.process(44, 419, "/usr/libexec/gnome-session-failed --allow-logout", ppid=412)
    guest.process(46, 419, "/usr/libexec/gnome-session-failed", "ended", ppid=412)
    guest.process(47, 420, "/usr/bin/gnome-shell").picture(49)
    assert guest.decision(50) == (EndReason.EXPECTED_STAGE, 52.0)
    guest.process(51, 421, "/usr/libexec/gnome-session-failed --allow-logout", ppid=412).picture(52)
    assert guest.decision(52) == (EndReason.BOOT_FAILED, 57.0)
    verdict = guest.verdict(58)
    assert verdict.result is BootResult.FAILURE
    assert verdict.cause == "gnome-session-failed shows an error message in place of the desktop"


def test_what_never_stops_dying_is_a_failure_too() -> None:
    guest = Guest().process(39, 400, MANAGER).login()
    for turn in range(20):
        guest.process(44 + 2 * turn, 410 + turn, SERVER, ppid=400)
        guest.process(45 + 2 * turn, 410 + turn, SERVER, "ended")
        if guest.judge.attempt.stuck:
            break
    assert guest.judge.last_t == pytest.approx(60, abs=2)
    verdict = guest.verdict(70)
    assert verdict.result is BootResult.FAILURE
    assert "the X server Xorg was started" in verdict.cause


def test_one_that_lives_after_all_is_a_desktop() -> None:
    guest = Guest().process(39, 400, MANAGER).login()
    for turn in range(4):
        guest.process(44 + 2 * turn, 410 + turn, SERVER, ppid=400)
        guest.process(45 + 2 * turn, 410 + turn, SERVER, "ended")
    guest.process(52, 420, SERVER, ppid=400).process(53, 421, GREETER, ppid=400).picture(54)
    assert guest.decision(54) == (EndReason.EXPECTED_STAGE, 59.0)


def test_a_display_manager_that_could_not_be_started_is_a_failure() -> None:
    words = "[FAILED] Failed to start lightdm.service - Light Display Manager."
    guest = Guest().login().add(38.3, "screen", "text", words, cols=80)
    assert guest.decision(38.4) == (EndReason.BOOT_FAILED, 42.3)
    verdict = guest.verdict(50)
    assert verdict.result is BootResult.FAILURE
    assert "Light Display Manager" in verdict.cause


def test_a_failure_that_ended_the_recording_stays_one_whatever_the_last_reading_of_the_host_adds() -> None:
    words = "Failed to start lightdm.service - Light Display Manager."
    guest = Guest().login().add(38.3, "screen", "text", f"[FAILED] {words}", cols=80)
    guest.add(42.2, "harness", "load", load=9, cpus=2, waited_share=0.6, stolen_share=0.0)
    guest.add(42.4, "harness", "end", EndReason.BOOT_FAILED.value, detail=words)
    verdict = verdict_of(guest.judge)
    assert (verdict.result, verdict.domain) == (BootResult.FAILURE, FailureDomain.USERSPACE)


def test_what_ended_for_good_is_a_failure() -> None:
    guest = Guest().started().process(48, 410, SERVER, "ended").process(49, 400, MANAGER, "ended")
    verdict = guest.verdict(95)
    assert verdict.result is BootResult.FAILURE
    assert "nothing graphical is left" in verdict.cause


def test_a_session_of_any_name_counts_where_a_display_manager_starts_it() -> None:
    guest = Guest().started().process(50, 411, "lightdm --session-child 12 21", ppid=400)
    guest.process(51, 412, "/opt/kiosk/show", ppid=411).picture(53)
    assert guest.decision(53) == (EndReason.EXPECTED_STAGE, 57.0)


def test_a_program_of_any_name_that_draws_on_an_x_server_of_its_own_is_a_desktop_at_last() -> None:
    guest = Guest().process(44, 410, SERVER)
    guest.add(46, "screen", "blank", width=1280, height=800, colour="#000000")
    assert guest.decision(46) == (EndReason.BOOT_FAILED, 76.0)
    guest.process(50, 420, "/opt/kiosk/show").picture(53)
    assert guest.decision(53) == (EndReason.EXPECTED_STAGE, 83.0)
    assert guest.verdict(90).result is BootResult.SUCCESS


def test_what_was_on_the_screen_before_the_x_server_is_not_its_picture() -> None:
    guest = Guest().picture(43).process(44, 410, SERVER)
    assert guest.verdict(100).result is BootResult.FAILURE


def test_a_greeter_in_the_place_of_an_automatic_logins_session_is_a_failure() -> None:
    guest = Guest().started().process(47, 411, "lightdm --session-child 12 21", ppid=400)
    guest.process(48, 412, "/bin/sh /etc/X11/Xsession startlxqt", ppid=411, comm="Xsession")
    guest.process(50, 412, "/bin/sh /etc/X11/Xsession startlxqt", "ended", ppid=411, comm="Xsession")
    guest.process(51, 410, SERVER, "ended", ppid=400).process(52, 413, SERVER, ppid=400)
    guest.process(54, 420, GREETER, ppid=400).picture(60)
    assert guest.decision(60) == (EndReason.BOOT_FAILED, 63.0)
    verdict = guest.verdict(64)
    assert (verdict.result, verdict.domain) == (BootResult.FAILURE, FailureDomain.USERSPACE)
    assert (
        "the program of a session startlxqt ended, and the greeter lightdm-gtk-greeter came in its place"
        in verdict.cause
    )


def test_a_greeter_before_the_session_is_what_a_timed_login_shows() -> None:
    guest = Guest().started().process(50, 420, GREETER, ppid=411).picture(52)
    guest.process(53, 420, GREETER, "ended", ppid=411)
    guest.process(54, 421, "/usr/bin/xfce4-session", ppid=400).picture(58)
    assert guest.decision(58) == (EndReason.EXPECTED_STAGE, 61.0)


def test_an_installer_on_a_desktop_waits_once_it_has_drawn_its_window() -> None:
    guest = Guest().started().process(50, 420, "/usr/bin/openbox", ppid=411)
    guest.process(52, 421, "sudo -E calamares -D6").process(53, 422, "calamares -D6", ppid=421)
    guest.add(54, "screen", "blank", width=1280, height=800, colour="#000000", detail=True)
    assert guest.decision(64) == (EndReason.EXPECTED_STAGE, 84.0)  # an empty desktop, should it stay so
    assert guest.judge.stage is BootStage.LOGIN
    guest.picture(70)
    assert guest.decision(71) == (EndReason.EXPECTED_STAGE, 76.0)
    guest.add(77, "harness", "load", load=1, cpus=2, waited_share=0.0, stolen_share=0.0)
    verdict = guest.verdict(80)
    assert (verdict.result, verdict.cause) == (BootResult.SUCCESS, "Calamares runs and waits")


@pytest.mark.parametrize("session", ["/usr/libexec/gnome-session-binary", "/usr/bin/sway"])
def test_a_login_on_the_console_is_not_the_picture_of_a_session_that_has_drawn_nothing(session: str) -> None:
    guest = Guest().process(35, 400, "/usr/sbin/gdm3").login().process(40, 412, session, ppid=400)
    assert guest.decision(50) == (EndReason.BOOT_FAILED, 70.0)
    guest.picture(60)
    assert guest.decision(60) == (EndReason.EXPECTED_STAGE, 63.0)
    console = Guest().process(35, 400, "/usr/sbin/gdm3").login().process(40, 412, session, ppid=400)
    verdict = console.verdict(80)
    assert verdict.result is BootResult.FAILURE
    assert "but nothing was drawn" in verdict.cause


def test_a_greeter_on_a_text_console_is_not_called_a_desktop() -> None:
    guest = (
        Guest().process(39, 400, "/usr/sbin/greetd").process(41, 401, "greetd --session-worker 11", ppid=400)
    )
    guest.process(42, 402, "/usr/sbin/agreety --cmd /bin/sh", ppid=401)
    guest.add(43, "screen", "text", "Hello from greetd!\n\nlogin as: ", cols=80)
    verdict = guest.verdict(60)
    assert (verdict.result, verdict.stage) == (BootResult.SUCCESS, BootStage.LOGIN)
    assert verdict.cause == "a login waits: the greeter agreety, drawn and still"


def test_a_compositor_that_is_started_again_for_the_greeter_is_none() -> None:
    guest = (
        Guest().process(39, 400, "/usr/sbin/greetd").login().process(40, 401, "cage -s -- gtkgreet", ppid=400)
    )
    guest.process(42, 401, "cage -s -- gtkgreet", "ended", ppid=400)
    guest.process(43, 402, "cage -s -- gtkgreet", ppid=400).process(45, 403, "gtkgreet", ppid=402).picture(47)
    assert guest.decision(47) == (EndReason.EXPECTED_STAGE, 50.0)


@pytest.mark.parametrize(
    ("manager", "session"),
    [("/usr/sbin/nodm", "/bin/sh /etc/kiosk"), ("/usr/lib/lxdm/lxdm-session", "/opt/kiosk/show")],
)
def test_a_child_of_a_manager_without_a_greeter_is_the_session(manager: str, session: str) -> None:
    guest = Guest().process(39, 400, "/usr/sbin/lxdm-binary").process(40, 401, manager, ppid=400)
    guest.process(44, 410, SERVER, ppid=401).process(51, 412, session, ppid=401).picture(53)
    assert guest.decision(53) == (EndReason.EXPECTED_STAGE, 57.0)


def test_who_asks_for_a_login_gets_it_beside_a_desktop() -> None:
    guest = Guest(Expected.LOGIN).started()
    assert guest.decision(46) == (EndReason.EXPECTED_STAGE, 38.7)


def test_a_system_whose_service_manager_says_nothing_is_running_when_nothing_is_started_any_more() -> None:
    guest = Guest(Expected.RUNNING).login().process(41, 500, "/usr/bin/late")
    assert guest.decision(50) is None
    assert guest.decision(51) == (EndReason.EXPECTED_STAGE, 51.7)
    verdict = guest.verdict(52)
    assert (verdict.result, verdict.seconds) == (BootResult.SUCCESS, 41)


def test_who_asks_for_a_desktop_does_not_get_a_login() -> None:
    guest = Guest(Expected.DESKTOP).login()
    assert guest.decision(60) is None
    assert guest.verdict(300).result is BootResult.INCOMPLETE


def test_a_bare_window_manager_draws_nothing_but_its_pointer() -> None:
    guest = Guest().started().process(50, 420, "/usr/bin/openbox", ppid=411)
    assert guest.decision(53) == (EndReason.BOOT_FAILED, 80.0)
    guest.add(54, "screen", "blank", width=1280, height=800, colour="#000000", detail=True)
    assert guest.decision(54) == (EndReason.EXPECTED_STAGE, 84.0)
    assert guest.verdict(100).result is BootResult.SUCCESS


@pytest.mark.parametrize("session", ["/usr/libexec/gnome-session-binary", "/usr/bin/lxqt-session"])
def test_a_pointer_is_not_a_desktop_that_draws_a_background_of_its_own(session: str) -> None:
    guest = Guest().started().process(50, 420, session, ppid=411)
    guest.process(51, 421, "/usr/bin/openbox", ppid=420)
    guest.add(54, "screen", "blank", width=1280, height=800, colour="#000000", detail=True)
    assert guest.decision(54) == (EndReason.BOOT_FAILED, 84.0)
    verdict = guest.verdict(100)
    assert verdict.result is BootResult.FAILURE
    assert "the screen stays black" in verdict.cause


def test_processes_that_come_and_go_are_unrest_for_a_while() -> None:
    guest = Guest().started().process(50, 420, GREETER, ppid=411)
    guest.process(70, 500, "/usr/libexec/gsd-power")
    assert guest.decision(70) == (EndReason.BOOT_FAILED, 100.0)
    for second in range(71, 160):
        guest.process(second, 500 + second, "/usr/libexec/gsd-power")
    assert guest.judge.attempt.stuck is not None
    assert guest.verdict(161).result is BootResult.FAILURE


def test_a_pointer_is_not_a_greeter() -> None:
    guest = Guest().started().process(50, 420, GREETER, ppid=411)
    guest.add(54, "screen", "blank", width=1280, height=800, colour="#000000", detail=True)
    assert guest.verdict(160).result is BootResult.FAILURE


def test_a_deliberately_chosen_plain_colour_is_a_desktop_at_last() -> None:
    guest = Guest().started().process(50, 420, "/usr/bin/openbox", ppid=400)
    guest.add(52, "screen", "blank", width=1280, height=800, colour="#4682b4")
    assert guest.decision(53) == (EndReason.EXPECTED_STAGE, 82.0)


def test_a_compositor_that_ends_each_time_may_run_on_another_adapter() -> None:
    guest = Guest().process(39, 400, "/usr/sbin/greetd")
    for number in range(3):
        guest.process(40 + 4 * number, 410 + number, "cage -s -- foot", ppid=400)
        guest.process(41 + 4 * number, 410 + number, "cage -s -- foot", "ended", ppid=400)
    guest.add(60, "harness", "load", load=9, cpus=2, waited_share=0.0, stolen_share=0.0)
    words = "the session cage was started 3 times and ended each time (on the standard VGA adapter)"
    assert guest.verdict(70).cause == words
    kinds = [finding.kind for finding in guest.judge.findings]
    assert FindingKind.COMPOSITOR_FAILED in kinds


def test_a_window_manager_that_ends_under_an_x_server_fails_on_each_adapter() -> None:
    guest = Guest().started()
    for number in range(3):
        guest.process(47 + 4 * number, 420 + number, "openbox --startup", ppid=400)
        guest.process(48 + 4 * number, 420 + number, "openbox --startup", "ended", ppid=400)
    guest.add(80, "harness", "load", load=9, cpus=2, waited_share=0.0, stolen_share=0.0)
    guest.verdict(81)
    kinds = [finding.kind for finding in guest.judge.findings]
    assert FindingKind.DESKTOP_FAILED in kinds
