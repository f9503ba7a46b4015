"""Files and menus of ISO images, read without mounting: of images by xorriso, grub-mkrescue and pycdlib."""

from __future__ import annotations

import os
import random
import subprocess
import threading
from pathlib import Path

import pytest

from hiperiso.errors import IsoError
from hiperiso.iso.image import IsoImage
from hiperiso.iso.menus.entries import MenuEntry
from hiperiso.iso.menus.read import read_menus
from hiperiso.iso.tree import MountedTree, Tree
from iso_images import make_tree, udf_image, xorriso
from waiting import DEADLINE_S

MEMTEST = Path("/usr/lib/memtest86+/memtest86+x64.iso")
GRUB_CFG = """\
set default=live
source /boot/grub/more.cfg
menuentry "Install" --id install { linux /install.amd/vmlinuz vga=788; initrd /install/initrd.gz; }
"""
MORE_CFG = (
    'menuentry "Live" --id live {\n  linux /live/vmlinuz boot=live quiet\n  initrd /live/initrd.img\n}\n'
)


def same(tree: Tree, files: dict[str, bytes]) -> None:
    """The tree has just these files, whole and in parts."""
    assert set(tree) == {f"/{name}" for name in files}
    for name, content in files.items():
        path = f"/{name}"
        assert tree.size_bytes(path) == len(content)
        assert tree.read(path, len(content) + 10) == content, path
        for offset in (0, 1, 2047, 2048, len(content) - 1, len(content)):
            if offset >= 0:
                piece = tree.read(path, 3000, offset_bytes=offset)
                assert piece == content[offset : offset + 3000], (path, offset)


@pytest.mark.parametrize(
    "options",
    [["-R"], ["-R", "-J", "-joliet-long"], ["--norock", "-J", "-joliet-long"]],
    ids=["rr", "both", "joliet"],
)
def test_files_of_an_iso(tmp_path: Path, options: list[str]) -> None:
    files = make_tree(tmp_path / "tree")
    if "-R" not in options:
        (tmp_path / "tree" / "link").unlink()
    xorriso(tmp_path / "tree", tmp_path / "x.iso", *options)
    with IsoImage(tmp_path / "x.iso") as image:
        same(image.tree(), files)


def test_files_of_a_udf_image(tmp_path: Path) -> None:
    files = make_tree(tmp_path / "tree")
    udf_image(tmp_path / "x.iso", files)
    with IsoImage(tmp_path / "x.iso") as image:
        same(image.tree(), files)


def test_links_of_an_iso_are_followed_as_those_of_a_mount(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "install.amd").mkdir(parents=True)
    (root / "deep/er").mkdir(parents=True)
    (root / "install.amd/vmlinuz").write_bytes(b"kernel")
    long = "x" * 240
    (root / long).write_bytes(b"long")
    for link, target in {
        "install": "install.amd",
        "deep/er/up": "../../install/vmlinuz",
        "absolute": "/install.amd/vmlinuz",
        "dots": "./deep/../install.amd/./vmlinuz",
        "far": f"deep/../{'deep/../' * 40}{long}",
        "out": "../../../../etc/passwd",
        "root": "/",
        "loop": "loop",
    }.items():
        (root / link).symlink_to(target)
    xorriso(root, tmp_path / "x.iso", "-R")
    mounted = MountedTree.scan(root)
    with IsoImage(tmp_path / "x.iso") as image:
        tree = image.tree()
        for path in (
            "install/vmlinuz",
            "deep/er/up",
            "absolute",
            "dots",
            "far",
            "out",
            "loop",
            "root/absolute",
        ):
            assert tree.find(path) == mounted.find(path), path
            assert tree.read(path, 99) == mounted.read(path, 99), path
        assert tree.find("far") == f"/{long}" and tree.read("dots", 99) == b"kernel"


def test_files_that_share_their_content_are_known_as_such(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "live").mkdir(parents=True)
    (root / "live/vmlinuz-6.1").write_bytes(b"kernel" * 1000)
    (root / "live/vmlinuz").hardlink_to(root / "live/vmlinuz-6.1")
    (root / "live/initrd").write_bytes(b"initrd")
    iso = tmp_path / "shared.iso"
    argv = ["xorriso", "-outdev", str(iso), "-hardlinks", "on", "-map", str(root), "/"]
    subprocess.run(argv, check=True, capture_output=True)
    with IsoImage(iso) as image:
        shared = image.tree().shared()
    names = {"/live/vmlinuz", "/live/vmlinuz-6.1"}
    assert set(shared) == names
    assert all(set(group) == names for group in shared.values())


def test_a_file_of_several_extents(tmp_path: Path) -> None:
    """As writers record what is above 4 GiB: records of one name, all but the last marked (ECMA-119, 9.1.6)."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "large.a").write_bytes(b"a" * 8192)
    (root / "large.b").write_bytes(b"b" * 3000)
    xorriso(root, tmp_path / "x.iso", "--norock")
    data = bytearray((tmp_path / "x.iso").read_bytes())
    first, second = data.index(b"LARGE.A;1"), data.index(b"LARGE.B;1")
    data[first - 33 + 25] |= 0x80
    data[second : second + 9] = b"LARGE.A;1"
    (tmp_path / "x.iso").write_bytes(data)
    with IsoImage(tmp_path / "x.iso") as image:
        tree = image.tree()
        assert list(tree) == ["/LARGE.A"] and tree.size_bytes("/LARGE.A") == 8192 + 3000
        assert tree.read("/large.a", 20_000) == b"a" * 8192 + b"b" * 3000
        assert tree.read("/large.a", 4, offset_bytes=8190) == b"aabb"


def entries(tree: Tree, *, iso_path: str = "") -> list[MenuEntry]:
    return [entry for menu in read_menus(tree, iso_path=iso_path, efi=False) for entry in menu.in_order]


def test_the_menu_of_an_iso_by_grub_mkrescue(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for name, text in {
        "boot/grub/grub.cfg": GRUB_CFG,
        "boot/grub/more.cfg": MORE_CFG,
        "boot/grub/loopback.cfg": 'menuentry "From a file" { linux /live/vmlinuz findiso=$iso_path; }',
        "live/vmlinuz": "kernel",
        "live/initrd.img": "initrd",
        "install.amd/vmlinuz": "kernel",
        "install.amd/initrd.gz": "initrd",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "install").symlink_to("install.amd")
    argv = ["grub-mkrescue", "-o", str(tmp_path / "x.iso"), str(root)]
    subprocess.run(argv, check=True, capture_output=True, timeout=DEADLINE_S)
    with IsoImage(tmp_path / "x.iso") as image:
        tree = image.tree()
        first, second, *_ = entries(tree)
        assert (first.title, first.kernel, first.arguments) == ("Live", "/live/vmlinuz", "boot=live quiet")
        assert (second.title, second.initrds) == ("Install", ("/install/initrd.gz",))
        assert tree.find("/install/initrd.gz") == "/install.amd/initrd.gz"
        from_file = entries(tree, iso_path="/ISOs/x.iso")[0]
        assert (from_file.title, from_file.arguments) == ("From a file", "findiso=/ISOs/x.iso")
        mounted = MountedTree.scan(root)  # what grub-mkrescue adds has no entries
        assert entries(tree) == entries(mounted)


def test_the_menu_of_an_iso_by_isolinux(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "isolinux").mkdir(parents=True)
    (root / "live").mkdir()
    (root / "isolinux/isolinux.bin").write_bytes(Path("/usr/lib/ISOLINUX/isolinux.bin").read_bytes())
    (root / "isolinux/isolinux.cfg").write_text(
        "DEFAULT live\nLABEL live\n  MENU LABEL ^Live\n  KERNEL /live/vmlinuz\n"
        "  APPEND initrd=/live/initrd.img boot=live\n"
    )
    (root / "live/vmlinuz").write_bytes(b"k")
    (root / "live/initrd.img").write_bytes(b"i")
    boot = ("-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot", "-boot-info-table")
    xorriso(root, tmp_path / "x.iso", *boot)  # plain names, as isolinux sees them
    with IsoImage(tmp_path / "x.iso") as image:
        first = entries(image.tree())[0]
        assert (first.title, first.kernel, first.initrds) == ("Live", "/live/vmlinuz", ("/live/initrd.img",))


def test_an_iso_made_by_others() -> None:
    with IsoImage(MEMTEST) as image:
        assert any(path.lower().startswith("/boot/") for path in image.tree())
        assert image.sector_map.complete and image.sector_map is image.sector_map


def test_after_the_end_what_was_read_stays(tmp_path: Path) -> None:
    files = make_tree(tmp_path / "tree")
    xorriso(tmp_path / "tree", tmp_path / "x.iso", "-R")
    image = IsoImage(tmp_path / "x.iso")
    sector_map, tree = image.sector_map, image.tree()
    threads = [
        threading.Thread(target=tree.read, args=("/live/filesystem.squashfs", 1 << 21)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    image.close()
    image.close()
    for thread in threads:
        thread.join()
    assert image.sector_map is sector_map and len(image.tree()) == len(files)
    assert tree.read("/one", 1) == b"" and image.info.volume_id == "TEST"
    unread = IsoImage(tmp_path / "x.iso")
    unread.close()
    assert not unread.sector_map.mapped and unread.sector_map.sectors == sector_map.sectors


def test_what_is_not_an_iso_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "bad.iso").write_bytes(b"no image\n" * 10_000)
    before = set(Path("/proc/self/fd").iterdir())
    for path in (tmp_path / "bad.iso", tmp_path, tmp_path / "missing"):
        with pytest.raises(IsoError):
            IsoImage(path)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_damaged_images_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    files = make_tree(tmp_path / "tree")
    xorriso(tmp_path / "tree", tmp_path / "1.iso", "-R", "-J")
    udf_image(tmp_path / "2.iso", files)
    rng = random.Random(os.environ.get("HIPERISO_FUZZ_SEED", "image"))
    opened = 0
    for _ in range(60):
        data = bytearray((tmp_path / rng.choice(("1.iso", "2.iso"))).read_bytes())
        for _ in range(rng.choice((1, 5, 30))):
            at = 16 * 2048 + rng.randrange(400 * 2048)
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", rng.randbytes(4)))
        (tmp_path / "x.iso").write_bytes(data)
        try:
            image = IsoImage(tmp_path / "x.iso", deadline_s=2)
        except IsoError:
            continue
        with image:
            opened += 1
            tree = image.tree()
            for path in tree:
                assert len(tree.read(path, 1 << 16)) <= 1 << 16
            entries(tree)
    assert opened > 20
