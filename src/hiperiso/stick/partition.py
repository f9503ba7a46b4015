"""The data partition for the recorder: writable at /mnt/usb, its directories under the names of the contract.

A session on the stick contains ``/ISOs/x.iso`` and ``/hiperiso/logs/...``: paths from the root of the data partition.
So that the recorder can use these, the first directory of each is linked into the root of the initramfs, unless it
already contains that name.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from hiperiso.config.menu import MenuList
from hiperiso.contract.stick import DATA_MOUNT
from hiperiso.errors import HarnessFault

_MAX_ISOS = 1000
_MAX_FOUND = 100_000
_SHM: Final = Path("/dev/shm")  # noqa: S108 - this is where it gets mounted
_CPU_MODULES: Final = (("svm", "kvm_amd"), ("vmx", "kvm_intel"))
_TIMEOUT_S = 120.0

Run = Callable[[Sequence[str]], str]
"""Runs a program to its end; returns ``""``, or its output if it failed."""


def run(argv: Sequence[str]) -> str:
    """Run a program of the initramfs; returns ``""``, or the reason of its failure."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{argv[0]}: {error}"
    fault = (done.stderr or done.stdout).decode(errors="replace").strip()
    return "" if done.returncode == 0 else fault or f"{argv[0]} ended with {done.returncode}"


def open_partition(source: str, *, target: Path = DATA_MOUNT, run: Run = run) -> None:
    """Bind-mount `source` at `target` and make it writable.

    Raises:
        HarnessFault: it cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    for argv in (("mount", "--bind", source, str(target)), ("mount", "-o", "remount,rw", str(target))):
        if why := run(argv):
            raise HarnessFault(
                f"the data partition cannot be made writable: {why}",
                hint="check it on a workstation: hiperiso stick verify",
            )


def close_partition(sources: Sequence[str], *, target: Path = DATA_MOUNT, run: Run = run) -> None:
    """Sync and unmount the partition; remount it read-only if it is still in use."""
    os.sync()
    for place in (str(target), *sources):
        if run(("umount", place)):
            run(("mount", "-o", "remount,ro", place))


def make_readonly(*, target: Path = DATA_MOUNT, run: Run = run) -> str:
    """Sync and remount the partition read-only; returns ``""``, or the reason of the failure."""
    os.sync()
    return run(("mount", "-o", "remount,ro", str(target)))


def prepare_host(*, run: Run = run, cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Shared memory for the guest's RAM, and the KVM module of this processor."""
    _SHM.mkdir(exist_ok=True)
    if not os.path.ismount(_SHM):
        run(("mount", "-t", "tmpfs", "-o", "mode=1777,size=95%", "shm", str(_SHM)))
    flags = _flags(cpuinfo)
    for flag, module in _CPU_MODULES:
        if flag in flags:
            run(("modprobe", "-q", module))


def mute_kernel(level: str = "1", *, printk: Path = Path("/proc/sys/kernel/printk")) -> str:
    """Set from which level the kernel prints on the consoles, by default only when the system is unusable: its
    messages would stand within the log of the stages. ``dmesg`` has them all.

    Returns:
        The level before, for the end; ``""`` if it cannot be changed.
    """
    try:
        before = printk.read_text().split()[0]
        printk.write_text(level or before)
    except (OSError, IndexError):
        return ""
    return before


def expose(data: Path, path: str, *, root: Path = Path("/")) -> Path:
    """The path at which `path` of the data partition is accessible: the same one, below `root`, if possible."""
    first = path.lstrip("/").partition("/")[0]
    link = root / first
    if not first:
        return data
    if not os.path.lexists(link):
        link.symlink_to(data / first)
    own = link.is_symlink() and link.readlink() == data / first
    return root / path.lstrip("/") if own else data / path.lstrip("/")


def find_isos(data: Path, menu: MenuList) -> list[str]:
    """Absolute paths on the data partition of the ISOs that the boot menu lists, in its order; the first thousand."""
    found = _isos(data, "" if menu.search_root == "/" else menu.search_root, menu)
    return menu.in_order(islice(found, _MAX_FOUND))[:_MAX_ISOS]


def available_mb(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Memory available without swapping in MB (MiB); 0 when unknown."""
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match[1]) // 1024 if match else 0


def _isos(data: Path, folder: str, menu: MenuList) -> Iterator[str]:
    """Symbolic links are skipped: they could lead off the stick."""
    try:
        entries = list(os.scandir(data / folder.lstrip("/")))
    except OSError:
        return
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if menu.enters(path):
                yield from _isos(data, path, menu)
        elif entry.is_file(follow_symlinks=False) and menu.shows(path):
            yield path


def _flags(cpuinfo: Path) -> set[str]:
    try:
        match = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return set()
    return set(match[1].split()) if match else set()
