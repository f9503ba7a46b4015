"""GRUB itself reads the stick, shows the menu and starts the host kernel, by all three ways to start."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hiperiso.contract.kernel_cmdline import settings_of_cmdline
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import AccelChoice
from hiperiso.session.request import BootRequest
from hiperlab.debian.packages import KERNEL, Sources
from hiperlab.stick.boot import WITHOUT_SVM, fit_to_accelerator
from hiperlab.stick.create import StickOptions, create_stick
from hiperlab.stick.esp import empty_cpio
from hiperlab.stick.image import open_data_of
from hiperlab.stick.payload import read_payload, write_manifest
from integration.stick_machine import Console, machine
from waiting import DEADLINE_S

from .conftest import SIZE_BYTES, make_payload

HOSTILE = "it's (a) [name] $x `y` {z} %&;.Img"
NAMES = (
    HOSTILE,
    "Ünïcode 日本.ISO",
    "plain.iso",
    "sub dir/deeper/two  spaces.Iso",
    "notes.txt",
    "._junk.iso",
    "too/deep/by/far/x.iso",
)
CONFIG = {
    "control": {"depth": 2, "default_image": "/ISOs/Ünïcode 日本.ISO"},
    "menu_alias": [
        {"image": "/ISOs/plain.iso", "alias": "The 'plain' $one"},
        {"dir": "/ISOs/sub dir/deeper", "alias": "Deep"},
    ],
    "menu_tip": [{"image": "/ISOs/plain.iso", "tip": "a tip"}],
    "iso_overrides": {
        "*": {"cpus": 3},
        "Ünïcode 日本.ISO": {"net_dump": True},
        "/ISOs/plain.iso": {"ram": 4096, "trace": "none"},
    },
}
FROM_FIRMWARE_S = FROM_GRUB_S = DEADLINE_S


@pytest.fixture(scope="module")
def bootable(tmp_path_factory: pytest.TempPathFactory, sources: Sources) -> Path:
    """A stick with a real kernel, shim and signed GRUB, and ISOs with hostile names."""
    folder = tmp_path_factory.mktemp("bootable")
    payload = make_payload(folder / "p", kernel=sources.find(KERNEL).read_bytes())
    (payload / "initramfs.cpio.gz").write_bytes(gzip.compress(empty_cpio(), mtime=0))
    write_manifest(payload)
    options = StickOptions(
        payload=read_payload(payload), sources=sources, kernel_options="loglevel=7 panic=-1"
    )
    image = folder / "stick.img"
    create_stick(image, SIZE_BYTES, replace(options, config=json.dumps(CONFIG).encode()))
    with open_data_of(image, writable=True) as data:
        for name in NAMES:
            data.make_folders(f"/ISOs/{name}".rpartition("/")[0])
            data.add(f"/ISOs/{name}", [b"iso"], 3)
        data.make_folders("/hiperiso/logs/a_20260702T011452Z")
        data.add("/hiperiso/logs/last.txt", [b"THE LAST SUMMARY"], 16)
    return image


def asked_for(console: Console) -> dict[str, str | list[str]]:
    line = next(line for line in console.text.splitlines() if "ommand line: BOOT_IMAGE" in line)
    assert "root=bootchain bootchain=waitdev,mountfs,hiperiso waitdev=PARTUUID=" in line
    return settings_of_cmdline(line.partition("ommand line: ")[2])


def test_an_emulated_machine_of_a_stick_has_no_svm_unless_it_is_named(tmp_path: Path) -> None:
    def features(**settings: Any) -> tuple[str, ...]:
        origins = dict.fromkeys(settings, "--an-option")
        request = BootRequest(iso=tmp_path, log_root=tmp_path, settings=Settings(**settings), origins=origins)
        fitted = fit_to_accelerator(request)
        if WITHOUT_SVM in fitted.notes:
            assert fitted.settings.cpus == settings.get("cpus", 1)
            assert fitted.origins["cpu_features"]
        assert (WITHOUT_SVM in fitted.notes) == (fitted.settings != request.settings)
        return fitted.settings.cpu_features

    assert features(accel=AccelChoice.TCG) == ("-svm",)
    assert features(fallback=True, cpu_features=("-avx2",)) == ("-avx2", "-svm")
    assert features(accel=AccelChoice.TCG, cpus=4) == ("-svm",)
    assert features(accel=AccelChoice.TCG, cpu_features=("svm",)) == ("svm",)
    assert features(accel=AccelChoice.KVM) == ()


@pytest.mark.boots
@pytest.mark.parametrize("firmware", ["uefi", "bios"])
def test_the_menu_lists_what_is_there_and_starts_it(bootable: Path, tmp_path: Path, firmware: str) -> None:
    with machine(bootable, firmware, tmp_path) as console:
        console.wait_for("Power off", FROM_FIRMWARE_S)
        menu = [
            line.strip().lstrip("*").rstrip() for line in console.text.rpartition("GNU GRUB")[2].splitlines()
        ]
        for title in (HOSTILE, "Ünïcode 日本.ISO", "The 'plain' $one  -  a tip", "Deep/two  spaces.Iso"):
            assert title in menu
        for hidden in ("notes.txt", "._junk.iso", "x.iso"):
            assert not any(hidden in line for line in menu)
        assert "Summary of the last recording" in menu
        assert ("Firmware setup" in menu) == (firmware == "uefi")
        console.type(
            "\x10\r" if firmware == "uefi" else "\r"
        )  # up from the default to the one above it, or not
        console.wait_for("Kernel command line", FROM_GRUB_S)
        console.wait_for("printk: ", FROM_GRUB_S)
    chosen = (
        {"iso": f"/ISOs/{HOSTILE}"}
        if firmware == "uefi"
        else {"iso": "/ISOs/Ünïcode 日本.ISO", "net_dump": "1"}
    )
    assert asked_for(console) == {"log_root": "/hiperiso/logs"} | chosen


@pytest.mark.boots
def test_another_level_of_recording_wins_over_the_configuration(bootable: Path, tmp_path: Path) -> None:
    with machine(bootable, "bios", tmp_path) as console:
        console.wait_for("Power off", FROM_FIRMWARE_S)
        console.type("\x0e" * 3 + "\r")  # down from the second ISO to "Choose what is recorded"
        console.wait_for("trace level full >", FROM_GRUB_S)
        console.type("\x0e" * 2 + "\r")
        console.wait_for("Use the", FROM_GRUB_S)
        console.wait_for("Deep", FROM_GRUB_S)
        console.type("\x0e\r")  # from the default to the one below it
        console.wait_for("Kernel command line", FROM_GRUB_S)
        console.wait_for("printk: ", FROM_GRUB_S)
    found = asked_for(console)
    assert (found["iso"], found["trace"], found["ram"]) == ("/ISOs/plain.iso", "full", "4096")


@pytest.mark.boots
@pytest.mark.slow
def test_under_secure_boot_the_list_is_left_to_the_recorder(bootable: Path, tmp_path: Path) -> None:
    with machine(bootable, "secure", tmp_path) as console:
        console.wait_for("Power off", 2 * FROM_FIRMWARE_S)
        assert "hiperiso: show the ISOs of this stick" in console.text
        assert "plain" not in console.text
        console.type("\r")
        console.wait_for("Kernel command line", 2 * FROM_GRUB_S)
        console.wait_for("printk: ", FROM_GRUB_S)
        console.wait_for("secureboot: Secure boot enabled", FROM_GRUB_S)
    assert asked_for(console) == {"log_root": "/hiperiso/logs"}


@pytest.mark.boots
def test_a_hundred_isos(bootable: Path, tmp_path: Path) -> None:
    image = tmp_path / "many.img"
    subprocess.run(["cp", "--sparse=always", bootable, image], check=True)
    with open_data_of(image, writable=True) as data:
        data.make_folders("/ISOs/many")
        for number in range(100):
            data.add(
                f"/ISOs/many/distribution {number:03} with a name of some length (x86_64).iso", [b"iso"], 3
            )
    with machine(image, "bios", tmp_path) as console:
        console.wait_for("Use the", FROM_FIRMWARE_S)
        console.type("\x1b[F")  # End
        console.wait_for("Power off", FROM_GRUB_S)
        assert "distribution 099 with a name" in console.text
