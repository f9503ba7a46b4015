"""Every sample is booted by the command a user types, and the verdict is compared with what the guest really does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hiperlab.samples import Firmware, Sample, build_sample, list_samples

UNDER_UEFI = {
    "memtest",
    "login-serial",
    "login-vga",
    "isolinux-login",
    "bios-only",
    "uefi-only",
    "panic-no-root",
    "missing-kernel",
    "not-bootable",
}
"""Firmware changes what is seen of these; the others would only take longer."""


def boots() -> Iterator[Any]:
    for sample in list_samples():
        for firmware in sample.firmware:
            if firmware is Firmware.BIOS or sample.name in UNDER_UEFI:
                yield pytest.param(sample, firmware, id=f"{sample.name}-{firmware}")


@pytest.mark.boots
@pytest.mark.parametrize(("sample", "firmware"), list(boots()))
def test_the_verdict_is_what_the_guest_does(sample: Sample, firmware: Firmware, tmp_path: Path) -> None:
    iso = build_sample(sample.name)
    command = Path(sys.executable).parent / "hiperiso"
    options: list[str] = [
        "--json",
        "--firmware",
        str(firmware),
        "--accel",
        "tcg",
        "--log-root",
        str(tmp_path),
        "--timeout",
        "60",
    ]
    done = subprocess.run(
        [command, "boot", *options, iso],
        env={**os.environ, "HIPERISO_TIMEOUT_SCALE": "2"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout, done.stderr
    manifest = json.loads(done.stdout)
    analysis = manifest["analysis"]
    found = (analysis["boot_stage_final"], analysis["boot_result"], analysis["failure_domain"])
    expected = sample.outcome(firmware)
    assert found == (expected.stage, expected.result, expected.domain), analysis["cause"]
    assert done.returncode == {"success": 0, "failure": 1}.get(expected.result, 3)
    assert manifest["fault"] == ("guest" if expected.result == "failure" else "none")
    if sample.serial_silent and firmware is Firmware.BIOS:
        assert (Path(manifest["log_dir"]) / "serial.log").read_bytes() == b""
