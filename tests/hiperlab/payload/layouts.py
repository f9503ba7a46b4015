"""Media as distributions lay their live systems out, small: busybox instead of a desktop, packed without root.

Every layer has a file below ``/etc/layers`` whose text is its name; the system shows them when it starts, and asks for
a login at the serial line.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hiperlab.debian.packages import Sources
from hiperlab.initramfs.stage import stage
from hiperlab.samples.guests import GETTY_SERIAL, busybox_system
from hiperlab.samples.iso import initramfs_entries
from hiperlab.samples.model import Initramfs
from waiting import DEADLINE_S

SHOW_LAYERS = "::sysinit:/bin/sh -c 'echo layers: $(cat /etc/layers/*), hidden: $(ls /etc/hidden)'"
SYSTEM = busybox_system(SHOW_LAYERS, GETTY_SERIAL)
HIDDEN = "etc/hidden/by-the-layer-above"


def system_folder(folder: Path, sources: Sources, *, layer: str = "root") -> Path:
    """The whole system as files; device nodes are created at its start."""
    folder.mkdir(parents=True)
    stage(initramfs_entries(Initramfs(SYSTEM.files, links=SYSTEM.links), sources), folder)
    return write_files(folder, {f"etc/layers/{layer}": f"{layer}\n", HIDDEN: ""})


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Texts by their paths below a folder, which is made."""
    for name, text in files.items():
        path = folder / name
        assert path.is_relative_to(folder), f"{name} leads out of {folder}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def squashfs(folder: Path, image: Path, *, packed: str = "gzip", hides: Sequence[str] = ()) -> Path:
    """A folder as a squashfs; what it `hides` of the layers below is a device node 0:0, as overlayfs has it."""
    image.parent.mkdir(parents=True, exist_ok=True)
    nodes = [option for path in hides for option in ("-p", f"{path} c 0 0 0 0 0")]
    _run(
        "mksquashfs",
        folder,
        image,
        "-noappend",
        "-all-root",
        "-quiet",
        "-no-progress",
        "-comp",
        packed,
        *nodes,
    )
    return image


def layer(name: str, image: Path, scratch: Path, *, hides: Sequence[str] = ()) -> Path:
    """A squashfs with only the file that contains its name."""
    folder = write_files(scratch / f"layer-{name}", {f"etc/layers/{name}": f"{name}\n"})
    for path in hides:  # mksquashfs makes no directories for device nodes
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    return squashfs(folder, image, hides=hides)


def ext4(folder: Path, image: Path, *, size_mb: int = 16) -> Path:
    """A folder as an ext4 file system with a journal."""
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(size_mb << 20)
    _run("mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", folder, image)
    return image


def as_if_in_use(image: Path) -> None:
    """An ext4 image says from now on that its journal has to be replayed."""
    _run("debugfs", "-w", "-R", "feature needs_recovery", image)


def iso(medium: Path, image: Path, label: str) -> Path:
    """A folder as an ISO with the names of Rock Ridge; nothing on it is bootable by firmware."""
    _run("xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-V", label, "-o", image, medium)
    return image


def cut_off(image: Path, left_bytes: int) -> Path:
    """The same file, as a download that broke off."""
    assert image.stat().st_size > left_bytes
    os.truncate(image, left_bytes)
    return image


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=DEADLINE_S)
