"""Volumes beside the medium, as a guest sees them: GRUB finds each by its label and shows its file."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from hiperiso.images.fatvolume import fat_volume
from hiperlab.samples import build_sample
from integration.conftest import Boot
from integration.forms import EITHER, given

pytestmark = pytest.mark.boots
GRUB_CFG = """\
serial --unit=0
terminal_output serial
for label in OEMDRV DUD SECOND CHANGES INJECTION; do
  if search --no-floppy --label $label --set=found; then
    echo "volume $label"; cat ($found)/ks.cfg; cat ($found)/list; cat ($found)/sub/injected
  fi
done
echo all shown
"""
ANSWERS = {
    "autoinst.xml": ("OEMDRV", '<profile xmlns="http://www.suse.com/1.0/yast2ns"><general/></profile>\n'),
    "user-data": ("CIDATA", "#cloud-config\nautoinstall:\n  version: 1\n"),
    "autounattend.xml": ("UNATTEND", '<unattend xmlns="urn:schemas-microsoft-com:unattend"></unattend>\n'),
}
"""File that an installer looks for -> label of its volume, and what is in the file."""


def looking_iso(folder: Path, script: str) -> Path:
    """An ISO whose GRUB runs this script."""
    tree = folder / "tree/boot/grub"
    tree.mkdir(parents=True)
    (tree / "grub.cfg").write_text(script)
    iso = folder / "volumes.iso"
    subprocess.run(["grub-mkrescue", "-o", iso, folder / "tree"], check=True, capture_output=True)
    return iso


@pytest.mark.parametrize("form", EITHER)
def test_a_guest_finds_all_volumes(boot: Boot, tmp_path: Path, form: str) -> None:
    iso = looking_iso(tmp_path, GRUB_CFG)
    (tmp_path / "answers").write_text("text\nrootpw --lock\n")
    (tmp_path / "dud.img").write_bytes(fat_volume({"list": b"driver of the disk\n"}, "DUD"))
    (tmp_path / "second.img").write_bytes(fat_volume({"list": b"another driver\n"}, "SECOND"))
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        archive.writestr("sub/injected", "from the archive\n")
    (tmp_path / "changes.dat").write_bytes(fat_volume({"list": b"changes of before\n"}, "CHANGES"))
    settings = given(
        form,
        tmp_path,
        dud=[str(tmp_path / "dud.img"), str(tmp_path / "second.img")],
        auto_install=str(tmp_path / "answers"),
        injection=str(tmp_path / "files.zip"),
        persistence=str(tmp_path / "changes.dat"),
    )
    booted = boot(iso, *settings, "--firmware", "bios", "--expect-text", "all shown", "--timeout", "60")
    assert booted.exit_code == 0, booted.stderr
    serial = (booted.session / "serial.log").read_text(errors="replace")
    drivers = ("driver of the disk", "another driver")
    for text in ("volume OEMDRV", "rootpw --lock", *drivers, "changes of before", "from the archive"):
        assert text in serial
    assert not list(booted.session.glob("*.img"))


@pytest.mark.slow
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_where_their_installer_looks(
    boot: Boot, tmp_path: Path, name: str, firmware: str
) -> None:
    label, text = ANSWERS[name]
    find = f"search --no-floppy --label {label} --set=found\ncat ($found)/{name}\ncat ($found)/meta-data\n"
    iso = looking_iso(tmp_path, f"serial --unit=0\nterminal_output serial\n{find}echo all shown\n")
    (tmp_path / "answers").write_text(text)
    booted = boot(
        *(iso, "--auto-install", tmp_path / "answers", "--firmware", firmware),
        *("--expect-text", "all shown", "--timeout", "60"),
    )
    assert booted.exit_code == 0, booted.stderr
    serial = (booted.session / "serial.log").read_text(errors="replace")
    assert text.splitlines()[0] in serial and ("instance-id: " in serial) is (label == "CIDATA")


@pytest.mark.slow
def test_a_volume_is_no_boot_medium(boot: Boot, tmp_path: Path) -> None:
    """A BIOS that tries it comes back from it."""
    (tmp_path / "answers").write_text("text\nrootpw --lock\n")
    booted = boot(build_sample("not-bootable"), "--auto-install", tmp_path / "answers", "--timeout", "30")
    assert booted.manifest["analysis"]["failure_domain"] == "firmware"
    assert "No bootable device" in (booted.session / "report.txt").read_text()


@pytest.mark.slow
def test_injected_files_follow_the_links_of_a_merged_initramfs(boot: Boot, tmp_path: Path) -> None:
    """``bin`` is a link there: as a directory it would leave the live system without its programs."""
    files = {"bin/mark": "seen\n", "conf/conf.d/mark": 'echo "mark: $(cat /usr/bin/mark)" > /dev/kmsg\n'}
    for name, text in files.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(text)
    subprocess.run(["tar", "--zstd", "-cf", tmp_path / "a.tar.zst", "-C", tmp_path / "tree", "."], check=True)
    config = tmp_path / "hiperiso.json"
    config.write_text(json.dumps({"iso_overrides": {"*": {"boot_mode": "grub2", "injection": "a.tar.zst"}}}))
    booted = boot(build_sample("debian-live"), "--config", config, "--timeout", "200")
    assert booted.manifest["analysis"]["boot_stage_final"] == "login", booted.stderr
    assert "mark: seen" in (booted.session / "kernel.log").read_text()
