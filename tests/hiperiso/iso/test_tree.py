"""The files of a medium that may be made to hurt."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hiperiso.iso.menus.read import kernels_by_name
from hiperiso.iso.tree import MountedTree, resolve_below
from hiperiso.stick.direct.live import find_live_images
from machine_speed import assert_cheap
from medium_trees import MakeTree


def test_files_links_and_letter_case(make_tree: MakeTree) -> None:
    tree = make_tree(
        {
            "Boot/VMLINUZ": b"kernel",
            "install.amd/vmlinuz": b"other",
            "install": "->install.amd",
            "abs": "->/Boot",
            "up/here": "->../Boot/VMLINUZ",
        }
    )
    assert tree.find("/boot/vmlinuz") == "/Boot/VMLINUZ" == tree.find("/abs/VMLINUZ")
    assert tree.find("install/vmlinuz") == "/install.amd/vmlinuz"
    assert tree.find("/up/here") == tree.find("/up/../Boot/./VMLINUZ") == "/Boot/VMLINUZ"
    assert tree.find("/none") == tree.find("/Boot") == tree.find("/Boot/VMLINUZ/x") == ""
    assert tree.read("/boot/vmlinuz", 3) == b"ker" and tree.read("/boot/vmlinuz", 9, offset_bytes=4) == b"el"
    assert tree.size_bytes("/Boot/VMLINUZ") == 6
    assert tree.below("/BOOT") == ["/Boot/VMLINUZ"]


def test_links_never_lead_out(make_tree: MakeTree) -> None:
    tree = make_tree(
        {
            "etc/passwd": b"of the medium",
            "a": "->/etc/passwd",
            "b": "->../../../../etc/passwd",
            "loop": "->loop",
            "dir": "->/",
            "gone": "->/proc/version",
        }
    )
    assert tree.read("/a", 99) == tree.read("/b", 99) == tree.read("/dir/dir/a", 99) == b"of the medium"
    assert tree.find("/loop") == tree.find("/gone") == "" and tree.read("/gone", 9) == b""
    assert tree.find("/dir/" * 40 + "a") == ""


def test_a_link_that_takes_the_place_of_a_file(make_tree: MakeTree) -> None:
    tree = make_tree({"k": b"x"})
    path = tree.host_path("/k")
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert tree.read("/k", 10) == b""


def test_deep_directories_end(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 40)
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (tmp_path / "near").write_text("x")
    assert list(MountedTree.scan(tmp_path)) == ["/near"]
    assert len(MountedTree.scan(tmp_path / "none")) == 0


def test_paths_below_another_root(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "sbin").symlink_to("/usr/lib/../../../../etc")
    (tmp_path / "x").symlink_to("x")
    assert resolve_below(tmp_path, "/lib/modules/6.1") == tmp_path / "usr/lib/modules/6.1"
    assert resolve_below(tmp_path, "/sbin/init") == tmp_path / "etc/init"
    with pytest.raises(OSError, match="too many links"):
        resolve_below(tmp_path, "/x/y")


def test_a_directory_of_many_files() -> None:
    """What is asked of each file must not look at all the others."""
    tree = MountedTree(
        {f"/live/{number}.squashfs": 1 << 20 for number in range(50_000)}
        | {f"/pool/linux-{number}.deb": 9 for number in range(500)},
        links={},
        root=Path("/nowhere"),
    )
    start = time.process_time()
    assert len(tree.below("/LIVE/")) == 50_000 and tree.below("/pool")[0] == "/pool/linux-0.deb"
    assert find_live_images(tree, ("live-media-path=/live layerfs-path=1.squashfs",))
    assert len(kernels_by_name(tree).entries) == 500
    assert_cheap(time.process_time() - start, 20)
