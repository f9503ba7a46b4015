"""The map of an image is compared with what other readers say; broken images end in time and raise nothing."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from hiperiso.contract.disk import Place
from hiperiso.iso.sectormap import SectorMap, read_sector_map
from iso_images import SECTOR, listed, make_tree, udf_image, xorriso
from machine_speed import assert_cheap


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    root = tmp_path_factory.mktemp("tree")
    return root, make_tree(root)


def check(layout: SectorMap, expected: dict[str, tuple[int, int]], iso: Path) -> None:
    """Every sector of every file maps to it, and the bytes there are the file's."""
    places = layout.paths()
    assert layout.complete
    assert len(expected) > 300
    for path, (start, size) in expected.items():
        assert (places[path].lba, places[path].size_bytes) == (start, size), path
        sectors = -(-size // SECTOR)
        (piece,) = layout.split(start, sectors)
        assert layout.location(piece.number).path == path
        assert (piece.lba, piece.sectors) == (start, sectors)


def contents_match(layout: SectorMap, files: dict[str, bytes], iso: Path) -> None:
    data = iso.read_bytes()
    places = layout.paths()
    for name, content in files.items():
        place = places[f"/{name}"]
        assert place.size_bytes == len(content)
        if content:
            assert data[place.lba * SECTOR :][: len(content)] == content, name


@pytest.mark.parametrize(
    ("options", "kind", "file_systems"),
    [
        (["-R"], "rr", ["rock_ridge"]),
        (["-R", "-J", "-joliet-long"], "rr", ["rock_ridge", "joliet"]),
        (["--norock", "-J", "-joliet-long"], "joliet", ["joliet", "iso9660"]),
        (["--norock", "-iso-level", "2"], "iso", ["iso9660"]),
    ],
)
def test_iso9660_as_others_read_it(
    tree: tuple[Path, dict[str, bytes]],
    tmp_path: Path,
    options: list[str],
    kind: str,
    file_systems: list[str],
) -> None:
    root, files = tree
    iso = tmp_path / "x.iso"
    xorriso(root, iso, *options)
    layout = read_sector_map(iso)
    assert layout.file_systems == file_systems
    check(layout, listed(iso, kind), iso)
    if kind == "rr":
        contents_match(layout, files, iso)


def test_rock_ridge_names_in_continued_areas_and_moved_directories(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    deep = root / "/".join(f"level-{number}-{'n' * 60}" for number in range(1, 12))
    deep.mkdir(parents=True)
    name = "x" * 250
    (deep / name).write_bytes(b"deep" * 1000)
    (root / name).write_bytes(b"top" * 1000)
    iso = tmp_path / "x.iso"
    xorriso(root, iso, "-R")  # without -D: directories below the eighth level are moved
    places = read_sector_map(iso).paths()
    data = iso.read_bytes()
    for path, start in ((f"/{name}", b"top"), (f"/{deep.relative_to(root)}/{name}", b"deep")):
        assert data[places[path].lba * SECTOR :].startswith(start)


def test_udf_bridge(tree: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    _, files = tree
    iso = tmp_path / "x.iso"
    udf_image(iso, files)
    layout = read_sector_map(iso)
    assert layout.file_systems == ["udf", "iso9660"]
    contents_match(layout, files, iso)
    places = layout.paths()
    for path, (start, size) in listed(iso, "udf").items():
        assert (places[path].lba, places[path].size_bytes) == (start, size)
    (piece,) = layout.split(places["/boot/vmlinuz"].lba, 1)
    assert layout.location(piece.number).path == "/boot/vmlinuz"  # not the ISO 9660 name


def test_boot_images_that_are_not_files(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "readme").write_bytes(b"r" * 4000)
    (tmp_path / "esp.img").write_bytes(b"E" * 65536)
    (root / "floppy.img").write_bytes(b"F" * 1_474_560)
    iso = tmp_path / "x.iso"
    xorriso(
        root,
        iso,
        *("-R", "-b", "floppy.img", "-c", "boot.cat", "-eltorito-alt-boot"),
        *("-append_partition", "2", "0xef", str(tmp_path / "esp.img")),
        *("-e", "--interval:appended_partition_2:all::", "-no-emul-boot"),
    )
    layout = read_sector_map(iso)
    data = iso.read_bytes()
    at = data.index(b"E" * SECTOR) // SECTOR
    (piece,) = layout.split(at, 4)
    assert layout.location(piece.number).path == "[boot image for efi]"
    assert layout.location(piece.number).place is Place.BOOT_IMAGE
    (piece,) = layout.split(data.index(b"F" * SECTOR) // SECTOR, 700)
    assert layout.location(piece.number).path == "/floppy.img"
    names = [layout.location(piece.number).path for piece in layout.split(0, 20)]
    assert names[:2] == ["[system area]", "[volume descriptors]"]
    assert [layout.location(p.number).path for p in layout.split(layout.sectors - 1, 5)][
        -1
    ] == "[past the end]"


def test_ten_thousand_files_in_a_second(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for folder in range(100):
        (root / f"directory-{folder}").mkdir(parents=True)
        for number in range(100):
            (root / f"directory-{folder}" / f"package-{number}_1.0_amd64.deb").write_bytes(
                b"%d" % (folder * 100 + number)
            )
    iso = tmp_path / "x.iso"
    xorriso(root, iso, "-R", "-J")
    started = time.process_time()
    layout = read_sector_map(iso)
    assert_cheap(time.process_time() - started, 1.5)  # 0.15 s where this was written
    assert layout.complete
    assert len(layout.paths()) >= 10_000


# ── broken and hostile images ──


@pytest.fixture(scope="module")
def seeds(tree: tuple[Path, dict[str, bytes]], tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    root, _ = tree
    folder = tmp_path_factory.mktemp("seeds")
    small = folder / "tree"
    shutil.copytree(root / "boot" / "grub", small / "boot" / "grub")
    shutil.copytree(root / "a", small / "a")
    (small / "link").symlink_to("x")
    files = {"a/b/c": b"abc" * 1000, "d": b"d" * 5000, "e/f": b"f"}
    xorriso(small, folder / "1.iso", "-R", "-J", "-b", "boot/grub/grub.cfg", "-no-emul-boot")
    udf_image(folder / "2.iso", files, joliet=True)
    return [(folder / "1.iso").read_bytes(), (folder / "2.iso").read_bytes()]


def survives(data: bytes, path: Path) -> SectorMap:
    path.write_bytes(data)
    started = time.process_time()
    layout = read_sector_map(path, deadline_s=2.0)
    assert_cheap(time.process_time() - started, 4)
    pieces = layout.split(0, layout.sectors + 10)
    assert sum(piece.sectors for piece in pieces) == layout.sectors + 10
    at = 0
    for piece in pieces:
        assert piece.lba == at
        at += piece.sectors
        location = layout.location(piece.number)
        assert 0 < len(location.path) <= 1100
    return layout


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Damage where it hurts: in descriptors, directories and entries, all of which lie near the front."""
    new = bytearray(data)
    interesting = [at for at in range(16 * SECTOR, len(new), SECTOR) if any(new[at : at + 64])]
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        at = rng.choice(interesting) + (
            rng.randrange(0, 512) if rng.random() < 0.7 else rng.randrange(SECTOR)
        )
        value = rng.choice(
            (
                b"\0",
                b"\xff",
                b"\xff\xff\xff\xff",
                b"\0\0\0\0",
                b"\x7f\xff\xff\xff",
                rng.randbytes(1),
                rng.randbytes(4),
            )
        )
        new[at : at + len(value)] = value
    for _ in range(rng.choice((0, 0, 1))):  # one sector over another: directories that hold their parents
        source, target = rng.choice(interesting), rng.choice(interesting)
        new[target : target + SECTOR] = new[source : source + SECTOR]
    if rng.random() < 0.15:
        del new[rng.randrange(len(new)) :]
    return bytes(new)


def test_mutated_images(seeds: list[bytes], tmp_path: Path) -> None:
    rng = random.Random(os.environ.get("HIPERISO_FUZZ_SEED", "images"))
    for _ in range(200):
        survives(mutated(rng.choice(seeds), rng), tmp_path / "x.iso")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_mutated_images(seeds: list[bytes], tmp_path: Path) -> None:
    rng = random.Random(os.environ.get("HIPERISO_FUZZ_SEED", "many images"))
    for _ in range(100_000):
        survives(mutated(rng.choice(seeds), rng), tmp_path / "x.iso")


def test_damage_costs_only_what_is_damaged(tree: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    root, _ = tree
    iso = tmp_path / "x.iso"
    xorriso(root, iso, "-R")
    whole = read_sector_map(iso)
    data = bytearray(iso.read_bytes())
    (many,) = [p for p in whole.split(0, whole.sectors) if whole.location(p.number).path == "/many"]
    data[many.lba * SECTOR : (many.lba + many.sectors) * SECTOR] = b"\xa5" * (many.sectors * SECTOR)
    iso.write_bytes(data)
    left = read_sector_map(iso).paths()
    assert not any(path.startswith("/many/") for path in left)
    assert {path for path in whole.paths() if not path.startswith("/many/")} <= set(left)


def test_directories_that_hold_themselves_end(seeds: list[bytes], tmp_path: Path) -> None:
    """Every directory record of the image is pointed at the root directory."""
    data = bytearray(seeds[0])
    root = data[16 * SECTOR + 156 : 16 * SECTOR + 190]
    for at in range(18 * SECTOR, 60 * SECTOR):
        if data[at + 25 : at + 26] == b"\x02" and data[at : at + 1] >= b"\x22":
            data[at + 2 : at + 18] = root[2:18]
    assert survives(bytes(data), tmp_path / "x.iso").complete


def test_a_directory_of_endless_length_ends_at_the_limit(tmp_path: Path, seeds: list[bytes]) -> None:
    """A sparse image of one huge directory whose every sector is full of directory records that point on."""
    path = tmp_path / "x.iso"
    data = bytearray(seeds[0])
    sectors = 1 << 20
    head = 16 * SECTOR
    data[head + 156 + 2 : head + 156 + 6] = (100).to_bytes(4, "little")
    data[head + 156 + 10 : head + 156 + 14] = (0xFFFFFFFF).to_bytes(4, "little")
    path.write_bytes(data[: 100 * SECTOR])
    with path.open("r+b") as file:
        for sector in range(100, 3000):
            records = b"".join(
                b"\x22\0"
                + (sector * 40 + n).to_bytes(4, "little")
                + bytes(4)
                + b"\0\xff\xff\xff"
                + bytes(11)
                + b"\x02"
                + bytes(6)
                + b"\x01A"
                for n in range(60)
            )
            file.seek(sector * SECTOR)
            file.write(records)
        file.truncate(sectors * SECTOR)
    started = time.process_time()
    layout = read_sector_map(path, deadline_s=1.0)
    assert_cheap(time.process_time() - started, 4)
    assert not layout.complete
    assert layout.split(5, 1)


def test_what_is_not_an_image(tmp_path: Path) -> None:
    for name, data in {
        "empty": b"",
        "short": b"x",
        "zeros": bytes(200_000),
        "text": b"hello\n" * 50_000,
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        layout = read_sector_map(path)
        assert not layout.mapped
        assert [layout.location(p.number).place for p in layout.split(3, 4)] != []
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo, tmp_path / "missing", Path("/dev/zero"), tmp_path / "nul\0byte"):
        layout = read_sector_map(path)
        assert (layout.sectors, layout.mapped) == (0, False)
        (piece,) = layout.split(10, 3)
        assert layout.location(piece.number).place is Place.UNMAPPED
