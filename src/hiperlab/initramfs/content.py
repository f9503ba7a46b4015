"""The content of an ISO with bootchain, as values for sample recipes."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass, field
from pathlib import Path

from bootchain.initramfs import files
from hiperiso.images import cpio
from hiperlab.debian.packages import BUSYBOX, Sources, digest
from hiperlab.initramfs.build import BASH, InitramfsSpec, initramfs_entries
from hiperlab.initramfs.kernel import find_kernel
from hiperlab.initramfs.stage import stage
from hiperlab.run import run_text
from hiperlab.samples.iso import initramfs_entries as busybox_entries
from hiperlab.samples.model import Built, Initramfs


@dataclass(frozen=True)
class GenericKernel(Built):
    """The kernel whose modules are in a :class:`BootchainInitramfs`."""

    def data(self, sources: Sources, scratch: Path) -> bytes:  # noqa: ARG002 -- the file exists already
        """Returns the kernel image."""
        return find_kernel(sources).image.read_bytes()

    def identity(self, sources: Sources) -> str:
        """Returns its release."""
        return find_kernel(sources).release


@dataclass(frozen=True)
class BootchainInitramfs(Built):
    """An initramfs with bootchain."""

    spec: InitramfsSpec = field(default_factory=InitramfsSpec)

    def data(self, sources: Sources, scratch: Path) -> bytes:
        """Returns the archive, compressed with gzip."""
        folder = scratch / "initramfs"
        folder.mkdir()
        return cpio.compressed(initramfs_entries(self.spec, sources, find_kernel(sources), folder), level=3)

    def identity(self, sources: Sources) -> str:
        """Returns a hash over bootchain and the included programs."""
        total = hashlib.sha256(find_kernel(sources).release.encode())
        for target, path, mode in files():
            total.update(f"\0{target}\0{mode}\0".encode() + Path(path).read_bytes())
        for module in sorted(Path(__file__).parent.glob("*.py")):  # the code that builds it
            total.update(module.read_bytes())
        for asset in (BUSYBOX, BASH):
            total.update(digest(sources.find(asset)).encode())
        return total.hexdigest()


@dataclass(frozen=True)
class Squashfs(Built):
    """A busybox system as a squashfs image."""

    system: Initramfs

    def data(self, sources: Sources, scratch: Path) -> bytes:
        """Returns the image, created without root: device nodes come from a list."""
        folder, image, nodes = scratch / "squashfs-tree", scratch / "squashfs", scratch / "squashfs-nodes"
        folder.mkdir()
        lines = []
        for entry in stage(busybox_entries(self.system, sources), folder):
            major, minor = entry.device
            lines.append(f"{entry.name} c {stat.S_IMODE(entry.mode):o} 0 0 {major} {minor}\n")
        nodes.write_text("".join(lines))
        options = ["-noappend", "-all-root", "-no-progress", "-quiet", "-comp", "gzip", "-pf", str(nodes)]
        run_text(["mksquashfs", str(folder), str(image), *options], package="squashfs-tools")
        return image.read_bytes()

    def identity(self, sources: Sources) -> str:
        """Returns a hash over its programs; its files are part of the recipe."""
        return digest(sources.find(BUSYBOX))
