"""exFAT as we write it, judged by fsck.exfat and by GRUB's driver."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from hiperiso.errors import HarnessFault, UsageError
from hiperlab.stick.exfat import ExfatVolume, format_exfat

from ..oracle import fsck_exfat, grub_reads, run


def make(path: Path, size_bytes: int) -> BinaryIO:
    file = path.open("w+b")
    file.truncate(size_bytes)
    format_exfat(file, offset_bytes=0, size_bytes=size_bytes, label="HIPERISO", serial=0x1234ABCD)
    return file


def content(volume: ExfatVolume, path: str) -> bytes:
    entry = volume.find(path)
    assert entry is not None, path
    return b"".join(volume.read(entry))


@pytest.mark.parametrize("size_bytes", [8 << 20, 100 << 20, 257 << 20, 33 << 30])
def test_empty_volumes_of_every_cluster_size(tmp_path: Path, size_bytes: int) -> None:
    path = tmp_path / "v"
    with make(path, size_bytes) as file:
        volume = ExfatVolume.open(file, 0)
        assert volume.free_bytes > size_bytes * 0.9 - (1 << 20)
        assert list(volume.walk()) == []
    fsck_exfat(path)


def test_names_folders_and_contents(tmp_path: Path) -> None:
    path = tmp_path / "v"
    data = os.urandom(300_001)
    names = ["it's (a) [name] $x.iso", "Ünï 日本.ISO", "x{1}&;`%.iso", "a  two  spaces.iso", "n" * 255]
    with make(path, 16 << 20) as file:
        volume = ExfatVolume.open(file, 0)
        volume.make_directories("/ISOs/sub dir/ünï")
        for name in names:
            volume.add(f"/ISOs/sub dir/ünï/{name}", [data[:1000], data[1000:]], len(data))
        volume.add("/ISOs/empty.iso", [], 0)
    with path.open("rb") as file:
        volume = ExfatVolume.open(file, 0)
        for name in names:
            assert content(volume, f"/isos/SUB DIR/ÜNÏ/{name.upper()}") == data
            assert grub_reads(path, f"/ISOs/sub dir/ünï/{name}") == data
        assert content(volume, "/ISOs/empty.iso") == b""
        assert sorted(p for p, e in volume.walk("/ISOs") if not e.is_directory) == sorted(
            ["/ISOs/empty.iso", *(f"/ISOs/sub dir/ünï/{name}" for name in names)]
        )
    assert "files 6" in fsck_exfat(path)


def test_directories_grow(tmp_path: Path) -> None:
    path = tmp_path / "v"
    with make(path, 12 << 20) as file:
        volume = ExfatVolume.open(file, 0)
        volume.make_directories("/a")
        for number in range(120):
            volume.add(f"/a/{'long name ' * 8}{number}", [b"x" * number], number)
            volume.add(f"/{'root ' * 8}{number}", [b"y"], 1)
        fsck_exfat(path)
        assert content(volume, f"/a/{'long name ' * 8}119") == b"x" * 119
        assert len(list(volume.walk())) == 241


@pytest.mark.parametrize("count", [150, pytest.param(700, marks=pytest.mark.slow)])
def test_files_in_pieces(tmp_path: Path, count: int) -> None:
    """Where free space is scattered, a file is chained, and GRUB and we read it back."""
    path = tmp_path / "v"
    with make(path, 12 << 20) as file:
        volume = ExfatVolume.open(file, 0)
        for number in range(count):
            volume.add(f"/{number}", [b"z" * 8192], 8192)
        data = random.Random(1).randbytes(volume.free_bytes + count * 8192 // 4)  # no hole is as large
        _free_every_other(path, file)
        volume = ExfatVolume.open(file, 0)
        volume.add("/chained", [data], len(data))
        entry = volume.find("/chained")
        assert entry is not None and not entry.contiguous
        assert content(volume, "/chained") == data
    assert grub_reads(path, "/chained") == data
    fsck_exfat(path)


def _free_every_other(path: Path, file: BinaryIO) -> None:
    """Delete files the way a driver does: entry types lose their top bit, bitmap bits are cleared."""
    volume = ExfatVolume.open(file, 0)
    root = volume._directory([])
    raw = bytearray(volume._directory_data(root))
    for index, (_, entry) in enumerate(list(volume.walk())):
        if index % 2 and not entry.is_directory:
            for slot in range(entry.slot, entry.slot + len(entry.raw) // 32):
                raw[slot * 32] &= 0x7F
            for cluster in range(entry.cluster, entry.cluster + 2):
                bit = cluster - 2
                volume._bitmap.data[bit // 8] &= ~(1 << bit % 8)
    volume._write_slots(root, 0, bytes(raw))
    volume._write(volume._cluster_at(volume._bitmap_clusters[0]), bytes(volume._bitmap.data))
    volume._set_flags(0)
    file.flush()


def test_full(tmp_path: Path) -> None:
    path = tmp_path / "v"
    with make(path, 8 << 20) as file:
        volume = ExfatVolume.open(file, 0)
        free = volume.free_bytes
        with pytest.raises(HarnessFault, match="full"):
            volume.add("/x", [bytes(free + 1)], free + 1)
        volume.add("/x", [bytes(free)], free)
        assert volume.free_bytes == 0
        with pytest.raises(HarnessFault, match="full"):
            volume.make_directories("/d")
    fsck_exfat(path)


def test_refusals(tmp_path: Path) -> None:
    with make(tmp_path / "v", 8 << 20) as file:
        volume = ExfatVolume.open(file, 0)
        volume.add("/File", [b"1"], 1)
        for path, words in (
            ("/fILE", "already"),
            ("/a:b", "allow"),
            ("/none/x", "no such directory"),
            ("/file/x", "no such directory"),
        ):
            with pytest.raises(UsageError, match=words):
                volume.add(path, [b"1"], 1)
        with pytest.raises(UsageError, match="is a file"):
            volume.make_directories("/FILE/x")
        with pytest.raises(HarnessFault, match="changed while"):
            volume.add("/short", [b"1"], 2)
        with pytest.raises(HarnessFault, match="changed while"):
            volume.add("/long", [b"123"], 2)
        assert [path for path, _ in volume.walk()] == ["/File"]
    fsck_exfat(tmp_path / "v")


def test_the_same_steps_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make(tmp_path / name, 8 << 20).close()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class Cut(Exception):
    pass


class CuttingFile:
    """A real file that loses power after so many writes."""

    def __init__(self, file: BinaryIO, writes: int) -> None:
        self._file = file
        self.left = writes

    def write(self, data: Any) -> int:
        if self.left == 0:
            raise Cut
        self.left -= 1
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def cuts(tmp_path: Path, size_bytes: int) -> Iterator[tuple[int, Path]]:
    for writes in range(60):
        path = tmp_path / f"cut{writes}"
        with make(path, size_bytes) as file:
            volume = ExfatVolume.open(file, 0)
            volume.make_directories("/ISOs")
            for number in range(20):
                volume.add(f"/ISOs/{'old ' * 12}{number}.iso", [b"old" * 3000], 9000)
            cutting = CuttingFile(file, writes)
            cut_volume = ExfatVolume.open(cast("BinaryIO", cutting), 0)
            try:
                cut_volume.make_directories("/ISOs/new folder")
                cut_volume.add(f"/ISOs/{'new ' * 40}.iso", [b"new" * 5000], 15000)
            except Cut:
                file.flush()
                yield writes, path
                continue
        return
    raise AssertionError("the writing never came to its end")


def test_a_cut_at_any_write_loses_nothing_that_was_there(tmp_path: Path) -> None:
    count = 0
    for writes, path in cuts(tmp_path, 8 << 20):
        count += 1
        run("fsck.exfat", "-p", path, accept=(0, 1))
        fsck_exfat(path)
        with path.open("rb") as file:
            volume = ExfatVolume.open(file, 0)
            for number in range(20):
                assert content(volume, f"/ISOs/{'old ' * 12}{number}.iso") == b"old" * 3000, writes
            entry = volume.find(f"/ISOs/{'new ' * 40}.iso")
            assert entry is None or b"".join(volume.read(entry)) == b"new" * 5000
        path.unlink()
    assert count > 15


@pytest.mark.parametrize("seed", range(30))
def test_damaged_volumes_end_in_an_error_or_in_less(tmp_path: Path, seed: int) -> None:
    noise = random.Random(seed)
    path = tmp_path / "v"
    with make(path, 8 << 20) as file:
        volume = ExfatVolume.open(file, 0)
        volume.make_directories("/a/b")
        volume.add("/a/b/c", [b"1" * 20000], 20000)
        for _ in range(40):
            place = noise.choice([0, 512 * 128, 512 * volume.boot.heap_offset]) + noise.randrange(80, 16384)
            file.seek(place)
            file.write(noise.randbytes(noise.choice([1, 4, 8])))
        file.flush()
        try:
            damaged = ExfatVolume.open(file, 0)
            for _, entry in damaged.walk():
                if not entry.is_directory and entry.size_bytes < 1 << 20:
                    for _ in damaged.read(entry):
                        pass
        except HarnessFault:
            pass
