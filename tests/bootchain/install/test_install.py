"""Installing into the directories of generators, again, and out again; and what the hooks hand to a generator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bootchain.install.closure import lines
from bootchain.install.targets import KINDS, InstallError, install, uninstall

GENERATORS = sorted(KINDS)


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def bootchain(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bootchain", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", GENERATORS)
def test_installing_again_and_out_again(kind: str, tmp_path: Path) -> None:
    own = tmp_path / "hooks" / "of-another-program"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\n")
    before = everything(tmp_path)
    written = install(kind, tmp_path)
    once = everything(tmp_path)
    assert set(once) - set(before) >= {str(path.relative_to(tmp_path)) for path in written}
    (tmp_path / written[0].relative_to(tmp_path)).write_text("damaged")
    install(kind, tmp_path)
    assert everything(tmp_path) == once
    uninstall(kind, tmp_path)
    assert everything(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hooks"]
    with pytest.raises(InstallError, match="is not installed in"):
        uninstall(kind, tmp_path)


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_newer_version_leaves_nothing_of_the_older_one(kind: str, tmp_path: Path) -> None:
    install(kind, tmp_path)
    manifest = next(tmp_path.rglob("INSTALLED"))
    old = manifest.parent / "bootchain" / "gone.py"
    old.write_text("")
    manifest.write_text(manifest.read_text() + f"{old.relative_to(tmp_path)}\n")
    install(kind, tmp_path)
    assert not old.exists()


def test_files_of_others_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "bootchain").write_text("mine")
    done = bootchain("install", "--initramfs-tools", tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"bootchain: {tmp_path}/hooks/bootchain is there already and not of bootchain: move it away first\n"
    )
    assert everything(tmp_path).keys() == {"hooks/bootchain"}


def test_mistakes_are_answered(tmp_path: Path) -> None:
    missing = tmp_path / "no"
    assert f"{missing} is not a directory" in bootchain("install", "--dracut", missing).stderr
    assert bootchain("install", "--grub", tmp_path).returncode == 2
    assert bootchain("install", "--dracut").stderr == "bootchain: --dracut needs a directory\n"
    assert bootchain("install").returncode == 2
    assert "did you mean install?" in bootchain("instal").stderr
    assert "usage: bootchain install" in bootchain("install", "--help").stdout


def test_it_explains_itself() -> None:
    assert "root=bootchain bootchain=waitdev,mountfs" in bootchain().stdout
    assert {"mountfs", "waitdev", "rootfs"} <= set(bootchain("steps").stdout.split())
    assert "/bin/bootchain-sh-functions" in bootchain("files").stdout
    assert "usage: bootchained" in bootchain("run", "--help").stdout


def test_a_tree_runs_by_itself(tmp_path: Path) -> None:
    """The interpreter of the tree, with the modules of the tree alone."""
    done = bootchain("install", f"--tree={tmp_path}")
    assert done.returncode == 0, done.stderr
    for library in ("/bin/bootchain-sh-functions", "/sbin/bootchained", "/bin/shell-error"):
        assert (tmp_path / library.lstrip("/")).is_file()
    python = next(Path(line.split("\t")[2]) for line in lines() if line.startswith("exec"))
    argv = [
        "chroot",
        str(tmp_path),
        str(python),
        "-I",
        "-S",
        "/usr/lib/bootchain/bootchain/daemon/__main__.py",
    ]
    ran = subprocess.run([*argv, "--cmdline", "quiet"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr == "bootchained: the command line has neither root=bootchain nor root=pipeline\n"
    code = "import sys; sys.path.insert(0, '/usr/lib/bootchain'); import bootchain.init.main"
    subprocess.run(["chroot", tmp_path, python, "-I", "-S", "-c", code], check=True)
    bootchain("uninstall", f"--tree={tmp_path}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hook", sorted(Path(install.__code__.co_filename).with_name("hooks").iterdir()))
def test_hooks_are_read_by_their_shells(hook: Path) -> None:
    bash = hook.read_text().startswith("#!/bin/bash")
    for shell in (["bash"],) if bash else (["dash"], ["busybox", "ash"]):
        subprocess.run([*shell, "-n", hook], check=True)


def test_mkinitcpio_gets_everything(tmp_path: Path) -> None:
    """With functions in the place of those of mkinitcpio that note what they are called with."""
    install("mkinitcpio", tmp_path)
    names = ("add_file", "add_binary", "add_symlink", "add_module", "add_dir", "add_runscript")
    stubs = "".join(f'{name}() {{ printf "%s|" {name} "$@"; echo; }}\n' for name in names)
    script = f'{stubs}. "{tmp_path}/install/bootchain"\nbuild\nhelp'
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-eu", "-c", script], env=env, capture_output=True, text=True, check=True)
    called = [line.split("|")[:3] for line in done.stdout.splitlines()]
    assert ["add_module", "overlay", ""] in called
    assert ["add_dir", "/.initrd", ""] in called
    assert ["add_runscript", ""] in [call[:2] for call in called]
    targets = {call[2] for call in called if call[0] == "add_file"}
    assert {"/sbin/bootchained", "/usr/lib/bootchain/bootchain/daemon/main.py"} <= targets
    assert any(call[0] == "add_binary" and "python3" in call[1] for call in called)
