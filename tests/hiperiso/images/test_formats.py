"""Formats of disk images: as qemu-img writes them, and with the fields that make QEMU open other files."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiperiso.contract.hardware import DiskFormat
from hiperiso.errors import IsoError
from hiperiso.images.formats import disk_format
from hiperiso.iso.inspect import open_image
from hiperiso.iso.reader import ImageReader
from property_tests import examples


def format_of(path: Path) -> DiskFormat:
    descriptor = open_image(path)
    try:
        return disk_format(path, ImageReader(descriptor))[0]
    finally:
        os.close(descriptor)


def qemu_img(*argv: object) -> None:
    subprocess.run(["qemu-img", *map(str, argv)], check=True, capture_output=True)


def made(folder: Path, form: str, *options: str) -> Path:
    path = folder / f"disk.{form}"
    qemu_img("create", "-f", form, *(["-o", ",".join(options)] if options else []), path, "64M")
    return path


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("raw", ()),
        ("qcow2", ()),
        ("qcow2", ("compat=0.10",)),
        ("vpc", ()),
        ("vpc", ("subformat=fixed",)),
        ("vhdx", ()),
        ("vhdx", ("subformat=fixed",)),
        ("vmdk", ()),
        ("vmdk", ("subformat=streamOptimized",)),
    ],
)
def test_what_qemu_img_makes_is_known(tmp_path: Path, form: str, options: tuple[str, ...]) -> None:
    assert format_of(made(tmp_path, form, *options)).value == form


def test_a_backing_file_and_a_data_file_are_refused(tmp_path: Path) -> None:
    base = made(tmp_path, "qcow2")
    overlay = tmp_path / "overlay.qcow2"
    qemu_img("create", "-f", "qcow2", "-b", base, "-F", "qcow2", overlay)
    with pytest.raises(IsoError, match="a backing file"):
        format_of(overlay)
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={tmp_path / 'data.raw'}", tmp_path / "d.qcow2", "64M")
    with pytest.raises(IsoError, match="a data file"):
        format_of(tmp_path / "d.qcow2")


@pytest.mark.parametrize("subformat", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_a_vmdk_that_names_extents_is_refused(tmp_path: Path, subformat: str) -> None:
    with pytest.raises(IsoError, match="extents"):
        format_of(made(tmp_path, "vmdk", f"subformat={subformat}"))


def test_a_vmdk_with_a_parent_is_refused(tmp_path: Path) -> None:
    base = made(tmp_path, "vmdk")
    child = tmp_path / "child.vmdk"
    qemu_img("create", "-f", "vmdk", "-b", base, "-F", "vmdk", child)
    with pytest.raises(IsoError, match="a parent disk"):
        format_of(child)


def test_a_vmdk_whose_descriptor_says_where_the_data_is_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path, "vmdk")
    with path.open("r+b") as file:
        file.seek(12)
        file.write(bytes(8))  # the capacity: QEMU then goes by the descriptor
    with pytest.raises(IsoError, match="extents"):
        format_of(path)


@pytest.mark.parametrize("options", [(), ("subformat=fixed",)])
def test_a_differencing_vhd_is_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = made(tmp_path, "vpc", *options)
    content = bytearray(path.read_bytes())
    for at in (0, len(content) - 512):
        if content[at : at + 8] == b"conectix":
            struct.pack_into(">I", content, at + 60, 4)
    path.write_bytes(content)
    with pytest.raises(IsoError, match="a parent disk"):
        format_of(path)


def test_a_vhdx_with_a_parent_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path, "vhdx")
    content = bytearray(path.read_bytes())
    table = content.index(b"metadata")
    entry = table + 32
    while content[entry : entry + 4] != bytes.fromhex("3767a1ca"):  # File Parameters
        entry += 32
    content[table + struct.unpack_from("<I", content, entry + 16)[0] + 4] |= 2
    path.write_bytes(content)
    with pytest.raises(IsoError, match="a parent disk"):
        format_of(path)


def test_what_is_encrypted_or_of_another_format_is_refused(tmp_path: Path) -> None:
    target = made(tmp_path, "qcow2")
    with target.open("r+b") as file:
        file.seek(32)
        file.write((1).to_bytes(4, "big"))
    with pytest.raises(IsoError, match="encrypted"):
        format_of(target)
    with pytest.raises(IsoError, match="not supported"):
        format_of(made(tmp_path, "vdi"))


_HEADS = (b"QFI\xfb", b"conectix", b"vhdxfile", b"KDMV", b"# Disk DescriptorFile")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(60)
)
@given(st.sampled_from(_HEADS), st.binary(max_size=600), st.integers(0, 300_000))
def test_damage_never_escapes(tmp_path: Path, head: bytes, rest: bytes, size: int) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(head + rest)
    os.truncate(path, max(size, len(head + rest)))
    try:
        assert isinstance(format_of(path), DiskFormat)
    except IsoError as error:
        assert error.hint
