"""The steps that people expect to find: thin fronts of the others, and localdev."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from .places import Attach, Chain, ext4, squashfs, tree

NATIVE = "root=bootchain bootchain=noretry,"


def image(chain: Chain) -> Path:
    """A directory with ``rescue``, a squashfs."""
    squashfs(chain.place / "medium" / "rescue", {"sbin/init": "stage 2"})
    return chain.place / "medium"


@pytest.mark.parametrize("step", ["copyfile", "toram"])
def test_an_image_is_copied_to_memory_and_mounted_there(each_shell: Chain, step: str) -> None:
    medium = image(each_shell)
    each_shell.after = "cat sbin/init >../out"
    ended = each_shell.run(
        f"{NATIVE}mountfs,{step},mountfs,rootfs mountfs={medium} {step}=rescue mountfs=rescue"
    )
    assert (ended.code, each_shell.out()) == (0, "stage 2"), ended.log
    assert "/dst/step0/rescue is in memory" in ended.log


def test_what_cannot_be_copied(chain: Chain) -> None:
    ended = chain.run(f"{NATIVE}mountfs,copyfile mountfs={image(chain)} copyfile=rescu")
    assert ended.code == 1
    assert "nearest: rescue" in ended.log


def test_a_checksum_passes_the_result_on(each_shell: Chain) -> None:
    medium = image(each_shell)
    rescue = medium / "rescue"
    digest = hashlib.sha256(rescue.read_bytes()).hexdigest()
    each_shell.after = "cat sbin/init >../out"
    line = f"{NATIVE}mountfs,checksum,mountfs,rootfs mountfs={medium} mountfs=rescue checksum=rescue"
    ended = each_shell.run(f"{line}#sha256={digest}")
    assert (ended.code, each_shell.out()) == (0, "stage 2"), ended.log
    (medium / "rescue.sha256").write_text(f"{digest}  rescue\n")
    assert each_shell.run(line).code == 0
    ended = each_shell.run(f"{line}#{'0' * 64}")
    assert ended.code == 1
    assert "/rescue is damaged" in ended.log
    (medium / "rescue.sha256").unlink()
    assert "no sum for" in each_shell.run(line).log


def test_squashfs_and_no_other_type(each_shell: Chain) -> None:
    medium = image(each_shell)
    each_shell.after = "cat sbin/init >../out"
    ended = each_shell.run(f"{NATIVE}mountfs,squashfs,rootfs mountfs={medium} squashfs=rescue")
    assert (ended.code, each_shell.out()) == (0, "stage 2"), ended.log
    ended = each_shell.run(f"{NATIVE}mountfs,copyfile,squashfs,rootfs mountfs={medium} copyfile=rescue")
    assert ended.code == 0, ended.log  # the only file of the result before
    ended = each_shell.run(f"{NATIVE}squashfs squashfs={ext4(each_shell.place / 'a.ext4')}")
    assert "as squashfs" in ended.log and ended.code == 1
    assert "iso9660: nothing to mount" in each_shell.run(f"{NATIVE}iso9660").log


def test_download_leaves_the_file(each_shell: Chain) -> None:
    medium = image(each_shell)
    each_shell.after = "cat sbin/init >../out"
    ended = each_shell.run(
        f"{NATIVE}download,mountfs,rootfs download=file://{medium}/rescue getimage=file:///no mountfs=rescue"
    )
    assert (ended.code, each_shell.out()) == (0, "stage 2"), ended.log


@pytest.mark.parametrize("step", ["liverw", "live_rw"])
def test_a_writable_layer_that_stays(each_shell: Chain, step: str) -> None:
    medium, layer = image(each_shell), each_shell.place / "layer"
    each_shell.after = "cat new >../out 2>/dev/null || : >../out; echo kept >new"
    line = f"{NATIVE}mountfs,{step},rootfs mountfs={medium}/rescue {step}={layer}"
    ended = each_shell.run(line)
    assert ended.code == 1
    assert f"there is no {layer} for the writable layer" in ended.log
    assert each_shell.run(f"{line},make=8").code == 0
    ended = each_shell.run(line)
    assert (ended.code, each_shell.out()) == (0, "kept\n"), ended.log


def test_overlayfs_on_a_device_and_options_before_the_list(chain: Chain, attach: Attach) -> None:
    medium = image(chain)
    device = attach(ext4(chain.place / "a.img"))
    chain.after = "echo kept >new; grep ' / \\| '$PWD' ' /proc/mounts >../out"
    ended = chain.run(
        f"{NATIVE}mountfs,overlayfs,rootfs mountfs={medium}/rescue overlayfs-rw={device} "
        "overlayfs=xino=off,nodev:step-1"
    )
    assert ended.code == 0, ended.log
    assert "nodev" in chain.out() and "overlayfs" in chain.out()
    chain.after = "cat new >../out"
    ended = chain.run(f"{NATIVE}mountfs,overlayfs,rootfs mountfs={medium}/rescue overlayfs-rw={device}")
    assert (ended.code, chain.out()) == (0, "kept\n"), ended.log


def test_waitnet(chain: Chain) -> None:
    chain.own_network = True
    ended = chain.run(f"{NATIVE}waitnet waitnet-timeout=0")
    assert ended.code == 1
    assert "no interface has an address after 0 s" in ended.log
    chain.step("up", "ip addr add 192.0.2.1/24 dev lo; ip link set lo up")
    ended = chain.run(f"{NATIVE}up,waitnet waitnet=lo waitnet-timeout=5")
    assert "lo has an address" in ended.log, ended.log


def test_altboot_builds_its_chain(chain: Chain, attach: Attach) -> None:
    rescue = image(chain)
    number = "12345678-1234-1234-1234-123456789abc"
    attach(ext4(chain.place / "a.img", rescue, options=("-U", number)))
    chain.after = "cat sbin/init >../out"
    ended = chain.run(f"{NATIVE}altboot automatic=method:disk,disk:{number},directory:/ stagename=rescue")
    assert (ended.code, chain.out()) == (0, "stage 2"), ended.log
    assert [name for name, _, _ in ended.steps] == [
        *("altboot", "waitdev", "mountfs", "mountfs", "overlayfs", "rootfs")
    ]
    for wrong, why in (
        ("method:tape", "there is no method 'tape'"),
        ("method:disk", "needs disk:"),
        ("method:http,server:x", "needs server: and directory:"),
        ("nonsense", "what is nonsense?"),
    ):
        assert why in chain.run(f"{NATIVE}altboot automatic={wrong}").log


def test_localdev_by_a_pattern_a_file_and_a_device(chain: Chain, attach: Attach, label: str) -> None:
    source = tree(chain.place / "tree", {"live/rescue": "here"})
    device = attach(ext4(chain.place / "a.img", source, options=("-L", label)))
    name = device.removeprefix("/dev/")
    chain.step("see", 'message "$(resolve_devname)"')
    for spec in (f"LABEL={label[:-3]}*", f"LABEL={label}", device, f"{name}/live/rescue"):
        ended = chain.run(f"{NATIVE}localdev,see localdev={spec}")
        assert f"\nsee: {device}\n" in ended.log, ended.log
    ended = chain.run(f"{NATIVE}localdev,see localdev={name}/live/none localdev-timeout=0")
    assert "nothing fits after 0 s; going on without a result" in ended.log
    assert "LOCALDEV0" in chain.run(f"{NATIVE}localdev").log


def test_localdev_takes_the_first_of_several_without_a_dialog(
    chain: Chain, attach: Attach, label: str
) -> None:
    first = attach(ext4(chain.place / "a.img", options=("-L", label)))
    second = attach(ext4(chain.place / "b.img", options=("-L", label)))
    chain.step("see", 'message "$(resolve_devname)"')
    ended = chain.run(f"{NATIVE}localdev,see localdev=LABEL={label[:-1]}? noaskuser")
    assert any(f"\nsee: {device}\n" in ended.log for device in (first, second)), ended.log
    ended = chain.run(f"{NATIVE}waitdev,localdev,see waitdev={second} localdev=LABEL={label[:-1]}?")
    assert f"\nsee: {second}\n" in ended.log, ended.log


def test_an_iso_file_on_a_partition(chain: Chain, attach: Attach, label: str) -> None:
    """A squashfs stands for the ISO: this kernel may not know ISO 9660, and mount finds the type."""
    squashfs(chain.place / "tree" / "iso" / "my.iso", {"sbin/init": "stage 2"})
    device = attach(ext4(chain.place / "a.img", chain.place / "tree", options=("-L", label)))
    chain.after = "cat sbin/init >../out"
    ended = chain.run(f"{NATIVE}localdev,rootfs localdev={device.removeprefix('/dev/')}/iso/my.iso")
    assert (ended.code, chain.out()) == (0, "stage 2"), ended.log


def test_shares_need_their_tools(chain: Chain) -> None:
    """mount is asked for the right thing; there is no server here."""
    fake = chain.place / "bin" / "mount"
    fake.write_text(f'#!/bin/sh\necho "$@" >>{chain.place}/asked\nexit 1\n')
    fake.chmod(0o755)
    for url, asked in (
        ("nfs://192.0.2.1/srv/dir", "-t nfs -o nolock,ro 192.0.2.1:/srv/dir"),
        ("cifs://192.0.2.1/share", "-t cifs -o guest,ro //192.0.2.1/share"),
        (
            "cifs://me:secret@192.0.2.1/share/dir",
            "-t cifs -o username=me,password=secret,ro //192.0.2.1/share/dir",
        ),
    ):
        ended = chain.run(f"{NATIVE}mountfs,rootfs mountfs={url}")
        assert ended.code == 1
        assert asked in (chain.place / "asked").read_text(), ended.log
