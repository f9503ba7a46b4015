"""Files of an image replaced by an overlay: what xorriso, pycdlib and mtools read of it; the others the same."""

from __future__ import annotations

import io
import os
import random
import subprocess
import time
from pathlib import Path

import pycdlib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiperiso.contract.replacement import Replacement, Replacements
from hiperiso.errors import UsageError
from hiperiso.images.qcow2 import write_overlay_qcow2
from hiperiso.iso.image import IsoImage
from hiperiso.iso.replace import plan_replacements
from iso_images import make_tree, udf_image, xorriso
from property_tests import examples
from waiting import DEADLINE_S

SECTOR = 2048


def run(*argv: object) -> str:
    done = subprocess.run(
        list(map(str, argv)), capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def overlaid(iso: Path, folder: Path, replaced: dict[str, bytes]) -> tuple[Path, list[str]]:
    """The image as a guest sees it, whole, through the overlay that QEMU reads; and the notes."""
    folder.mkdir(exist_ok=True)
    wanted = []
    for number, (path, data) in enumerate(replaced.items()):
        (folder / f"new{number}").write_bytes(data)
        wanted.append(Replacement(path, folder / f"new{number}"))
    before = iso.stat().st_mtime_ns
    with IsoImage(iso) as image:
        notes = plan_replacements(image, wanted)
        assert image.changes is not None
        write_overlay_qcow2(folder / "overlay", iso, image.changes)
        for path, data in replaced.items():
            if not path.startswith("efi:"):
                assert image.tree().read(path, len(data) + 1) == data  # as hiperiso itself reads it
    run("qemu-img", "check", folder / "overlay")
    run("qemu-img", "convert", "-O", "raw", folder / "overlay", folder / "seen.iso")
    assert iso.stat().st_mtime_ns == before
    return folder / "seen.iso", notes


def extracted(iso: Path, folder: Path, *options: str) -> dict[str, bytes]:
    run("xorriso", *options, "-osirrox", "on", "-indev", iso, "-extract", "/", folder)
    files = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.parent.chmod(0o700)
            files[str(path.relative_to(folder))] = path.read_bytes()
    return files


def joliet(iso: Path) -> dict[str, bytes]:
    return _by_pycdlib(iso, "joliet_path")


def udf(iso: Path) -> dict[str, bytes]:
    return _by_pycdlib(iso, "udf_path")


def _by_pycdlib(iso: Path, key: str) -> dict[str, bytes]:
    image = pycdlib.PyCdlib()
    image.open(str(iso))
    files = {}
    for folder, _, names in image.walk(**{key: "/"}):
        for name in names:
            path, out = f"{folder.rstrip('/')}/{name}", io.BytesIO()
            record = image.get_record(**{key: path})
            if key == "joliet_path" or not record.is_symlink():
                image.get_file_from_iso_fp(out, **{key: path})
                files[path.lstrip("/")] = out.getvalue()
    image.close()
    return files


@pytest.mark.parametrize("size", [0, 1, 300, SECTOR, SECTOR + 1, 700_000])
def test_every_other_file_reads_back_identical(tmp_path: Path, size: int) -> None:
    files = make_tree(tmp_path / "tree")
    iso = tmp_path / "a.iso"
    xorriso(tmp_path / "tree", iso, "-J", "-joliet-long", "-R")
    new = {
        "boot/grub/grub.cfg": os.urandom(size),
        "unicode/žluťoučký kůň.txt": b"short",
        "boot/vmlinuz": b"k" * 301_000,
    }
    seen, _ = overlaid(iso, tmp_path / "o", {f"/{path}": data for path, data in new.items()})
    assert extracted(seen, tmp_path / "rr") == files | new
    assert joliet(seen) == joliet(iso) | new
    assert (tmp_path / "o/overlay").stat().st_size < sum(map(len, new.values())) + (1 << 20)


@pytest.mark.parametrize("with_joliet", [False, True])
@pytest.mark.parametrize("size", [0, 5, 5000, 90_000])
def test_udf(tmp_path: Path, size: int, with_joliet: bool) -> None:
    files = {
        "boot/grub.cfg": b"menu " * 99,
        "sources/boot.wim": os.urandom(30_000),
        "empty": b"",
        "deep/er/x": b"x",
    }
    iso = tmp_path / "u.iso"
    udf_image(iso, files, joliet=with_joliet)
    new = {"sources/boot.wim": os.urandom(size), "boot/grub.cfg": b"other"}
    seen, _ = overlaid(iso, tmp_path / "o", {f"/{path}": data for path, data in new.items()})
    assert udf(seen) == files | new
    if with_joliet:
        assert joliet(seen) == files | new
    with IsoImage(seen) as image:
        assert {path: image.tree().read(path, 1 << 20) for path in image.tree()} == {
            f"/{path}": data for path, data in (files | new).items()
        }


ODD = (
    "a b'c\"d$e.txt",
    "x;org=y.cfg",
    "UPPER.TXT",
    "n" * 100 + ".cfg",
    "\U0001f600.cfg",
    "dot.",
    "=,.cfg",
    "star*?",
)


def test_odd_names_several_at_once(tmp_path: Path) -> None:
    """Empty, smaller and larger; two names of one file get different content, and a link leads to what it links to."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ODD:
        (tree / name).write_text(name)
    (tree / "hard").hardlink_to(tree / "UPPER.TXT")
    (tree / "link").symlink_to("dot.")
    files = {name: name.encode() for name in ODD} | {"hard": b"UPPER.TXT"}
    for options in (("-R", "-J", "-joliet-long"), ("-R", "--hardlinks")):
        iso = tmp_path / f"{len(options)}.iso"
        xorriso(tree, iso, *options)
        new = {name: b"x" * (3000 * number) for number, name in enumerate(ODD)} | {"hard": b"another"}
        wanted = {f"/{name}": data for name, data in new.items() if name != "dot."}
        seen, _ = overlaid(iso, tmp_path / f"o{len(options)}", wanted | {"//./link": new["dot."]})
        assert extracted(seen, tmp_path / f"rr{len(options)}") == files | new


def test_hard_links_keep_their_content(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "one").write_bytes(b"same " * 1000)
    (tree / "two").hardlink_to(tree / "one")
    iso = tmp_path / "a.iso"
    xorriso(tree, iso, "-R", "-J", "--hardlinks")
    with IsoImage(iso) as image:
        places = {extents[0].offset_bytes for extents in image.contents.extents.values()}
        assert len(places) == 1  # the case itself
    seen, _ = overlaid(iso, tmp_path / "o", {"/one": b"new"})
    assert extracted(seen, tmp_path / "rr") == {"one": b"new", "two": b"same " * 1000}
    assert joliet(seen) == {"one": b"new", "two": b"same " * 1000}


@pytest.mark.slow
def test_files_of_several_extents_and_four_gigabytes(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with (tree / "big.img").open("wb") as file:
        file.truncate((4 << 30) + 5000)  # two extents
    (tree / "c.cfg").write_bytes(b"after")
    (tree / "z").write_bytes(b"last")
    iso = tmp_path / "a.iso"
    xorriso(tree, iso, "-R", "-iso-level", "3")
    run("fallocate", "--dig-holes", iso)
    for path, size in (("/big.img", 100_000), ("/c.cfg", 3000)):
        (tmp_path / "new").write_bytes(b"n" * size)
        with IsoImage(iso) as image:
            began = time.process_time()
            plan_replacements(image, [Replacement(path, tmp_path / "new")])
            assert image.changes is not None
            overlay = tmp_path / f"overlay{size}"
            write_overlay_qcow2(overlay, iso, image.changes)
            assert time.process_time() - began < 1
            assert overlay.stat().st_size < size + (1 << 20)
            sizes = {name: image.tree().size_bytes(name) for name in image.tree()}
            assert sizes == {"/big.img": (4 << 30) + 5000, "/c.cfg": 5, "/z": 4} | {path: size}
            assert image.tree().read(path, size + 1) == b"n" * size
            assert image.tree().read("/z", 9) == b"last"
        run("qemu-img", "check", overlay)
        assert run("qemu-img", "map", overlay)


def boot_image(size: int, byte: bytes) -> bytes:
    return b"\xeb\x3e\x90".ljust(8, b"\0") + byte * (size - 8)


@pytest.mark.parametrize("size", [3000, 50_000])
def test_boot_images_stay_bootable(tmp_path: Path, size: int) -> None:
    tree = tmp_path / "tree"
    (tree / "isolinux").mkdir(parents=True)
    (tree / "isolinux/isolinux.bin").write_bytes(boot_image(5000, b"o"))
    iso = tmp_path / "a.iso"
    options = ("-b", "isolinux/isolinux.bin", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table")
    xorriso(tree, iso, *options)
    new = boot_image(size, b"n")
    image, notes = overlaid_raw(iso, tmp_path / "o", "/isolinux/isolinux.bin", new)
    (tree / "isolinux/isolinux.bin").write_bytes(new)
    other = tmp_path / "b.iso"
    xorriso(tree, other, *options)  # as the tool itself fills the table
    with IsoImage(image) as ours, IsoImage(other) as theirs:
        (one,), (two,) = ours.info.boot_entries, theirs.info.boot_entries
        a, b = (i.read_bytes() for i in (image, other))
        mine = a[one.load_sector * SECTOR :][:size]
        wanted = b[two.load_sector * SECTOR :][:size]
        assert mine[64:] == wanted[64:] and mine[16:24] == wanted[16:24]  # length and checksum
        assert int.from_bytes(mine[12:16], "little") == one.load_sector
        assert ours.tree().read("/isolinux/isolinux.bin", size) == mine
    assert bool(notes[1:]) is (size > 5000)


def overlaid_raw(iso: Path, folder: Path, path: str, data: bytes) -> tuple[Path, list[str]]:
    """As `overlaid`, for files that do not read back as they were given."""
    folder.mkdir()
    (folder / "new").write_bytes(data)
    with IsoImage(iso) as image:
        notes = plan_replacements(image, [Replacement(path, folder / "new")])
        assert image.changes is not None
        write_overlay_qcow2(folder / "overlay", iso, image.changes)
    run("qemu-img", "convert", "-O", "raw", folder / "overlay", folder / "seen.iso")
    return folder / "seen.iso", notes


@pytest.mark.parametrize("kilobytes", [1440, 8192, 40_000])
def test_files_inside_the_efi_image(tmp_path: Path, kilobytes: int) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    fat = tree / "efi.img"
    run("mkfs.vfat", *(("-F", "32") if kilobytes == 40_000 else ()), "-C", fat, kilobytes)
    run("mmd", "-i", fat, "::/EFI", "::/EFI/BOOT")
    content = {"grub.cfg": b"old" * 100, "BOOTX64.EFI": os.urandom(40_000), "a long name.conf": b"l"}
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
        run("mcopy", "-i", fat, tmp_path / name, f"::/EFI/BOOT/{name}")
    iso = tmp_path / "a.iso"
    xorriso(tree, iso, "-e", "efi.img", "-no-emul-boot")
    new = {"grub.cfg": os.urandom(9000), "BOOTX64.EFI": b"small", "a long name.conf": b""}
    seen, notes = overlaid(iso, tmp_path / "o", {f"efi:/EFI/BOOT/{name}": data for name, data in new.items()})
    assert len(notes) == 3 and "replaced in the EFI boot image" in notes[0]
    image = extracted(seen, tmp_path / "rr")["efi.img"]
    (tmp_path / "seen.fat").write_bytes(image)
    for name, data in new.items():
        out = subprocess.run(
            ["mtype", "-i", tmp_path / "seen.fat", f"::/EFI/BOOT/{name}"], capture_output=True, check=True
        ).stdout
        assert out == data
    done = subprocess.run(
        ["fsck.vfat", "-n", tmp_path / "seen.fat"], capture_output=True, text=True, check=False
    )
    wrong = [line for line in done.stdout.splitlines() if "differ" in line or "cluster" in line.lower()]
    assert not [line for line in wrong if "free cluster" not in line.lower() and "clusters" not in line], (
        done.stdout
    )
    with pytest.raises(UsageError, match=r"has room for [0-9]+ bytes"):
        overlaid(iso, tmp_path / "p", {"efi:/EFI/BOOT/grub.cfg": bytes(kilobytes << 10)})


def test_a_checksum_file_is_named(tmp_path: Path) -> None:
    files = make_tree(tmp_path / "tree")
    (tmp_path / "tree/md5sum.txt").write_text("".join(f"0  ./{name}\n" for name in files))
    iso = tmp_path / "a.iso"
    xorriso(tmp_path / "tree", iso, "-R")
    _, notes = overlaid(iso, tmp_path / "o", {"/boot/grub/grub.cfg": b"x"})
    assert notes[-1].startswith("warning: /md5sum.txt has checksums of /boot/grub/grub.cfg")


def test_what_cannot_be_replaced(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")
    iso = tmp_path / "a.iso"
    xorriso(tmp_path / "tree", iso, "-R")
    os.mkfifo(tmp_path / "pipe")
    with IsoImage(iso) as image:
        for org, new, words in (
            ("/one", tmp_path / "pipe", "pipe is a device or a pipe"),
            ("/one", Path("/dev/zero"), "zero is a device or a pipe"),
            ("/no/such", iso, "the ISO has no file /no/such"),
            ("efi:/boot/vmlinuz", iso, "the ISO has no file efi:/boot/vmlinuz"),
            ("/one", tmp_path / "none", "none cannot be read: No such file"),
            ("/one", tmp_path, "is a directory"),
        ):
            with pytest.raises(UsageError, match=words):
                plan_replacements(image, [Replacement(org, new)])


@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.randoms(use_true_random=False))
def test_random_trees(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, rng: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("random")
    names = data.draw(
        st.lists(
            st.from_regex(r"[a-z]{1,3}(/[a-zA-Z0-9. -]{1,30}[a-z]){0,3}", fullmatch=True),
            min_size=2,
            max_size=30,
        )
    )
    files: dict[str, bytes] = {}
    for name in sorted(names):
        path = folder / "tree" / name
        parents = [folder / "tree" / parent for parent in list(Path(name).parents)[:-1]]
        if path.exists() or any(parent.is_file() for parent in parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        files[name] = rng.randbytes(rng.choice([0, 1, 2048, rng.randrange(9000)]))
        path.write_bytes(files[name])
    iso = folder / "a.iso"
    xorriso(folder / "tree", iso, "-R", *(("-J",) if rng.random() < 0.5 else ()))
    chosen = rng.sample(sorted(files), k=min(len(files), rng.randrange(1, 4)))
    new = {name: rng.randbytes(rng.choice([0, 3, 2048, rng.randrange(20_000)])) for name in chosen}
    seen, _ = overlaid(iso, folder / "o", {f"/{name}": content for name, content in new.items()})
    assert extracted(seen, folder / "rr") == files | new


def test_the_setting_in_all_its_forms() -> None:
    kind = Replacements()
    both = (Replacement("/a", Path("/x;y")), Replacement("efi:/b", Path("c")))
    assert kind.parse("org=/a;new=/x;y;org=efi:/b;new=c") == both
    assert kind.parse([{"org": "/a", "new": "/x;y"}, "org=efi:/b;new=c"]) == both
    assert kind.parse({"org": "/a", "new": "/x;y"}) == both[:1]
    assert kind.parse(kind.text(both)) == both
    for bad in ("/a", "org=/a", "org=a;new=b", "new=/b;org=/a", {"org": "/a"}, 7, ["x"]):
        with pytest.raises(ValueError, match="is not org="):
            kind.parse(bad)
