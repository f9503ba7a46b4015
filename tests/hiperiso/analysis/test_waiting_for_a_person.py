"""Boot menus and passphrases that wait for a person: what the hands did, and what the verdict makes of it."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.verdict import Verdict, verdict_of
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.menupolicy import MenuOutcome
from hiperiso.contract.words import (
    BootResult,
    BootStage,
    EndReason,
    FailureDomain,
    Fault,
    FindingKind,
    Source,
)

LINUX = "[    0.000000] Linux version 6.1.0-demo"


class Recording:
    """Feeds a judge with events in their order."""

    def __init__(self) -> None:
        self.judge = Judge()
        self._numbers = count()

    def event(self, t: float, source: Source, what: str, text: str = "", **data: Any) -> Recording:
        self.judge.feed(event_of(next(self._numbers), t, source, what, text=text, data=data))
        return self

    def hands(self, t: float, what: str, text: str, **data: Any) -> Recording:
        return self.event(t, Source.HANDS, what, text, **data)

    @property
    def verdict(self) -> Verdict:
        return verdict_of(self.judge)

    def kinds(self) -> list[FindingKind]:
        return [finding.kind for finding in self.judge.findings]


def stands(t: float = 3.0) -> Recording:
    return Recording().hands(t, "menu", "a menu of GRUB is shown", kind="GRUB", entries=["Live"], chosen=0)


def test_a_menu_that_stands_is_the_boot_loader() -> None:
    recording = stands()
    assert recording.judge.stage is BootStage.BOOTLOADER
    assert recording.kinds() == [FindingKind.BOOT_MENU]


def test_a_key_is_reported_with_its_time() -> None:
    recording = stands().hands(
        4.2, "keys", "the boot menu (GRUB) waited for a person", keys=["ret"], answers=True
    )
    (finding,) = [one for one in recording.judge.findings if one.kind is FindingKind.MENU_KEY]
    assert finding.summary == "the boot menu (GRUB) waited for a person; Enter was pressed at 4.2 s"


def test_keys_that_only_look_for_an_entry_are_not_a_finding() -> None:
    recording = stands().hands(4.2, "keys", "to the next entry", keys=["down"], answers=False)
    assert recording.kinds() == [FindingKind.BOOT_MENU]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (MenuOutcome.WAITS, EndReason.MENU_WAITS),
        (MenuOutcome.LISTED, EndReason.MENU_LISTED),
        (MenuOutcome.NO_ENTRY, EndReason.MENU_ENTRY_MISSING),
        (MenuOutcome.PASSPHRASE, EndReason.PASSPHRASE),
    ],
)
def test_waiting_for_a_person_is_not_a_failure(outcome: MenuOutcome, reason: EndReason) -> None:
    recording = stands().hands(5.0, "outcome", "the reason in words", outcome=outcome.value)
    decision = recording.judge.decide(5.0)
    assert decision is not None
    assert decision.reason is reason
    verdict = recording.verdict
    assert (verdict.result, verdict.domain, verdict.fault) == (
        BootResult.INCOMPLETE,
        FailureDomain.NONE,
        Fault.NONE,
    )
    assert (verdict.stage, verdict.cause) == (BootStage.BOOTLOADER, "the reason in words")


@pytest.mark.parametrize("outcome", [MenuOutcome.RETURNED, MenuOutcome.NO_REACTION])
def test_a_menu_that_comes_back_or_is_deaf_is_a_failure_of_the_boot_loader(outcome: MenuOutcome) -> None:
    recording = stands().hands(9.0, "outcome", "the boot menu came back", outcome=outcome.value)
    verdict = recording.verdict
    assert (verdict.result, verdict.domain, verdict.fault) == (
        BootResult.FAILURE,
        FailureDomain.BOOTLOADER,
        Fault.GUEST,
    )


def test_a_boot_that_goes_on_after_the_menu_is_judged_by_what_comes() -> None:
    recording = stands().hands(4.0, "keys", "waited", keys=["ret"], answers=True)
    recording.event(8.0, Source.SERIAL, "line", LINUX).event(20.0, Source.SERIAL, "partial", "demo login: ")
    assert recording.judge.decide(30.0) is not None
    assert recording.verdict.result is BootResult.SUCCESS


def test_an_unknown_outcome_of_a_newer_version_changes_nothing() -> None:
    assert stands().hands(5.0, "outcome", "something new", outcome="danced").judge.decide(5.0) is None


PROMPTS = (
    "Please enter passphrase for disk QEMU_HARDDISK (luks-4f2a):",
    "Enter passphrase for /dev/vda3: ",
    "Please unlock disk vda3_crypt: ",
    "Enter passphrase for hd0,gpt3 (0a1b2c): ",
)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_passphrase_prompt_is_an_end_of_its_own(prompt: str) -> None:
    recording = (
        Recording().event(1.0, Source.SERIAL, "line", LINUX).event(9.0, Source.SERIAL, "partial", prompt)
    )
    decision = recording.judge.decide(9.0)
    assert decision is not None
    assert (decision.reason, decision.at_s) == (EndReason.PASSPHRASE, 19.0)
    assert recording.verdict.result is BootResult.INCOMPLETE
    assert FindingKind.PASSPHRASE_PROMPT in recording.kinds()


@pytest.mark.parametrize("prompt", PROMPTS)
def test_on_the_screen_too(prompt: str) -> None:
    recording = Recording().event(1.0, Source.SERIAL, "line", LINUX)
    recording.event(9.0, Source.SCREEN, "text", f"Begin: Mounting root\n{prompt}", cols=80, rows=25)
    decision = recording.judge.decide(9.0)
    assert decision is not None
    assert decision.reason is EndReason.PASSPHRASE


def process(recording: Recording, t: float, pid: int, argv: str, what: str = "started") -> Recording:
    words = argv.split()
    comm = words[0].rpartition("/")[2][:15]
    return recording.event(t, Source.PROCESS, what, comm, pid=pid, ppid=1, comm=comm, argv=words, boot=0)


def in_the_initramfs() -> Recording:
    recording = Recording().event(10, Source.KERNEL, "line", LINUX)
    return recording.event(
        12,
        Source.PROCESS,
        "started",
        "init",
        pid=1,
        ppid=0,
        comm="init",
        argv=["/init"],
        boot=0,
        root="rootfs",
    )


ASKS = (
    "plymouth ask-for-password --prompt Unlock",
    "/lib/cryptsetup/askpass Please unlock disk root:",
    "/usr/bin/systemd-tty-ask-password-agent --watch --plymouth",
)


@pytest.mark.parametrize("argv", ASKS)
def test_a_prompt_in_a_splash_screen_is_known_by_its_process(argv: str) -> None:
    recording = process(in_the_initramfs(), 20, 300, argv)
    assert recording.judge.decide(30) is not None
    recording.event(40, Source.HARNESS, "load", load=1.0, cpus=2, waited_share=0.0, stolen_share=0.0)
    verdict = recording.verdict
    assert (verdict.result, verdict.reason) == (BootResult.INCOMPLETE, EndReason.PASSPHRASE)
    assert FindingKind.PASSPHRASE_PROMPT in recording.kinds()


@pytest.mark.parametrize(
    ("argv", "prompt"),
    [
        (("/lib/cryptsetup/askpass", "Please unlock disk root_crypt: "), "Please unlock disk root_crypt:"),
        (("plymouth", "ask-for-password", "--prompt", "Unlock root"), "Unlock root"),
        (("plymouth", "ask-for-password", "--prompt=Unlock root"), "Unlock root"),
        (("/usr/bin/systemd-tty-ask-password-agent", "--watch", "--plymouth"), ""),
    ],
)
def test_the_cause_has_what_is_asked_for(argv: tuple[str, ...], prompt: str) -> None:
    recording = in_the_initramfs()
    comm = argv[0].rpartition("/")[2][:15]
    recording.event(20, Source.PROCESS, "started", comm, pid=9, ppid=1, comm=comm, argv=list(argv), boot=0)
    recording.event(40, Source.HARNESS, "load", load=1.0, cpus=2, waited_share=0.0, stolen_share=0.0)
    words = prompt or f"{argv[0].rpartition('/')[2]} runs"
    assert recording.verdict.cause == f"waits for a passphrase: {words}"


@pytest.mark.parametrize("argv", ASKS)
def test_a_prompt_that_was_answered_by_itself_is_not_an_end(argv: str) -> None:
    recording = process(process(in_the_initramfs(), 20, 300, argv), 28, 300, argv, "ended")
    recording.event(60, Source.HARNESS, "load", load=1.0, cpus=2, waited_share=0.0, stolen_share=0.0)
    assert FindingKind.PASSPHRASE_PROMPT not in recording.kinds()
    assert recording.judge.decide(60) is None


def test_a_passphrase_that_was_given_is_not_an_end() -> None:
    recording = (
        Recording().event(1.0, Source.SERIAL, "line", LINUX).event(9.0, Source.SERIAL, "partial", PROMPTS[0])
    )
    recording.event(12.0, Source.SERIAL, "line", "Welcome to Demo Linux 1!")
    recording.event(20.0, Source.SERIAL, "partial", "demo login: ")
    assert recording.verdict.result is BootResult.SUCCESS
    assert recording.judge.stage is BootStage.LOGIN


@pytest.mark.parametrize("line", ["Password: ", "demo login: root\nPassword: ", "Enter passphrase too short"])
def test_other_prompts_ask_for_no_passphrase(line: str) -> None:
    recording = (
        Recording().event(1.0, Source.SERIAL, "line", LINUX).event(9.0, Source.SERIAL, "partial", line)
    )
    assert FindingKind.PASSPHRASE_PROMPT not in recording.kinds()


ERRORS = ("error: file `/boot/missing' not found.", "error: you need to load the kernel first.")


def failed_default(*, fallback: bool, answered: bool = False) -> Recording:
    recording = Recording()
    if fallback:
        recording.hands(
            0.5, "fallback", "GRUB goes on with 'Live'", entries=["Live"], config="/boot/grub/grub.cfg"
        )
    recording.event(1.0, Source.SERIAL, "line", "Welcome to GRUB!")
    if answered:
        recording.hands(2.0, "keys", "the boot menu (GRUB) waited for a person", keys=["ret"], answers=True)
    for text in ERRORS:
        recording.event(4.0, Source.SERIAL, "line", text)
    return recording


@pytest.mark.parametrize(
    ("fallback", "answered", "waits"), [(False, False, False), (True, False, True), (True, True, False)]
)
def test_a_default_entry_that_fails_is_no_end_where_a_fallback_follows(
    fallback: bool, answered: bool, waits: bool
) -> None:
    recording = failed_default(fallback=fallback, answered=answered)
    decision = recording.judge.decide(5.0)
    assert decision is not None
    assert (decision.at_s > 16.0) is waits
    recording.event(18.0, Source.SERIAL, "line", LINUX)
    assert recording.judge.decide(60.0) is None


def test_a_fallback_that_fails_as_well_is_the_end() -> None:
    recording = failed_default(fallback=True)
    recording.event(18.0, Source.SERIAL, "line", "Failed to boot both default and fallback entries.")
    decision = recording.judge.decide(18.0)
    assert decision is not None
    assert decision.at_s < 20.0
    assert recording.verdict.domain is FailureDomain.BOOTLOADER


def logged_in() -> Recording:
    recording = Recording().event(1.0, Source.SERIAL, "line", LINUX)
    return recording.event(9.0, Source.SCREEN, "text", "kiosk login: root (automatic login)\n")


def test_an_automatic_login_is_a_login_once_nothing_graphical_has_followed() -> None:
    recording = logged_in()
    decision = recording.judge.decide(9.0)
    assert decision is not None
    assert (decision.reason, 9.0 + 4.0 < decision.at_s < 9.0 + 20.0) == (EndReason.EXPECTED_STAGE, True)
    assert recording.verdict.stage is BootStage.LOGIN


def test_the_prompt_of_its_shell_ends_the_wait_after_an_automatic_login() -> None:
    recording = logged_in().event(
        10.0, Source.SCREEN, "text", "kiosk login: root (automatic login)\nroot@kiosk:~# "
    )
    decision = recording.judge.decide(10.0)
    assert decision is not None
    assert decision.at_s < 11.5


def test_an_x_server_that_an_automatic_login_starts_is_waited_for() -> None:
    recording = logged_in()
    argv = ["/usr/lib/xorg/Xorg", ":0"]
    recording.event(11.0, Source.PROCESS, "started", " ".join(argv), pid=90, ppid=80, comm="Xorg", argv=argv)
    decision = recording.judge.decide(11.0)
    assert decision is None or decision.reason is not EndReason.EXPECTED_STAGE
