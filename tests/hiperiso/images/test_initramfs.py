"""Files behind an initramfs: they get to where its links lead, and take nothing from it."""

from __future__ import annotations

import gzip
import lzma
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hiperiso.images import cpio
from hiperiso.images.initramfs import Content, add_members, placed, read_content
from hiperiso.images.members import Member, MemberKind

BASE = (
    cpio.symlink("bin", "usr/bin"),
    cpio.directory("etc", 0o700),
    cpio.symlink("lib", "/usr/lib"),
    cpio.directory("usr/bin"),
    cpio.regular("usr/bin/sh", b"shell", 0o755),
)
ADDED = (
    Member(name="bin", kind=MemberKind.FOLDER, permissions=0o700),
    Member(name="bin/tool", data=b"tool", permissions=0o755),
    Member(name="etc", kind=MemberKind.FOLDER, permissions=0o755),
    Member(name="etc/here", data=b"here"),
    Member(name="lib/firmware/a", data=b"firmware"),
    Member(name="new/link", kind=MemberKind.LINK, data=b"../etc/here"),
)


LATE = cpio.archive([cpio.directory("late")])


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
    "zstd": zstd,
    "microcode before it": lambda data: (
        cpio.archive([cpio.regular("kernel/x86/microcode.bin", b"x")]) + zstd(data)
    ),
    "two of a kind": lambda data: (
        gzip.compress(data) + bytes(5) + gzip.compress(cpio.archive([cpio.directory("late")]))
    ),
}


@pytest.mark.parametrize("packer", PACKERS)
def test_what_is_in_an_initramfs(tmp_path: Path, packer: str) -> None:
    path = tmp_path / "initrd"
    path.write_bytes(PACKERS[packer](cpio.archive(BASE)))
    found = read_content(path)
    assert found.complete and found.links == {"bin": "usr/bin", "lib": "/usr/lib"}
    more = {"microcode before it": {"kernel", "kernel/x86"}, "two of a kind": {"late"}}.get(packer, set())
    assert found.folders == {"etc", "usr", "usr/bin", *more}


@pytest.mark.parametrize(
    "tail", [b"unknown compression", gzip.compress(b"not cpio at all", mtime=0)[:-4], b"070701zzzz" * 20]
)
def test_what_cannot_be_read_is_not_complete(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "initrd"
    path.write_bytes(cpio.archive(BASE) + tail)
    found = read_content(path)
    assert not found.complete and found.links["bin"] == "usr/bin"
    entries, there = placed(ADDED, Content(complete=False))
    assert "bin" in there and "bin" not in [entry.name for entry in entries]


def unpacked(path: Path, folder: Path) -> Path:
    """As GNU cpio unpacks both segments over one another, which keeps links as the kernel does."""
    folder.mkdir()
    with path.open("rb") as file:
        for _ in range(2):
            subprocess.run(["cpio", "-idu", "--quiet"], stdin=file, cwd=folder, check=True)
    return folder


def test_files_go_where_the_links_lead(tmp_path: Path) -> None:
    base, initrd = tmp_path / "base", tmp_path / "initrd"
    base.write_bytes(cpio.archive(BASE))
    add_members(initrd, base, ADDED)
    whole = initrd.read_bytes()
    assert whole.startswith(base.read_bytes()) and base.stat().st_size % 4 == 0
    segment = whole[base.stat().st_size :]
    names = [name for name in (b"bin\0", b"etc\0", b"usr/bin\0") if name in segment]
    assert not names  # there already: their modes stay
    root = unpacked(initrd, tmp_path / "root")
    assert (root / "bin").is_symlink() and (root / "usr/bin/tool").read_bytes() == b"tool"
    assert (root / "usr/lib/firmware/a").read_bytes() == b"firmware"
    assert (root / "new/link").read_bytes() == b"here" and (root / "usr/bin/sh").exists()


def test_behind_itself_and_without_a_base(tmp_path: Path) -> None:
    initrd = tmp_path / "initrd"
    add_members(initrd, None, ADDED)
    alone = initrd.read_bytes()
    assert read_content(initrd).folders == {"bin", "etc", "lib", "lib/firmware", "new"}
    initrd.write_bytes(PACKERS["xz"](cpio.archive(BASE)) + b"\0")
    before = initrd.read_bytes()
    add_members(initrd, initrd, ADDED)
    assert initrd.read_bytes().startswith(before) and len(initrd.read_bytes()) % 4 == 0
    assert alone.startswith(b"070701")
