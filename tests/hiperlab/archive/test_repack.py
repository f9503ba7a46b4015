"""What a stick cannot read is repacked for it, with the same members."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hiperiso.errors import UsageError
from hiperiso.images.members import read_archive
from hiperlab.archive.repack import repack


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/usr/bin").mkdir(parents=True)
    (tmp_path / "tree/usr/bin/tool").write_text("#!/bin/sh\n")
    (tmp_path / "tree/usr/bin/tool").chmod(0o755)
    (tmp_path / "tree/link").symlink_to("usr/bin/tool")
    return tmp_path / "tree"


@pytest.mark.parametrize(("name", "options"), [("a.7z", ["--format=7zip"]), ("a.tar.zst", ["--zstd"])])
def test_zstd_and_7z_become_tar_xz(tree: Path, tmp_path: Path, name: str, options: list[str]) -> None:
    archive, out = tmp_path / name, tmp_path / "out"
    out.mkdir()
    subprocess.run(["bsdtar", "-c", *options, "-f", archive, "-C", tree, "."], check=True)
    made = repack(archive, out)
    assert made == out / "a.tar.xz"
    assert read_archive(made) == read_archive(archive) and len(read_archive(made)) == 4
    first = made.read_bytes()
    assert repack(archive, out).read_bytes() == first


def test_others_stay_and_hostile_ones_are_refused(tree: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tgz"
    subprocess.run(["bsdtar", "-c", "-z", "-f", archive, "-C", tree, "."], check=True)
    assert repack(archive, tmp_path) == archive
    (tree / "out").symlink_to("/etc")
    subprocess.run(["bsdtar", "-c", "-z", "-f", archive, "-C", tree, "."], check=True)
    with pytest.raises(UsageError, match="'out' is a link that leaves the archive"):
        repack(archive, tmp_path)
