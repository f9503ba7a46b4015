"""From a blank stick to recordings at home: started by UEFI and by BIOS, with KVM and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..console import machine
from .conftest import INNER_S, LIST, MENU_S, STEP_S, choose, collected, leave, started_by

pytestmark = pytest.mark.boots


def test_uefi_start_a_missing_iso_a_panic_and_a_login_without_kvm(stick: Path, tmp_path: Path) -> None:
    with machine(stick, started_by("uefi"), tmp_path) as console:
        console.wait_next("Power off", MENU_S)
        console.type("c")
        console.wait_next("grub>", MENU_S)
        console.type("hiperiso_boot /ISOs/gone.iso\r")  # what a menu does that is older than the files
        console.wait_next("gone.iso", STEP_S)
        choose(console, "panic.iso")
        console.wait_next("recorded in", INNER_S)
        choose(console, "emulated login.iso")
        console.wait_next("recorded in", INNER_S)
        leave(console)
    sessions = {session.iso: session for session in collected(stick, tmp_path / "logs")}
    assert set(sessions) == {"gone.iso", "panic.iso", "emulated login.iso"}

    login = sessions["emulated login.iso"].manifest
    assert (login["status"], login["result"]) == ("complete", "success")
    assert login["analysis"]["boot_stage_final"] == "login"
    assert login["accel"] == "tcg"

    panic = sessions["panic.iso"].manifest
    assert (panic["status"], panic["result"]) == ("complete", "failure")
    assert panic["analysis"]["failure_domain"] == "kernel"
    assert panic["analysis"]["kernel_panic_count"] >= 1

    gone = sessions["gone.iso"]
    assert gone.manifest["status"] == "failed" and gone.stage == "iso_not_found"
    assert gone.manifest["iso_path"] == "/ISOs/gone.iso"


def test_bios_start_and_a_login_with_kvm(stick: Path, tmp_path: Path) -> None:
    with machine(stick, started_by("bios"), tmp_path) as console:
        console.wait_next("Power off", MENU_S)
        console.type("\r")
        console.wait_next("status kvm_ok", STEP_S)
        console.wait_next("recorded in", INNER_S)
        assert LIST not in console.text
        leave(console)
    (session,) = collected(stick, tmp_path / "logs")
    manifest = session.manifest
    assert (manifest["status"], manifest["result"]) == ("complete", "success")
    assert manifest["analysis"]["boot_stage_final"] == "login"
    assert (manifest["kvm"], manifest["accel"]) == ("available", "kvm")
    assert "login:" in (session.path / "serial.log").read_text()
