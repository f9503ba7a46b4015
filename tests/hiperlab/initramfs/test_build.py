"""The builder of the initramfs: complete, reproducible, and its Python runs without this machine's."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from hiperiso.images import cpio
from hiperlab.debian.packages import Sources
from hiperlab.initramfs import InitramfsSpec, find_kernel, initramfs_entries
from hiperlab.initramfs.kernel import module_entries
from hiperlab.places import package_cache

SPEC = InitramfsSpec(
    modules=("isofs", "overlay", "virtio_net", "no_such_module"),
    settings={"BC_LOG_VT": "", "mntdir": "/it's here"},
    files={"lib/bootchain/hello": "#!/bin/sh\necho hello\n"},
)


@pytest.fixture(scope="module")
def sources() -> Sources:
    return Sources(cache=package_cache())


@pytest.fixture(scope="module")
def entries(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> dict[str, cpio.Entry]:
    scratch = tmp_path_factory.mktemp("initramfs")
    found = list(initramfs_entries(SPEC, sources, find_kernel(sources), scratch))
    assert len(found) == len({entry.name for entry in found})
    return {entry.name: entry for entry in found}


@pytest.fixture(scope="module")
def root(entries: dict[str, cpio.Entry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    archive = cpio.archive(entries.values())
    subprocess.run(["cpio", "-idm", "--quiet"], input=archive, cwd=folder, check=True)
    return folder


def inside(root: Path, *argv: str) -> str:
    done = subprocess.run(
        ["chroot", root, *argv],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin:/sbin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_init_and_its_settings(entries: dict[str, cpio.Entry]) -> None:
    assert entries["init"].mode & 0o111
    assert entries["etc/sysconfig/bootchain"].data == b"BC_LOG_VT=''\nmntdir='/it'\\''s here'\n"
    assert b"overlay\n" in entries["etc/bootchain/modules"].data
    for node in ("dev/console", "dev/null", "dev/urandom"):
        assert stat.S_ISCHR(entries[node].mode)


def test_modules_come_with_what_they_need(entries: dict[str, cpio.Entry]) -> None:
    names = {Path(name).name for name in entries if name.endswith(".ko")}
    assert {"isofs.ko", "cdrom.ko", "overlay.ko", "virtio_net.ko", "net_failover.ko", "failover.ko"} <= names
    assert "ext4.ko" not in names
    (index,) = [entry for name, entry in entries.items() if name.endswith("/modules.dep")]
    assert b"isofs.ko: kernel/drivers/cdrom/cdrom.ko" in index.data
    assert any(name.endswith("/modules.alias") for name in entries)


def test_python_and_bootchain_run_inside(root: Path) -> None:
    code = "import sys; sys.path.insert(0, '/usr/lib/bootchain'); import bootchain.init.main, curses, json; print('ok')"
    assert inside(root, "/usr/bin/python3", "-IS", "-c", code) == "ok\n"
    assert inside(root, "/sbin/bootchained", "--version").startswith("bootchained ")
    assert inside(root, "/bin/bash", "-c", "echo $BASH_VERSION")


def test_every_module_of_bootchain_can_be_imported_inside(root: Path) -> None:
    code = (
        "import sys, os, importlib; sys.path.insert(0, '/usr/lib/bootchain')\n"
        "for folder, _, files in os.walk('/usr/lib/bootchain/bootchain'):\n"
        "    for file in files:\n"
        "        if file.endswith('.pyc') and '/steps' not in folder:\n"
        "            name = os.path.relpath(folder + '/' + file[:-4], '/usr/lib/bootchain').replace('/', '.')\n"
        "            importlib.import_module(name.removesuffix('.__init__'))\n"
        "print('ok')"
    )
    assert inside(root, "/usr/bin/python3", "-IS", "-c", code) == "ok\n"


def test_a_chain_runs_inside(root: Path) -> None:
    arguments = ("--cmdline", "root=bootchain bootchain=hello")
    script = 'PATH=/usr/bin:/bin:/sbin mntdir=/tmp/steps exec /sbin/bootchained "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "chroot", root, "/bin/sh", "-c", script, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3 and "the chain is exhausted: step 0 (hello)" in done.stderr
    assert "hello" in (root / "var/log/bootchained.log").read_text()


def test_the_same_spec_gives_the_same_bytes(
    entries: dict[str, cpio.Entry], sources: Sources, tmp_path: Path
) -> None:
    again = initramfs_entries(SPEC, sources, find_kernel(sources), tmp_path)
    assert cpio.archive(again) == cpio.archive(entries.values())


def test_modules_of_no_name_are_none(sources: Sources, tmp_path: Path) -> None:
    found = [entry.name for entry in module_entries(find_kernel(sources), (), sources, tmp_path)]
    assert not [name for name in found if name.endswith(".ko")]


def test_bootchain_is_small(entries: dict[str, cpio.Entry]) -> None:
    own = sum(len(e.data) for name, e in entries.items() if name.startswith("usr/lib/bootchain/"))
    assert own < 700_000, "compiled, with all steps and dialogs"
