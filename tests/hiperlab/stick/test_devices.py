"""What may be written: judged from lsblk's answers (recorded ones), and asked of a real device."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hiperiso.errors import UsageError
from hiperlab.stick.devices import inspect_device, is_block_device, loops_on, losses, parse_lsblk, refusals

from .oracle import run

USB: dict[str, Any] = {
    "path": "/dev/sdb", "type": "disk", "size": 15502147584, "rm": True, "hotplug": True, "ro": False, "tran": "usb",
    "vendor": "Kingston", "model": "DataTraveler \x1b[31m3.0", "serial": "60A4", "log-sec": 512, "fstype": None,
    "label": None, "mountpoints": [None],
    "children": [
        {"path": "/dev/sdb1", "type": "part", "size": 15502000000, "rm": True, "hotplug": True, "ro": False,
         "tran": None,
         "vendor": None, "model": None, "serial": None, "log-sec": 512, "fstype": "vfat", "label": "PHOTOS",
         "mountpoints": [None]},
    ],
}  # fmt: skip


def device(**changes: Any) -> Any:
    raw = json.loads(json.dumps(USB)) | changes
    return parse_lsblk(json.dumps({"blockdevices": [raw]}).encode(), Path("/dev/sdb"))


def with_child(**changes: Any) -> Any:
    return device(children=[USB["children"][0] | changes])


def test_a_usb_stick_may_be_written_and_its_loss_is_named() -> None:
    assert refusals(device()) == []
    assert device().title == "/dev/sdb (Kingston DataTraveler  [31m3.0, 14.4 GiB, usb)".replace("  ", " ")
    assert losses(device()) == ["/dev/sdb1: 14.4 GiB, vfat labelled 'PHOTOS'"]
    assert losses(device(children=[])) == ["/dev/sdb: no partitions and no known file system"]
    assert losses(device(children=[], fstype="iso9660", label="L")) == [
        "/dev/sdb: 14.4 GiB, iso9660 labelled 'L'"
    ]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (with_child(mountpoints=["/media/photos"]), "in use: /media/photos"),
        (with_child(mountpoints=["[SWAP]"]), "in use"),
        (
            with_child(children=[USB["children"][0] | {"type": "crypt", "path": "/dev/dm-0"}]),
            "/dev/dm-0 is in use: crypt",
        ),
        (device(mountpoints=["/mnt"]), "/dev/sdb is in use: /mnt"),
        (device(type="part"), "not a whole disk"),
        (device(ro=True), "write-protected"),
        (device(size=1000), "too small"),
        (device(**{"log-sec": 4096}), "sectors of 4096"),
    ],
)
def test_what_is_refused_even_by_force(found: Any, words: str) -> None:
    (reason,) = refusals(found, force=True)
    assert words in reason


def test_a_disk_that_is_not_removable_needs_force() -> None:
    disk = device(rm=False, hotplug=False, tran="sata")
    (reason,) = refusals(disk)
    assert "not removable" in reason
    assert refusals(disk, force=True) == []


def test_older_lsblk_writes_numbers_as_text() -> None:
    assert refusals(device(rm="1", size="15502147584", ro="0")) == []


def test_no_medium() -> None:
    with pytest.raises(UsageError, match="without a medium"):
        parse_lsblk(b'{"blockdevices": []}', Path("/dev/sr0"))


def test_a_file_is_not_a_device(tmp_path: Path) -> None:
    assert not is_block_device(tmp_path)
    assert not is_block_device(tmp_path / "none")


def test_images_attached_to_loop_devices_are_found_in_sysfs(tmp_path: Path) -> None:
    image = tmp_path / "a.img"
    image.touch()
    backing = tmp_path / "sys" / "loop7" / "loop" / "backing_file"
    backing.parent.mkdir(parents=True)
    backing.write_text(f"{image}\n")
    assert loops_on(image, sys_block=tmp_path / "sys") == ["/dev/loop7"]
    assert loops_on(tmp_path / "b.img", sys_block=tmp_path / "sys") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="attaching a loop device needs root")
def test_a_real_loop_device(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.touch()
    os.truncate(image, 100 << 20)
    name = run("losetup", "--find", "--show", image).strip()
    try:
        assert is_block_device(Path(name))
        found = inspect_device(Path(name))
        assert (found.path, found.kind, found.size_bytes) == (name, "loop", 100 << 20)
        assert any("not removable" in reason for reason in refusals(found))
        assert refusals(found, force=True) == []
        assert loops_on(image) == [name]
    finally:
        subprocess.run(["losetup", "--detach", name], check=True)
