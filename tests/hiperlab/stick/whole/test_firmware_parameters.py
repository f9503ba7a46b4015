"""Parameters that choose what a guest starts with, on a booted stick: Secure Boot, a TPM, and the boot modes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hiperiso.contract.settings import ROWS
from hiperlab.debian.packages import Sources
from integration.stick_machine import Machine, machine
from waiting import DEADLINE_S

from .conftest import INNER_S, MENU_S, OPTIONS, SIZE, by_iso, choose, collected, hiperiso, leave
from .isos import build_isos

pytestmark = [pytest.mark.boots, pytest.mark.slow, pytest.mark.timeout(7200)]

GRUB_CFG = """\
serial --unit=0
terminal_output serial
cat /shown.txt
echo all shown
"""
MARK = "hiperiso.test=direct"
OVERRIDES: dict[str, dict[str, Any]] = {
    "*": {"cpus": 1, "ram": 256, "display": "none", "accel": "tcg", "firmware": "bios", "timeout": 300},
    "m*": {"boot_mode": "memdisk", "expect_text": "all shown"},
    "s*": {"secure_boot": True, "firmware": "uefi", "timeout": 60},
    "/ISOs/direct.iso": {"boot_mode": "grub2", "append": MARK, "expect_text": MARK},
    "/ISOs/tpm.iso": {
        "tpm": True, "ram": 260, "cpus": 1, "nic": "e1000", "net": "user", "cpu": "qemu64", "machine": "q35",
        "timeout": 200, "timeout_scale": 3, "keep_disks": False, "menu": "off", "medium": "cdrom",
    },
    "t*": {"expect_text": "all shown"},
}  # fmt: skip
"""The menu passes on what has no wildcard, more than nine for one ISO; the recorder finds the rest in the file."""


@pytest.fixture
def stick(tmp_path: Path, sources: Sources) -> Path:
    (tmp_path / "tree/boot/grub").mkdir(parents=True)
    (tmp_path / "tree/boot/grub/grub.cfg").write_text(GRUB_CFG)
    (tmp_path / "tree/shown.txt").write_text("from the ISO\n")
    iso = tmp_path / "tpm.iso"
    argv: list[str | Path] = ["grub-mkrescue", "-o", iso, tmp_path / "tree"]
    subprocess.run(argv, check=True, capture_output=True, timeout=DEADLINE_S)
    names = ("memdisk.iso", "secure.iso")
    for name in names:
        (tmp_path / name).hardlink_to(iso)
    direct = build_isos(tmp_path, sources)["login"].rename(tmp_path / "direct.iso")
    config, image, payload = tmp_path / "hiperiso.json", tmp_path / "stick.img", tmp_path / "payload"
    config.write_text(json.dumps({"iso_overrides": OVERRIDES}))
    hiperiso("payload", "build", "--level", "9", "--swtpm", "--secure-boot", "--out", payload)
    made = ("stick", "create", image, "--size", SIZE, "--payload", payload, "--config", config)
    hiperiso(*made, "--yes", "--no-secure-boot", "--kernel-options", OPTIONS)
    hiperiso("stick", "add", image, iso, direct, *(tmp_path / name for name in names))
    return image


def test_a_guest_starts_as_the_parameters_have_it(stick: Path, tmp_path: Path) -> None:
    with machine(stick, Machine("bios", memory_mb=1536, keep=True), tmp_path) as console:
        console.wait_next("Power off", MENU_S)
        console.type("\r")  # the first: tpm.iso
        console.wait_next("recorded in", INNER_S)
        for name in ("direct.iso", "memdisk.iso", "secure.iso"):
            choose(console, name)
            console.wait_next("recorded in", 2 * INNER_S)
        leave(console)
    found = by_iso(collected(stick, tmp_path / "logs"))
    assert set(found) == {"tpm.iso", "direct.iso", "memdisk.iso", "secure.iso"}
    reports = {name: json.loads((one.path / "report.json").read_text()) for name, one in found.items()}
    for name in ("tpm.iso", "direct.iso", "memdisk.iso"):
        assert found[name].manifest["result"] == "success", reports[name]
    origins = {name: (one.path / "env.txt").read_text() for name, one in found.items()}
    for name in OVERRIDES["/ISOs/tpm.iso"]:
        assert f": {ROWS[name].parameter}\n" in origins["tpm.iso"], (name, origins["tpm.iso"])
    assert "iso_overrides['m*'].boot_mode" in origins["memdisk.iso"]
    assert "iso_overrides['/ISOs/direct.iso'].boot_mode" in origins["direct.iso"]

    tpm = json.loads((found["tpm.iso"].path / "tpm.json").read_text())["comparison"]
    assert tpm["events"] > 5 and tpm["different"] == [] and {0, 4} <= set(tpm["equal"])
    assert any("without a boot loader" in note for note in reports["direct.iso"]["notes"])
    assert any("is copied to the host's RAM" in note for note in reports["memdisk.iso"]["notes"])
    assert "from the ISO" in (found["memdisk.iso"].path / "serial.log").read_text(errors="replace")

    secure = found["secure.iso"].manifest
    assert (secure["result"], secure["analysis"]["failure_domain"]) == ("failure", "firmware")
    assert "secure_boot_violation" in [finding["kind"] for finding in reports["secure.iso"]["findings"]]
