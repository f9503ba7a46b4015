"""Silent twins: without any serial console, the verdict is the one of the sample that has one.

The outcomes of the samples are seen on serial lines (test_samples); here the same guests say nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hiperiso.contract.words import BootResult, BootStage, FailureDomain, FirmwareKind
from hiperlab.debian.packages import KERNEL, Sources
from hiperlab.run import run_text
from hiperlab.samples import Outcome, Sample, build_sample, find_sample, list_twins
from hiperlab.samples.debianlive import DEBIAN_LIVE, live_recipe
from hiperlab.samples.guests import INIT_EXITS, LOGIN_SCREEN_ONLY, POWEROFF, SYSRQ_CRASH
from hiperlab.samples.model import Built, Content, FromAsset
from hiperlab.samples.recipes import linux_recipe
from hiperlab.samples.silent import silent_twin
from hiperlab.samples.store import default_cache
from integration.conftest import Boot, Booted, iso_of
from integration.contract_reader import read_session

pytestmark = pytest.mark.boots

ALWAYS = {"panic-sysrq"}
"""Under BIOS, one that dies; what the catalogue itself has silent versions of, which wait, is in test_samples."""


def twins() -> Iterator[object]:
    for twin in list_twins():
        for firmware in twin.firmware:
            base = twin.name.removesuffix("-silent")
            always = base in ALWAYS and firmware is FirmwareKind.BIOS
            marks = () if always else (pytest.mark.slow,)
            yield pytest.param(twin, firmware, id=f"{base}-{firmware}", marks=marks)


def boot_and_compare(
    boot: Boot, iso: Path, firmware: FirmwareKind, outcome: Outcome, *options: object
) -> Booted:
    memory = () if "--ram" in options else ("--ram", "1024")
    booted = boot(iso, "--firmware", firmware, "--accel", "tcg", "--timeout", "90", *memory, *options)
    analysis = read_session(booted.session)["analysis"]
    seen = (analysis["boot_stage_final"], analysis["boot_result"], analysis["failure_domain"])
    assert seen == (outcome.stage, outcome.result, outcome.domain), analysis["cause"]
    serial = (booted.session / "serial.log").read_bytes()
    if firmware is FirmwareKind.BIOS:
        assert serial == b""
    assert re.search(rb"Linux version|\[ +\d+\.\d{6}\]|login:", serial) is None  # UEFI itself may speak
    return booted


@pytest.mark.parametrize(("twin", "firmware"), list(twins()))
def test_a_twin_is_judged_as_its_sample(twin: Sample, firmware: FirmwareKind, boot: Boot) -> None:
    boot_and_compare(boot, build_sample(twin.name), firmware, twin.outcome(firmware))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["login-serial", "panic-no-root", "panic-sysrq", "truncated-initrd", "init-exits"]
)
@pytest.mark.parametrize(
    "arguments", ["quiet", "quiet loglevel=0 nokaslr", "quiet splash vga=791", "nomodeset video=1024x768"]
)
def test_arguments_that_hide_messages_or_change_the_screen(
    name: str, arguments: str, boot: Boot, tmp_path: Path
) -> None:
    sample = find_sample(name)
    iso = iso_of(silent_twin(sample, arguments).recipe, tmp_path, "silent.iso")
    boot_and_compare(boot, iso, FirmwareKind.BIOS, sample.outcome(FirmwareKind.BIOS))


LOGIN = Outcome(BootStage.LOGIN, BootResult.SUCCESS)
GAVE_UP = Outcome(BootStage.USERSPACE, BootResult.FAILURE, FailureDomain.USERSPACE)
NO_ROOT = Outcome(BootStage.INITRAMFS, BootResult.FAILURE, FailureDomain.USERSPACE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        ("components quiet splash init=/bin/bash", LOGIN),
        ("components init=/sbin/not-there", LOGIN),  # initramfs-tools finds another
        ("components quiet splash systemd.unit=emergency.target", GAVE_UP),
        ("components quiet live-media-path=/nowhere", NO_ROOT),
    ],
)
def test_a_live_system_with_other_arguments(
    arguments: str, outcome: Outcome, boot: Boot, tmp_path: Path
) -> None:
    iso = iso_of(live_recipe(arguments), tmp_path, "live.iso")
    boot_and_compare(boot, iso, FirmwareKind.BIOS, outcome)


@pytest.mark.slow
def test_a_splash_screen_hides_everything_until_the_login(boot: Boot, tmp_path: Path) -> None:
    system = replace(DEBIAN_LIVE, packages=(*DEBIAN_LIVE.packages, "plymouth", "plymouth-themes"))
    iso = iso_of(live_recipe("components quiet splash", system=system), tmp_path, "splash.iso")
    booted = boot_and_compare(boot, iso, FirmwareKind.BIOS, LOGIN)
    assert "plymouthd" in (booted.session / "events.jsonl").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["linux-image-amd64", "linux-image-cloud-amd64", "installer"])
@pytest.mark.parametrize(("arguments", "ram_mb"), [("quiet", 1024), ("quiet nokaslr", 5120)])
def test_kernels(kernel: str, arguments: str, ram_mb: int, boot: Boot, tmp_path: Path) -> None:
    image = kernel_of(kernel)
    cases = (
        (linux_recipe(LOGIN_SCREEN_ONLY, arguments, kernel=image), find_sample("login-serial")),
        (linux_recipe(SYSRQ_CRASH, arguments, kernel=image), find_sample("panic-sysrq")),
        (linux_recipe(None, f"root=/dev/vda1 {arguments}", kernel=image), find_sample("panic-no-root")),
        (linux_recipe(INIT_EXITS, arguments, kernel=image), find_sample("init-exits")),
    )
    for recipe, sample in cases:
        iso = iso_of(recipe, tmp_path, f"{sample.name}.iso")
        boot_and_compare(boot, iso, FirmwareKind.BIOS, sample.outcome(FirmwareKind.BIOS), "--ram", ram_mb)


@pytest.mark.slow  # tests/hiperiso/observe/memory/test_live.py always compares both, without the recorder around it
def test_the_log_in_memory_is_the_text_of_the_serial_console(boot: Boot, tmp_path: Path) -> None:
    """Over a whole boot, from the first message to the last; every level is printed, so that nothing is left out.

    What a serial console changes: it ends its lines with CR LF, and programs print between the kernel's lines.
    """
    recipe = linux_recipe(POWEROFF, "ignore_loglevel console=ttyS0,115200")
    booted = boot(
        iso_of(recipe, tmp_path, "loud.iso"), "--firmware", "bios", "--accel", "tcg", "--ram", "1024"
    )
    assert booted.manifest["result"] == "success"
    log = (booted.session / "kernel.log").read_bytes()
    lines = (booted.session / "serial.log").read_bytes().replace(b"\r\n", b"\n").splitlines(keepends=True)
    printed = b"".join(line for line in lines if re.match(rb"\[ *\d+\.\d{6}\] ", line))
    assert log == printed
    assert b"] Linux version " in log.splitlines()[0]
    assert log.splitlines()[-1].endswith(b"] reboot: Power down")


def kernel_of(name: str) -> Content:
    """A kernel of this distribution. Its package is kept apart from those of which the samples take the newest."""
    if name == "installer":
        return FromAsset(KERNEL)
    depends = run_text(["apt-cache", "depends", name], package="apt")
    (package,) = re.findall(r"Depends: (linux-image-\d\S+)", depends)[:1]
    folder = Sources(cache=default_cache() / "kernels").unpack(package)
    (image,) = (folder / "boot").glob("vmlinuz-*")
    return Image(str(image))


@dataclass(frozen=True)
class Image(Built):
    """A file of this machine."""

    path: str

    def data(self, sources: Sources, scratch: Path) -> bytes:
        return Path(self.path).read_bytes()

    def identity(self, sources: Sources) -> str:
        return self.path
