"""The description of an initramfs with bootchain, and its entries.

::

    /init                         the PID 1 of bootchain
    /bin/busybox and its applets, /bin/bash
    /usr/bin/python3, /usr/lib/python3.N/
    /usr/lib/bootchain/           the package; its programs in /bin and /sbin
    /lib/modules/RELEASE/         modules and their indexes
    /etc/bootchain/modules        loaded at the start
    /etc/sysconfig/bootchain      settings of the daemon and of init
    /lib/bootchain/               custom step-scripts
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bootchain.initramfs import LIB
from hiperiso.errors import HarnessFault
from hiperiso.images import cpio
from hiperlab.debian.packages import Asset, Sources
from hiperlab.initramfs.kernel import DEFAULT_MODULES, Kernel, find_kernel, module_entries
from hiperlab.initramfs.libraries import program_entries
from hiperlab.initramfs.python import python_entries
from hiperlab.samples.iso import initramfs_entries as busybox_entries
from hiperlab.samples.model import Initramfs

BASH = Asset("bash", ("bin/bash", "usr/bin/bash"))
TERMINFO = ("linux", "vt100", "vt102", "vt220", "xterm", "screen", "tmux", "ansi")
LOADED = ("loop", "overlay", "af_packet", "sr_mod", "isofs", "squashfs")
"""Modules without a device alias, or whose device may appear after the first step."""

INIT = f"""\
#!/usr/bin/python3 -IS
import sys

sys.path.insert(0, "{LIB}")
from bootchain.init.main import main

sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class InitramfsSpec:
    """Content in addition to bootchain, busybox, bash and Python.

    Attributes:
        modules: kernel modules, with all they depend on.
        loaded: those that init loads first.
        settings: ``/etc/sysconfig/bootchain``, key by key.
        files: archive name -> text, executable when it starts with ``#!``.
        programs: more programs of this system with their libraries: archive name -> path.
        python_modules: modules of the standard library for custom Python steps.
        interactive: whether full-screen dialogs are available (curses, terminfo).
    """

    modules: tuple[str, ...] = DEFAULT_MODULES
    loaded: tuple[str, ...] = LOADED
    settings: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    python_modules: tuple[str, ...] = ()
    interactive: bool = True


def build_initramfs(
    spec: InitramfsSpec, target: Path, *, sources: Sources, kernel: Kernel | None = None, level: int = 6
) -> Kernel:
    """Write an initramfs, compressed with gzip, and return its kernel.

    Raises:
        HarnessFault: a package or a tool is missing.
    """
    chosen = kernel or find_kernel(sources)
    with tempfile.TemporaryDirectory(prefix=".initramfs-", dir=target.parent) as scratch:
        target.write_bytes(
            cpio.compressed(initramfs_entries(spec, sources, chosen, Path(scratch)), level=level)
        )
    return chosen


def initramfs_entries(
    spec: InitramfsSpec, sources: Sources, kernel: Kernel, scratch: Path
) -> Iterator[cpio.Entry]:
    """Yield all entries of the archive. ``scratch`` is an empty directory.

    Raises:
        HarnessFault: a package or a tool is missing.
    """
    settings = "".join(f"{key}={_quoted(value)}\n" for key, value in spec.settings.items())
    files = {
        "init": INIT,
        "etc/bootchain/modules": "".join(f"{name}\n" for name in spec.loaded),
        "etc/sysconfig/bootchain": settings,
        "etc/passwd": "root::0:0:root:/root:/bin/sh\n",
        "etc/group": "root:x:0:\ntty:x:5:\n",
        **spec.files,
    }
    # The kernel calls /sbin/modprobe by that name.
    base = Initramfs(files=files, links={"sbin/modprobe": "/bin/busybox"})
    seen: set[str] = set()
    parts = (
        busybox_entries(base, sources),
        iter([cpio.directory("var/log"), cpio.directory("lib/bootchain"), *_nodes()]),
        program_entries([("bin/bash", _program(sources, BASH)), *_programs(spec.programs)]),
        python_entries(
            scratch, modules=(*(("curses", "curses.ascii") if spec.interactive else ()), *spec.python_modules)
        ),
        _terminfo() if spec.interactive else iter(()),
        module_entries(kernel, spec.modules, sources, scratch),
    )
    for part in parts:
        for entry in part:
            if entry.name not in seen:  # programs share libraries, packages share directories
                seen.update(str(parent) for parent in PurePosixPath(entry.name).parents)
                seen.add(entry.name)
                yield entry


def _nodes() -> Iterator[cpio.Entry]:
    yield cpio.char_device("dev/ttyS0", 4, 64)
    yield cpio.char_device("dev/tty1", 4, 1)
    yield cpio.char_device("dev/kmsg", 1, 11)


def _terminfo() -> Iterator[cpio.Entry]:
    """The descriptions of common terminals, as far as this system has them."""
    for name in TERMINFO:
        for root in (Path("/lib/terminfo"), Path("/usr/share/terminfo"), Path("/etc/terminfo")):
            path = root / name[0] / name
            if path.is_file():
                yield cpio.regular(f"lib/terminfo/{name[0]}/{name}", path.read_bytes())
                break


def _program(sources: Sources, asset: Asset) -> Path:
    return sources.find(asset).resolve()


def _programs(wanted: Mapping[str, str]) -> list[tuple[str, Path]]:
    found = []
    for name, text in wanted.items():
        path = shutil.which(text)
        if path is None:
            raise HarnessFault(f"{text} is not installed")
        found.append((name, Path(path).resolve()))
    return found


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
