"""What the guest's processes do to the verdict."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import pytest

from hiperiso.analysis.judge import Expectation, Judge
from hiperiso.analysis.processes import Kind, role_of
from hiperiso.analysis.verdict import Verdict, verdict_of
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.words import BootResult, BootStage, EndReason, FailureDomain, Source
from machine_speed import assert_cheap

LINUX = "[    0.000000] Linux version 6.1.0-30-amd64 (debian)"


class Guest:
    """Feeds a judge with what is seen in the memory of a guest."""

    def __init__(self, **expected: Any) -> None:
        self.judge = Judge(Expectation(**expected))
        self._numbers = count()
        self.event(1, Source.KERNEL, "line", LINUX)

    def event(self, t: float, source: Source, kind: str, text: str = "", **data: Any) -> Guest:
        self.judge.feed(event_of(next(self._numbers), t, source, kind, text=text, data=data))
        return self

    def process(self, t: float, kind: str, pid: int, argv: str, **data: Any) -> Guest:
        words = argv.split()
        comm = data.pop("comm", words[0].rsplit("/", 1)[-1].lstrip("-")[:15])
        text = f"{comm} ({pid}) {kind}: {argv}"
        facts = {"pid": pid, "ppid": 1, "comm": comm, "argv": words, "start_s": t, "state": "S", "boot": 0}
        return self.event(t, Source.PROCESS, kind, text, **(facts | data))

    def init(self, t: float, argv: str, root: str) -> Guest:
        return self.process(t, "became", 1, argv, ppid=0, root=root)

    def stages(self) -> list[BootStage]:
        return list(self.judge.stage_times)

    def decision(self, t: float) -> tuple[EndReason, float] | None:
        found = self.judge.decide(t)
        return (found.reason, round(found.at_s, 3)) if found else None

    def verdict(self, t: float) -> Verdict:
        self.event(t, Source.HARNESS, "end", EndReason.TIMEOUT.value)
        return verdict_of(self.judge)


def test_the_last_process_is_named_as_it_is_called_now() -> None:
    """The first one runs another program after the last that it had started ended."""
    guest = Guest().process(2, "started", 1, "/bin/sh /init", comm="init", ppid=0, root="rootfs")
    assert guest.judge.presence.last_started == "init"
    guest.process(3, "started", 86, "mount -t devtmpfs dev /dev")
    assert guest.judge.presence.last_started == "mount"
    guest.process(4, "started", 87, "/sbin/getty 38400 tty1").process(
        5, "ended", 87, "/sbin/getty 38400 tty1"
    )
    assert guest.judge.presence.last_started == "mount"
    guest.process(6, "ended", 86, "mount -t devtmpfs dev /dev").init(7, "sleep 1000000000", "rootfs")
    assert guest.judge.presence.last_started == "sleep"


@pytest.mark.parametrize(
    ("argv", "comm", "kind"),
    [
        ("/sbin/agetty --noclear tty1 linux", "agetty", Kind.LOGIN),
        ("/sbin/getty 38400 tty1", "getty", Kind.LOGIN),
        ("/bin/login --", "login", Kind.LOGIN),
        ("-bash", "bash", Kind.LOGIN),
        ("/usr/sbin/gdm3", "gdm3", Kind.GRAPHICAL),
        ("/usr/sbin/lightdm-gtk-greeter", "lightdm-gtk-gre", Kind.GRAPHICAL),
        ("/usr/lib/xorg/Xorg :0", "Xorg", Kind.GRAPHICAL),
        ("/usr/bin/python3 /usr/sbin/anaconda --graphical", "anaconda", Kind.INSTALLER),
        ("/snap/subiquity/5511/usr/bin/python3.10 -m subiquity.cmd.server", "python3.10", Kind.INSTALLER),
        ("/usr/bin/X :0 vt7", "Xorg", Kind.GRAPHICAL),
        ("/bin/sh /usr/bin/phosh", "phosh", Kind.GRAPHICAL),
        ("/nix/store/x-gdm-44/bin/gdm", ".gdm-wrapped", Kind.GRAPHICAL),
        ("/nix/store/x-gnome-44/bin/gnome-shell", ".gnome-shell-wr", Kind.GRAPHICAL),
        ("/bin/busybox getty 38400 tty1", "busybox", Kind.LOGIN),
        ("getty 38400 tty1", "exe", Kind.LOGIN),
        ("/bin/sh /usr/bin/debian-installer", "debian-installe", Kind.INSTALLER),
        ("/usr/bin/main-menu", "main-menu", Kind.INSTALLER),
        ("/usr/bin/python3 /usr/bin/ubiquity", "ubiquity", Kind.INSTALLER),
        ("/sbin/sulogin", "sulogin", Kind.EMERGENCY),
        ("/usr/lib/systemd/systemd-sulogin-shell emergency", "systemd-sulogin", Kind.EMERGENCY),
    ],
)
def test_roles(argv: str, comm: str, kind: Kind) -> None:
    role = role_of(comm, argv.split())
    assert role is not None
    assert role.kind is kind


@pytest.mark.parametrize(
    ("argv", "comm"),
    [
        ("(agetty)", "(agetty)"), ("bash", "bash"), ("/usr/lib/systemd/systemd-logind", "systemd-logind"),
        ("sh -c anaconda", "sh"), ("cat anaconda", "cat"), ("", "login_worker"), ("/bin/sh", "sh"),
        ("python3 -c import_subiquity", "python3"), ("-", "x"), ("--", ""),
        ("/bin/sh /etc/init.d/gdm3 start", "gdm3"), ("/sbin/openrc-run /etc/init.d/xdm start", "xdm"),
        ("/bin/sh /etc/rc3.d/S05lightdm start", "lightdm"),
        ("agetty 1000", "sleep"), ("sleep 1000", "agetty"), ("sh login", "sh"), ("sh -e /opt/X", "sh"),
        ("/usr/bin/X", "sleep"), ("busybox sleep 9", "login"),
        ("/bin/login -f root", "login"),
    ],
)  # fmt: skip
def test_programs_that_are_not_a_sign(argv: str, comm: str) -> None:
    assert role_of(comm, argv.split()) is None


def test_initramfs_and_userspace_by_the_root_of_the_first_process() -> None:
    guest = Guest().init(2, "/init", "rootfs")
    assert guest.stages() == [BootStage.KERNEL, BootStage.INITRAMFS]
    guest.init(9, "/sbin/init", "overlay")
    assert guest.judge.stage is BootStage.USERSPACE
    assert guest.judge.stage_times[BootStage.USERSPACE] == 9


def test_systemd_says_itself_that_it_runs_in_an_initramfs() -> None:
    """Some systems stay in their initramfs for good, with all of systemd."""
    guest = Guest().init(2, "/usr/lib/systemd/systemd", "rootfs")
    guest.event(2.5, Source.KERNEL, "line", "[    2.0] systemd[1]: Running in initrd.")
    guest.event(3, Source.SCREEN, "text", "[  OK  ] Reached target basic.target - Basic System.")
    assert guest.judge.stage is BootStage.INITRAMFS
    guest.init(5, "/usr/lib/systemd/systemd --switched-root", "ext4")
    assert guest.stages()[-1] is BootStage.USERSPACE


def test_a_getty_that_stays_is_a_login() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4").process(10, "started", 300, "/sbin/agetty tty1")
    assert guest.judge.stage is BootStage.USERSPACE
    assert guest.decision(10.1) == (EndReason.EXPECTED_STAGE, 15.0)
    assert guest.judge.stage is BootStage.USERSPACE
    assert guest.decision(15.0) == (EndReason.EXPECTED_STAGE, 15.0)
    verdict = guest.verdict(15.1)
    assert (verdict.result, verdict.stage, verdict.seconds) == (BootResult.SUCCESS, BootStage.LOGIN, 10)
    (finding,) = [finding for finding in guest.judge.findings if finding.kind == "login_prompt"]
    assert finding.evidence[0].text == "agetty (300) started: /sbin/agetty tty1"


def test_a_system_that_still_talks_has_not_come_to_its_login() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4").process(10, "started", 300, "/sbin/agetty tty1")
    for second in range(11, 20):
        guest.event(second, Source.SCREEN, "text", f"[  OK  ] Started service-{second:05}.")
    assert guest.decision(20) == (EndReason.EXPECTED_STAGE, 21.0)
    for second in range(20, 60):
        guest.event(second, Source.SCREEN, "text", f"[  OK  ] Started service-{second:05}.")
    assert guest.decision(60) == (EndReason.EXPECTED_STAGE, 40.0)


def test_a_getty_that_is_started_again_and_again_is_not_a_login() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4")
    for second in range(10, 60):
        guest.process(second, "started", 300 + second, "/sbin/agetty tty1")
        guest.process(second + 0.9, "ended", 300 + second, "/sbin/agetty tty1")
    assert guest.decision(61) is None
    verdict = guest.verdict(90)
    assert (verdict.result, verdict.stage) == (BootResult.INCOMPLETE, BootStage.USERSPACE)


def test_a_getty_just_before_the_end_has_not_stayed() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4").process(58.5, "started", 300, "/sbin/agetty tty1")
    assert guest.verdict(60).result is BootResult.INCOMPLETE


def test_a_panic_beats_a_getty() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4").process(10, "started", 300, "/sbin/agetty tty1")
    guest.event(12, Source.KERNEL, "line", "[   11.0] Kernel panic - not syncing: Fatal exception")
    assert guest.decision(12) == (EndReason.PANIC, 13.0)
    assert guest.verdict(14).result is BootResult.FAILURE


def test_who_was_logged_in_before_a_reset_is_gone() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4").process(10, "started", 300, "/sbin/agetty tty1")
    guest.event(11, Source.QMP, "event", "RESET", guest=True, reason="guest-reset")
    assert guest.decision(20) is None
    assert guest.judge.stage is BootStage.UNKNOWN


def test_the_last_words_of_a_kernel_that_was_reset_are_not_the_next_ones() -> None:
    """Memory is read a moment after QEMU has reported the reset."""
    guest = Guest().event(2, Source.KERNEL, "line", "[    1.0] clocksource: tsc", boot=0)
    guest.event(3, Source.QMP, "event", "RESET", guest=True, reason="guest-reset")
    guest.event(3.1, Source.KERNEL, "line", "[    1.5] Kernel panic - not syncing: once", boot=0)
    assert guest.judge.stage is BootStage.UNKNOWN
    assert guest.decision(3.1) is None
    guest.event(3.2, Source.QMP, "event", "RESET", guest=True, reason="guest-reset")  # the same reset
    assert guest.judge.progress.boots == 2
    broken = guest.verdict(4)
    assert (broken.result, broken.reason) == (BootResult.FAILURE, EndReason.PANIC)
    guest.event(5, Source.KERNEL, "line", LINUX, boot=1).init(6, "/sbin/init", "ext4")
    guest.process(7, "started", 300, "/sbin/agetty tty1")
    assert guest.verdict(20).result is BootResult.SUCCESS


def test_another_kernel_has_other_processes() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4").process(10, "started", 300, "/sbin/agetty tty1")
    guest.process(11, "started", 1, "/init", boot=1, root="rootfs")
    assert guest.decision(20) is None


def test_a_text_prompt_is_faster() -> None:
    guest = Guest().process(10, "started", 300, "/sbin/agetty tty1")
    guest.event(10.2, Source.SERIAL, "partial", "debian login: ")
    assert guest.decision(10.3) == (EndReason.EXPECTED_STAGE, 10.9)


def test_an_installer_counts_once_nothing_changes() -> None:
    guest = Guest().init(2, "/bin/busybox init", "rootfs").process(10, "started", 90, "/usr/bin/main-menu")
    for second in range(12, 30, 3):
        guest.process(second, "started", 100 + second, "udpkg --configure localechooser")
        guest.process(second + 1, "ended", 100 + second, "udpkg")
    assert guest.judge.stage is BootStage.INITRAMFS
    assert guest.decision(28) == (EndReason.EXPECTED_STAGE, 34.0)
    guest.event(30, Source.SCREEN, "text", "Loading additional components")
    assert guest.decision(34) == (EndReason.EXPECTED_STAGE, 36.0)
    verdict = guest.verdict(36)
    assert (verdict.result, verdict.stage) == (BootResult.SUCCESS, BootStage.INSTALLER)
    assert "Debian installer" in guest.judge.recognised.values()


def test_an_installer_that_never_rests_counts_all_the_same() -> None:
    guest = Guest().init(2, "/init", "overlay").process(10, "started", 90, "/usr/bin/calamares")
    for second in range(11, 132):
        guest.event(second, Source.SCREEN, "text", f"copying {second:05}")
        assert (guest.judge.stage is BootStage.INSTALLER) == (second >= 130)
    assert guest.verdict(132).stage is BootStage.INSTALLER


def test_a_getty_beside_an_installer_is_the_installers() -> None:
    guest = Guest().init(2, "/sbin/init", "overlay").process(10, "started", 300, "/sbin/agetty tty2")
    guest.process(11, "started", 301, "/usr/bin/python3 /usr/sbin/anaconda", comm="anaconda")
    assert guest.verdict(40).stage is BootStage.INSTALLER


def test_the_screen_of_an_installer_is_the_installers() -> None:
    guest = Guest().init(2, "/bin/busybox init", "rootfs")
    guest.process(10, "started", 246, "/bin/sh /sbin/debian-installer").process(
        14, "started", 265, "Xorg", ppid=246
    )
    guest.process(19, "ended", 246, "debian-installer")
    assert guest.decision(21) == (EndReason.EXPECTED_STAGE, 25.0)
    assert guest.verdict(40).stage is BootStage.INSTALLER


def test_an_installer_that_starts_its_screen_through_another_program() -> None:
    guest = Guest().init(2, "/sbin/init", "overlay")
    guest.process(10, "started", 240, "/bin/bash /usr/lib/YaST2/startup/YaST2.call installation", ppid=200)
    guest.process(11, "started", 250, "xinit", ppid=240).process(12, "started", 251, "Xorg :0", ppid=250)
    guest.process(14, "ended", 240, "YaST2.call")
    assert guest.verdict(40).stage is BootStage.INSTALLER


def test_a_screen_that_fails_again_and_again_is_not_a_login() -> None:
    """The display manager stays meanwhile."""
    guest = Guest().init(2, "/sbin/init", "ext4").process(10, "started", 300, "/usr/sbin/gdm3")
    for turn in range(5):
        at = 12 + 3 * turn
        guest.process(at, "started", 400 + turn, "/usr/lib/xorg/Xorg :0", ppid=300)
        guest.process(at + 2, "ended", 400 + turn, "/usr/lib/xorg/Xorg :0", ppid=300)
    assert guest.decision(27) == (EndReason.BOOT_FAILED, 23.0)
    verdict = guest.verdict(30)
    assert (verdict.result, verdict.stage) == (BootResult.FAILURE, BootStage.USERSPACE)


def test_a_screen_that_fails_twice_may_come_up_after_all() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4").process(10, "started", 300, "/usr/sbin/gdm3")
    for turn in range(2):
        at = 12 + 3 * turn
        guest.process(at, "started", 400 + turn, "/usr/lib/xorg/Xorg :0", ppid=300)
        guest.process(at + 2, "ended", 400 + turn, "/usr/lib/xorg/Xorg :0", ppid=300)
    guest.process(28, "started", 500, "/usr/bin/gnome-shell", ppid=300)
    assert guest.decision(28) == (EndReason.EXPECTED_STAGE, 34.0)


def test_many_that_wait_cost_little() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4")
    for number in range(4000):
        guest.process(3, "started", 300 + number, "/sbin/agetty tty1")
    began_s = time.process_time()
    for number in range(2000):
        guest.event(3 + number / 1000, Source.SERIAL, "line", "busy")
    assert_cheap(time.process_time() - began_s, 4)


def test_an_emergency_shell_without_a_word() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4").process(10, "started", 300, "/sbin/sulogin")
    guest.process(11, "started", 301, "-bash", ppid=300)
    assert guest.decision(12) == (EndReason.STUCK, 20.0)
    verdict = guest.verdict(21)
    assert (verdict.result, verdict.domain) == (BootResult.FAILURE, FailureDomain.USERSPACE)
    assert "sulogin" in verdict.cause


def test_a_rescue_that_goes_on_is_not_a_failure() -> None:
    guest = Guest().init(2, "/sbin/init", "ext4").process(10, "started", 300, "/sbin/sulogin")
    guest.process(15, "ended", 300, "/sbin/sulogin").process(16, "started", 310, "/sbin/agetty tty1")
    assert guest.verdict(30).result is BootResult.SUCCESS


def test_processes_do_not_stand_for_an_expected_text() -> None:
    guest = Guest(text="ready").init(2, "/sbin/init", "ext4").process(10, "started", 300, "/sbin/agetty tty1")
    assert guest.decision(20) is None
    guest.event(21, Source.SCREEN, "text", "it is ready")
    assert guest.decision(21) == (EndReason.EXPECTED_TEXT, 21.7)


@pytest.mark.parametrize("source", [Source.SERIAL, Source.KERNEL, Source.SCREEN])
def test_an_expected_text_is_looked_for_on_every_channel(source: Source) -> None:
    kind = "text" if source is Source.SCREEN else "line"
    guest = Guest(text=r"device \d+ is ready").event(4, source, kind, "first\ndevice 12 is ready\nlast")
    if source is not Source.SCREEN:
        guest.event(4, source, kind, "device 12 is ready")
    assert guest.decision(4) == (EndReason.EXPECTED_TEXT, 4.7)


@pytest.mark.parametrize(
    "data",
    [
        {}, {"pid": "1"}, {"pid": 1}, {"pid": 1, "argv": 7, "comm": None, "boot": "x"},
        {"pid": 5, "comm": "agetty", "argv": [None, {}], "boot": -1, "root": 4}, {"pid": [1], "argv": []},
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["started", "became", "ended", "more", "unavailable", ""])
def test_events_that_are_none(kind: str, data: dict[str, Any]) -> None:
    guest = Guest().event(2, Source.PROCESS, kind, "?", **data)
    assert guest.judge.stage in (BootStage.KERNEL, BootStage.USERSPACE)
