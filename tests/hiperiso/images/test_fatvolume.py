"""FAT volumes of our own: read back by mtools, checked by fsck, and what FAT does not allow."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hiperiso.errors import UsageError
from hiperiso.images.fatvolume import fat_volume
from hiperiso.iso.fat import read_fat

FILES = {
    "ks.cfg": b"text\n",
    "README": b"",
    "a long name with \u00fc and 13.x": b"x" * 513,
    "drivers/deep/er/nvme.ko": bytes(range(256)) * 40,
    "drivers/OTHER.KO": b"y" * 512,
}


def output(*argv: str | Path) -> bytes:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(list(map(str, argv)), check=True, capture_output=True, env=environment).stdout


@pytest.mark.parametrize("more_bytes", [0, 3 << 20, 60 << 20])
def test_other_programs_find_every_file(tmp_path: Path, more_bytes: int) -> None:
    files = FILES | {"large": bytes(more_bytes // 2) + b"\1" * (more_bytes // 2)}
    image = tmp_path / "volume.img"
    image.write_bytes(fat_volume(files, "OEMDRV"))
    assert b"OEMDRV" in output("mlabel", "-s", "-i", image, "::")
    for path, data in files.items():
        assert output("mtype", "-i", image, f"::/{path}") == data
    output("fsck.vfat", "-n", image)
    image_bytes = image.read_bytes()
    tree = read_fat(lambda offset, size: image_bytes[offset : offset + size])
    assert tree is not None and set(tree) == {f"/{path}" for path in files}


@pytest.mark.parametrize(
    "files",
    [
        {"not \udcff UTF-8": b""},
        {"a": b"", "A": b""},
        {"a": b"", "a/b": b""},
        {"a:b": b""},
        {"": b""},
        {"/x": b""},
        {"x.": b""},
        {"n" * 256: b""},
    ],
)
def test_what_fat_does_not_allow_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(UsageError):
        fat_volume(files, "OEMDRV")


@pytest.mark.parametrize("label", ["", "lower", "LONGER_THAN_11", "A B"])
def test_what_is_not_a_label(label: str) -> None:
    with pytest.raises(UsageError, match="label"):
        fat_volume({}, label)
