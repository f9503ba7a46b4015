"""Addresses: on a file system of dictionaries, and on the real one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootchain.addressing import AddressError, locate, resolve_devname, resolve_target
from bootchain.daemon.places import RealFileSystem
from bootchain.layout import Layout
from bootchain.nearest import nearest

LAYOUT = Layout("/m")


class Tree:
    """A file system given as path -> ``dir``, ``block``, ``char``, ``>link`` or file text."""

    def __init__(self, **entries: str) -> None:
        self.entries = {"/": "dir"}
        for path, what in entries.items():
            self.add(path, what)

    def add(self, path: str, what: str) -> None:
        parts = path.strip("/").split("/")
        for n in range(1, len(parts)):
            self.entries.setdefault("/" + "/".join(parts[:n]), "dir")
        self.entries["/" + "/".join(parts)] = what

    def _at(self, path: str) -> str:
        """Follow links in all but the last component, as lstat does."""
        done = ""
        parts = [part for part in path.split("/") if part]
        for n, part in enumerate(parts):
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            done = f"{done}/{part}"
            what = self.entries.get(done, "")
            if what.startswith(">") and n < len(parts) - 1:
                done = what[1:] if what[1:].startswith("/") else f"{done.rpartition('/')[0]}/{what[1:]}"
        return done or "/"

    def kind(self, path: str) -> str:
        what = self.entries.get(self._at(path))
        if what is None:
            return ""
        if what in ("dir", "block", "char"):
            return what
        return "link" if what.startswith(">") else "file"

    def readlink(self, path: str) -> str:
        return self.entries[self._at(path)][1:]

    def realpath(self, path: str) -> str:
        return self._at(f"{path}/.").removesuffix("/.")

    def names(self, path: str) -> list[str]:
        below = [at.removeprefix(f"{path}/") for at in self.entries if at.startswith(f"{path}/")]
        return [name for name in below if "/" not in name]

    def first_line(self, path: str) -> str:
        return self.entries[self._at(path)].split("\n")[0].strip()

    def device_name(self, path: str) -> str:
        return "/dev/sr0" if self.kind(path) == "block" else ""


def tree() -> Tree:
    made = Tree()
    for path, what in {
        "/dev/sr0": "block",
        "/dev/null": "char",
        "/dev/disk/by-label/X": ">../../sr0",
        "/m/dst/step0/dev": ">/dev/sr0",
        "/m/dst/step0/DEVNAME": "/dev/sr0\n",
        "/m/dst/step1/live/rescue": "text",
        "/m/dst/step1/short": ">live/rescue",
        "/m/dst/step1/abs": ">/live/rescue",
        "/m/dst/step1/out": ">../../../etc",
        "/m/dst/step1/loop": ">loop",
        "/m/dst/step1/up": ">live/../live",
        "/m/dst/step1/trick/dev": ">/etc/passwd",
        "/m/dst/step1/node/dev": "block",
        "/m/dst/step2": ">/mnt/outside",
        "/m/dst/step3/dir1/dev": ">/dev/sr0",
        "/m/dst/step3/pipe1": "a file with the name of an address",
        "/m/dst/step3/bad/DEVNAME": "/etc/passwd\n",
        "/mnt/outside/file": "x",
        "/etc/passwd": "root",
        "/live/rescue": "wrong",
    }.items():
        made.add(path, what)
    return made


def resolve(target: str, *, number: int = 4, previous: int | None = 3) -> str:
    return resolve_target(target, number=number, previous=previous, layout=LAYOUT, fs=tree())


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("pipe1/live/rescue", "/m/dst/step1/live/rescue"),
        ("pipe1", "/m/dst/step1"),
        ("pipe1/", "/m/dst/step1"),
        ("pipe01/live", "/m/dst/step1/live"),
        ("pipe1//live/./rescue", "/m/dst/step1/live/rescue"),
        ("pipe1/live/../live/rescue", "/m/dst/step1/live/rescue"),
        ("step-3/live/rescue", "/m/dst/step1/live/rescue"),
        ("step-1/dir1/dev", "/m/dst/step3/dir1/dev"),
        ("step-1/dir1/DEVNAME", "/dev/sr0"),
        ("step-4/dev", "/m/dst/step0/dev"),
        ("step-4/DEVNAME", "/dev/sr0"),
        ("dir1", "/m/dst/step3/dir1"),
        ("./pipe1", "/m/dst/step3/pipe1"),
        ("pipe1/short", "/m/dst/step1/live/rescue"),
        ("pipe1/up/rescue", "/m/dst/step1/live/rescue"),
        ("pipe2/file", "/mnt/outside/file"),
        ("step-2/file", "/mnt/outside/file"),
        ("pipe1/node/dev", "/m/dst/step1/node/dev"),
        ("pipe1/node/DEVNAME", "/dev/sr0"),
        ("/dev/sr0", "/dev/sr0"),
        ("/dev/disk/by-label/X", "/dev/disk/by-label/X"),
        ("/etc/passwd", "/etc/passwd"),
    ],
)
def test_found(target: str, path: str) -> None:
    assert resolve(target) == path


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("", "empty target"),
        ("pipe4/x", "pipe4/x: step 4 is this very step (this is step 4)"),
        ("step-0/x", "step-0/x: step 4 is this very step (this is step 4)"),
        ("pipe5/x", "pipe5/x: step 5 has not run yet (this is step 4)"),
        ("pipe99999999999999999999/x", "has not run yet"),
        ("step-5/x", "step-5/x: out of range, only 4 step(s) came before this one"),
        ("step-99999999999999999999/x", "out of range"),
        ("nothing", "nothing: no /m/dst/step3/nothing"),
        ("pipe1/live/rescue/x", "/m/dst/step1/live/rescue is not a directory"),
        ("../step1/live", "../step1/live: points outside of /m/dst/step3"),
        ("pipe1/live/../../step0", "points outside of /m/dst/step1"),
        ("pipe1/../../../etc/passwd", "points outside of /m/dst/step1"),
        ("pipe1/abs", "is a link to /live/rescue, outside of /m/dst/step1"),
        ("pipe1/out/passwd", "points outside of /m/dst/step1"),
        ("pipe1/loop", "too many links"),
        ("pipe1/trick/dev", "/m/dst/step1/trick/dev is a link to /etc/passwd, which is not a device"),
        ("bad/DEVNAME", "/m/dst/step3/bad/DEVNAME names /etc/passwd, which is not a device"),
        ("pipe1/live/dev", "no device in /m/dst/step1/live (neither DEVNAME nor dev)"),
        ("/nonexistent", "/nonexistent: no such file, directory or device"),
        ("a\0b", "NUL"),
    ],
)
def test_refused_with_a_clear_message(target: str, why: str) -> None:
    with pytest.raises(AddressError) as caught:
        resolve(target)
    assert why in str(caught.value)


def test_no_previous_result() -> None:
    for target in ("x", "dev", "DEVNAME"):
        with pytest.raises(AddressError, match="there is no previous result"):
            resolve(target, number=0, previous=None)


def test_noop_hides_relative_names_only() -> None:
    assert resolve("step-1/dir1", previous=None) == "/m/dst/step3/dir1"
    with pytest.raises(AddressError, match="no previous result"):
        resolve("dir1", previous=None)


def test_absolute_addresses_do_not_go_up() -> None:
    with pytest.raises(AddressError, match="cannot go up"):
        resolve("/m/../etc")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/any/where/../at", "/any/where/../at"),
        ("pipe1/new/rescue-*", "/m/dst/step1/new/rescue-*"),
        ("pipe1", "/m/dst/step1"),
        ("pipe2/file", "/mnt/outside/file"),
        ("pipe2/not/there", "/mnt/outside/not/there"),
        ("step-2/not/there", "/mnt/outside/not/there"),
        ("step-4/DEVNAME", "/m/dst/step0/DEVNAME"),
        ("pipe0/DEVNAME", "/m/dst/step0/DEVNAME"),
        ("new", "/m/dst/step3/new"),
        ("pipe4/mine", "/m/dst/step4/mine"),
        ("pipe5/x", ""),
        ("pipe99999999999999999999", ""),
        ("step-5/x", ""),
        ("dev", "/m/dst/step3/dev"),
        ("", "/m/dst/step3"),
    ],
)
def test_located_whether_it_is_there_or_not(target: str, path: str) -> None:
    assert locate(target, number=4, previous=3, layout=LAYOUT, fs=tree()) == path


def test_devname_alone_is_the_device() -> None:
    assert locate("DEVNAME", number=1, previous=0, layout=LAYOUT, fs=tree()) == "/dev/sr0"
    assert locate("DEVNAME", number=4, previous=3, layout=LAYOUT, fs=tree()) == "/m/dst/step3/DEVNAME"
    with pytest.raises(AddressError, match="there is no previous result"):
        locate("x", number=1, previous=None, layout=LAYOUT, fs=tree())


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        AddressError, match=r"DEVNANE: no /m/dst/step0/DEVNANE; there: DEVNAME, dev; nearest: DEVNAME"
    ):
        resolve("DEVNANE", previous=0)
    assert nearest("Rescue", ["rescue", "resume"]) == "rescue"
    assert nearest("rescue", ["altinst", "live"]) == ""
    assert nearest("x", []) == ""


@given(
    st.lists(
        st.sampled_from(["..", ".", "live", "out", "abs", "short", "up", "loop", "trick", "dev", "x", ""]),
        max_size=6,
    ),
    st.sampled_from(["pipe0/", "pipe1/", "pipe2/", "step-1/", "step-3/", ""]),
)
def test_no_address_leads_outside(parts: list[str], head: str) -> None:
    try:
        path = resolve(head + "/".join(parts))
    except AddressError:
        return
    if head or not path.startswith("/dev/"):
        allowed = ("/m/dst/step0", "/m/dst/step1", "/mnt/outside", "/m/dst/step3", "/dev/sr0")
        assert path.startswith(allowed) or not head
    assert ".." not in path.split("/")


def test_devname_prefers_the_readable_node() -> None:
    fs = tree()
    assert resolve_devname("/m/dst/step0", fs) == "/dev/sr0"
    assert resolve_devname("/m/dst/step0/", fs) == "/dev/sr0"
    assert resolve_devname("/m/dst/step3/dir1", fs) == "/dev/sr0"
    assert resolve_devname("/m/dst/step1/node", fs) == "/dev/sr0"
    with pytest.raises(AddressError, match="no device in /m/dst/step1/live"):
        resolve_devname("/m/dst/step1/live", fs)
    with pytest.raises(AddressError, match="no directory given"):
        resolve_devname("", fs)


def test_devname_without_the_directory_of_devices() -> None:
    fs = Tree()
    fs.add("/dev/vda", "block")
    fs.add("/d/DEVNAME", "vda\n")
    assert resolve_devname("/d", fs) == "/dev/vda"


def test_real_file_system(tmp_path: Path) -> None:
    fs = RealFileSystem()
    (tmp_path / "file").write_text("first\nsecond")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    kinds = {name: fs.kind(str(tmp_path / name)) for name in ("file", "link", "pipe", "none", ".")}
    assert kinds == {"file": "file", "link": "link", "pipe": "other", "none": "", ".": "dir"}
    assert fs.kind("/dev/null") == "char"
    assert fs.kind("a\0b") == ""
    assert fs.first_line(str(tmp_path / "file")) == "first"
    assert fs.first_line(str(tmp_path / "none")) == ""
    assert fs.readlink(str(tmp_path / "link")) == "file"
    assert fs.readlink(str(tmp_path / "none")) == ""
    assert fs.device_name("/dev/null") == "/dev/null"
    assert fs.device_name(str(tmp_path / "none")) == ""


def test_node_of_a_real_device_is_named(tmp_path: Path) -> None:
    os.mknod(tmp_path / "dev", stat.S_IFCHR | 0o600, Path("/dev/null").stat().st_rdev)
    assert resolve_devname(str(tmp_path), RealFileSystem()) == "/dev/null"
