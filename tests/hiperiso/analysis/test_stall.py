"""What a quiet guest does, reported from samples of its vCPUs."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.words import BootResult, BootStage, EndReason, FailureDomain, Source

IDLE = {"halted": True, "interrupts": True, "user": False, "symbol": "default_idle"}
DEAD = {"halted": True, "interrupts": False, "user": False, "symbol": "stop_this_cpu"}
KERNEL = {"halted": False, "interrupts": True, "user": False, "symbol": "delay_tsc"}
USER = {"halted": False, "interrupts": True, "user": True, "symbol": ""}


class Quiet:
    def __init__(self) -> None:
        self.judge = Judge()
        self._numbers = count()
        self.event(1, Source.KERNEL, "line", "[    0.000000] Linux version 6.1.0-30-amd64 (debian)")
        self.event(2, Source.KERNEL, "line", "[    1.000000] Run /init as init process")

    def event(self, t: float, source: Source, kind: str, text: str = "", **data: Any) -> Quiet:
        self.judge.feed(event_of(next(self._numbers), t, source, kind, text=text, data=data))
        return self

    def sample(
        self, t: float, *cpus: dict[str, Any], quiet_s: float, read: float = 0, share: float = 0
    ) -> Quiet:
        data = {"cpus": list(cpus), "quiet_s": quiet_s, "read_bytes_s": read, "reading_share": share}
        return self.event(t, Source.QMP, "cpu", "a sample", **data)

    def cause(self, t: float = 60) -> str:
        self.event(t, Source.HARNESS, "end", EndReason.TIMEOUT.value)
        verdict = verdict_of(self.judge)
        assert (verdict.result, verdict.stage) == (BootResult.INCOMPLETE, BootStage.INITRAMFS)
        return verdict.cause


def test_idle_at_an_unknown_prompt() -> None:
    boot = Quiet().event(5, Source.PROCESS, "started", "sleep", pid=70, comm="sleep", argv=["sleep"], boot=0)
    boot.sample(40, IDLE, IDLE, quiet_s=35).sample(50, IDLE, KERNEL, quiet_s=45).sample(
        60, IDLE, IDLE, quiet_s=55
    )
    cause = boot.cause()
    assert (
        "the guest is idle: its vCPUs are halted in default_idle, nothing new for 55 s, last process sleep"
        in cause
    )
    (finding,) = [finding for finding in boot.judge.findings if finding.kind == "guest_idle"]
    assert finding.evidence[0].t == 60


def test_spinning_in_the_kernel() -> None:
    boot = Quiet().sample(50, KERNEL, quiet_s=48).sample(60, KERNEL, quiet_s=58)
    assert "spins in its kernel in delay_tsc" in boot.cause()


@pytest.mark.parametrize("busy", [KERNEL, {**KERNEL, "symbol": "", "rip": "0xffffffffc0401234"}])
def test_one_vcpu_that_spins_among_idle_ones(busy: dict[str, Any]) -> None:
    boot = Quiet()
    for t in (40, 50, 60):
        boot.sample(t, IDLE, IDLE, IDLE, busy, quiet_s=t - 2)
    cause = boot.cause()
    assert "the guest spins" in cause
    assert "idle" not in cause


def test_two_moments_of_work_on_different_vcpus_are_idle() -> None:
    boot = (
        Quiet()
        .sample(50, IDLE, IDLE, IDLE, USER, quiet_s=48)
        .sample(60, KERNEL, IDLE, IDLE, IDLE, quiet_s=58)
    )
    assert "is idle" in boot.cause()


def test_a_loop_without_names() -> None:
    loop = {"halted": False, "interrupts": True, "user": False, "symbol": "", "rip": "0x7c40"}
    boot = Quiet().sample(50, loop, quiet_s=48).sample(60, {**loop, "rip": "0x7c3e"}, quiet_s=58)
    assert "the guest spins at 0x7c3e" in boot.cause()
    wide = Quiet().sample(50, loop, quiet_s=48).sample(60, {**loop, "rip": "0xf1234"}, quiet_s=58)
    assert "spins" not in wide.cause()


def test_busy_in_user_mode() -> None:
    assert "busy in user mode" in Quiet().sample(59, USER, USER, quiet_s=57).cause()


def test_waiting_for_the_medium() -> None:
    boot = Quiet().sample(50, IDLE, quiet_s=48).sample(60, IDLE, quiet_s=58, read=2.5e6)
    assert "waits for the medium: it still reads 2.5 MB/s" in boot.cause()


def test_a_medium_that_hardly_gives_anything() -> None:
    boot = Quiet().sample(50, IDLE, quiet_s=48).sample(60, IDLE, quiet_s=58, read=4096, share=0.98)
    assert "waits for the medium: it still reads 4.1 kB/s, each read takes long" in boot.cause()
    housekeeping = Quiet().sample(50, IDLE, quiet_s=48).sample(60, IDLE, quiet_s=58, read=4096, share=0.01)
    assert "is idle" in housekeeping.cause()


def test_samples_from_before_a_word_say_nothing() -> None:
    boot = Quiet().sample(20, KERNEL, quiet_s=18).sample(25, KERNEL, quiet_s=23)
    boot.event(50, Source.KERNEL, "line", "[   48.0] usb 1-1: new device").sample(59, IDLE, quiet_s=9)
    assert "is idle" in boot.cause()


def test_old_samples_say_nothing_about_the_end() -> None:
    assert "guest" not in Quiet().sample(20, IDLE, quiet_s=18).cause(100)


def test_halted_for_good_ends_early() -> None:
    boot = Quiet().sample(20, DEAD, DEAD, quiet_s=5)
    assert boot.judge.decide(20) is None  # once is no proof
    boot.sample(21.5, DEAD, DEAD, quiet_s=6.5)
    decision = boot.judge.decide(21.5)
    assert decision is not None
    assert (decision.reason, decision.at_s) == (EndReason.STUCK, 21.5)
    boot.event(21.6, Source.HARNESS, "end", EndReason.STUCK.value)
    verdict = verdict_of(boot.judge)
    assert (verdict.result, verdict.domain) == (BootResult.FAILURE, FailureDomain.USERSPACE)
    assert "interrupts off in stop_this_cpu" in verdict.cause


@pytest.mark.parametrize("other", [IDLE, KERNEL, USER])
def test_one_vcpu_that_can_wake_is_enough(other: dict[str, Any]) -> None:
    boot = Quiet().sample(20, DEAD, other, quiet_s=5).sample(22, DEAD, other, quiet_s=7)
    assert boot.judge.decide(22) is None


@pytest.mark.parametrize("other", [IDLE, KERNEL, USER])
def test_what_woke_in_between_can_wake(other: dict[str, Any]) -> None:
    boot = Quiet().sample(20, DEAD, quiet_s=5).sample(21.5, other, quiet_s=6.5).sample(26, DEAD, quiet_s=11)
    assert boot.judge.decide(26) is None
    boot.sample(27.5, DEAD, quiet_s=12.5)
    assert boot.judge.decide(27.5) is not None


def test_a_system_that_was_halted_on_purpose_did_its_work() -> None:
    boot = Quiet().event(10, Source.KERNEL, "line", "[    9.0] reboot: System halted")
    boot.sample(20, DEAD, quiet_s=10).sample(22, DEAD, quiet_s=12).event(
        23, Source.HARNESS, "end", "powered_off"
    )
    assert verdict_of(boot.judge).result is BootResult.SUCCESS


@pytest.mark.parametrize(
    "cpus",
    [None, [], [7], "x", [{}], [{"halted": "?"}], [{"rip": "0x"}, {"rip": []}, {"rip": "0x" + "f" * 99}]],
)
def test_samples_that_are_none(cpus: Any) -> None:
    boot = Quiet().event(58, Source.QMP, "cpu", "?", cpus=cpus, quiet_s="x", read_bytes_s=None)
    assert "halted permanently" not in boot.cause()
