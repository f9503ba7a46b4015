"""Files of a data partition are replaced and removed, on each file system, as its own checker accepts it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hiperiso.errors import UsageError
from hiperlab.stick.create import StickOptions, create_stick
from hiperlab.stick.data import DataPartition, remove_tree
from hiperlab.stick.image import open_data_of
from hiperlab.stick.layout import plan_layout

from .conftest import SIZE_BYTES
from .oracle import cut, fsck_exfat, run

CHECKS: dict[str, Callable[[Path], str]] = {
    "exfat": fsck_exfat,
    "ext4": lambda part: run("e2fsck", "-f", "-n", part),
    "ntfs": lambda part: run("ntfsfix", "--no-action", part),
}


@pytest.fixture(scope="module", params=[*CHECKS, "folder"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, master: Path) -> Path:
    folder = tmp_path_factory.mktemp("made")
    if request.param == "folder":
        (folder / "hiperiso").mkdir()
        (folder / "ISOs").mkdir()
        return folder
    image = folder / f"{request.param}.img"
    run("cp", "--sparse=always", master, image)
    return image


@pytest.fixture
def target(made: Path, options: StickOptions) -> Path:
    if made.stem != "exfat" and made.is_file():
        create_stick(made, SIZE_BYTES, replace(options, filesystem=made.stem))
    return made


def content(data: DataPartition, path: str) -> bytes:
    return b"".join(data.read(path))


def test_replaced_and_removed(target: Path, tmp_path: Path) -> None:
    with open_data_of(target, writable=True) as data:
        free = data.free_bytes
        big = os.urandom(700_001)
        data.make_folders("/ISOs/sub dir/ünï")
        data.add("/ISOs/sub dir/ünï/it's $x.iso", [big], len(big))
        data.add("/ISOs/sub dir/empty.iso", [], 0)
        data.replace("/hiperiso/new.txt", b"first")
        assert content(data, "/hiperiso/new.txt") == b"first"
        for text in (b"second, and longer" * 5000, b"", b"third"):
            data.replace("/hiperiso/new.txt", text)
            assert content(data, "/hiperiso/new.txt") == text
        for path, words in (
            ("/none", "no such file"),
            ("/ISOs/none.iso", "no such file"),
            ("/ISOs/sub dir", "not empty"),
        ):
            with pytest.raises(UsageError, match=words):
                data.remove(path)
        remove_tree(data, "/ISOs/sub dir")
        assert data.find("/ISOs/sub dir") is None and list(data.walk("/ISOs")) == []
        data.remove("/hiperiso/new.txt")
        assert data.find("/hiperiso/new.txt") is None
        if data.filesystem == "exfat":
            assert data.free_bytes == free
        data.add("/ISOs/again.iso", [big], len(big))
    with open_data_of(target) as data:
        assert content(data, "/ISOs/again.iso") == big
        kind = data.filesystem
    if kind in CHECKS:
        extent = plan_layout(SIZE_BYTES).data
        CHECKS[kind](cut(target, extent.offset_bytes, extent.size_bytes, tmp_path / "part.img"))


def test_a_file_in_pieces_is_replaced_and_its_clusters_are_free_again(stick: Path, tmp_path: Path) -> None:
    """On exFAT a file that is not contiguous has a chain, and one in a row has none."""
    with open_data_of(stick, writable=True) as data:
        before = data.free_bytes
        for number in range(40):
            data.add(f"/ISOs/{number}.iso", [b"x" * 40_000], 40_000)
        for number in range(0, 40, 2):
            data.remove(f"/ISOs/{number}.iso")
        rest = data.free_bytes
        whole = os.urandom(rest - 200_000)
        data.replace("/ISOs/chained.iso", whole)
        assert content(data, "/ISOs/chained.iso") == whole
        data.replace("/ISOs/chained.iso", b"short")
        data.remove("/ISOs/chained.iso")
        assert data.free_bytes == rest
        remove_tree(data, "/ISOs")
        assert data.free_bytes > before
    extent = plan_layout(SIZE_BYTES).data
    fsck_exfat(cut(stick, extent.offset_bytes, extent.size_bytes, tmp_path / "part.img"))
