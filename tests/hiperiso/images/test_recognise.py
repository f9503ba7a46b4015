"""What a file is taken for: real kernels, EFI programs, disks by sgdisk and mkfs.vfat."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hiperiso.contract.hardware import ImageKind
from hiperiso.errors import IsoError
from hiperiso.images.recognise import Recognised, recognise
from hiperiso.images.writing import writing_notes

IPXE = Path("/usr/lib/ipxe/ipxe.iso")
ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
BIOS_BOOT = "21686148-6449-6e6f-744e-656564454649"


def partitioned(path: Path, table: str, code: bytes) -> Recognised:
    """A disk with a GPT by sgdisk (its arguments), or with one partition in its MBR (status and type)."""
    path.write_bytes(bytes(8 << 20))
    if table.startswith("-"):
        subprocess.run(["sgdisk", *table.split(), path], check=True, capture_output=True)
        head = b""
    else:
        status, kind = bytes.fromhex(table)
        head = (
            bytes(446)
            + bytes([status, 0, 0, 0, kind, 0, 0, 0, 0, 8, 0, 0, 0, 16, 0, 0])
            + bytes(48)
            + b"\x55\xaa"
        )
    with path.open("r+b") as file:
        file.write(head)
        file.seek(0)
        file.write(code)
    return recognise(path)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "grub.efi"
    subprocess.run(["grub-mkimage", "-O", "x86_64-efi", "-p", "/", "-o", path, "echo"], check=True)
    return path


@pytest.mark.parametrize(
    ("table", "code", "bios", "uefi"),
    [
        (f"-n 1:0:+2M -t 1:{ESP}", b"", False, True),
        (f"-n 1:0:+2M -t 1:{ESP}", b"\xeb\x10some message", False, True),
        (f"-n 1:0:+1M -t 1:{BIOS_BOOT} -n 2:0:+2M -t 2:{ESP}", b"\xeb\x63grub", True, True),
        (f"-n 1:0:+2M -t 1:{ESP} -A 1:set:2", b"\x33\xc0sys", True, True),
        ("80 83", b"\xeb\x63grub", True, False),
        ("00 ef", b"", False, True),
        ("00 83", b"", False, False),
    ],
)
def test_firmware_that_starts_a_partitioned_disk(
    tmp_path: Path, table: str, code: bytes, bios: bool, uefi: bool
) -> None:
    found = partitioned(tmp_path / "disk.img", table, code)
    assert found.kind is ImageKind.DISK
    assert (found.info.mbr_boot, found.info.esp) == (bios, uefi)
    assert found.text.startswith("taken for a disk image (raw): ")
    assert writing_notes(found) == ()


def test_a_file_system_without_partitions(tmp_path: Path, program: Path) -> None:
    path = tmp_path / "fat.img"
    subprocess.run(["mkfs.vfat", "-C", path, "40960"], check=True, capture_output=True)
    assert not recognise(path).info.mbr_boot
    for folder in ("::/EFI", "::/EFI/BOOT"):
        subprocess.run(["mmd", "-i", path, folder], check=True)
    subprocess.run(["mcopy", "-i", path, program, "::/EFI/BOOT/BOOTX64.EFI"], check=True)
    info = recognise(path).info
    assert (info.mbr_boot, info.esp) == (False, True)


def test_an_iso_and_how_it_can_be_written() -> None:
    iso = recognise(IPXE)
    assert iso.kind is ImageKind.ISO
    assert "(dd)" in writing_notes(iso)[0]


def test_an_efi_program_and_one_for_another_processor(program: Path) -> None:
    assert recognise(program).kind is ImageKind.EFI
    content = bytearray(program.read_bytes())
    at = int.from_bytes(content[0x3C:0x40], "little")
    content[at + 4 : at + 6] = (0xAA64).to_bytes(2, "little")
    program.write_bytes(content)
    with pytest.raises(IsoError, match="another processor"):
        recognise(program)


@pytest.mark.parametrize("content", [b"", b"hello", b"MZ" + bytes(100_000), b"\x7fELF" + bytes(100_000)])
def test_what_is_nothing_that_boots(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(IsoError):
        recognise(path)
