"""Performs a plan: everything that can fail is done before the hand-over.

::

    /run/hiperiso/iso            link to the ISO file       (a link, because mount reads a "#" in a name as an offset)
    /run/hiperiso/medium         the ISO, mounted
    /run/hiperiso/layer0 ...     the images of the live system, the top one first
    /run/hiperiso/rw             tmpfs: what the live system writes
    /run/hiperiso/root           the overlay of all of it: the new root
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

from bootchain.init.switchroot import SwitchError, choose_init
from hiperiso.errors import HarnessFault
from hiperiso.iso.tree import MountedTree, resolve_below
from hiperiso.stick.direct.kexec import load_kernel
from hiperiso.stick.direct.live import SQUASHFS_MAGIC
from hiperiso.stick.direct.plan import KexecPlan, LivePlan
from hiperiso.stick.partition import Run, run

WORKSHOP: Final = Path("/run/hiperiso")
MODULES: Final = Path("/lib/modules")
NEW_ROOT: Final = "root"

_DRIVERS: Final = ("loop", "isofs", "udf", "squashfs", "erofs", "overlay", "ext4")
_IMAGE_INSIDE: Final = ("/LiveOS/rootfs.img", "/LiveOS/ext3fs.img")
"""Where the image of the root file system is in older squashfs images of dracut. Source: dracut.cmdline(7)."""

_FOLDER_INSIDE: Final = "LiveOS"
"""A squashfs image that contains only this directory has an image inside."""

_SQUASHFS_HEAD_BYTES: Final = 48
_SQUASHFS_USED: Final = slice(40, 48)
"""The total size in bytes. Source: "The SquashFS archive format" (dr-emann.github.io/squashfs), superblock."""

_ELF_X86: Final = (3, 62)  # EM_386, EM_X86_64
_SHM: Final = "/dev/shm"  # noqa: S108 - of the stick; the live system mounts one of its own


class MountedIso:
    """An ISO, mounted. `close` unmounts everything mounted here."""

    def __init__(self, iso: Path, *, workshop: Path = WORKSHOP, run: Run = run) -> None:
        self._iso = iso
        self._workshop = workshop
        self._run = run
        self._mounted: list[Path] = []

    def open(self) -> MountedTree:
        """Mount the ISO; returns its files.

        Raises:
            HarnessFault: it cannot be mounted.
        """
        self._workshop.mkdir(parents=True, exist_ok=True)
        for name in _DRIVERS:
            self._run(("modprobe", "-q", name))
        trees = []
        for kind in ("iso9660", "udf"):
            place = self._workshop / f"medium-{kind}"
            if why := self._mount_image(self._iso, place, "-t", kind):
                trouble = why
                continue
            trees.append(MountedTree.scan(place))
        if not trees:
            raise HarnessFault(f"the ISO cannot be mounted: {trouble}")
        return max(trees, key=len)  # Windows media show a single file to readers without UDF support

    def close(self) -> None:
        """Unmount everything, in reverse order."""
        while self._mounted:
            place = str(self._mounted.pop())
            if self._run(("umount", place)):
                self._run(("umount", "-l", place))

    def prepare_live(self, plan: LivePlan, tree: MountedTree) -> Path:
        """Mount a live system; returns its root, ready to switch to.

        Raises:
            HarnessFault: not a live system, or it cannot be mounted; nothing stays mounted.
        """
        count = len(self._mounted)
        try:
            layers = [
                self._layer(tree.host_path(path), number) for number, path in enumerate(plan.image.layers)
            ]
            root = self._overlay(layers)
            check_system(root)
            take_modules_along(root)
        except (HarnessFault, OSError) as error:
            while len(self._mounted) > count:
                self._run(("umount", str(self._mounted.pop())))
            raise HarnessFault(
                f"{plan.image.name} is not a live system that can be started: {error}"
            ) from None
        self._run(("umount", _SHM))
        return root

    def prepare_kexec(
        self, plan: KexecPlan, tree: MountedTree, load: Callable[[Path, list[Path], str], None] = load_kernel
    ) -> None:
        """Load the ISO's own kernel.

        Raises:
            HarnessFault: it cannot be loaded.
        """
        initrds = [tree.host_path(path) for path in plan.entry.initrds]
        load(tree.host_path(plan.entry.kernel), initrds, plan.arguments)

    def _layer(self, image: Path, number: int) -> Path:
        place = self._workshop / f"layer{number}"
        if why := self._mount_system(image, place):
            raise HarnessFault(f"cannot mount {image.name}: {cut_off(image) or why}")
        for path in _IMAGE_INSIDE:
            inside = resolve_below(place, path)
            if inside.is_file():
                below = self._workshop / f"layer{number}-inside"
                if why := self._mount_system(inside, below):
                    raise HarnessFault(f"cannot mount {path} of {image.name}: {why}")
                return below
        with os.scandir(place) as entries:
            first = [entry.name for entry in islice(entries, 2)]
        if first == [_FOLDER_INSIDE]:
            raise HarnessFault(f"{image.name} has no {' or '.join(_IMAGE_INSIDE)}")
        return place

    def _overlay(self, layers: list[Path]) -> Path:
        memory, root = self._workshop / "rw", self._workshop / NEW_ROOT
        self._mount(memory, "-t", "tmpfs", "-o", "mode=0755", "overlay")
        upper, work = memory / "upper", memory / "work"
        upper.mkdir()
        work.mkdir()
        upper.chmod(layers[0].stat().st_mode & 0o7777)
        options = f"lowerdir={':'.join(map(str, layers))},upperdir={upper},workdir={work}"
        self._mount(root, "-t", "overlay", "-o", options, "overlay")
        return root

    def _mount_system(self, image: Path, place: Path) -> str:
        """The same for an image that may be ext4, copied while mounted: its journal cannot be replayed on a medium.

        Source: Documentation/admin-guide/ext4.rst, ``noload``.
        """
        why = self._mount_image(image, place)
        return why and self._mount_image(image, place, "-t", "ext4", "-o", "noload") and why

    def _mount_image(self, image: Path, place: Path, *options: str) -> str:
        """``""``, or why it cannot be mounted."""
        link = place.with_name(f"{place.name}.image")
        link.unlink(missing_ok=True)
        link.symlink_to(image)
        place.mkdir(exist_ok=True)
        why = self._run(("mount", *options, "-o", "ro,loop", str(link), str(place)))
        if not why:
            self._mounted.append(place)
        return why

    def _mount(self, place: Path, *words: str) -> None:
        place.mkdir(exist_ok=True)
        if why := self._run(("mount", *words, str(place))):
            raise HarnessFault(f"cannot mount {place.name}: {why}")
        self._mounted.append(place)


def cut_off(image: Path) -> str:
    """A message if a squashfs image is truncated; ``""`` if it is not, or is not squashfs.

    Raises:
        OSError: it cannot be read.
    """
    with image.open("rb") as file:
        head = file.read(_SQUASHFS_HEAD_BYTES)
    size, used = image.stat().st_size, int.from_bytes(head[_SQUASHFS_USED], "little")
    if head[:4] != SQUASHFS_MAGIC or len(head) < _SQUASHFS_HEAD_BYTES or size >= used:
        return ""
    return f"it is truncated, {size} of {used} bytes exist"


def check_system(root: Path) -> None:
    """Check whether a directory contains a system that this kernel can run.

    Raises:
        HarnessFault: it has no init, or one for another processor.
        OSError: it cannot be read.
    """
    try:
        init = choose_init(str(root), "")
    except SwitchError as error:
        raise HarnessFault(str(error)) from None
    with resolve_below(root, init).open("rb") as file:
        head = file.read(20)
    if head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") not in _ELF_X86:
        raise HarnessFault(f"{init} is made for another processor")


def take_modules_along(root: Path, modules: Path = MODULES, release: str = "") -> None:
    """Copy the modules of the running kernel into a system that has only its own, so that devices that are
    plugged in later find their drivers.

    Raises:
        OSError: they cannot be copied.
    """
    release = release or os.uname().release
    source = modules / release
    target = resolve_below(root, f"/lib/modules/{release}")
    if source.is_dir() and not target.exists():
        shutil.copytree(source, target, symlinks=True)
