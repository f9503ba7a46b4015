"""The image as the content of a disk: it starts, under both firmwares, and its file stays as it was."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from hiperlab.samples import build_sample
from integration.conftest import Boot
from integration.contract_reader import read_session

WRITTEN, FAILED = b"sector written\r\n", b"sector not written\r\n"


def boot_sector() -> bytes:
    """A boot sector that writes itself to the third sector of its drive, reads it back, and reports on serial."""
    transfer = "b9 0300 b6 00 cd13 72"  # mov cx,3 (cylinder 0, sector 3); mov dh,0; int 13h; jc
    head = bytes.fromhex("31c0 8ed8 8ec0 8ed0 bc007c bb007c b80103" + transfer)
    read_back = bytes.fromhex("bb0080 b80102" + transfer)
    compare = bytes.fromhex("a10080 3b06007c 75")
    say = bytes.fromhex(
        "ac 84c0 7406 baf803 ee ebf5"
    )  # lodsb; test al,al; jz stop; mov dx,3f8; out dx,al; jmp say
    stop = bytes.fromhex("f4 ebfd")
    good = bytes.fromhex("be")
    bad_at = len(head) + 1 + len(read_back) + 1 + len(compare) + 1 + 3 + len(say) + len(stop)
    texts_at = 0x7C00 + bad_at + 3 + 2
    code = b""
    for part in (head, read_back, compare):
        code += part
        code += bytes([bad_at - len(code) - 1])
    say_at = len(code) + 3
    code += good + texts_at.to_bytes(2, "little") + say + stop
    assert len(code) == bad_at
    code += good + (texts_at + len(WRITTEN) + 1).to_bytes(2, "little")
    code += bytes([0xEB, (say_at - len(code) - 2) & 0xFF])
    return code + WRITTEN + b"\0" + FAILED + b"\0"


def plain_iso(folder: Path, name: str) -> Path:
    tree = folder / "tree"
    tree.mkdir()
    (tree / "readme").write_text("nothing that boots\n")
    iso = folder / name
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(iso), str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    return iso


@pytest.fixture
def writing_iso(tmp_path: Path) -> Path:
    iso = plain_iso(tmp_path, "writes, itself.iso")
    content = bytearray(iso.read_bytes().ljust(8 << 20, b"\0"))  # BIOS geometry wants some cylinders
    code = boot_sector()
    assert len(code) < 440
    content[: len(code)] = code
    # One active partition over the whole image: what isohybrid writes.
    content[446:462] = bytes.fromhex("800001001700ffff00000000") + (len(content) // 512).to_bytes(4, "little")
    content[510:512] = b"\x55\xaa"
    iso.write_bytes(content)
    return iso


@pytest.mark.boots
@pytest.mark.parametrize(
    "medium",
    ["usb", *(pytest.param(medium, marks=pytest.mark.slow) for medium in ("disk", "nvme", "virtio"))],
)
def test_a_guest_writes_to_its_medium_and_the_file_stays_as_it_was(
    boot: Boot, writing_iso: Path, medium: str
) -> None:
    before = hashlib.sha256(writing_iso.read_bytes()).digest()
    booted = boot(
        writing_iso, "--medium", medium, "--expect-text", "sector (not )?written", "--timeout", "60"
    )
    assert booted.exit_code == 0
    session = booted.session
    read_session(session)
    assert (session / "serial.log").read_bytes() == WRITTEN
    assert hashlib.sha256(writing_iso.read_bytes()).digest() == before
    assert {path.name for path in writing_iso.parent.iterdir()} == {"tree", writing_iso.name, "logs"}


@pytest.mark.boots
def test_uefi_starts_the_boot_loader_of_a_stick(boot: Boot) -> None:
    booted = boot(
        build_sample("uefi-only"),
        "--medium",
        "usb",
        "--firmware",
        "uefi",
        "--expect-text",
        "Welcome to GRUB",
        "--timeout",
        "100",
    )
    assert booted.exit_code == 0
    assert read_session(booted.session)["firmware"] == "uefi"
    assert "QEMU USB HARDDRIVE" in (booted.session / "serial.log").read_text(errors="replace")


def test_an_iso_that_is_not_a_hybrid_is_refused_with_the_reason(boot: Boot, tmp_path: Path) -> None:
    iso = plain_iso(tmp_path, "cd.iso")
    booted = boot(iso, "--medium", "usb")
    assert booted.exit_code == 2
    assert "boots only as a CD" in booted.stderr
    assert "use --medium cdrom" in booted.stderr


@pytest.mark.boots
@pytest.mark.parametrize("write", [False, True])
def test_a_disk_starts_after_a_medium_that_does_not_and_is_written_when_that_is_asked_for(
    boot: Boot, writing_iso: Path, write: bool
) -> None:
    disk = writing_iso.rename(writing_iso.with_name("disk.img"))
    before = disk.read_bytes()
    asked = f"{disk},bus=nvme,write" if write else f"{disk},bus=virtio"
    booted = boot(
        build_sample("not-bootable"),
        *("--disk", asked, "--disk", "1G,bus=scsi", "--keep-disks"),
        *("--expect-text", "sector (not )?written", "--timeout", "60"),
    )
    assert booted.exit_code == 0, booted.stderr
    assert (booted.session / "serial.log").read_bytes() == WRITTEN
    after = disk.read_bytes()
    assert after[:1024] + after[1536:] == before[:1024] + before[1536:]
    assert (after[1024:1536] == before[:512]) is write
    assert (booted.session / "disk1.qcow2").read_bytes().startswith(b"QFI\xfb")
