"""Compressed images: as the programs write them, damaged, cut short, too large, and held against removal."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from hiperiso.errors import IsoError, UsageError
from hiperiso.images.compression import compression
from hiperiso.images.unpack import unpack

PROGRAMS = {".xz": ["xz", "-0"], ".gz": ["gzip", "-1"], ".zst": ["zstd", "-q", "-1"], ".bz2": ["bzip2", "-1"]}


def image(folder: Path) -> Path:
    path = folder / "disk.img"
    path.write_bytes(os.urandom(700_001) + bytes(8 << 20) + b"end")
    return path


def packed(path: Path, suffix: str) -> Path:
    target = path.with_name(path.name + suffix)
    target.write_bytes(
        subprocess.run([*PROGRAMS[suffix], "-c", path], check=True, capture_output=True).stdout
    )
    return target


@pytest.mark.parametrize("suffix", PROGRAMS)
def test_what_was_packed_is_unpacked_once_and_sparse(tmp_path: Path, suffix: str) -> None:
    plain = image(tmp_path)
    file = packed(plain, suffix)
    said: list[str] = []
    assert compression(file) == suffix
    with ExitStack() as stack:
        found = unpack(file, suffix, stack, said.append, root=tmp_path / "cache")
        assert found.name.endswith("-disk.img")
        assert found.read_bytes() == plain.read_bytes()
        assert found.stat().st_blocks * 512 < 4 << 20
        assert "unpacking disk.img" in said[-1]
        said.clear()
        assert unpack(file, suffix, stack, said.append, root=tmp_path / "cache") == found
        assert not said
    assert [path.name for path in (tmp_path / "cache" / "unpacked").iterdir()] == [found.name]


@pytest.mark.parametrize("suffix", PROGRAMS)
def test_several_streams_and_zeros_behind_them(tmp_path: Path, suffix: str) -> None:
    plain = image(tmp_path)
    file = packed(plain, suffix)
    padding = b"" if suffix == ".zst" else bytes(4096)
    file.write_bytes(file.read_bytes() * 2 + padding)
    with ExitStack() as stack:
        found = unpack(file, suffix, stack, lambda _: None, root=tmp_path / "cache")
        assert found.read_bytes() == plain.read_bytes() * 2


@pytest.mark.parametrize("suffix", PROGRAMS)
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damage_is_noticed_and_nothing_is_left_behind(tmp_path: Path, suffix: str, damage: str) -> None:
    file = packed(image(tmp_path), suffix)
    content = bytearray(file.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    file.write_bytes(content)
    with ExitStack() as stack, pytest.raises(IsoError, match="damaged"):
        unpack(file, suffix, stack, lambda _: None, root=tmp_path / "cache")
    assert not list((tmp_path / "cache" / "unpacked").iterdir())


def test_one_that_is_asked_to_stop_leaves_nothing(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(_: str) -> None:
        raise StopError

    file = packed(image(tmp_path), ".gz")
    with ExitStack() as stack, pytest.raises(StopError):
        unpack(file, ".gz", stack, stop, root=tmp_path / "cache")
    assert not list((tmp_path / "cache" / "unpacked").iterdir())


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    file = packed(image(tmp_path), ".xz")
    with ExitStack() as stack, pytest.raises(UsageError, match=r"more than|not enough space"):
        unpack(file, ".xz", stack, lambda _: None, root=tmp_path / "cache", max_bytes=1 << 20)


def test_the_cache_drops_unlocked_files(tmp_path: Path) -> None:
    def of(number: int, stack: ExitStack) -> Path:
        plain = tmp_path / f"{number}.img"
        plain.write_bytes(os.urandom(2 << 20))
        root = tmp_path / "cache"
        return unpack(packed(plain, ".gz"), ".gz", stack, lambda _: None, root=root, max_cache_bytes=5 << 20)

    with ExitStack() as held:
        first = of(0, held)
        with ExitStack() as stack:
            second = of(1, stack)
        with ExitStack() as stack:
            third = of(2, stack)
        assert (first.exists(), second.exists(), third.exists()) == (True, False, True)
