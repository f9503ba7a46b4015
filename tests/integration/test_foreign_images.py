"""Images by other tools come to their purpose, with no options: as a CD and on a stick, under both firmwares."""

from __future__ import annotations

from pathlib import Path

import pytest

from foreign_images import cloud_init_iso, desktop_iso, dracut_iso, installer_iso, raw_disk, text_iso
from hiperlab.samples import build_sample
from integration.conftest import Boot, Booted
from integration.contract_reader import read_session
from integration.forms import FILE, OPTIONS, given
from kiwi_image import kiwi_iso
from waiting import DEADLINE_S

pytestmark = [pytest.mark.boots, pytest.mark.slow]

TIMEOUT_S = 20 * DEADLINE_S
FIRMWARE = ("bios", "uefi")
MEDIA = ("cdrom", "usb")
USER_DATA = """\
#cloud-config
hostname: answered
write_files:
- path: /etc/answered
  content: from the answers
runcmd:
- [sh, -c, 'echo "seen: $(cat /etc/answered) on $(hostname)" > /dev/console']
"""
ARCHINSTALL = '{"archinstall-language": "English", "disk_config": {}, "hostname": "a", "!users": []}'


def booted_to(boot: Boot, image: Path, *options: object) -> tuple[Booted, str, str]:
    booted = boot(image, *options, timeout_s=TIMEOUT_S)
    analysis = read_session(booted.session)["analysis"]
    return booted, analysis["boot_result"], analysis["boot_stage_final"]


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("firmware", FIRMWARE)
def test_a_live_system_with_a_desktop_by_live_build(boot: Boot, firmware: str, medium: str) -> None:
    booted, result, stage = booted_to(boot, desktop_iso(), "--firmware", firmware, "--medium", medium)
    assert (result, stage) == ("success", "login"), booted.manifest["analysis"]["cause"]
    assert "the desktop is up: the session openbox" in booted.manifest["analysis"]["cause"]
    (key,) = booted.manifest["keys_pressed"]
    assert key["keys"] == ["ret"]


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("firmware", FIRMWARE)
def test_a_live_system_without_a_desktop_by_live_build(boot: Boot, firmware: str, medium: str) -> None:
    booted, result, stage = booted_to(boot, text_iso(), "--firmware", firmware, "--medium", medium)
    assert (result, stage) == ("success", "login"), booted.manifest["analysis"]["cause"]
    assert "desktop" not in booted.manifest["analysis"]["cause"]
    (key,) = booted.manifest["keys_pressed"]
    assert key["keys"] == ["ret"]


def test_a_greeter_that_waits_is_a_desktop(boot: Boot) -> None:
    booted, result, stage = booted_to(boot, desktop_iso("greeter"))
    assert (result, stage) == ("success", "login"), booted.manifest["analysis"]["cause"]
    assert "the greeter lightdm-gtk-greeter, drawn and still" in booted.manifest["analysis"]["cause"]
    assert list((booted.session / "screen").glob("*.png"))


@pytest.mark.parametrize(
    ("variant", "cause"),
    [
        ("crash", "Light Display Manager"),
        ("no-driver", "Xorg|Light Display Manager"),
        ("black", "the screen stays black"),
        ("no-greeter", "lightdm|Xorg|Light Display Manager"),
    ],
)
def test_a_desktop_that_fails_is_a_failure_with_its_reason(boot: Boot, variant: str, cause: str) -> None:
    booted, result, stage = booted_to(boot, desktop_iso(variant))
    analysis = booted.manifest["analysis"]
    assert (result, analysis["failure_domain"], booted.exit_code) == ("failure", "userspace", 1), analysis
    assert stage == "login"
    assert any(word in analysis["cause"] for word in cause.split("|")), analysis["cause"]


def test_an_automatic_login_that_fails_in_a_loop_is_a_failure(boot: Boot) -> None:
    booted, result, _ = booted_to(boot, desktop_iso("login-loop"))
    analysis = booted.manifest["analysis"]
    assert (result, analysis["failure_domain"], booted.exit_code) == ("failure", "userspace", 1), analysis
    assert "the automatic login of nosuchuser was tried" in analysis["cause"]


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("firmware", FIRMWARE)
def test_a_live_system_that_dracut_starts(boot: Boot, firmware: str, medium: str) -> None:
    booted, result, stage = booted_to(boot, dracut_iso(), "--firmware", firmware, "--medium", medium)
    assert (result, stage) == ("success", "login"), booted.manifest["analysis"]["cause"]


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("firmware", FIRMWARE)
def test_a_live_system_by_kiwi(boot: Boot, firmware: str, medium: str) -> None:
    booted, result, stage = booted_to(boot, kiwi_iso(), "--firmware", firmware, "--medium", medium)
    assert (result, stage) == ("success", "login"), booted.manifest["analysis"]["cause"]


@pytest.mark.parametrize(
    ("form", "answers", "text"),
    [
        (FILE, USER_DATA, "seen: from the answers on answered"),
        (OPTIONS, ARCHINSTALL, "archinstall: not found"),  # run, by a system that does not have it
    ],
    ids=["cloud-config", "archinstall"],
)
def test_cloud_init_does_what_the_answers_say(
    boot: Boot, tmp_path: Path, form: str, answers: str, text: str
) -> None:
    (tmp_path / "answers").write_text(answers)
    settings = given(form, tmp_path, auto_install=str(tmp_path / "answers"))
    booted, result, _ = booted_to(
        boot, cloud_init_iso(), *settings, "--expect-text", text, "--timeout", "400"
    )
    assert (result, booted.manifest["end_reason"]) == ("success", "expected_text"), booted.stderr


@pytest.mark.parametrize("firmware", FIRMWARE)
def test_a_raw_disk_with_a_bootstrapped_system(boot: Boot, firmware: str) -> None:
    booted, result, stage = booted_to(boot, raw_disk(), "--firmware", firmware)
    assert (result, stage) == ("success", "login"), booted.manifest["analysis"]["cause"]
    assert booted.manifest["image_kind"] == "disk"


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("firmware", FIRMWARE)
@pytest.mark.parametrize("kind", ["text", "gtk"])
def test_an_installer_whose_menu_waits(boot: Boot, kind: str, firmware: str, medium: str) -> None:
    options = ("--firmware", firmware, "--medium", medium)
    booted, result, stage = booted_to(boot, installer_iso(kind), *options)
    assert (result, stage) == ("success", "installer"), booted.manifest["analysis"]["cause"]
    (key,) = booted.manifest["keys_pressed"]
    assert key["keys"] == ["ret"]


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("sample", ["memtest", "debian-installer-graphical", "login-vga"])
def test_programs_installers_and_rescue_disks_on_each_medium(boot: Boot, sample: str, medium: str) -> None:
    stages = {"memtest": "userspace", "debian-installer-graphical": "installer", "login-vga": "login"}
    booted, result, stage = booted_to(boot, build_sample(sample), "--medium", medium)
    assert (result, stage) == ("success", stages[sample]), booted.manifest["analysis"]["cause"]
