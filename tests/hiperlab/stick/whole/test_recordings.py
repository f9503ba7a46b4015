"""From a blank stick to recordings at home, started by UEFI."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.stick_machine import machine

from .conftest import INNER_S, MENU_S, STEP_S, by_iso, choose, collected, leave, started_by

pytestmark = pytest.mark.boots


def test_from_uefi_a_panic_and_a_login_without_kvm(stick: Path, tmp_path: Path) -> None:
    with machine(stick, started_by("uefi"), tmp_path) as console:
        console.wait_next("Power off", MENU_S)
        console.type("\r")  # the first: panic.iso
        console.wait_next("status kvm_ok", STEP_S)
        console.wait_next("recorded in", INNER_S)
        choose(console, "emulated login.iso")
        console.wait_next("recorded in", INNER_S)
        leave(console)
    found = by_iso(collected(stick, tmp_path / "logs"))
    assert set(found) == {"panic.iso", "emulated login.iso"}

    login = found["emulated login.iso"].manifest
    assert (login["status"], login["result"]) == ("complete", "success")
    assert (login["analysis"]["boot_stage_final"], login["analysis"]["failure_domain"]) == ("login", "none")
    assert login["accel"] == "tcg"
    assert login["iso_path"] == "/ISOs/emulated login.iso"
    assert "login:" in (found["emulated login.iso"].path / "serial.log").read_text()

    panic = found["panic.iso"].manifest
    assert (panic["status"], panic["result"]) == ("complete", "failure")
    assert panic["analysis"]["failure_domain"] == "kernel"
    assert panic["analysis"]["kernel_panic_count"] >= 1
    assert (panic["kvm"], panic["accel"]) == ("available", "kvm")
