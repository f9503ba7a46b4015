"""overlayfs on real layers."""

from __future__ import annotations

import pytest

from .places import Chain, squashfs, tree

NATIVE = "root=bootchain bootchain=noretry,"


def test_the_previous_result_becomes_writable(each_shell: Chain) -> None:
    image = squashfs(each_shell.place / "a.sqfs", {"etc/name": "old", "gone": ""})
    each_shell.after = (
        "cat etc/name >../out; echo new >etc/name; rm gone; mkdir var; cat etc/name >>../out; ls >>../out"
    )
    ended = each_shell.run(f"{NATIVE}mountfs,overlayfs,rootfs mountfs={image}")
    assert (ended.code, each_shell.out()) == (0, "oldnew\netc\nvar\n"), ended.log


def test_the_first_element_is_on_top(each_shell: Chain) -> None:
    one = squashfs(each_shell.place / "one", {"name": "one", "a": ""})
    two = tree(each_shell.place / "two", {"name": "two", "b": ""})
    each_shell.after = "cat name >../out; ls >>../out"
    start = f"{NATIVE}mountfs,mountfs,overlayfs,rootfs mountfs={one} mountfs={two} overlayfs="
    for layers, top in (("pipe0,pipe1", "one"), ("pipe1,pipe0", "two"), ("step-1,step-2", "two")):
        ended = each_shell.run(start + layers)
        assert (ended.code, each_shell.out()) == (0, f"{top}a\nb\nname\n"), ended.log


def test_images_are_layers_too_and_nasty_names_are_not_options(each_shell: Chain) -> None:
    medium = each_shell.place / "medium"
    squashfs(medium / "base:1.sqfs", {"name": "base", "a": ""})
    squashfs(medium / "extra\\ 2.sqfs", {"name": "extra", "b": ""})
    tree(medium / "d:i,r", {"c": ""})
    each_shell.after = "cat name >../out; ls >>../out"
    ended = each_shell.run(
        f"{NATIVE}mountfs,overlayfs,rootfs mountfs={medium} "
        r'"overlayfs=extra\ 2.sqfs,lastver:base*.sqfs,lastver:d:i*"'
    )
    assert (ended.code, each_shell.out()) == (0, "extraa\nb\nc\nname\n"), ended.log


def test_options_go_to_the_overlay_and_to_the_memory_behind_it(each_shell: Chain) -> None:
    image = squashfs(each_shell.place / "a.sqfs", {"x": ""})
    each_shell.after = "grep overlay /proc/mounts >../out"
    ended = each_shell.run(
        f"{NATIVE}mountfs,overlayfs,rootfs mountfs={image} overlayfs-opts=size=3m,metacopy=on,nodev"
    )
    assert ended.code == 0, ended.log
    memory = next(line for line in each_shell.out().splitlines() if " tmpfs " in line)
    assert "size=3072k" in memory
    overlay = next(line for line in each_shell.out().splitlines() if f" {each_shell.root} overlay " in line)
    assert "metacopy=on" in overlay and "nodev" in overlay


def test_the_root_looks_like_that_of_the_top_layer(each_shell: Chain) -> None:
    layer = tree(each_shell.place / "layer", {"x": ""})
    layer.chmod(0o1751)
    each_shell.after = "stat -c %a . >../out"
    ended = each_shell.run(f"{NATIVE}mountfs,overlayfs,rootfs mountfs={layer}")
    assert (ended.code, each_shell.out()) == (0, "1751\n"), ended.log


@pytest.mark.parametrize(
    ("cmdline", "message"),
    [
        ("overlayfs=pipe7", "cannot take pipe7 as a layer"),
        ("overlayfs=x,nothing", "cannot take nothing as a layer"),
        ("overlayfs=,", "no layers in overlayfs=,"),
        ("overlayfs=bad.img", "cannot mount the layer"),
        ("overlayfs-opts=nonsense", "cannot combine the layers (.) with the options nonsense"),
        ("overlayfs-opts=size=many", "cannot mount a tmpfs (mode=0755,size=many)"),
        ("overlayfs-opts=upperdir=/etc", "upperdir=/etc: the layers come from overlayfs="),
    ],
)
def test_failures_say_why_and_leave_nothing_mounted(each_shell: Chain, cmdline: str, message: str) -> None:
    medium = tree(each_shell.place / "m", {"x/a": "", "bad.img": "no image"})
    each_shell.after = "grep -c 'src/step\\|dst/step1' /proc/mounts >../out || :"
    ended = each_shell.run(
        f"root=bootchain bootchain=mountfs,overlayfs pipe-retry=2 mountfs={medium} {cmdline}"
    )
    assert message in ended.log
    assert [code for name, _, code in ended.steps if name == "overlayfs"] == [1, 1]
    assert each_shell.out() == "0\n"


def test_without_any_result_there_is_nothing_to_combine(each_shell: Chain) -> None:
    ended = each_shell.run(f"{NATIVE}overlayfs")
    assert ended.code == 1
    assert "there is no previous result" in ended.log
