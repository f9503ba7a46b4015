"""Direct boots as far as they go without being the first process of a machine: decided, refused, recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import AccelChoice, KvmState, NoKvm
from hiperiso.errors import HarnessFault
from hiperiso.machine.accelerator import choose_accelerator
from hiperiso.session.request import BootRequest, SilentObserver
from hiperiso.stick.direct.boot import boot_directly
from hiperiso.stick.direct.cause import Cause, cause_of
from hiperiso.stick.direct.kexec import load_kernel
from hiperiso.stick.direct.perform import MountedIso, check_system, take_modules_along
from hiperiso.stick.direct.plan import DirectFacts
from integration.contract_reader import read_session


def test_when_an_iso_is_booted_directly() -> None:
    assert cause_of(Settings()) is None
    assert cause_of(Settings(fallback=True, accel=AccelChoice.TCG)) == Cause(
        "it was requested", KvmState.UNKNOWN
    )
    assert cause_of(Settings(no_kvm=NoKvm.DIRECT, accel=AccelChoice.TCG)) is None
    assert cause_of(Settings(no_kvm=NoKvm.DIRECT, accel=AccelChoice.KVM)) is None
    found = cause_of(Settings(no_kvm=NoKvm.DIRECT))
    here = choose_accelerator(Settings())
    assert found == (Cause(here.reason, KvmState.UNAVAILABLE) if here.emulated else None)


def attempt(tmp_path: Path, iso: Path, environ: dict[str, str] | None = None) -> tuple[Path, list[str]]:
    """Try an ISO where nothing can be mounted; returns its session and what was said."""

    def refuse(argv: Sequence[str]) -> str:
        return "" if argv[0] in ("modprobe", "umount") else f"{argv[0]}: not here"

    said: list[str] = []
    outcome, hand_over = boot_directly(
        BootRequest(iso=iso, log_root=tmp_path / "logs", settings=Settings()),
        DirectFacts(iso_path="/ISOs/x.iso"),
        Cause("it was requested", KvmState.UNKNOWN),
        observer=SilentObserver(),
        say=said.append,
        environ=environ or {},
        open_medium=lambda path: MountedIso(path, workshop=tmp_path / "run", run=refuse),
    )
    assert hand_over is None and outcome.error is not None
    manifest = read_session(outcome.path)
    assert (manifest["status"], manifest["accel"]) == ("failed", "none")
    return outcome.path, said


def stage_and_failure(path: Path) -> tuple[str, str]:
    stage = json.loads((path / "status.json").read_bytes())["stage"]
    return stage, (path / "FAILURE.txt").read_text()


def test_an_iso_that_is_not_there(tmp_path: Path) -> None:
    stage, failure = stage_and_failure(attempt(tmp_path, tmp_path / "gone.iso")[0])
    assert stage == "iso_not_found" and "gone.iso" in failure


def test_an_iso_that_cannot_be_mounted(tmp_path: Path) -> None:
    iso = tmp_path / "x.iso"
    sector = bytearray(2048 * 20)
    sector[2048 * 16 : 2048 * 16 + 6] = b"\x01CD001"
    iso.write_bytes(sector)
    stage, failure = stage_and_failure(attempt(tmp_path, iso)[0])
    assert stage == "fatal_error" and "cannot be mounted: mount: not here" in failure


def test_where_signatures_are_asked_for(tmp_path: Path) -> None:
    path, _ = attempt(tmp_path, tmp_path / "x.iso", {"PIPE_VERIFY_SIGN0": "mountfs"})
    assert "signatures are required" in stage_and_failure(path)[1]


def test_what_is_not_a_kernel_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"no kernel at all")
    with pytest.raises(HarnessFault, match="kexec"):
        load_kernel(tmp_path / "vmlinuz", [], "quiet")
    with pytest.raises(HarnessFault, match="cannot be read"):
        load_kernel(tmp_path / "vmlinuz", [tmp_path / "gone"], "quiet")


def test_an_initramfs_that_memory_cannot_hold_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"kernel")
    (tmp_path / "initrd").touch()
    os.truncate(tmp_path / "initrd", 1 << 42)
    with pytest.raises(HarnessFault, match=r"not enough memory.*8388608 MB are needed"):
        load_kernel(tmp_path / "vmlinuz", [tmp_path / "initrd"], "quiet")


def make_init(root: Path, content: bytes) -> None:
    (root / "usr/sbin").mkdir(parents=True)
    (root / "sbin").symlink_to("usr/sbin")
    (root / "usr/sbin/init").write_bytes(content)
    (root / "usr/sbin/init").chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="a system is examined from inside, by chroot")
def test_systems_that_can_be_started(tmp_path: Path) -> None:
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00"
    for name, content in {
        "amd64": elf + b"\x3e\x00",
        "i386": elf + b"\x03\x00",
        "script": b"#!/bin/sh\n",
    }.items():
        make_init(tmp_path / name, content)
        check_system(tmp_path / name)
    make_init(tmp_path / "arm64", elf + b"\xb7\x00")
    with pytest.raises(HarnessFault, match="another processor"):
        check_system(tmp_path / "arm64")
    with pytest.raises(HarnessFault, match="no init"):
        check_system(tmp_path / "logs")


def test_modules_go_along(tmp_path: Path) -> None:
    (tmp_path / "modules/6.1/kernel").mkdir(parents=True)
    (tmp_path / "modules/6.1/kernel/x.ko").write_bytes(b"m")
    root = tmp_path / "root"
    (root / "usr/lib").mkdir(parents=True)
    (root / "lib").symlink_to("/usr/lib")
    for _ in range(2):
        take_modules_along(root, tmp_path / "modules", "6.1")
    assert (root / "usr/lib/modules/6.1/kernel/x.ko").read_bytes() == b"m"
    take_modules_along(root, tmp_path / "modules", "7.0")
    assert not (root / "usr/lib/modules/7.0").exists()
