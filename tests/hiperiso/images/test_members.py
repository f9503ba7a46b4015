"""Archives of every kind give the same members; hostile and damaged ones are refused with the member's name."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiperiso.errors import UsageError
from hiperiso.images.injection import Injection, read_injection
from hiperiso.images.members import Member, MemberKind, Refused, read_archive
from property_tests import examples

FOLDER, FILE, LINK = MemberKind.FOLDER, MemberKind.FILE, MemberKind.LINK
WANTED = (
    Member(name="etc", kind=FOLDER, permissions=0o755),
    Member(name="etc/hello", data=b"hello\n" * 999, permissions=0o640),
    Member(name="etc/link", kind=LINK, permissions=0o777, data=b"../tool"),
    Member(name="tool", data=b"#!/bin/sh\n", permissions=0o755),
)
Change = Callable[[tarfile.TarInfo], None]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "etc").mkdir(parents=True)
    (root / "etc").chmod(0o755)
    for member in WANTED:
        if member.kind is FILE:
            (root / member.name).write_bytes(member.data)
            (root / member.name).chmod(member.permissions)
    (root / "etc/link").symlink_to("../tool")
    return root


def with_zip(tree: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in WANTED:
            info = zipfile.ZipInfo(member.name + "/" * (member.kind is FOLDER))
            kinds = {FOLDER: stat.S_IFDIR, FILE: stat.S_IFREG, LINK: stat.S_IFLNK}
            info.external_attr = (kinds[member.kind] | member.permissions) << 16
            archive.writestr(info, member.data)


@pytest.mark.parametrize("name", ["tar", "tar.gz", "tar.xz", "tar.lzma", "tar.bz2", "tar.zst", "7z", "zip"])
def test_every_kind_gives_the_same_members(tree: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "archive"  # known by its content
    if name == "zip":
        with_zip(tree, path)
    else:
        form = ["-a", "--format=7zip"] if name == "7z" else ["--format=gnutar"]
        filters = {
            "tar": [],
            "tar.gz": ["-z"],
            "tar.xz": ["-J"],
            "tar.lzma": ["--lzma"],
            "tar.bz2": ["-j"],
            "tar.zst": ["--zstd"],
        }
        made = tmp_path / f"made.{name}"
        subprocess.run(
            ["bsdtar", "-c", "-f", made, *form, *filters.get(name, []), "-C", tree, "."], check=True
        )
        made.rename(path)
    assert read_archive(path) == WANTED


def tar_of(path: Path, *entries: tuple[str, Change | bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, change in entries:
            info = tarfile.TarInfo(name)
            if isinstance(change, bytes):
                info.size = len(change)
                tar.addfile(info, io.BytesIO(change))
            else:
                change(info)
                tar.addfile(info)
    return path


def of_type(kind: bytes, target: str = "") -> Change:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = kind, target

    return change


HOSTILE: dict[str, tuple[str, Change | bytes]] = {
    "an absolute path": ("/etc/passwd", b"x"),
    "leads out of the archive by '..'": ("a/../../x", b"x"),
    "a link that leaves the archive, to '/etc'": ("x", of_type(tarfile.SYMTYPE, "/etc")),
    "a link that leaves the archive, to '../../x'": ("a/x", of_type(tarfile.SYMTYPE, "../../x")),
    "leads out of the archive by '..' (the target": ("x", of_type(tarfile.LNKTYPE, "../x")),
    "an absolute path (the target": ("x", of_type(tarfile.LNKTYPE, "/etc/shadow")),
    "a hard link to 'later', which is not a file before it": ("x", of_type(tarfile.LNKTYPE, "later")),
    "a device, a pipe or a socket": ("dev/sda", of_type(tarfile.BLKTYPE)),
    "is a device": ("null", of_type(tarfile.CHRTYPE)),
    "is a device, a pipe": ("pipe", of_type(tarfile.FIFOTYPE)),
    "is longer than 255 bytes": ("a" * 256, b""),
    "is not a name of a file": ("TRAILER!!!", b""),
}


@pytest.mark.parametrize("why", HOSTILE)
def test_hostile_members_are_named(tmp_path: Path, why: str) -> None:
    name, what = HOSTILE[why]
    path = tar_of(tmp_path / "a.tar", ("harmless", b"x"), (name, what))
    with pytest.raises(Refused) as raised:
        read_archive(path)
    assert why in raised.value.message and repr(name)[:20] in raised.value.message
    assert str(path) in raised.value.message and raised.value.hint


@pytest.mark.parametrize("suffix", ["7z", "zip"])
def test_hostile_members_of_other_kinds_are_named(tmp_path: Path, suffix: str) -> None:
    evil = tar_of(tmp_path / "evil.tar", ("../evil", b"x"))
    path = tmp_path / f"evil.{suffix}"
    form = {"7z": "7zip", "zip": "zip"}[suffix]
    subprocess.run(["bsdtar", "-c", "-P", f"--format={form}", "-f", path, f"@{evil}"], check=True)
    with pytest.raises(Refused, match="leads out of the archive"):
        read_archive(path)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    link = ("a", of_type(tarfile.SYMTYPE, "b"))
    for order in ((link, ("a/x", b"x")), (("a/x", b"x"), link)):
        with pytest.raises(Refused, match="'a/x' lies below 'a', which is a link"):
            read_archive(tar_of(tmp_path / "a.tar", *order))


def test_links_inside_and_later_members_of_a_name_are_taken(tmp_path: Path) -> None:
    hard = ("second", of_type(tarfile.LNKTYPE, "./first"))
    path = tar_of(
        tmp_path / "a.tar", ("./first", b"old"), ("first", b"new"), hard, ("./", of_type(tarfile.DIRTYPE))
    )
    assert {member.name: member.data for member in read_archive(path)} == {"first": b"new", "second": b"new"}


@pytest.mark.parametrize("compressed", ["xz", "gz", "bz2"])
def test_a_bomb_of_zeros_is_refused_in_time(tmp_path: Path, compressed: str) -> None:
    path = tmp_path / "bomb"
    with tarfile.open(path, f"w:{compressed}", **({} if compressed == "xz" else {"compresslevel": 1})) as tar:  # type: ignore[call-overload]
        info = tarfile.TarInfo("zeros")
        info.size = (8 << 20) + 1
        with Path("/dev/zero").open("rb") as zeros:
            tar.addfile(info, zeros)
    assert path.stat().st_size < 1 << 16
    with pytest.raises(Refused, match=r"unpacks to more than 8 MB, at 'zeros'"):
        read_archive(path, max_bytes=8 << 20)


def test_other_bombs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"part{number}", bytes(3 << 20))
    with pytest.raises(Refused, match="more than 8 MB, at 'part2'"):
        read_archive(tmp_path / "a.zip", max_bytes=8 << 20)
    data = ("big", bytes(3 << 20))
    links = [(f"copy{number}", of_type(tarfile.LNKTYPE, "big")) for number in range(3)]
    with pytest.raises(Refused, match="more than 8 MB, at 'copy1'"):
        read_archive(tar_of(tmp_path / "links.tar", data, *links), max_bytes=8 << 20)
    many = [(str(number), b"") for number in range(21)]
    with pytest.raises(Refused, match="more than 20 members, from '20' on"):
        read_archive(tar_of(tmp_path / "many.tar", *many), max_members=20)


def test_a_program_that_is_missing_as_on_a_stick(tmp_path: Path) -> None:
    """In a process of its own, whose PATH has nothing."""
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + b"x" * 99)
    code = "import sys, pathlib, hiperiso.images.members as m; m.read_archive(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.7z"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path)},
    )
    assert done.stderr.splitlines()[-1].endswith("HarnessFault: bsdtar is not installed")


def test_what_is_no_archive(tmp_path: Path) -> None:
    for name, data in (
        ("text", b"hello\n" * 200),
        ("cut.gz", b"\x1f\x8b\x08\0\0\0"),
        ("7z", b"7z\xbc\xaf\x27\x1c" + b"x" * 99),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(Refused, match="not an archive that can be read"):
            read_archive(tmp_path / name)
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_archive(path)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(Refused, match="is a device or a pipe"):
            read_archive(path)


def test_encrypted_and_cut_zips(tmp_path: Path, tree: Path) -> None:
    path = tmp_path / "a.zip"
    with_zip(tree, path)
    whole = path.read_bytes()
    central = whole.index(b"PK\x01\x02", whole.index(b"PK\x01\x02") + 1)
    path.write_bytes(whole[: central + 8] + b"\1" + whole[central + 9 :])
    with pytest.raises(Refused, match="not an archive that can be read"):
        read_archive(path)
    path.write_bytes(whole[:-30])
    with pytest.raises(Refused, match="not an archive that can be read"):
        read_archive(path)


NAMES = st.sampled_from(["a", "b", "..", ".", "", "etc", "/", "TRAILER!!!", "ä", "x" * 300, "c:d", "a\\b"])
TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(PATHS, TYPES, PATHS), max_size=5), st.data())
def test_whatever_is_taken_stays_inside(
    tmp_path: Path, entries: list[tuple[str, bytes, str]], data: st.DataObject
) -> None:
    """Any archive, whole or damaged, is refused in words, or unpacked by name it changes nothing outside."""
    named: list[tuple[str, Change | bytes]] = [
        (name, of_type(kind, target)) for name, kind, target in entries if name
    ]
    path = tar_of(tmp_path / "a.tar", *named)
    raw = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=3)):
        raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    try:
        found = read_archive(path)
    except UsageError as error:
        assert str(path) in error.message
        return
    links = {member.name for member in found if member.kind is LINK}
    for member in found:
        parts = member.name.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not links & {"/".join(parts[:depth]) for depth in range(1, len(parts))}
    files, left_out = Injection(archive=path, members=found).volume()
    assert set(files) | set(left_out) == {member.name for member in found if member.kind is not FOLDER}


def test_links_are_copies_on_a_volume(tmp_path: Path) -> None:
    entries: list[tuple[str, Change | bytes]] = [
        ("lib/a.so.1", b"code"),
        ("lib/a.so", of_type(tarfile.SYMTYPE, "a.so.1")),
        ("a.so", of_type(tarfile.SYMTYPE, "lib/../lib/a.so")),
        ("folder", of_type(tarfile.SYMTYPE, "lib")),
        ("loop", of_type(tarfile.SYMTYPE, "loop")),
        ("nowhere", of_type(tarfile.SYMTYPE, "missing")),
    ]
    injection = read_injection(tar_of(tmp_path / "a.tar", *entries))
    files, left_out = injection.volume()
    assert files == dict.fromkeys(("lib/a.so.1", "lib/a.so", "a.so"), b"code")
    assert left_out == ("folder", "loop", "nowhere") and injection.count == 6
