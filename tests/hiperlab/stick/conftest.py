"""Small payloads and sticks made from them, once for all tests; each test gets a copy."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hiperlab.debian.packages import Sources
from hiperlab.places import package_cache
from hiperlab.stick.create import StickOptions, create_stick
from hiperlab.stick.payload import read_payload, write_manifest

SIZE_BYTES = 160 << 20


def make_payload(folder: Path, *, kernel: bytes = b"kernel" * 1000) -> Path:
    (folder / "trace").mkdir(parents=True)
    (folder / "vmlinuz").write_bytes(kernel)
    (folder / "initramfs.cpio.gz").write_bytes(b"initramfs" * 1000)
    (folder / "OVMF.fd").write_bytes(b"firmware" * 1000)
    (folder / "trace" / "standard.events").write_bytes(b"ide_atapi_cmd_read\n")
    write_manifest(folder, versions={"kernel": "6.1"})
    return folder


@pytest.fixture(scope="session")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_payload(tmp_path_factory.mktemp("payload") / "p")


@pytest.fixture(scope="session")
def sources() -> Sources:
    return Sources(package_cache())


@pytest.fixture
def options(payload: Path, sources: Sources) -> StickOptions:
    return StickOptions(payload=read_payload(payload), sources=sources, secure_boot=False, seed="tests")


@pytest.fixture(scope="session")
def master(tmp_path_factory: pytest.TempPathFactory, payload: Path, sources: Sources) -> Path:
    path = tmp_path_factory.mktemp("stick") / "master.img"
    made = StickOptions(payload=read_payload(payload), sources=sources, secure_boot=False, seed="tests")
    create_stick(path, SIZE_BYTES, made)
    return path


@pytest.fixture
def stick(master: Path, tmp_path: Path) -> Path:
    """A finished exFAT stick of this test's own."""
    path = tmp_path / "stick.img"
    subprocess.run(["cp", "--sparse=always", str(master), str(path)], check=True)
    return path
