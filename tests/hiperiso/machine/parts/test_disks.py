"""Disks beside the medium: what is made, what is refused, and what QEMU is given."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from hiperiso.contract.hardware import Board, Bus, Drive, DriveText
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import TraceLevel
from hiperiso.errors import UsageError
from hiperiso.images.qcow2 import write_empty_qcow2
from hiperiso.iso.inspect import inspect_iso
from hiperiso.machine.facts import Accel, Facts, Place, gather_facts
from hiperiso.machine.part import Preparation
from hiperiso.machine.parts.disks import Disks, plan_disks
from hiperiso.machine.parts.usb import plan_usb

IPXE = Path("/usr/lib/ipxe/ipxe.iso")


def facts(settings: Settings, directory: Path) -> Facts:
    place = Place(directory=directory, private=directory / "p", ram_fits=True)
    return gather_facts(settings, Accel.TCG, inspect_iso(IPXE), place, host_ram_mb=0)


def planned(directory: Path, *disks: str, keep: bool = False) -> Disks:
    drives = tuple(DriveText().parse(text) for text in disks)
    settings = Settings(disk=drives, keep_disks=keep, trace=TraceLevel.NONE)
    part = plan_disks(settings, facts(settings, directory))
    assert part is not None
    return part


@pytest.mark.parametrize(
    ("text", "drive"),
    [
        ("20G", Drive(size_mb=20480)),
        ("512m,bus=nvme", Drive(size_mb=512, bus=Bus.NVME)),
        ("a.img", Drive(file=Path("a.img"))),
        ("/x/20G,write,bus=usb", Drive(file=Path("/x/20G"), bus=Bus.USB, write=True)),
    ],
)
def test_what_is_written_is_read_and_written_again(text: str, drive: Drive) -> None:
    kind = DriveText()
    assert kind.parse(text) == drive
    assert kind.parse(kind.text(drive)) == drive


@pytest.mark.parametrize("text", ["", " ", "0G", "3T", "20G,write", "a,bus=ide", "a,", "a,ro", "a\0b"])
def test_what_is_not_a_disk(text: str) -> None:
    with pytest.raises(ValueError, match=r"disk|write or bus"):
        DriveText().parse(text)


@pytest.mark.parametrize("size_mb", [1, 20480, 2 << 20])
def test_qemu_takes_a_new_image_for_a_sound_one(tmp_path: Path, size_mb: int) -> None:
    image = tmp_path / "d.qcow2"
    write_empty_qcow2(image, size_mb << 20)
    subprocess.run(["qemu-img", "check", "-q", str(image)], check=True)
    reported = subprocess.run(
        ["qemu-img", "info", "--output=json", str(image)], check=True, capture_output=True
    )
    info = json.loads(reported.stdout)
    assert (info["format"], info["virtual-size"], info["dirty-flag"]) == ("qcow2", size_mb << 20, False)
    # QEMU can write to it up to its last sector.
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", f"write -P 7 {(size_mb << 20) - 512} 512", str(image)],
        check=True,
        capture_output=True,
    )
    subprocess.run(["qemu-img", "check", "-q", str(image)], check=True)


@pytest.mark.parametrize("keep", [False, True])
def test_a_new_disk_lives_as_long_as_the_session_unless_it_is_kept(tmp_path: Path, keep: bool) -> None:
    part = planned(tmp_path, "1G", keep=keep)
    image = tmp_path / "disk0.qcow2"
    assert not image.exists()
    with ExitStack() as stack:
        part.prepare(Preparation(stack))
        assert image.stat().st_size == 262144
    assert image.exists() == keep


def test_every_bus_has_its_device_and_a_file_is_written_only_when_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "a, b.img"
    file.write_bytes(bytes(1024))
    with pytest.raises(ValueError, match="write or bus"):
        DriveText().parse(str(file))
    plain = tmp_path / "c.img"
    plain.write_bytes(bytes(1024))
    argv = planned(tmp_path, "1G", f"{plain},bus=ahci", f"{plain},bus=scsi,write", "2G,bus=ahci").argv()
    assert argv == [
        *("-device", "virtio-scsi-pci,id=scsi"),
        *("-drive", f"if=none,id=disk0,format=qcow2,file={tmp_path}/disk0.qcow2"),
        *("-device", "virtio-blk-pci,drive=disk0,bootindex=10"),
        *("-drive", f"if=none,id=disk1,format=raw,snapshot=on,file={plain}"),
        *("-device", "ide-hd,bus=ide.1,drive=disk1,bootindex=11"),
        *("-drive", f"if=none,id=disk2,format=raw,file={plain}"),
        *("-device", "scsi-hd,bus=scsi.0,drive=disk2,bootindex=12"),
        *("-drive", f"if=none,id=disk3,format=qcow2,file={tmp_path}/disk3.qcow2"),
        *("-device", "ide-hd,bus=ide.2,drive=disk3,bootindex=13"),
    ]


def test_a_disk_on_usb_brings_a_controller(tmp_path: Path) -> None:
    settings = Settings(disk=(Drive(size_mb=1, bus=Bus.USB),), trace=TraceLevel.NONE)
    assert plan_usb(settings, facts(settings, tmp_path)) is not None
    assert plan_usb(Settings(), facts(settings, tmp_path)) is None


def test_more_disks_than_ports(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="6 disks on AHCI"):
        planned(tmp_path, *["1G,bus=ahci"] * 6)


def test_an_image_that_names_other_files_is_refused(tmp_path: Path) -> None:
    base, backed, data = tmp_path / "base", tmp_path / "backed", tmp_path / "data"
    base.write_bytes(bytes(1 << 20))
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, "-b", str(base), "-F", "raw", str(backed)], check=True)
    subprocess.run([*create, "-o", f"data_file={tmp_path}/raw", str(data), "1M"], check=True)
    with pytest.raises(UsageError, match="depends on a backing file"):
        planned(tmp_path, str(backed))
    with pytest.raises(UsageError, match="depends on a data file"):
        planned(tmp_path, str(data))


@pytest.mark.parametrize("form", ["vmdk", "vhdx", "vpc"])
def test_the_format_is_passed_to_qemu(tmp_path: Path, form: str) -> None:
    image = tmp_path / "x"
    subprocess.run(["qemu-img", "create", "-q", "-f", form, str(image), "8M"], check=True)
    assert f"format={form},snapshot=on" in " ".join(planned(tmp_path, str(image)).argv())


def test_the_board_of_before_has_a_controller_for_ahci_disks(tmp_path: Path) -> None:
    settings = Settings(disk=(DriveText().parse("1G,bus=ahci"),), machine=Board.PC, trace=TraceLevel.NONE)
    part = plan_disks(settings, facts(settings, tmp_path))
    assert part is not None
    argv = part.argv()
    assert argv[:2] == ["-device", "ich9-ahci,id=ahci"]
    assert argv[-1].startswith("ide-hd,bus=ahci.1,")


def test_files_that_cannot_be_a_disk(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match=r"the disk is not a file|no such"):
            planned(tmp_path, str(path))


def test_what_qemu_would_wait_for_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for settings in (
        Settings(kernel=tmp_path / "pipe"),
        Settings(kernel=IPXE, initrd=tmp_path / "pipe"),
        Settings(dud=(tmp_path / "pipe",)),
        Settings(persistence=Path("/dev/zero")),
    ):
        with pytest.raises(UsageError, match="not a file"):
            facts(settings, tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        facts(Settings(kernel=tmp_path / "none"), tmp_path)
