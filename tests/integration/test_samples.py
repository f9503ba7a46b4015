"""Every sample ISO is booted for real and must be judged right: stage, result and domain, from a valid session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from hiperiso.contract.schema import schema_of
from hiperiso.contract.words import FirmwareKind
from hiperlab.samples import Sample, build_sample, list_samples
from integration.conftest import Boot
from integration.contract_reader import read_session

EXIT_CODES = {"success": 0, "failure": 1, "incomplete": 3, "no_serial": 3}

WAITS_FOR_THE_TIMEOUT = {"hang", "hang-silent"}
FEW_S, ENOUGH_S = 8, 90
"""Time limits: for what waits for the limit, and for what ends by itself long before."""

UNDER_UEFI = {
    *("memtest", "login-serial", "login-vga", "bios-only", "uefi-only"),
    *("panic-no-root", "missing-kernel", "not-bootable"),
}
"""Firmware changes what is seen of these; the others would only take longer."""

SLOW = {
    *("debian-live-bios", "debian-live-silent-bios", "systemd-login-bios", "debian-installer-silent-bios"),
    *("emergency-dracut-bios", "emergency-initramfs-tools-bios", "hang-silent-bios", "reset-loop-bios"),
    *("bootchain-fails-bios", "bios-only-bios"),
    *("emergency-shell-dracut-bios", "debian-installer-graphical-bios", "reset-loop-triple-fault-bios"),
    *("memtest-uefi", "login-serial-uefi", "login-vga-uefi", "panic-no-root-uefi", "missing-kernel-uefi"),
}
"""Others that are booted always come the same way: of live systems a small one, of initramfs shells a plain one, of
installers the one that prints, of silent hangs those of the guest channels, of loops that of the boot loader, of chains
one that succeeds, of UEFI what has nothing to boot."""


MENUS = {"menu-isolinux-picture-bios"}
"""Of the menus the one that is always booted: a picture without readable text. `test_menus` has one with text."""


def is_slow(sample: Sample, firmware: FirmwareKind) -> bool:
    name = f"{sample.name}-{firmware}"
    return name not in MENUS if _has_menu(sample) else name in SLOW


def _has_menu(sample: Sample) -> bool:
    return sample.name.startswith("menu-")


def cases() -> Iterator[Any]:
    for sample in list_samples():
        for firmware in sample.firmware:
            if firmware is FirmwareKind.BIOS or sample.name in UNDER_UEFI or _has_menu(sample):
                marks = (pytest.mark.slow,) if is_slow(sample, firmware) else ()
                yield pytest.param(sample, firmware, id=f"{sample.name}-{firmware}", marks=marks)


@pytest.mark.boots
@pytest.mark.parametrize(("sample", "firmware"), list(cases()))
def test_the_verdict_is_right(sample: Sample, firmware: FirmwareKind, boot: Boot) -> None:
    expected = sample.outcome(firmware)
    options = ["--firmware", firmware, "--accel", "tcg", "--ram", "1024", "--timeout"]
    limit_s = FEW_S if sample.name in WAITS_FOR_THE_TIMEOUT else ENOUGH_S
    booted = boot(build_sample(sample.name), *options, str(limit_s))
    while (analysis := booted.manifest["analysis"])[
        "boot_stage_final"
    ] != expected.stage and limit_s < ENOUGH_S:
        limit_s *= 3  # a busy machine had not come so far
        booted = boot(build_sample(sample.name), *options, str(limit_s))
    manifest = read_session(booted.session)
    seen = (analysis["boot_stage_final"], analysis["boot_result"], analysis["failure_domain"])
    assert seen == (expected.stage, expected.result, expected.domain), analysis["cause"]
    assert booted.exit_code == EXIT_CODES[expected.result]
    assert manifest["fault"] == ("guest" if expected.result == "failure" else "none")
    assert manifest["status"] == "complete"
    if sample.serial_silent and firmware is FirmwareKind.BIOS:
        assert (booted.session / "serial.log").read_bytes() == b""
    _validate_schemas(booted.session)


def _validate_schemas(folder: Path) -> None:
    for name, file in (("session", "session.json"), ("status", "status.json"), ("timing", "timing.json")):
        Draft202012Validator(schema_of(name)).validate(msgspec.json.decode((folder / file).read_bytes()))
    Draft202012Validator(schema_of("report")).validate(
        msgspec.json.decode((folder / "report.json").read_bytes())
    )
    event_schema = Draft202012Validator(schema_of("event"))
    lines = (folder / "events.jsonl").read_bytes().splitlines()
    for number, line in enumerate(lines):
        event = msgspec.json.decode(line)
        event_schema.validate(event)
        assert event["n"] == number
    index_schema = Draft202012Validator(schema_of("index-line"))
    for line in (folder.parent / "index.jsonl").read_bytes().splitlines():
        index_schema.validate(msgspec.json.decode(line))
