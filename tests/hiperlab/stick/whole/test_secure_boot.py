"""UEFI with Secure Boot and the vendor's keys: shim, signed GRUB, signed kernel, and the list by the recorder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hiperlab.debian.packages import Sources
from integration.stick_machine import machine

from .conftest import (
    INNER_S,
    MENU_S,
    OPTIONS,
    OVERRIDES,
    SIZE,
    STEP_S,
    choose,
    collected,
    hiperiso,
    started_by,
)
from .isos import build_isos

pytestmark = [pytest.mark.boots, pytest.mark.slow]


def test_a_login_from_a_start_with_secure_boot(tmp_path: Path, sources: Sources) -> None:
    payload, config, stick = tmp_path / "payload", tmp_path / "hiperiso.json", tmp_path / "stick.img"
    hiperiso(
        "payload", "build", "--out", payload
    )  # as small as it gets: shim and the signed GRUB need room too
    config.write_text(json.dumps({"iso_overrides": OVERRIDES}))
    made = ("stick", "create", stick, "--size", SIZE, "--payload", payload, "--config", config, "--yes")
    hiperiso(*made, "--kernel-options", f"{OPTIONS.replace('=menu', '=poweroff')} loglevel=7")
    hiperiso("stick", "add", stick, build_isos(tmp_path, sources)["login"])
    with machine(stick, started_by("secure"), tmp_path) as console:
        console.wait_next("Power off", 2 * MENU_S)
        assert "login.iso" not in console.text  # the signed GRUB reads no exFAT
        console.type("\r")
        console.wait_next("secureboot: Secure boot enabled", STEP_S)
        choose(console, "login.iso")
        console.wait_next("recorded in", INNER_S)
        console.wait_off(STEP_S)
    (session,) = collected(stick, tmp_path / "logs")
    manifest = session.manifest
    assert (manifest["status"], manifest["result"], manifest["accel"]) == ("complete", "success", "kvm")
    assert manifest["analysis"]["boot_stage_final"] == "login"
