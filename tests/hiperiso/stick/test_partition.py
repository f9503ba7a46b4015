"""The data partition under the names of the contract."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from hiperiso.config.menu import MenuList
from hiperiso.errors import HarnessFault
from hiperiso.stick import partition


class Programs:
    """Stands for the programs of the initramfs: remembers what is run, and what of it fails."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.calls: list[str] = []

    def __call__(self, argv: Sequence[str]) -> str:
        line = " ".join(argv)
        self.calls.append(line)
        return next((f"{word}: no" for word in self.failing if word in line), "")


def test_folders_get_the_names_of_the_contract(tmp_path: Path) -> None:
    data, root = tmp_path / "usb", tmp_path / "root"
    (data / "ISOs").mkdir(parents=True)
    (data / "ISOs/a.iso").write_text("iso")
    root.mkdir()
    for _ in range(2):
        path = partition.expose(data, "/ISOs/a.iso", root=root)
        assert path == root / "ISOs/a.iso" and path.read_text() == "iso"
    assert partition.expose(data, "/hiperiso/logs", root=root) == root / "hiperiso/logs"


def test_a_folder_of_the_initramfs_is_not_covered(tmp_path: Path) -> None:
    data, root = tmp_path / "usb", tmp_path / "root"
    (data / "bin").mkdir(parents=True)
    (root / "bin").mkdir(parents=True)
    assert partition.expose(data, "/bin/a.iso", root=root) == data / "bin/a.iso"
    assert not (root / "bin").is_symlink()
    assert partition.expose(data, "/", root=root) == data


def test_isos_are_listed_as_the_menu_does(tmp_path: Path) -> None:
    names = (
        "b.iso",
        "A.ISO",
        "sub dir/Ünïcode.iso",
        ".hidden/x.iso",
        "._y.iso",
        "notes.txt",
        "1/2/3/4/5/deep.iso",
    )
    for name in names:
        path = tmp_path / "ISOs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "ISOs/loop").symlink_to(tmp_path / "ISOs")
    (tmp_path / "ISOs/link.iso").symlink_to(tmp_path / "ISOs/b.iso")
    (tmp_path / "ISOs/folder.iso").mkdir()
    found = partition.find_isos(tmp_path, MenuList())
    assert sorted(found[:2]) == ["/ISOs/A.ISO", "/ISOs/b.iso"]
    assert found[2:] == ["/ISOs/sub dir/Ünïcode.iso"]
    assert partition.find_isos(tmp_path, MenuList(depth=0)) == found[:2]
    assert partition.find_isos(tmp_path, MenuList(search_root="/ISOs/sub dir")) == found[2:]
    assert partition.find_isos(tmp_path / "none", MenuList()) == []


def test_the_partition_becomes_writable(tmp_path: Path) -> None:
    programs = Programs()
    partition.open_partition("/dst/step1", target=tmp_path / "mnt/usb", run=programs)
    assert programs.calls == [
        f"mount --bind /dst/step1 {tmp_path}/mnt/usb",
        f"mount -o remount,rw {tmp_path}/mnt/usb",
    ]
    with pytest.raises(HarnessFault, match="cannot be made writable: remount"):
        partition.open_partition("/dst/step1", target=tmp_path, run=Programs("remount"))


def test_what_is_still_in_use_becomes_read_only(tmp_path: Path) -> None:
    programs = Programs("umount /dst/step1")
    partition.close_partition(["/dst/step1"], target=tmp_path, run=programs)
    assert programs.calls == [f"umount {tmp_path}", "umount /dst/step1", "mount -o remount,ro /dst/step1"]


def test_the_processor_decides_on_the_kvm_module(tmp_path: Path) -> None:
    for flags, module in (("fpu svm sse", "kvm_amd"), ("fpu vmx", "kvm_intel"), ("fpu svm_lock", "")):
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
        programs = Programs()
        partition.prepare_host(run=programs, cpuinfo=tmp_path / "cpuinfo")
        asked = [call for call in programs.calls if call.startswith("modprobe")]
        assert asked == ([f"modprobe -q {module}"] if module else [])
    partition.prepare_host(run=Programs(), cpuinfo=tmp_path / "none")


def test_programs_are_run_for_real(tmp_path: Path) -> None:
    assert partition.run(("true",)) == ""
    assert partition.run(("sh", "-c", "echo why >&2; exit 3")) == "why"
    assert partition.run(("false",)) == "false ended with 1"
    assert "no-such-program" in partition.run(("no-such-program",))


def test_messages_of_the_kernel_stay_out_of_the_log_until_the_end(tmp_path: Path) -> None:
    printk = tmp_path / "printk"
    printk.write_text("4\t4\t1\t7\n")
    before = partition.mute_kernel(printk=printk)
    assert (before, printk.read_text()) == ("4", "1")
    printk.write_text("1\t4\t1\t7\n")
    partition.mute_kernel(before, printk=printk)
    assert printk.read_text() == "4"
    assert partition.mute_kernel(printk=tmp_path / "none") == ""


def test_free_memory(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 999 kB\nMemAvailable:   2097152 kB\n")
    assert partition.available_mb(tmp_path / "meminfo") == 2048
    assert partition.available_mb(tmp_path / "none") == 0
    assert partition.available_mb() > 0 and os.sep == "/"
