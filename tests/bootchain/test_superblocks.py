"""Superblocks on images made by the programs that make them, on crafted ones, and on noise."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootchain.superblocks import Identity, identify
from property_tests import examples

from .steps.places import ext4, run, squashfs, tree

UUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


def identify_file(path: Path) -> Identity:
    with path.open("rb") as file:

        def read(offset: int, count: int) -> bytes:
            file.seek(offset)
            return file.read(count)

        found = identify(read, path.stat().st_size)
    assert found is not None
    return found


def identify_bytes(data: bytes) -> Identity | None:
    return identify(lambda offset, count: data[offset : offset + count], len(data))


def test_ext4(tmp_path: Path) -> None:
    found = identify_file(ext4(tmp_path / "a", options=("-L", "röot disk", "-U", UUID)))
    assert (found.kind, found.labels, found.uuid) == ("ext4", ("röot disk",), UUID)


@pytest.mark.parametrize(("program", "kind"), [("mkfs.ext2", "ext2"), ("mkfs.ext3", "ext3")])
def test_older_ext(tmp_path: Path, program: str, kind: str) -> None:
    path = tmp_path / "a"
    run(program, "-q", "-F", "-L", "sixteen-letters!", "-U", UUID, path, "4096k")
    found = identify_file(path)
    assert (found.kind, found.labels, found.uuid) == (kind, ("sixteen-letters!",), UUID)


@pytest.mark.parametrize(("bits", "size_mib"), [("12", 2), ("16", 16), ("32", 40)])
def test_vfat(tmp_path: Path, bits: str, size_mib: int) -> None:
    path = tmp_path / "a"
    path.touch()
    run("truncate", "-s", f"{size_mib}M", path)
    run("mkfs.vfat", "-F", bits, "-n", "VTOY EFI", "-i", "1a2b3c4d", path)
    found = identify_file(path)
    assert (found.kind, found.labels, found.uuid) == ("vfat", ("VTOY EFI",), "1A2B-3C4D")


def test_vfat_without_a_label(tmp_path: Path) -> None:
    path = tmp_path / "a"
    run("mkfs.vfat", "-C", path, "2048")
    assert identify_file(path).labels == ()


def test_vfat_the_label_of_the_root_directory_wins(tmp_path: Path) -> None:
    path = tmp_path / "a"
    run("mkfs.vfat", "-C", "-n", "OLD", path, "2048")
    data = bytearray(path.read_bytes())
    assert data[43:54] == b"OLD        "
    data[43:54] = b"STALE      "
    path.write_bytes(data)
    assert identify_file(path).labels == ("OLD",)


def test_exfat(tmp_path: Path) -> None:
    path = tmp_path / "a"
    run("truncate", "-s", "16M", path)
    run("mkfs.exfat", "-L", "Ventoy ü", path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 100, 0xCAFE0123)
    path.write_bytes(data)
    found = identify_file(path)
    assert (found.kind, found.labels, found.uuid) == ("exfat", ("Ventoy ü",), "CAFE-0123")


def test_iso9660_with_a_slash_in_its_label(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree", {"rescue": "x"})
    path = tmp_path / "a.iso"
    label = "ALT_regular-rescue/x86_64"
    run(
        "xorriso", "-as", "mkisofs", "-quiet", "-J", "-R", "-V", label,
        "--modification-date=2024051617181920", "-o", path, source,
    )  # fmt: skip
    found = identify_file(path)
    assert found.kind == "iso9660"
    assert label in found.labels
    assert found.uuid == "2024-05-16-17-18-19-20"


def test_swap_also_with_a_sleeping_system(tmp_path: Path) -> None:
    path = tmp_path / "a"
    run("truncate", "-s", "1M", path)
    run("mkswap", "-L", "swapper", "-U", UUID, path)
    expected = ("swap", ("swapper",), UUID)
    found = identify_file(path)
    assert (found.kind, found.labels, found.uuid) == expected
    data = bytearray(path.read_bytes())
    data[4086:4096] = b"S1SUSPEND\0"
    path.write_bytes(data)
    found = identify_file(path)
    assert (found.kind, found.labels, found.uuid) == expected


def test_squashfs_has_no_label(tmp_path: Path) -> None:
    found = identify_file(squashfs(tmp_path / "a", {"x": ""}))
    assert (found.kind, found.labels, found.uuid) == ("squashfs", (), "")


def crafted(size: int, *places: tuple[int, bytes]) -> bytes:
    data = bytearray(size)
    for offset, content in places:
        data[offset : offset + len(content)] = content
    return bytes(data)


def test_xfs_and_btrfs() -> None:
    raw = bytes.fromhex(UUID.replace("-", ""))
    found = identify_bytes(crafted(4096, (0, b"XFSB"), (32, raw), (108, b"twelve-chars")))
    assert found and (found.kind, found.labels, found.uuid) == ("xfs", ("twelve-chars",), UUID)
    found = identify_bytes(
        crafted(0x11000, (0x10040, b"_BHRfS_M"), (0x10020, raw), (0x1012B, "bütter".encode()))
    )
    assert found and (found.kind, found.labels, found.uuid) == ("btrfs", ("bütter",), UUID)


def test_ntfs_with_its_update_sequence() -> None:
    boot = bytearray(512)
    boot[3:11] = b"NTFS    "
    struct.pack_into("<HB", boot, 11, 512, 8)
    struct.pack_into("<Q", boot, 48, 4)  # cluster of the MFT
    boot[64] = 0xF6  # records of 2^10 bytes
    struct.pack_into("<Q", boot, 72, 0x1122334455667788)
    name = "Daten Träger".encode("utf-16-le")
    record = bytearray(1024)
    record[:4] = b"FILE"
    struct.pack_into("<HH", record, 4, 48, 3)
    struct.pack_into("<H", record, 20, 56)
    struct.pack_into(
        "<II", record, 56, 0x30, 440
    )  # what comes before puts the name across the end of the sector
    at = 56 + 440
    struct.pack_into("<II", record, at, 0x60, 24 + len(name))
    struct.pack_into("<IH", record, at + 16, len(name), 24)
    record[at + 24 : at + 24 + len(name)] = name
    struct.pack_into("<I", record, at + 24 + len(name), 0xFFFFFFFF)
    struct.pack_into("<H", record, 48, 0x4242)
    for sector in (1, 2):
        end = sector * 512
        record[48 + 2 * sector : 50 + 2 * sector] = record[end - 2 : end]
        record[end - 2 : end] = b"\x42\x42"
    found = identify_bytes(crafted(1 << 17, (0, bytes(boot)), (4 * 4096 + 3 * 1024, bytes(record))))
    assert found and (found.kind, found.labels, found.uuid) == ("ntfs", ("Daten Träger",), "1122334455667788")


def test_udf() -> None:
    def dstring(text: str, size: int) -> bytes:
        raw = b"\x10" + text.encode("utf-16-be")
        return raw.ljust(size - 1, b"\0") + bytes([len(raw)])

    anchor = struct.pack("<H10xI", 2, 256) + struct.pack("<II", 4 * 2048, 300)
    primary = crafted(
        512, (0, b"\1\0"), (24, dstring("volume", 32)), (72, b"\x080123456789abcdefrest\0"), (199, b"\x15")
    )
    logical = crafted(512, (0, b"\6\0"), (84, dstring("FILM Ω", 128)))
    data = crafted(
        700 * 1024,
        (16 * 2048, b"\0BEA01"), (17 * 2048, b"\0NSR03"), (18 * 2048, b"\0TEA01"), (256 * 2048, anchor),
        (300 * 2048, primary), (301 * 2048, logical), (302 * 2048, b"\x08\0"),
    )  # fmt: skip
    found = identify_bytes(data)
    assert found and (found.kind, found.labels, found.uuid) == (
        "udf",
        ("FILM Ω", "volume"),
        "0123456789abcdef",
    )


@pytest.mark.parametrize("place", ["0.90", "1.0", "1.1", "1.2"])
def test_a_member_of_an_array_is_not_taken_for_its_content(tmp_path: Path, place: str) -> None:
    path = ext4(tmp_path / "a", size_kib=4096, options=("-L", "inside"))
    data = bytearray(path.read_bytes())
    at = {"0.90": 4096 * 1024 - 65536, "1.0": 4096 * 1024 - 8192, "1.1": 0, "1.2": 4096}[place]
    data[at : at + 4] = b"\xfc\x4e\x2b\xa9"
    found = identify_bytes(bytes(data))
    assert found and (found.kind, found.labels) == ("linux_raid_member", ())


def test_nothing_is_nothing() -> None:
    assert identify_bytes(b"") is None
    assert identify_bytes(bytes(1 << 20)) is None


def test_a_device_that_cannot_be_read() -> None:
    def broken(_offset: int, _count: int) -> bytes:
        raise OSError(5, "Input/output error")

    assert identify(broken, 1 << 30) is None


MAGICS = [
    (0, b"XFSB"), (0x10040, b"_BHRfS_M"), (1080, b"\x53\xef"), (3, b"EXFAT   "), (3, b"NTFS    "),
    (4086, b"SWAPSPACE2"), (32769, b"CD001"), (34817, b"NSR02"), (510, b"\x55\xaa"), (82, b"FAT32   "),
    (54, b"FAT16   "), (0, b"LUKS\xba\xbe"), (1024, b"\xe2\xe1\xf5\xe0"), (1024, b"\x10\x20\xf5\xf2"),
    (524288, b"\2\0"), (11, b"\0\2"), (13, b"\1"), (16, b"\2"), (21, b"\xf8"), (108, b"\x09\x01"),
]  # fmt: skip


@settings(max_examples=examples(300), deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(MAGICS), max_size=8),
    st.sampled_from([512, 40000, 600000]),
)
def test_noise_never_raises(seed: int, magics: list[tuple[int, bytes]], size: int) -> None:
    data = random.Random(seed).randbytes(size)
    identify_bytes(crafted(size, (0, data), *((at, magic) for at, magic in magics if at + len(magic) < size)))
    sparse = crafted(size, *((at, magic) for at, magic in magics if at + len(magic) < size))
    identify_bytes(sparse)


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_damaged_images_never_raise(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    place = tmp_path_factory.getbasetemp() / "damaged"
    if not place.exists():
        place.mkdir()
        ext4(place / "ext4")
        run("mkfs.vfat", "-C", "-n", "LABEL", place / "vfat", "2048")
        run("truncate", "-s", "4M", place / "exfat")
        run("mkfs.exfat", "-L", "label", place / "exfat")
    image = bytearray(place.joinpath(data.draw(st.sampled_from(["ext4", "vfat", "exfat"]))).read_bytes())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=20)):
        image[at] = value
    identify_bytes(bytes(image))
