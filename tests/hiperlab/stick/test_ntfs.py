"""A data partition with NTFS: made, filled and read without a mount, and what a damaged one does."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault, UsageError
from hiperlab.debian.packages import Sources
from hiperlab.stick.create import StickOptions, create_stick, update_stick
from hiperlab.stick.image import open_data_of, open_stick
from hiperlab.stick.layout import Extent
from hiperlab.stick.listing import list_stick
from hiperlab.stick.ntfs.data import NtfsData
from hiperlab.stick.payload import read_payload, write_manifest
from hiperlab.stick.verify import verify_stick

from .conftest import SIZE_BYTES

NAMES = ('it\'s "q" $x `y`.iso', "日本 é.ISO", "trailing  spaces  .iso", "%p %s.iso")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, payload: Path, sources: Sources) -> Path:
    image = tmp_path_factory.mktemp("ntfs") / "stick.img"
    options = StickOptions(payload=read_payload(payload), sources=sources, secure_boot=False)
    create_stick(image, SIZE_BYTES, replace(options, filesystem="ntfs"))
    return image


@pytest.fixture
def ntfs(made: Path, tmp_path: Path) -> Path:
    return copy_of(made, tmp_path / "stick.img")


def copy_of(image: Path, target: Path) -> Path:
    subprocess.run(["cp", "--sparse=always", image, target], check=True)
    return target


def extent_of(image: Path) -> Extent:
    with open_stick(image) as opened:
        return opened.table.partitions[1].extent


def ntfs_tools_accept(image: Path, scratch: Path) -> Path:
    """Cut the partition out, and let the programs of ntfs-3g check it."""
    part = scratch / "part.img"
    extent = extent_of(image)
    with image.open("rb") as source, part.open("wb") as target:
        source.seek(extent.offset_bytes)
        target.write(source.read(extent.size_bytes))
    done = subprocess.run(["ntfsfix", "--no-action", part], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"OK" in done.stdout
    return part


def tool(*argv: str | Path) -> bytes:
    return subprocess.run([*argv], capture_output=True, check=True).stdout


def test_a_stick_with_ntfs(ntfs: Path, tmp_path: Path, options: StickOptions) -> None:
    assert verify_stick(ntfs).filesystem == "ntfs"
    with open_data_of(ntfs, writable=True) as data:
        assert b"".join(data.read("/hiperiso/hiperiso.json")) == options.config
        assert {file.path for file in data.walk("/")} == {
            "/ISOs",
            "/hiperiso",
            "/hiperiso/logs",
            "/hiperiso/hiperiso.json",
        }
        free = data.free_bytes
        content = os.urandom(3 << 20) + b"tail"
        data.make_folders("/ISOs/sub dir/deeper")
        for name in NAMES:
            data.add(f"/ISOs/sub dir/{name}", [content[: 1 << 20], content[1 << 20 :]], len(content))
        data.add("/ISOs/empty.iso", [], 0)
        assert 4 * len(content) <= free - data.free_bytes < 4 * len(content) + (1 << 20)
    with open_data_of(ntfs) as data:
        for name in NAMES:
            assert b"".join(data.read(f"/ISOs/sub dir/{name}")) == content
        listed = {iso.path: iso.size_bytes for iso in list_stick(data).isos}
        assert listed == {
            "/ISOs/empty.iso": 0,
            **{f"/ISOs/sub dir/{name}": len(content) for name in NAMES},
        }
        found = data.find("/isos/SUB DIR/%P %s.iso")
        assert found is not None and found.modified is not None and found.size_bytes == len(content)
    part = ntfs_tools_accept(ntfs, tmp_path)
    assert tool("ntfscat", part, f"ISOs/sub dir/{NAMES[0]}") == content
    assert tool("ntfscat", part, "hiperiso/hiperiso.json") == options.config


def test_what_is_refused(ntfs: Path, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100
        raise OSError(5, "the source is gone")

    with open_data_of(ntfs, writable=True) as data:
        data.add("/ISOs/a.iso", [b"abc"], 3)
        with pytest.raises(UsageError, match="already"):
            data.add("/ISOs/A.ISO", [b""], 0)
        with pytest.raises(HarnessFault, match="full"):
            data.add("/ISOs/big.iso", [], 1 << 40)
        with pytest.raises(UsageError, match="no such file"):
            data.read("/ISOs/none.iso")
        with pytest.raises(UsageError, match="no such file"):
            data.read("/ISOs")
        with pytest.raises(UsageError, match="not exist on the stick"):
            data.add("/none/a.iso", [b"abc"], 3)
        with pytest.raises(HarnessFault, match="2 of 3 bytes"):
            data.add("/ISOs/short.iso", [b"ab"], 3)
        with pytest.raises(OSError, match="the source is gone"):
            data.add("/ISOs/cut.iso", broken(), 1000)
        assert [file.path for file in data.walk("/ISOs")] == ["/ISOs/a.iso"]
        assert list(data.walk("/none")) == []
        assert data.find("/none") is None
    ntfs_tools_accept(ntfs, tmp_path)


def test_reading_changes_nothing(ntfs: Path) -> None:
    before = ntfs.read_bytes()
    with open_data_of(ntfs) as data:
        assert data.free_bytes > 0
        assert list(data.walk("/"))
        with pytest.raises(HarnessFault, match="cannot be used"):
            data.make_folders("/ISOs/x")
    assert ntfs.read_bytes() == before


def test_nothing_outside_the_partition_is_touched(ntfs: Path) -> None:
    extent = extent_of(ntfs)
    before = ntfs.read_bytes()
    with open_data_of(ntfs, writable=True) as data:
        free = data.free_bytes
        with pytest.raises(HarnessFault):
            for number in range(100):
                data.add(f"/ISOs/{number}.iso", [b"x" * (free // 4)], free // 4)
    after = ntfs.read_bytes()
    end = extent.offset_bytes + extent.size_bytes
    assert after[: extent.offset_bytes] == before[: extent.offset_bytes]
    assert after[end:] == before[end:]


def test_damage_is_a_fault_and_nothing_worse(ntfs: Path) -> None:
    chance = random.Random(7)
    extent = extent_of(ntfs)
    with ntfs.open("r+b") as file:
        file.seek(extent.offset_bytes)
        whole = file.read(1 << 17)  # the master file table and its index are there
        data = NtfsData(file, extent.offset_bytes)
        faults = 0
        for _ in range(25):
            file.seek(extent.offset_bytes)
            file.write(whole)
            for _ in range(chance.choice((3, 40, 400))):
                file.seek(extent.offset_bytes + chance.randrange(len(whole)))
                file.write(chance.randbytes(chance.choice((1, 2, 8))))
            try:
                for found in data.walk("/"):
                    if not found.is_folder:
                        assert sum(map(len, data.read(found.path))) >= 0
                assert data.free_bytes >= 0
            except (HarnessFault, UsageError) as error:
                assert error.message
                faults += 1
    assert faults


def test_a_payload_that_cannot_read_it_is_refused_before_anything_is_lost(
    tmp_path: Path, payload: Path, options: StickOptions
) -> None:
    folder = tmp_path / "payload"
    shutil.copytree(payload, folder)
    write_manifest(folder, filesystems=["exfat", "ext4"])
    image = tmp_path / "stick.img"
    image.write_bytes(b"precious")
    wanted = replace(options, payload=read_payload(folder), filesystem="ntfs")
    with pytest.raises(UsageError, match="kernel cannot read ntfs") as refused:
        create_stick(image, SIZE_BYTES, wanted)
    assert refused.value.hint is not None and "exfat or ext4" in refused.value.hint
    assert image.read_bytes() == b"precious"
    create_stick(image, SIZE_BYTES, replace(wanted, force=True))
    said: list[str] = []
    update_stick(image, replace(wanted, on_step=said.append))
    assert any("cannot read ntfs" in line for line in said)
    assert verify_stick(image).filesystem == "ntfs"
