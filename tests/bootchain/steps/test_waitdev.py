"""waitdev and wait-resume on loop devices of this machine."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest

from waiting import DEADLINE_S, wait_for_text

from .places import Attach, Chain, ext4, run, squashfs, tree


def test_by_label_then_mounted_by_devname_and_by_dev(each_shell: Chain, attach: Attach, label: str) -> None:
    source = tree(each_shell.place / "tree", {"hello": "there"})
    device = attach(ext4(each_shell.place / "a.img", source, options=("-L", label)))
    each_shell.after = "cat hello ../mnt/dst/step0/DEVNAME >../out"
    for name in ("DEVNAME", "dev", "pipe0/dev", "step-1/DEVNAME"):
        ended = each_shell.run(
            f"root=bootchain bootchain=noretry,waitdev,mountfs,rootfs waitdev=LABEL={label} mountfs={name}"
        )
        assert (ended.code, each_shell.out()) == (0, f"there{device}\n"), ended.log
    assert f"LABEL={label} is {device} (ext" in ended.log


def test_by_uuid_path_and_number(chain: Chain, attach: Attach, label: str) -> None:
    number = str(uuid.uuid4())
    device = attach(ext4(chain.place / "a.img", options=("-U", number)))
    link = chain.place / "name"
    link.symlink_to(device)
    major_minor = Path("/sys/class/block", Path(device).name, "dev").read_text().strip()
    for spec in (f"UUID={number.upper()}", device, device.removeprefix("/dev/"), major_minor):
        chain.after = "cat ../mnt/dst/step0/DEVNAME >../out"
        ended = chain.run(
            f"root=bootchain bootchain=noretry,waitdev,mountfs,rootfs waitdev={spec} mountfs=dev"
        )
        assert (ended.code, chain.out()) == (0, f"{device}\n"), ended.log


def test_partitions_of_a_disk_with_a_gpt(chain: Chain, attach: Attach, label: str) -> None:
    disk = chain.place / "disk"
    number = str(uuid.uuid4())
    run("truncate", "-s", "8M", disk)
    run("sgdisk", "-n", "1:2048:4095", "-n", "2:4096:8191", "-c", f"2:{label}", "-u", f"2:{number}", disk)
    device = attach(disk)
    run("partx", "-a", device)  # the kernel may have been built without any type of partition table
    chain.after = "cat ../mnt/dst/step0/DEVNAME >../out"
    for spec in (f"PARTUUID={number}", f"PARTLABEL={label}"):
        chain.step("stop", "break_bc_loop")
        ended = chain.run(f"root=bootchain bootchain=noretry,waitdev,stop waitdev={spec}")
        assert (ended.code, chain.out()) == (0, f"{device}p2\n"), ended.log


def test_results_on_a_file_system_without_devices(chain: Chain, attach: Attach, label: str) -> None:
    source = tree(chain.place / "tree", {"hello": "there"})
    device = attach(ext4(chain.place / "a.img", source, options=("-L", label)))
    chain.after = "cat hello >../out; readlink ../mnt/dst/step1/dev >>../out"
    chain.step(
        "nodev", 'mount -t tmpfs -o nodev none "$mntdir"; mkdir -p "$mntdir/src/step1" "$mntdir/dst/step1"'
    )
    ended = chain.run(
        f"root=bootchain bootchain=noretry,nodev,waitdev,mountfs,rootfs waitdev=LABEL={label} mountfs=dev"
    )
    assert (ended.code, chain.out()) == (0, f"there{device}\n"), ended.log


def test_it_waits_until_the_device_comes(chain: Chain, attach: Attach, label: str) -> None:
    image = ext4(chain.place / "a.img", options=("-L", label))
    chain.step("stop", "break_bc_loop")
    cmdline = (
        f"root=bootchain bootchain=noretry,waitdev,stop waitdev=LABEL={label} waitdev-timeout=1000 bc_debug"
    )
    with subprocess.Popen(chain.argv(cmdline), env=chain.env(), stderr=subprocess.DEVNULL) as process:
        wait_for_text(chain.log, f"waiting 1000 s at most for LABEL={label}")
        assert process.poll() is None
        device = attach(image)
        assert process.wait(DEADLINE_S) == 0
    assert f"LABEL={label} is {device}" in chain.log.read_text()


@pytest.mark.parametrize(
    ("cmdline", "message"),
    [
        ("", "required parameter is empty: WAITDEV0"),
        ("waitdev=LABEL=", "'LABEL=': LABEL is empty"),
        ("waitdev=nfs:server", "'nfs:server' is not a device"),
        ("waitdev=LABEL=x waitdev-timeout=soon", "'soon' is not a number of seconds"),
    ],
)
def test_failures_say_why(chain: Chain, cmdline: str, message: str) -> None:
    ended = chain.run(f"root=bootchain bootchain=noretry,waitdev {cmdline}")
    assert ended.code == 1
    assert message in ended.log
    assert "Traceback" not in ended.log


@pytest.mark.parametrize(
    ("cmdline", "message"),
    [
        (
            "waitdev=LABEL=missing-one waitdev-timeout=0.2",
            "no device LABEL=missing-one after 0.2 s; there are: /dev/",
        ),
        ("waitdev=CDROM:LABEL=missing-one rootdelay=0", "no device CDROM:LABEL=missing-one after 0 s"),
        ("waitdev=/dev/null waitdev-timeout=0", "no device /dev/null after 0 s"),
    ],
)
def test_a_device_that_does_not_come_leaves_an_empty_result(chain: Chain, cmdline: str, message: str) -> None:
    """So that a step that knows another way can follow."""
    chain.step("other", '[ -z "$(ls "$prevdir")" ]; [ -z "$(resolve_devname)" ]; break_bc_loop')
    ended = chain.run(f"root=bootchain bootchain=noretry,waitdev,other {cmdline}")
    assert [code for _, _, code in ended.steps] == [0, 0]
    assert message in ended.log


@pytest.mark.parametrize(("mode", "seconds"), [("bootchain", "60"), ("pipeline", "180")])
def test_how_long_it_waits_by_default(chain: Chain, mode: str, seconds: str) -> None:
    chain.step("see", 'message "$BC_DEVICE_TIMEOUT"')
    assert f"\nsee: {seconds}\n" in chain.run(f"root={mode} {mode}=see").log


def test_the_whole_way_of_the_example(each_shell: Chain, attach: Attach, label: str) -> None:
    """The first example of the document; ext4 stands for ISO 9660, which this kernel does not know."""
    rescue = squashfs(each_shell.place / "rescue", {"sbin/init": "stage 2"})
    source = each_shell.place / "tree"
    source.mkdir()
    rescue.rename(source / "rescue")
    attach(ext4(each_shell.place / "a.img", source, options=("-L", label)))
    each_shell.after = "echo new >file; cat sbin/init file >../out"
    ended = each_shell.run(
        "root=bootchain bootchain=waitdev,mountfs,mountfs,overlayfs,rootfs "
        f"waitdev=LABEL={label} mountfs=DEVNAME mountfs=rescue"
    )
    assert (ended.code, each_shell.out()) == (0, "stage 2new\n"), ended.log


RESUME = 'mount -t tmpfs none /sys/power; printf "%s" "" >/sys/power/resume; : >/sys/power/resume_offset'


def resume(chain: Chain, cmdline: str) -> str:
    """Run wait-resume twice with a /sys/power of our own."""
    chain.step("power", RESUME)
    chain.step("stop", "break_bc_loop")
    chain.after = "cat /sys/power/resume /sys/power/resume_offset >../out"
    ended = chain.run(f"root=bootchain bootchain=noretry,power,wait-resume,wait-resume,stop {cmdline}")
    assert ended.code == 0, ended.log
    return ended.log


def test_resume_from_a_swap_by_uuid(chain: Chain, attach: Attach) -> None:
    swap = chain.place / "swap"
    number = str(uuid.uuid4())
    run("truncate", "-s", "1M", swap)
    run("mkswap", "-U", number, swap)
    device = Path(attach(swap))
    major_minor = Path("/sys/class/block", device.name, "dev").read_text().strip()
    log = resume(chain, f"resume=UUID={number} resume_offset=34816")
    assert chain.out() == f"{major_minor}34816"
    assert log.count(f"resuming from {device}") == 1


@pytest.mark.parametrize("cmdline", ["", "resume=/dev/loop0 noresume"])
def test_nothing_to_resume(chain: Chain, cmdline: str) -> None:
    resume(chain, cmdline)
    assert chain.out() == ""


def test_a_missing_swap_does_not_stop_the_boot(chain: Chain) -> None:
    log = resume(chain, "resume=UUID=not-there rootdelay=0.1")
    assert "no device UUID=not-there to resume from" in log
    assert chain.out() == ""
