"""The payload: complete, readable by the stick, small enough, the same bytes each time."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootchain.initramfs import LIB
from hiperiso.contract.stick import ESP_BYTES
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.images import cpio
from hiperiso.machine.firmware import find_firmware
from hiperlab.debian.packages import Sources
from hiperlab.payload.build import START, PayloadSpec, build_payload
from hiperlab.payload.components import BOOT_LOADERS_BYTES, SPARE_BYTES, PayloadInfo, read_info
from hiperlab.payload.compression import Compression
from hiperlab.payload.image import IMAGE, build_initramfs_file
from hiperlab.payload.kernel import choose_kernel, kernel_release
from hiperlab.payload.python import BUNDLE, PLACE, PREPARED, on_stick
from hiperlab.stick.payload import read_payload

from .conftest import QUICK


def unpack(payload: Path, folder: Path) -> Path:
    """The initramfs as the machine sees it: both archives, and the image where it gets mounted."""
    archive = (payload / "initramfs.cpio.gz").read_bytes()
    packed_at = -(-archive.index(b"TRAILER!!!") // 512) * 512
    for part in (archive[:packed_at], gzip.decompress(archive[packed_at:])):
        subprocess.run(["cpio", "-idm", "--quiet"], input=part, cwd=folder, check=True)
    image = folder / "image"
    subprocess.run(
        ["unsquashfs", "-quiet", "-no-progress", "-f", "-d", image, folder / IMAGE],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.mark.parametrize("program", ["_init.py", "_step.py"])
def test_the_programs_of_a_stick_name_its_places(program: str) -> None:
    """They run before anything could say where the modules are."""
    text = on_stick(program)
    assert all(f'"{place}"' in text for place in (PLACE, LIB))
    assert f"import {BUNDLE if program == '_init.py' else PREPARED}  #" in text
    if program == "_step.py":
        assert f"from {START} import main" in text


@pytest.fixture(scope="module")
def root(payload: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(payload, tmp_path_factory.mktemp("root"))


def inside(root: Path, *argv: str) -> str:
    done = subprocess.run(
        ["chroot", root, *argv],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin:/sbin", "PYTHONPATH": "/usr/lib/hiperiso:/usr/lib/bootchain"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_stick_takes_it(payload: Path) -> None:
    found = read_payload(payload)
    assert {"vmlinuz", "initramfs.cpio.gz", "OVMF.fd", "trace/standard.events"} <= set(found.files)
    assert found.manifest.versions["kernel"] == kernel_release(payload / "vmlinuz")
    assert (
        "ide_sector_read" in (payload / "trace/standard.events").read_text()
        or (payload / "trace/standard.events").read_text()
    )


@pytest.mark.slow  # a second payload; what packages the machine gets meanwhile is among the inputs
def test_the_same_inputs_give_the_same_bytes_wherever_it_is_built(
    payload: Path, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    again = Path("again")
    build_payload(QUICK, again, sources=sources)
    files = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(payload) for path in payload.rglob("*") if path.is_file())
    assert [str(f) for f in files if (again / f).read_bytes() != (payload / f).read_bytes()] == []


def test_everything_that_a_recording_needs_is_there(root: Path) -> None:
    names = {path.relative_to(root / "image").as_posix() for path in (root / "image").rglob("*")}
    assert (root / "init").read_text().startswith("#!/early/busybox sh")
    assert {path.name for path in (root / "early").glob("*.ko")} == {"loop.ko", "squashfs.ko"}
    assert {
        "lib/bootchain/hiperiso.py",
        "usr/bin/qemu-system-x86_64",
        "usr/lib/hiperiso/hiperiso/session/recorder.pyc",
        "usr/lib/hiperiso/hiperiso/machine/kvm_guest.py",
        "usr/lib/hiperiso/hiperiso/trace/events/standard.events",
        "usr/share/seabios/bios-256k.bin",
        "usr/share/grub/unicode.pf2",
        "bin/busybox",
    } <= names
    modules = {Path(name).name.partition(".ko")[0] for name in names if ".ko" in name}
    assert {
        *("xhci-hcd", "usb-storage", "uas", "ahci", "nvme", "exfat", "ext4", "vfat", "isofs", "udf", "loop"),
        *("squashfs", "overlay", "kvm", "kvm-intel", "kvm-amd", "virtio_blk", "mmc_block"),
    } <= modules
    assert not [name for name in names if "/hiperlab" in name]


def test_the_recorder_runs_inside_without_this_machines_python(root: Path) -> None:
    code = (
        "import hiperiso.stick.step, hiperiso.session.recorder, qemu.qmp, msgspec, sys\n"
        "assert all(m.__file__.startswith('/usr/lib/') for m in (msgspec, hiperiso))\n"
        "print(msgspec.json.encode({'a': 'ü'}).decode(), 'ü'.encode('utf-8-sig'), 'hiperlab' in sys.modules)"
    )
    assert inside(root, "/usr/bin/python3", "-c", code) == '{"a":"ü"} b\'\\xef\\xbb\\xbf\\xc3\\xbc\' False\n'
    # As finalize starts it: with -m, and with site.
    assert "analyze" in inside(root, "/usr/bin/python3", "-m", "hiperiso.analysis.cli", "--help")


BUNDLED = """
import sys
import bundle, prepared
import hiperiso.stick.step
loaded = dict(sys.modules)
lazy = [n for n, m in loaded.items() if type(m).__name__ == "_LazyModule"]
found = [n for n, m in loaded.items() if getattr(m, "__spec__", None) and m.__spec__.loader is bundle.Bundle]
assert not {"asyncio", "hiperiso.session.guest", "hiperiso.analysis.judge", "tempfile"} & set(loaded), sorted(loaded)
assert sys.modules["hiperiso.config.settings"].__file__.endswith("/usr/lib/hiperiso/hiperiso/config/settings.pyc")
import inspect, traceback
assert inspect.signature(traceback.print_exc).parameters  # loaded when it is wanted
import hiperiso.session.recorder, hashlib  # not in the bundle: found as ever
assert hashlib.sha256(b"").hexdigest().startswith("e3b0c442")
print(len(found) > 100, "inspect" in lazy, "bz2" in lazy)
"""


def test_before_qemu_runs_only_what_it_takes_is_loaded_and_from_one_file(root: Path) -> None:
    assert inside(root, "/usr/bin/python3", "-S", "-c", BUNDLED) == "True True True\n"
    assert not list((root / "image").rglob("_hashlib*"))


def test_qemu_runs_inside_with_both_firmwares(root: Path) -> None:
    code = (
        "from hiperiso.machine.qemu import find_qemu, qemu_version, check_sandbox\n"
        "from hiperiso.machine.firmware import find_firmware\n"
        "from hiperiso.observe.screen.fonts import FontSet\n"
        "print(qemu_version(find_qemu()), sorted(find_firmware().available))\n"
        "print(all(len(FontSet().glyphs(height)) > 90 for height in (16, 19)))"
    )
    version, fonts = inside(root, "/usr/bin/python3", "-c", code).splitlines()
    assert version.endswith("[<FirmwareKind.BIOS: 'bios'>, <FirmwareKind.UEFI: 'uefi'>]") and fonts == "True"
    # Starting a machine of the kind that is used needs the accelerator and the ROMs.
    argv = [
        "-M",
        "q35,accel=tcg",
        "-nodefaults",
        "-vga",
        "std",
        "-display",
        "none",
        "-monitor",
        "stdio",
        "-S",
    ]
    done = subprocess.run(
        ["chroot", root, "/usr/bin/qemu-system-x86_64", *argv],
        input=b"quit\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_info_shows_sizes_and_versions(payload: Path) -> None:
    argv = [sys.executable, "-m", "hiperlab.cli.main", "payload", "info", str(payload)]
    reported: dict[str, Any] = json.loads(
        subprocess.run([*argv, "--json"], capture_output=True, check=True).stdout
    )
    parts = {part["name"]: part for part in reported["components"]}
    assert {
        "kernel",
        "OVMF",
        "qemu",
        "hiperiso",
        "bootchain",
        "msgspec",
        "qemu.qmp",
        "python",
    } <= set(parts)
    assert parts["qemu"]["size_bytes"] > 5_000_000 and parts["qemu"]["version"][0].isdigit()
    assert parts["kernel"]["version"] == parts["kernel modules"]["version"]
    assert reported["size_bytes"] == sum(reported["files"].values())
    assert reported["files"]["vmlinuz"] == (payload / "vmlinuz").stat().st_size
    text = subprocess.run(argv, capture_output=True, check=True, text=True).stdout
    assert all(name in text for name in parts)
    environment = {**os.environ, "HIPERISO_PAYLOAD": str(payload)}  # stick create takes it from there, too
    unnamed = subprocess.run(argv[:-1], capture_output=True, check=True, text=True, env=environment)
    assert unnamed.stdout == text


@pytest.mark.slow
def test_packed_hard_it_leaves_room_on_the_stick(sources: Sources, tmp_path: Path) -> None:
    info = build_payload(PayloadSpec(), tmp_path / "payload", sources=sources)
    assert info.free_bytes >= SPARE_BYTES


@pytest.mark.slow
def test_a_tpm_and_secure_boot_go_along_where_they_are_wanted(sources: Sources, tmp_path: Path) -> None:
    build_payload(replace(QUICK, swtpm=True, secure_boot=True), tmp_path / "payload", sources=sources)
    (tmp_path / "root").mkdir()
    root = unpack(tmp_path / "payload", tmp_path / "root")
    assert "TPM emulator" in inside(root, "/usr/bin/swtpm", "--version")
    image = find_firmware().secure_boot
    assert (
        image is not None
        and (root / "image" / str(image.code).lstrip("/")).read_bytes() == image.code.read_bytes()
    )


def test_what_is_too_big_is_reported_as_free_room() -> None:
    info = PayloadInfo(components=(), files={"initramfs.cpio.gz": 40 << 20}, compression="zstd")
    assert info.free_bytes == ESP_BYTES - BOOT_LOADERS_BYTES - (40 << 20)


def test_a_payload_is_replaced_but_nothing_else(payload: Path, sources: Sources, tmp_path: Path) -> None:
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("do not touch")
    with pytest.raises(UsageError, match="is not a payload"):
        build_payload(QUICK, other, sources=sources)
    assert (other / "thesis.txt").read_text() == "do not touch"


def test_a_kernel_of_ones_own(payload: Path, sources: Sources, tmp_path: Path) -> None:
    image = payload / "vmlinuz"
    release = kernel_release(image)
    with pytest.raises(UsageError, match=f"no modules of the kernel {release}"):
        choose_kernel(sources, image, tmp_path)
    (tmp_path / release / "kernel").mkdir(parents=True)
    for named in (tmp_path, tmp_path / release):
        assert choose_kernel(sources, image, named).modules == tmp_path / release
    with pytest.raises(UsageError, match="--modules needs --kernel"):
        choose_kernel(sources, None, tmp_path)


@pytest.mark.parametrize("content", [b"", b"MZ" * 400, b"\0" * 0x202 + b"HdrS" + b"\0" * 100])
def test_other_files_are_not_kernels(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match="is not a Linux kernel"):
        kernel_release(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot read the kernel"):
        kernel_release(tmp_path / "none")


@pytest.mark.parametrize("compression", list(Compression))
def test_a_small_initramfs(tmp_path: Path, compression: Compression) -> None:
    module = tmp_path / "loop.ko"
    module.write_bytes(b"ELF")
    entries = [
        cpio.regular("init", b"#!/usr/bin/python3", 0o755),
        cpio.regular("bin/busybox", b"busybox", 0o755),
        cpio.symlink("bin/ls", "/bin/busybox"),
        cpio.regular("usr/share/data", bytes(range(256)) * 20_000),
        cpio.regular("etc/passwd", b"root"),
    ]
    reported: list[tuple[int, int]] = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        build_initramfs_file(
            entries,
            [module],
            tmp_path / name / "initramfs.cpio.gz",
            scratch=tmp_path / name,
            compression=compression,
            level=2,
            progress=lambda done, total: reported.append((done, total)),
        )
    made = [(tmp_path / name / "initramfs.cpio.gz").read_bytes() for name in ("a", "b")]
    assert made[0] == made[1]
    assert reported and reported[-1][0] == reported[-1][1]
    root = tmp_path / "root"
    root.mkdir()
    unpack(tmp_path / "a", root)
    assert (root / "usr/share/data").read_bytes() == entries[3].data
    assert (root / "image/usr/lib/bootchain/pid1").read_bytes() == entries[0].data
    assert (root / "early/busybox").read_bytes() == b"busybox"
    assert (root / "image/bin/busybox").readlink() == Path("/early/busybox")
    assert (root / "etc/passwd").read_bytes() == b"root" and not (root / "image/etc").exists()
    assert "loop.ko" in (root / "init").read_text()


def test_a_tool_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessFault, match="mksquashfs is not installed"):
        build_initramfs_file([], [], tmp_path / "out", scratch=tmp_path, compression=Compression.ZSTD)


def test_a_broken_list_of_components(payload: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a payload"):
        read_info(tmp_path)
    (tmp_path / "components.json").write_text('{"components": 3}')
    with pytest.raises(UsageError, match="is not a valid list of components"):
        read_info(tmp_path)
    assert replace(QUICK, swtpm=True).swtpm
