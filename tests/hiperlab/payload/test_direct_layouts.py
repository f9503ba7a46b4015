"""Live systems in the layouts of the distributions, booted directly: each to its login on the serial line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hiperlab.debian.packages import Sources
from hiperlab.run import run_text

from . import layouts
from .layouts import ext4, layer, squashfs, system_folder, write_files
from .test_boot import MACHINE_S, Machine
from .test_direct import check_handed_over, handover

pytestmark = [pytest.mark.boots, pytest.mark.slow]


@dataclass(frozen=True)
class Bench:
    """Where media are made: `medium` becomes the ISO."""

    sources: Sources
    scratch: Path
    medium: Path

    def system(self, name: str = "root") -> Path:
        return system_folder(self.scratch / f"system-{name}", self.sources, layer=name)

    def below(self, folder: str, name: str) -> Path:
        return layer(name, self.medium / folder / f"{name}.squashfs", self.scratch)


@dataclass(frozen=True)
class Layout:
    """A medium, and what is to come of it: its images, the top one first, and the layers that the system shows."""

    make: Callable[[Bench], None]
    arguments: str
    kind: str
    images: tuple[str, ...]
    shown: str = "root"
    hidden: str = " by-the-layer-above"


def dracut_with_an_image_inside(bench: Bench) -> None:
    """As livecd-tools makes it: nothing but an ext4 image in a squashfs, here one that was packed while in use."""
    layouts.as_if_in_use(ext4(bench.system(), bench.scratch / "squashed/LiveOS/rootfs.img"))
    squashfs(bench.scratch / "squashed", bench.medium / "LiveOS/squashfs.img", packed="xz")


def dracut_plain(bench: Bench) -> None:
    squashfs(bench.system(), bench.medium / "LiveOS/squashfs.img", packed="zstd")


def dracut_elsewhere(bench: Bench) -> None:
    """As mixed media have it: another directory and another name, given only by the arguments."""
    squashfs(bench.system(), bench.medium / "second/system.img")
    layer("decoy", bench.medium / "LiveOS/squashfs.img", bench.scratch)


def kiwi(bench: Bench) -> None:
    """As kiwi nests it; here the name inside is a link, whose text begins at the root of the image."""
    ext4(bench.system(), bench.scratch / "squashed/LiveOS/.image")
    (bench.scratch / "squashed/LiveOS/rootfs.img").symlink_to("/LiveOS/.image")
    squashfs(bench.scratch / "squashed", bench.medium / "LiveOS/squashfs.img")


def dracut_erofs(bench: Bench) -> None:
    image = bench.medium / "LiveOS/squashfs.img"
    image.parent.mkdir(parents=True)
    tool = bench.sources.unpack("erofs-utils") / "usr/bin/mkfs.erofs"
    run_text([str(tool), "--all-root", "-zlz4hc", str(image), str(bench.system())], package="erofs-utils")


def archiso(bench: Bench) -> None:
    squashfs(bench.system(), bench.medium / "arch/x86_64/airootfs.sfs", packed="zstd")
    write_files(bench.medium, {"arch/x86_64/airootfs.sha512": "0\n", "arch/version": "2026.11.01\n"})


def layered_casper(bench: Bench) -> None:
    """As a desktop of Ubuntu has it: the initramfs alone knows which layer is the top one."""
    folder = bench.medium / "casper"
    squashfs(bench.system("minimal"), folder / "minimal.squashfs", packed="zstd")
    layer("minimal.standard", folder / "minimal.standard.squashfs", bench.scratch, hides=[layouts.HIDDEN])
    for name in ("minimal.de", "minimal.standard.de", "minimal.standard.live", "minimal.enhanced-secureboot"):
        bench.below("casper", name)


def modules_of_live_boot(bench: Bench) -> None:
    """More layers than loop devices exist beforehand, in an order of their own."""
    squashfs(bench.system("core"), bench.medium / "live/core.squashfs", packed="lz4")
    names = [f"part{number}" for number in range(9, 0, -1)]
    for name in names:
        bench.below("live", name)
    bench.below("live", "not-listed")
    listed = [f"{name}.squashfs\n" for name in ("core", *names)]
    write_files(bench.medium, {"live/filesystem.module": "".join(listed)})


LAYOUTS = {
    "dracut plain": Layout(
        dracut_plain, "root=live:LABEL=X rd.live.image", "dracut", ("/LiveOS/squashfs.img",)
    ),
    "dracut elsewhere": Layout(
        dracut_elsewhere,
        "root=live:LABEL=X rd.live.image rd.live.dir=/second rd.live.squashimg=system.img",
        "dracut",
        ("/second/system.img",),
    ),
    "dracut erofs": Layout(
        dracut_erofs, "root=live:LABEL=X rd.live.image", "dracut", ("/LiveOS/squashfs.img",)
    ),
    "kiwi": Layout(kiwi, "root=live:CDLABEL=CDROM rd.live.image", "dracut", ("/LiveOS/squashfs.img",)),
    "archiso": Layout(
        archiso, "archisobasedir=arch archisosearchuuid=1", "archiso", ("/arch/x86_64/airootfs.sfs",)
    ),
    "casper": Layout(
        layered_casper,
        "quiet splash ---",
        "casper",
        (
            "/casper/minimal.standard.live.squashfs",
            "/casper/minimal.standard.squashfs",
            "/casper/minimal.squashfs",
        ),
        "minimal minimal.standard minimal.standard.live",
        "",
    ),
    "live-boot modules": Layout(
        modules_of_live_boot,
        "boot=live components",
        "live-boot",
        (*(f"/live/part{number}.squashfs" for number in range(1, 10)), "/live/core.squashfs"),
        "core part1 part2 part3 part4 part5 part6 part7 part8 part9",
    ),
}


def boot(layout: Layout, payload: Path, tmp_path: Path, sources: Sources) -> None:
    bench = Bench(sources, tmp_path / "scratch", tmp_path / "medium")
    layout.make(bench)
    (bench.medium / "boot/grub").mkdir(parents=True)
    # its own kernel is there, so that a live system that cannot be started has somewhere to go
    (bench.medium / "boot/vmlinuz").write_bytes((payload / "vmlinuz").read_bytes())
    menu = f"menuentry live {{ linux /boot/vmlinuz {layout.arguments}; }}\n"
    write_files(bench.medium, {"boot/grub/grub.cfg": menu})
    image = layouts.iso(bench.medium, tmp_path / "x.iso", "LAYOUT")
    machine = Machine(payload, tmp_path)
    with machine.interactive({"ISOs/x.iso": image}, "hiperiso_iso=/ISOs/x.iso hiperiso_fallback=1") as person:
        person.wait_for("sample login:", MACHINE_S)
        assert f"layers: {layout.shown}, hidden:{layout.hidden}\r\n" in person.received
        person.type("root\r")
        person.wait_for("# ", MACHINE_S)
        person.type("echo x >/etc/hostname && poweroff\r")
        person.wait_for("Power down", MACHINE_S)
    data = handover(check_handed_over(*machine.stick().session()))
    assert (data["way"], data["kind"], data["tried"]) == ("live", layout.kind, [])
    assert data["files"] == list(layout.images)


def test_dracut_with_an_image_in_an_image(payload: Path, tmp_path: Path, sources: Sources) -> None:
    images = ("/LiveOS/squashfs.img",)
    layout = Layout(dracut_with_an_image_inside, "root=live:CDLABEL=X rd.live.image", "dracut", images)
    boot(layout, payload, tmp_path, sources)


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str, payload: Path, tmp_path: Path, sources: Sources) -> None:
    boot(LAYOUTS[name], payload, tmp_path, sources)
