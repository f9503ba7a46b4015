"""The cpio writer against GNU cpio, which reads what it wrote."""

from __future__ import annotations

import gzip
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.images import cpio

ENTRIES = (
    cpio.directory("dev"),
    cpio.char_device("dev/console", 5, 1),
    cpio.regular("bin/tool", b"#!/bin/sh\n", 0o755),
    cpio.symlink("sbin/init", "../bin/tool"),
    cpio.regular("with space/ünïcode", b"x" * 4097),
)


def listing(data: bytes, *options: str) -> list[str]:
    done = subprocess.run(
        ["cpio", "-t", "--quiet", *options],
        input=data,
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8"},
    )
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def test_cpio_lists_what_was_written() -> None:
    names = listing(cpio.archive(ENTRIES))
    assert names == [
        "dev",
        "dev/console",
        "bin",
        "bin/tool",
        "sbin",
        "sbin/init",
        "with space",
        "with space/ünïcode",
    ]


def test_nodes_links_and_permissions_are_seen_by_cpio() -> None:
    verbose = "\n".join(listing(cpio.archive(ENTRIES), "-v", "--numeric-uid-gid"))
    assert "crw-------   1 0        0          5,   1" in verbose
    assert "sbin/init -> ../bin/tool" in verbose
    assert "-rwxr-xr-x   1 0        0" in verbose


def test_cpio_extracts_the_same_content(tmp_path: Path) -> None:
    plain = [entry for entry in ENTRIES if not stat.S_ISCHR(entry.mode)]
    subprocess.run(["cpio", "-i", "-d", "--quiet"], input=cpio.archive(plain), cwd=tmp_path, check=True)
    assert (tmp_path / "with space" / "ünïcode").read_bytes() == b"x" * 4097
    assert (tmp_path / "sbin" / "init").readlink() == Path("../bin/tool")
    again = [entry for entry in cpio.tree(tmp_path) if stat.S_ISREG(entry.mode)]
    assert [(entry.name, entry.data, stat.S_IMODE(entry.mode)) for entry in again] == [
        ("bin/tool", b"#!/bin/sh\n", 0o755),
        ("with space/ünïcode", b"x" * 4097, 0o644),
    ]


def test_same_entries_same_bytes() -> None:
    assert cpio.compressed(ENTRIES) == cpio.compressed(ENTRIES)
    assert gzip.decompress(cpio.compressed(ENTRIES)) == cpio.archive(ENTRIES)
    assert len(cpio.archive(ENTRIES)) % 512 == 0


@pytest.mark.parametrize("name", ["/etc", "", "a//b", "../a", "a/./b", "TRAILER!!!"])
def test_names_that_leave_the_archive_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a valid name"):
        cpio.archive([cpio.regular(name, b"")])


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="duplicate"):
        cpio.archive([cpio.regular("a", b""), cpio.regular("a", b"")])


@given(st.lists(st.binary(max_size=64), max_size=8))
def test_every_size_of_data_keeps_the_alignment(contents: list[bytes]) -> None:
    data = cpio.archive(cpio.regular(f"f{number}", content) for number, content in enumerate(contents))
    assert listing(data) == [f"f{number}" for number in range(len(contents))]
