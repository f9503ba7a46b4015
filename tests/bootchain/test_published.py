"""Whole boots by step-scripts as others publish them: a live system, an installer's dialog, an image.

They lie in ``published``, byte for byte but for the shell in their first line. Taking a loop device may fail and be
tried again: other processes take some, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .initrds import LABEL, Initrd

SCRIPTS = Path(__file__).parent / "published"
SETTINGS = "OEM_SERVER=srv\nOEM_DIR=${OEM_SERVER:-x}/dir\n"
DETACH = r"""
while read -r _ place _; do
	case "$place" in
	/root | /bc-root/* | /dev/bootchain* | /dev/pipeline*) places="$place ${places-}" ;;
	esac
done </proc/mounts
ls /root
for place in $places; do umount -l "$place"; done
for node in $(cat /tmp/loops 2>/dev/null); do losetup -d "$node" 2>/dev/null || :; done
"""


@pytest.fixture(params=["/bin/bash", "/bin/ash"])
def initrd(request: pytest.FixtureRequest, ram: Path, medium: Path) -> Initrd:
    made = Initrd(ram / "top")
    (made.top / "run").mkdir()
    (made.top / "medium").write_bytes(medium.read_bytes())
    made.write("etc/sysconfig/bootchain", SETTINGS)
    for script in SCRIPTS.iterdir():
        first, _, rest = script.read_text().partition("\n")
        assert first == "#!/bin/bash -efu"
        for where in ("lib/bootchain", "lib/pipeline"):
            made.step(script.name, rest, where=where, shell=str(request.param))
    return made


def said(log: str, name: str) -> list[str]:
    return [line.removeprefix(f"{name}: ") for line in log.splitlines() if line.startswith(f"{name}: ")]


@pytest.mark.parametrize("mode", ["bootchain", "pipeline"])
def test_a_live_system_by_its_label(initrd: Initrd, mode: str) -> None:
    chain = "attach,noretry,findmedia,mnt,glob,lowers,finish"
    line = f"root={mode} {mode}={chain} attach=/medium findmedia=LABEL={LABEL} mnt=DEVNAME lowers=step-1"
    ended = initrd.run(line, then=DETACH)
    assert (ended.code, ended.stderr) == (0, "sbin\nvar\n"), ended.log
    assert said(ended.log, "glob") == ["found rescue-10"]
    assert said(ended.log, "lowers") == ["lower dirs: 1"]


@pytest.mark.parametrize("mode", ["bootchain", "pipeline"])
def test_a_medium_that_is_passed_on_from_outside(initrd: Initrd, mode: str) -> None:
    chain = "attach,noretry,findmedia,passon,glob,lowers,finish"
    ended = initrd.run(f"root={mode} {mode}={chain} attach=/medium findmedia=LABEL={LABEL}", then=DETACH)
    assert (ended.code, ended.stderr) == (0, "sbin\nvar\n"), ended.log


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ("automatic=method:disk,server:x,foo:bar", ["ignored: foo:bar", "disk disk-x"]),
        ("noaskuser mnt=dev", ["Choose installation method: cdrom"]),
    ],
)
def test_an_installer_that_builds_the_chain(initrd: Initrd, words: str, chosen: list[str]) -> None:
    line = f"root=bootchain bootchain=attach,noretry,setup attach=/medium findmedia=LABEL={LABEL} {words}"
    ended = initrd.run(line, then=DETACH)
    assert (ended.code, ended.stderr) == (0, "sbin\nvar\n"), ended.log
    assert said(ended.log, "setup") == chosen
    names = [name for name, _, code in ended.steps if code == 0]
    assert names == ["attach", "setup", "findmedia", "mnt", "glob", "finish"]


def test_a_dialog_without_a_terminal_is_in_the_log_alone(initrd: Initrd) -> None:
    ended = initrd.run("root=bootchain bootchain=noretry,setup automatic=method:zzz")
    assert said(ended.log, "setup") == ["Unsupported: zzz"] * 2 + ["step 'setup' has been passed already"]
    assert ended.steps == [("setup", 1, 0), ("setup", 1, 1)]


def test_an_image_that_is_fetched(initrd: Initrd) -> None:
    ended = initrd.run("root=pipeline pipeline=net,noretry,glob,finish net=file:///medium", then=DETACH)
    assert (ended.code, ended.stderr) == (0, "sbin\nvar\n"), ended.log
    assert said(ended.log, "net")[0].endswith(", call 0 of step 0, net, 0")


def test_a_step_that_finds_nothing_falls_back(initrd: Initrd) -> None:
    ended = initrd.run("root=bootchain bootchain=fallback attach=/medium", then=DETACH)
    assert [name for name, _, code in ended.steps if code == 0] == ["fallback", "attach", "fallback"], (
        ended.log
    )
    assert said(ended.log, "fallback")[0] == "no device, fallback"
