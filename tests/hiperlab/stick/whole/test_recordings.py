"""From a blank stick to recordings at home, started by UEFI."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.stick_machine import machine

from .conftest import END_S, INNER_S, MENU_S, STEP_S, attempted, by_iso, choose, collected, started_by

pytestmark = [pytest.mark.boots, pytest.mark.timeout(7200)]


@pytest.mark.parametrize(
    "logins",
    [
        pytest.param((), id="panic and direct boot"),
        pytest.param(
            (("login.iso", "kvm"), ("emulated login.iso", "tcg")), id="logins too", marks=pytest.mark.slow
        ),
    ],
)
def test_from_uefi_a_panic_logins_with_and_without_kvm_and_a_direct_boot(
    logins: tuple[tuple[str, str], ...], blank: Path, tmp_path: Path
) -> None:
    """The login under KVM, from a start by BIOS, is in the test of the power cut."""

    def use(stick: Path, scratch: Path) -> None:
        with machine(stick, started_by("uefi"), scratch) as console:
            console.wait_next("Power off", MENU_S)
            console.type("\r")  # the first: panic.iso
            console.wait_next("status kvm_ok", STEP_S)
            console.wait_next("recorded in", INNER_S)
            for name, accel in logins:
                choose(console, name)
                if accel == "kvm":
                    console.wait_next("status kvm_ok", STEP_S)
                console.wait_next("recorded in", INNER_S)
            choose(console, "live.iso")  # by the settings of the stick without a hypervisor
            console.wait_next("live login:", INNER_S)
            console.type("root\r")
            console.wait_next("# ", END_S)
            console.type("poweroff\r")
            console.wait_off(END_S)

    stick = attempted(blank, tmp_path, use)
    found = by_iso(collected(stick, tmp_path / "logs"))
    assert set(found) == {"panic.iso", "live.iso", *(name for name, _ in logins)}

    for name, accel in logins:
        login = found[name].manifest
        assert (login["status"], login["result"]) == ("complete", "success")
        assert (login["analysis"]["boot_stage_final"], login["analysis"]["failure_domain"]) == (
            "login",
            "none",
        )
        assert login["accel"] == accel
        assert login["iso_path"] == f"/ISOs/{name}"
        assert "login:" in (found[name].path / "serial.log").read_text()

    panic = found["panic.iso"].manifest
    assert (panic["status"], panic["result"]) == ("complete", "failure")
    assert panic["analysis"]["failure_domain"] == "kernel"
    assert panic["analysis"]["kernel_panic_count"] >= 1
    assert (panic["kvm"], panic["accel"]) == ("available", "kvm")

    live = found["live.iso"]
    assert (live.manifest["status"], live.manifest["end_reason"]) == ("complete", "handed_over")
    assert [event["text"] for event in live.events("harness", "status")] == ["mounted", "fallback_no_kvm"]
