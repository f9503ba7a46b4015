"""The tree of results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bootchain.layout import Layout, has_result, is_mounted, make_step, prepare


def test_paths() -> None:
    layout = Layout("/dev/bootchain")
    assert layout.datadir(3) == "/dev/bootchain/src/step3"
    assert layout.destdir(3) == "/dev/bootchain/dst/step3"
    assert (layout.prevdir(2), layout.prevdir(None)) == ("/dev/bootchain/dst/step2", "")


def test_directories_are_made_once(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path / "mnt"))
    prepare(layout)
    prepare(layout)
    assert not make_step(layout, 0)
    assert not make_step(layout, 0)
    assert (tmp_path / "mnt/src/step0").is_dir()
    assert (tmp_path / "mnt/dst/step0").is_dir()


def test_file_in_the_way(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    prepare(layout)
    (tmp_path / "src/step0").write_text("")
    with pytest.raises(FileExistsError):
        make_step(layout, 0)


def test_link_to_a_directory_is_a_result(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    prepare(layout)
    (tmp_path / "dst/step0").symlink_to("/usr")
    (tmp_path / "dst/step1").symlink_to("/nonexistent")
    assert make_step(layout, 0)
    assert not make_step(layout, 1)


def test_what_is_not_a_mount(tmp_path: Path) -> None:
    assert not is_mounted(str(tmp_path))
    assert not is_mounted(str(tmp_path / "none"))
    assert is_mounted("/proc")
    assert is_mounted("/")
    assert has_result("/proc")


def test_mounts_of_all_kinds_are_seen(tmp_path: Path) -> None:
    """Also a bind mount within one file system, and names that the mount table escapes."""
    script = (
        "import subprocess, os, sys\n"
        "from bootchain.layout import is_mounted\n"
        "os.chdir(sys.argv[1])\n"
        "for name in ('tmp', 'bind', 'a b\\\\c', 'plain'):\n"
        "    os.mkdir(name)\n"
        "subprocess.run(['mount', '-t', 'tmpfs', 'x', 'tmp'], check=True)\n"
        "subprocess.run(['mount', '--bind', 'plain', 'bind'], check=True)\n"
        "subprocess.run(['mount', '--bind', 'plain', 'a b\\\\c'], check=True)\n"
        "print([is_mounted(os.path.abspath(n)) for n in ('tmp', 'bind', 'a b\\\\c', 'plain')])\n"
    )
    argv = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "[True, True, True, False]\n"
