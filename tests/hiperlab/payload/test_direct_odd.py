"""Media that are damaged, or can be read in two ways: said so, and reported in the recording.

Nothing is mounted here: images are unpacked where they would be mounted, which fails for the same ones.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import KvmState
from hiperiso.session.request import BootRequest, SilentObserver
from hiperiso.stick.direct.boot import HandOver, boot_directly
from hiperiso.stick.direct.cause import Cause
from hiperiso.stick.direct.perform import MountedIso
from hiperiso.stick.direct.plan import DirectFacts
from hiperlab.debian.packages import Sources
from integration.contract_reader import read_session
from waiting import DEADLINE_S

from .layouts import cut_off, iso, layer, squashfs, system_folder, write_files
from .test_direct import handover

INSIDE = "/LiveOS/rootfs.img"


class Unpacked:
    """Programs of the initramfs, without mounting; `places` is what would be mounted now."""

    def __init__(self) -> None:
        self.places: list[str] = []

    def __call__(self, argv: Sequence[str]) -> str:
        if argv[0] == "umount":
            if argv[-1] in self.places:
                self.places.remove(argv[-1])
                shutil.rmtree(argv[-1])
            return ""
        if argv[0] != "mount":
            return ""
        why = self._mount(argv)
        if not why:
            self.places.append(argv[-1])
        return why

    def _mount(self, argv: Sequence[str]) -> str:
        kind, source, place = argv[2] if argv[1] == "-t" else "", Path(argv[-2]), Path(argv[-1])
        match kind:
            case "tmpfs":
                return ""
            case "overlay":
                layers = argv[4].partition(",")[0].removeprefix("lowerdir=").split(":")
                for folder in reversed(layers):
                    shutil.copytree(folder, place, symlinks=True, dirs_exist_ok=True)
                return ""
            case "iso9660":
                return self._unpack("xorriso", "-osirrox", "on", "-indev", source, "-extract", "/", place)
        if kind:
            return f"no {kind}"
        return self._unpack("unsquashfs", "-quiet", "-no-progress", "-f", "-d", place, source.resolve())

    @staticmethod
    def _unpack(*argv: str | Path) -> str:
        done = subprocess.run(argv, capture_output=True, check=False, timeout=DEADLINE_S)
        return f"{argv[0]} refuses it" if done.returncode else ""


@dataclass(frozen=True)
class Attempt:
    path: Path
    manifest: dict[str, Any]
    hand_over: HandOver | None
    said: str
    left_mounted: list[str]

    @property
    def fault(self) -> str:
        lines = [json.loads(line) for line in (self.path / "events.jsonl").read_text().splitlines()]
        (text,) = [line["text"] for line in lines if line["kind"] == "fault"]
        assert text in (self.path / "FAILURE.txt").read_text()
        assert (self.manifest["status"], self.hand_over, self.left_mounted) == ("failed", None, [])
        return str(text)


def attempt(medium: Path, tmp_path: Path) -> Attempt:
    image = iso(medium, tmp_path / "x.iso", "ODD")
    mounts, said = Unpacked(), list[str]()
    outcome, hand_over = boot_directly(
        BootRequest(iso=image, log_root=tmp_path / "logs", settings=Settings()),
        DirectFacts(iso_path="/ISOs/x.iso"),
        Cause("it was requested", KvmState.UNKNOWN),
        observer=SilentObserver(),
        say=said.append,
        environ={},
        open_medium=lambda path: MountedIso(path, workshop=tmp_path / "run", run=mounts),
    )
    return Attempt(outcome.path, read_session(outcome.path), hand_over, "\n".join(said), mounts.places)


def small_system(tmp_path: Path, sources: Sources) -> Path:
    folder = system_folder(tmp_path / "system", sources)
    (folder / "lib/modules" / os.uname().release).mkdir(parents=True)  # else those of this machine are copied
    return folder


def test_a_system_that_is_cut_off(tmp_path: Path, sources: Sources) -> None:
    image = squashfs(small_system(tmp_path, sources), tmp_path / "medium/live/filesystem.squashfs")
    cut_off(image, 40_000)
    found = attempt(tmp_path / "medium", tmp_path)
    why = "cannot mount filesystem.squashfs: it is truncated"
    assert "/live/filesystem.squashfs is not a live system that can be started" in found.fault
    assert f"{why}, 40000 of " in found.fault and why in found.said


def test_the_image_inside_is_missing(tmp_path: Path) -> None:
    inside = write_files(tmp_path / "squashed", {"LiveOS/README": "x"})
    (inside / INSIDE.lstrip("/")).symlink_to("gone.img")
    squashfs(inside, tmp_path / "medium/LiveOS/squashfs.img")
    assert f"squashfs.img has no {INSIDE} or " in attempt(tmp_path / "medium", tmp_path).fault


def test_the_image_inside_is_none(tmp_path: Path) -> None:
    squashfs(
        write_files(tmp_path / "squashed", {INSIDE.lstrip("/"): "x"}), tmp_path / "medium/LiveOS/squashfs.img"
    )
    assert f"cannot mount {INSIDE} of squashfs.img" in attempt(tmp_path / "medium", tmp_path).fault


def test_a_layer_alone_is_not_a_system(tmp_path: Path) -> None:
    layer("a", tmp_path / "medium/casper/a.b.squashfs", tmp_path)
    assert (
        "/casper/a.b.squashfs is not a live system that can be started"
        in attempt(tmp_path / "medium", tmp_path).fault
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="a system is examined from inside, by chroot")
@pytest.mark.parametrize("damaged", [False, True])
def test_two_layouts_on_one_medium(damaged: bool, tmp_path: Path, sources: Sources) -> None:
    medium = tmp_path / "medium"
    image = squashfs(small_system(tmp_path, sources), medium / "live/filesystem.squashfs")
    (medium / "arch/x86_64").mkdir(parents=True)
    shutil.copy(image, medium / "arch/x86_64/airootfs.sfs")
    if damaged:
        cut_off(image, 40_000)
    found = attempt(medium, tmp_path)
    assert found.manifest["end_reason"] == "handed_over" and found.hand_over is not None
    data = handover(found.path)
    other = "the live system /arch/x86_64/airootfs.sfs, under the kernel of the stick"
    if damaged:
        assert data["files"] == ["/arch/x86_64/airootfs.sfs"] and data["not_tried"] == []
        assert "truncated" in str(data["tried"]) and "truncated" in found.said
    else:
        assert data["files"] == ["/live/filesystem.squashfs"] and data["not_tried"] == [other]
        assert data["tried"] == [] and f"not tried: {other}" in found.said
