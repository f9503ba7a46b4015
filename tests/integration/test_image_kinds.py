"""Not only ISOs: each kind of file is booted once, and its file stays as it was."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from hiperlab.samples import build_sample
from integration.conftest import Boot
from integration.contract_reader import read_session
from integration.test_media import WRITTEN, boot_sector

SLOW = pytest.mark.slow
HELLO = 'serial --unit=0\nterminal_output serial\necho "started from the disk"\nsleep 90\n'


@pytest.fixture
def raw_disk(tmp_path: Path) -> Path:
    """A disk whose boot sector writes to its drive, reads that back, and reports on serial."""
    content = bytearray(8 << 20)
    code = boot_sector()
    content[: len(code)] = code
    content[446:462] = bytes.fromhex("800001001700ffff00080000") + (8192).to_bytes(4, "little")
    content[510:512] = b"\x55\xaa"
    disk = tmp_path / "disk, of mine.img"
    disk.write_bytes(content)
    return disk


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An EFI program that reports on serial."""
    (tmp_path / "hello.cfg").write_text(HELLO)
    path = tmp_path / "hello.efi"
    modules = ("echo", "serial", "terminal", "sleep", "normal")
    argv: list[str | Path] = [
        "grub-mkimage",
        "-O",
        "x86_64-efi",
        "-p",
        "/",
        "-c",
        tmp_path / "hello.cfg",
        "-o",
        path,
        *modules,
    ]
    subprocess.run(argv, check=True, capture_output=True)
    return path


def converted(disk: Path, form: str) -> Path:
    target = disk.with_name(f"disk.{form}")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, disk, target], check=True)
    return target


def boots_the_sector(boot: Boot, image: Path, *options: str, **variables: str) -> dict[str, object]:
    before = hashlib.sha256(image.read_bytes()).digest()
    expect = ("--expect-text", "sector (not )?written", "--timeout", "60")
    booted = boot(image, *expect, *options, **variables)
    assert booted.exit_code == 0, booted.stderr
    assert (booted.session / "serial.log").read_bytes() == WRITTEN
    assert hashlib.sha256(image.read_bytes()).digest() == before
    return read_session(booted.session)


@pytest.mark.boots
@pytest.mark.parametrize(
    "form", ["qcow2", *(pytest.param(form, marks=SLOW) for form in ("vpc", "vhdx", "vmdk"))]
)
def test_a_disk_image_in_a_format_of_its_own(boot: Boot, raw_disk: Path, form: str) -> None:
    manifest = boots_the_sector(boot, converted(raw_disk, form))
    assert (manifest["image_kind"], manifest["image_format"]) == ("disk", form)


@pytest.mark.boots
@pytest.mark.parametrize(
    "program_name", ["xz", *(pytest.param(name, marks=SLOW) for name in ("gzip", "zstd"))]
)
def test_a_compressed_raw_disk(boot: Boot, raw_disk: Path, tmp_path: Path, program_name: str) -> None:
    subprocess.run([program_name, "-q", raw_disk], check=True)
    (packed,) = raw_disk.parent.glob(f"{raw_disk.name}.*")
    manifest = boots_the_sector(boot, packed, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (manifest["image_kind"], manifest["image_format"]) == ("disk", "raw")
    assert manifest["iso_basename"] == packed.name
    report = (Path(str(manifest["log_dir"])) / "report.txt").read_text()
    assert "taken for a disk image (raw): its first sector ends as a boot sector does" in report
    assert "guest writes are discarded" in report
    assert "was unpacked to" in report


@pytest.mark.slow
@pytest.mark.boots
@pytest.mark.parametrize("medium", ["usb", "nvme", "virtio"])
def test_a_raw_disk_in_another_drive_and_on_the_board_of_before(
    boot: Boot, raw_disk: Path, medium: str
) -> None:
    boots_the_sector(boot, raw_disk, "--medium", medium, "--machine", "pc")


@pytest.mark.slow
@pytest.mark.boots
@pytest.mark.parametrize("kind", ["efi", "directory", "disk"])
def test_what_only_uefi_starts(boot: Boot, program: Path, tmp_path: Path, kind: str) -> None:
    named = program
    if kind != "efi":
        named = tmp_path / "tree"
        (named / "efi" / "boot").mkdir(parents=True)
        program.rename(named / "efi" / "boot" / "bootx64.efi")
    if kind == "disk":
        image = tmp_path / "fat.img"
        subprocess.run(["mkfs.vfat", "-C", image, "40960"], check=True, capture_output=True)
        subprocess.run(["mcopy", "-s", "-i", image, named / "efi", "::/"], check=True)
        named = image
    booted = boot(named, "--expect-text", "started from the disk", "--timeout", "100")
    assert booted.exit_code == 0, booted.stderr
    manifest = read_session(booted.session)
    assert (manifest["image_kind"], manifest["firmware"]) == (kind, "uefi")
    assert not list(booted.session.glob("medium.*"))


@pytest.mark.slow
@pytest.mark.boots
def test_a_kernel_with_its_initrd(boot: Boot, tmp_path: Path) -> None:
    iso = build_sample("login-serial")
    for name in ("vmlinuz", "initrd.gz"):
        argv: list[str | Path] = ["osirrox", "-indev", iso, "-extract", f"/boot/{name}", tmp_path / name]
        subprocess.run(argv, check=True, capture_output=True)
    arguments = ("--initrd", tmp_path / "initrd.gz", "--append", "console=ttyS0 no_timer_check")
    booted = boot(tmp_path / "vmlinuz", *arguments, "--timeout", "100")
    assert booted.exit_code == 0, booted.stderr
    manifest = read_session(booted.session)
    assert (manifest["image_kind"], manifest["analysis"]["boot_stage_final"]) == ("kernel", "login")


@pytest.mark.boots
def test_a_silent_iso_gets_its_serial_console(boot: Boot) -> None:
    booted = boot(
        build_sample("login-serial-silent"),
        *("--append", "console=ttyS0 mine=1", "--remove", "quiet", "--timeout", "100"),
        *("--expect-text", r"Command line: .*console=ttyS0 mine=1"),
    )
    assert booted.exit_code == 0, booted.stderr
    session = booted.session
    read_session(session)
    assert b"mine=1" in (session / "serial.log").read_bytes()
    assert "started directly, without a boot loader: the entry" in (session / "report.txt").read_text()
    assert not list(session.glob("medium.*"))


@pytest.mark.parametrize("kind", ["backing", "directory"])
def test_what_is_refused(boot: Boot, tmp_path: Path, kind: str) -> None:
    named, says = tmp_path / "empty", "EFI/BOOT/BOOTX64.EFI"
    named.mkdir()
    if kind == "backing":
        secret = tmp_path / "secret"
        secret.write_bytes(bytes(1 << 20))
        named, says = tmp_path / "overlay.qcow2", "depends on a backing file"
        argv: list[str | Path] = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", named]
        subprocess.run(argv, check=True)
    booted = boot(named)
    assert booted.exit_code == 2
    assert says in booted.stderr
