"""Files of FAT file systems, made by mkfs.vfat and mtools, read without a mount; and damaged ones."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiperiso.iso.fat import FatTree, read_fat
from property_tests import examples

SIZES_KIB = {12: 4096, 16: 32768, 32: 262144}


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


def make(path: Path, bits: int, files: dict[str, bytes]) -> bytes:
    subprocess.run(
        ["mkfs.vfat", "-C", "-F", str(bits), path, str(SIZES_KIB[bits])], check=True, capture_output=True
    )
    source = path.with_suffix(".dir")
    for name, content in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}
    for top in source.iterdir():
        argv = ["mcopy", "-s", "-i", path, top, "::/"]
        subprocess.run(list(map(str, argv)), check=True, capture_output=True, env=environment)
    return path.read_bytes()


FILES = {
    "EFI/BOOT/BOOTX64.EFI": bytes(range(256)) * 700,
    "EFI/BOOT/refind.conf": b"timeout 0\n",
    "loader/entries/a long name of an entry.conf": b"title Demo\n",
    "empty": b"",
}


@pytest.mark.parametrize("bits", SIZES_KIB)
def test_files_are_found_and_read(tmp_path: Path, bits: int) -> None:
    tree = read_fat(reader(make(tmp_path / "fat.img", bits, FILES)))
    assert tree is not None
    assert {path: tree.size_bytes(path) for path in tree} == {
        f"/{name}": len(data) for name, data in FILES.items()
    }
    for name, data in FILES.items():
        assert tree.read(f"/{name}", 1 << 20) == data
    assert tree.find("/efi/boot/REFIND.CONF") == "/EFI/BOOT/refind.conf"
    assert (
        tree.read("/EFI/BOOT/BOOTX64.EFI", 100, offset_bytes=70_000)
        == FILES["EFI/BOOT/BOOTX64.EFI"][70_000:70_100]
    )
    assert tree.read("/EFI/BOOT/BOOTX64.EFI", 100, offset_bytes=10**9) == b""


def test_what_is_not_fat_is_nothing() -> None:
    assert read_fat(reader(b"")) is None
    assert read_fat(reader(bytes(4096))) is None
    assert read_fat(reader(b"\xeb\x3c\x90" + bytes(507) + b"\x55\xaa" + bytes(9999))) is None


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make(tmp_path_factory.mktemp("fat") / "fat.img", 12, FILES)


@settings(max_examples=examples(60))
@given(
    st.lists(st.tuples(st.integers(0, 40_000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=20)
)
def test_damage_ends_the_reading_and_raises_nothing(small: bytes, damage: list[tuple[int, bytes]]) -> None:
    data = bytearray(small)
    for at, piece in damage:
        data[at : at + len(piece)] = piece
    tree = read_fat(reader(bytes(data)))
    assert tree is None or isinstance(tree, FatTree)
    for path in list(tree or ())[:50]:
        assert len(tree.read(path, 4096)) <= 4096  # type: ignore[union-attr]
