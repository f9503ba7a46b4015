"""mountfs on real images, alone and in chains."""

from __future__ import annotations

import random

import pytest

from ..daemons import ROOM
from .places import Chain, ext4, run, squashfs, tree

NATIVE = "root=bootchain bootchain=noretry,"


def test_a_squashfs_in_an_ext4_becomes_the_root(each_shell: Chain) -> None:
    rescue = squashfs(each_shell.place / "rescue.tree" / "rescue", {"sbin/init": "stage 2"})
    rescue.with_name("rescue.tree").rename(each_shell.place / "other")
    medium = ext4(each_shell.place / "medium.img", rescue.parent)
    each_shell.after = "cat sbin/init >../out; grep root /proc/self/mounts >>../out"
    ended = each_shell.run(f"{NATIVE}mountfs,mountfs,rootfs mountfs={medium} mountfs=rescue")
    assert ended.code == 0, ended.log
    assert each_shell.out().startswith("stage 2")
    line = next(line for line in each_shell.out().splitlines() if f" {each_shell.root} " in line)
    assert " squashfs ro," in line


def test_a_file_is_mounted_read_only_unless_asked_for(each_shell: Chain) -> None:
    image = ext4(each_shell.place / "a.img")
    ended = each_shell.run(f"{NATIVE}mountfs,rootfs mountfs={image} mountfs-opts=noatime")
    each_shell.after = "touch new && echo written >../out"
    assert ended.code == 0, ended.log
    ended = each_shell.run(f"{NATIVE}mountfs,rootfs mountfs={image}")
    assert not each_shell.place.joinpath("out").exists()
    ended = each_shell.run(f"{NATIVE}mountfs,rootfs mountfs={image} mountfs-opts=rw,noatime")
    assert each_shell.out() == "written\n", ended.log


def test_each_call_has_its_own_parameter_and_options(each_shell: Chain) -> None:
    one = tree(each_shell.place / "one", {"name": "1"})
    two = tree(each_shell.place / "two", {"name": "2"})
    each_shell.after = "grep -E 'dst/step|root ' /proc/mounts >../out"
    ended = each_shell.run(
        f"{NATIVE}mountfs,mountfs,rootfs mountfs={one} mountfs-opts=ro,nodev mountfs={two} mountfs-opts=nosuid"
    )
    assert ended.code == 0, ended.log
    lines = each_shell.out().splitlines()
    first = next(line for line in lines if "/dst/step0 " in line)
    last = next(line for line in lines if f" {each_shell.root} " in line)
    assert "ro," in first and "nodev" in first
    assert "rw," in last and "nosuid" in last and "nodev" not in last


def test_a_directory_of_the_previous_result_is_bound(each_shell: Chain) -> None:
    image = squashfs(each_shell.place / "a.sqfs", {"live/root/hello": "there"})
    each_shell.after = "cat hello >../out"
    ended = each_shell.run(f"{NATIVE}mountfs,mountfs,rootfs mountfs={image} mountfs=live/root")
    assert (ended.code, each_shell.out()) == (0, "there"), ended.log


def test_an_earlier_result_is_addressed(each_shell: Chain) -> None:
    image = squashfs(each_shell.place / "a.sqfs", {"deep/hello": "there"})
    other = tree(each_shell.place / "other", {"x": ""})
    each_shell.after = "cat hello >../out"
    for target in ("pipe0/deep", "step-2/deep"):
        ended = each_shell.run(
            f"{NATIVE}mountfs,mountfs,mountfs,rootfs mountfs={image} mountfs={other} mountfs={target}"
        )
        assert (ended.code, each_shell.out()) == (0, "there"), ended.log


@pytest.mark.parametrize(
    ("cmdline", "message"),
    [
        ("mountfs,rootfs", "required parameter is empty: MOUNTFS0"),
        ("mountfs mountfs=/nonexistent", "cannot mount /nonexistent: it is not there"),
        ("mountfs mountfs=/dev/null", "neither a file nor a block device nor a directory: /dev/null"),
        ("mountfs mountfs=/etc/passwd", "cannot mount the file /etc/passwd"),
        ("mountfs mountfs=lastver:/nonexistent*", "nothing matches /nonexistent*"),
        ("rootfs", "there is no previous result"),
    ],
)
def test_failures_say_why(each_shell: Chain, cmdline: str, message: str) -> None:
    ended = each_shell.run(NATIVE + cmdline)
    assert ended.code == 1
    assert message in ended.log
    assert ended.steps[-1][2] == 1


def test_a_failed_try_is_repeated_and_leaves_nothing(each_shell: Chain) -> None:
    image = ext4(each_shell.place / "a.img")
    each_shell.after = "grep -c dst/step /proc/mounts >../out || :"
    ended = each_shell.run(
        f"root=pipeline pipeline=mountfs pipe-retry=3 mountfs={image} mountfs-opts=nonsense"
    )
    assert [code for _, _, code in ended.steps] == [1, 1, 1]
    assert f"cannot mount the file {image}" in ended.log
    assert each_shell.out() == "0\n"


@pytest.mark.parametrize(
    ("pattern", "names", "wanted"),
    [
        (
            "rescue-*.squashfs",
            ["rescue-9.squashfs", "rescue-10.squashfs", "rescue-8.5.squashfs"],
            "rescue-10.squashfs",
        ),
        ("r-*", ["r-1.2.squashfs", "r-1.2.1.squashfs", "r-1.2~rc3.squashfs"], "r-1.2.1.squashfs"),
        ("r-*", ["r-1.2.squashfs", "r-1.2~rc3.squashfs"], "r-1.2.squashfs"),
        ("r", ["r-20240101", "r-20250101", "q-3"], "r-20250101"),
        ("[ab] ?", ["a 1", "b 2", "b 12"], "b 2"),
        ("v*/fs", ["v2/fs", "v10/fs", "v11/other"], "v10/fs"),
        ("deep/r*", ["deep/r007", "deep/r8", "r9"], "deep/r8"),
    ],
)
def test_lastver_takes_the_highest_version(
    each_shell: Chain, pattern: str, names: list[str], wanted: str
) -> None:
    small = squashfs(each_shell.place / "small", {"x": ""}).read_bytes()
    for name in names:
        path = each_shell.place / "m" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(small)
    ended = each_shell.run(
        f'{NATIVE}mountfs,mountfs,rootfs mountfs={each_shell.place}/m "mountfs=lastver:{pattern}"'
    )
    assert ended.code == 0, ended.log
    assert f"dst/step0/{wanted} is mounted" in ended.log


def test_lastver_never_leaves_the_result(chain: Chain) -> None:
    image = chain.place / "m"
    tree(image, {"r-1": "x"})
    image.joinpath("r-2").symlink_to("/etc")
    ended = chain.run(f"{NATIVE}mountfs,mountfs,rootfs mountfs={image} mountfs=lastver:r-*")
    assert ended.code == 1
    assert "outside of" in ended.log


def test_rootfs_refuses_a_device_and_an_empty_result(each_shell: Chain) -> None:
    each_shell.step("device", 'echo /dev/null >"$destdir/DEVNAME"')
    ended = each_shell.run(f"{NATIVE}device,rootfs")
    assert ended.code == 1 and "the previous result is a device" in ended.log
    each_shell.step("nothing", ":")
    ended = each_shell.run(f"{NATIVE}nothing,rootfs")
    assert ended.code == 1 and "the previous result is empty" in ended.log


def test_debug_mode_shows_what_a_step_gets(each_shell: Chain) -> None:
    image = squashfs(each_shell.place / "a.sqfs", {"hello": "there"})
    ended = each_shell.run(f"{NATIVE}mountfs,rootfs mountfs={image} mountfs-opts=nodev bc_debug")
    assert ended.code == 0, ended.log
    assert f"debug: mountfs={image}\n" in ended.log
    assert "debug: mountfs-opts=nodev\n" in ended.log
    assert f"RUN: mount -o ro,nodev,loop {image}" in ended.log
    assert "debug: the previous result:" in ended.log and "hello" in ended.log
    assert "debug: mounted: /dev/loop" in ended.log


def test_versions_are_ordered_as_by_sort(shell: str, chain: Chain) -> None:
    rng = random.Random(20)
    words = ["".join(rng.choices("r-1.20~ab_", k=rng.randint(1, 8))) for _ in range(80)]
    names = [
        word + rng.choice(["", ".squashfs", ".tar.xz", ".sq~1"])
        for word in words
        # sort puts names that begin with a dot first; those are hidden files, which no pattern matches.
        if not word.startswith(".")
    ]
    pairs = list(zip(names[::2], names[1::2], strict=False))
    script = (
        f". {ROOM}/image-sh-functions; set -efu; "
        'while IFS="|" read -r a b; do if version_less "$a" "$b"; then echo 1; else echo 0; fi; done'
    )
    asked = "".join(f"{a}|{b}\n" for a, b in pairs)
    answers = run(chain.interpreter(shell), "-c", script, stdin=asked.encode()).split()
    assert len(answers) == len(pairs) > 30
    for (a, b), answer in zip(pairs, answers, strict=True):
        first = run("env", "LC_ALL=C", "sort", "-V", stdin=f"{a}\n{b}\n".encode()).split("\n")[0]
        assert (answer == "1") == (first == a and a != b), (a, b)
