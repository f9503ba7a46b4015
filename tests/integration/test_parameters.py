"""Parameters of the interface contract that change what the guest sees: each by its effect in a real guest."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from hiperlab.debian.packages import Sources
from hiperlab.places import package_cache
from hiperlab.samples import build_sample
from hiperlab.stick.grub import SHIM, SIGNED_GRUB
from integration.conftest import Boot
from integration.contract_reader import read_session
from integration.forms import FILE, OPTIONS, given
from waiting import DEADLINE_S

MARK = "hiperiso.test=replaced"
REPLACED_MENU = f"linux /boot/vmlinuz console=ttyS0,115200 {MARK}\ninitrd /boot/initrd.gz\nboot\n"


@pytest.mark.boots
@pytest.mark.slow
@pytest.mark.parametrize("form", [FILE, OPTIONS])
def test_a_replaced_file_cpu_features_and_a_tpm_in_one_guest(boot: Boot, tmp_path: Path, form: str) -> None:
    iso = Path(shutil.copy(build_sample("login-serial"), tmp_path / "login.iso"))
    before = hashlib.sha256(iso.read_bytes()).digest()
    (tmp_path / "my.cfg").write_text(REPLACED_MENU)
    settings = given(
        form,
        tmp_path,
        conf_replace=f"org=/boot/grub/grub.cfg;new={tmp_path / 'my.cfg'}",
        tpm=True,
        cpu_features=["-avx", "-fma", "monitor"],
    )
    booted = boot(iso, *settings, "--cpu", "max")
    manifest = read_session(booted.session)
    assert (manifest["result"], manifest["analysis"]["boot_stage_final"]) == ("success", "login"), (
        booted.stderr
    )
    kernel = (booted.session / "kernel.log").read_text()
    assert MARK in kernel  # the kernel's command line: from the replaced menu
    assert "AVX registers" not in kernel and "x87 floating point registers" in kernel
    assert hashlib.sha256(iso.read_bytes()).digest() == before
    report = json.loads((booted.session / "report.json").read_text())
    assert any(note.startswith("replaced in the ISO: /boot/grub/grub.cfg by ") for note in report["notes"])
    tpm = json.loads((booted.session / "tpm.json").read_text())
    assert tpm["comparison"]["events"] > 5 and tpm["comparison"]["different"] == []
    assert {0, 4, 5} <= set(tpm["comparison"]["equal"])
    assert "tpm_compared" in [finding["kind"] for finding in report["findings"]]
    assert not list(booted.session.glob("medium.qcow2"))


@pytest.mark.boots
@pytest.mark.slow
@pytest.mark.parametrize("form", [FILE, OPTIONS])
def test_secure_boot_refuses_a_loader_that_is_not_signed(boot: Boot, tmp_path: Path, form: str) -> None:
    booted = boot(build_sample("uefi-only"), *given(form, tmp_path, secure_boot="1"), "--timeout", "60")
    manifest = read_session(booted.session)
    assert (manifest["result"], manifest["analysis"]["failure_domain"]) == ("failure", "firmware")
    report = json.loads((booted.session / "report.json").read_text())
    assert "secure_boot_violation" in [finding["kind"] for finding in report["findings"]]
    assert any("BOOTX64.EFI: not signed" in note for note in report["notes"])
    assert any("Secure Boot: the firmware trusts what its vendor" in note for note in report["notes"])


@pytest.mark.boots
@pytest.mark.slow
@pytest.mark.parametrize("form", [FILE, OPTIONS])
def test_memdisk_under_uefi_is_a_drive_in_ram(boot: Boot, tmp_path: Path, form: str) -> None:
    """With a replaced file in it."""
    (tmp_path / "my.cfg").write_text(REPLACED_MENU)
    replaced = f"org=/boot/grub/grub.cfg;new={tmp_path / 'my.cfg'}"
    settings = given(form, tmp_path, boot_mode="memdisk", conf_replace=replaced)
    booted = boot(build_sample("uefi-only"), *settings, "--timeout", "90")
    manifest = read_session(booted.session)
    assert (manifest["result"], manifest["analysis"]["boot_stage_final"]) == ("success", "login")
    report = json.loads((booted.session / "report.json").read_text())
    assert any("the ISO is copied to the host's RAM" in note for note in report["notes"])
    assert MARK in (booted.session / "kernel.log").read_text()


def signed_iso(folder: Path) -> Path:
    """shim, the signed GRUB and the signed kernel of the distribution, and a login.

    That GRUB finds the menu on an ISO as on Debian's own: beside ``.disk/info``.
    """
    sources, tree = Sources(cache=package_cache()), folder / "tree"
    for name in ("boot/grub", ".disk"):
        (tree / name).mkdir(parents=True)
    (tree / ".disk/info").write_text("signed\n")
    run = partial(subprocess.run, check=True, capture_output=True, timeout=DEADLINE_S)
    for name in ("vmlinuz", "initrd.gz"):
        osirrox = ["xorriso", "-osirrox", "on", "-indev", build_sample("login-serial")]
        run([*osirrox, "-extract", f"/boot/{name}", tree / "boot" / name])
    menu = "search --file --set=root /boot/vmlinuz\nlinux /boot/vmlinuz console=ttyS0,115200\n"
    (tree / "boot/grub/grub.cfg").write_text(f"{menu}initrd /boot/initrd.gz\nboot\n")
    fat = tree / "efi.img"
    run(["mkfs.vfat", "-C", fat, "8192"])
    run(["mmd", "-i", fat, "::/EFI", "::/EFI/BOOT"])
    for source, target in (
        (sources.find(SHIM), "BOOT/BOOTX64.EFI"),
        (sources.find(SIGNED_GRUB), "BOOT/grubx64.efi"),
    ):
        run(["mcopy", "-i", fat, source, f"::/EFI/{target}"])
    iso = folder / "signed.iso"
    run(["xorriso", "-as", "mkisofs", "-R", "-e", "efi.img", "-no-emul-boot", "-o", iso, tree])
    return iso


@pytest.mark.boots
@pytest.mark.slow
@pytest.mark.parametrize(
    ("trust", "signed_in"), [("1", "2011"), ("2011", "2011"), ("2023", "2023"), ("revoked", "never")]
)
def test_a_signed_system_starts_where_its_signers_are_trusted(
    boot: Boot, tmp_path: Path, trust: str, signed_in: str
) -> None:
    booted = boot(signed_iso(tmp_path), "--secure-boot", trust, "--tpm", "--timeout", "120")
    manifest = read_session(booted.session)
    report = json.loads((booted.session / "report.json").read_text())
    found = {finding["kind"]: finding["summary"] for finding in report["findings"]}
    assert any("signed under Microsoft" in note and "shim" in note for note in report["notes"])
    starts = any(f"UEFI CA {signed_in}" in note for note in report["notes"])  # a shim may have two signatures
    if starts:
        assert (manifest["result"], manifest["analysis"]["boot_stage_final"]) == ("success", "login")
        assert found["secure_boot_state"] == "the guest saw Secure Boot enabled"
        assert "tpm_compared" in found, found
    else:
        assert manifest["analysis"]["failure_domain"] == "firmware"
        assert "secure_boot_violation" in found
