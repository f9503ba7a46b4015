"""A guest that starts a kernel at once, without firmware menus or boot loader, with its RAM in a file of ours."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hiperiso.images import cpio
from hiperiso.observe.memory import GuestRam, KernelLogWatcher, KernelRecord
from hiperlab.debian.packages import KERNEL, Sources
from hiperlab.places import package_cache
from hiperlab.samples import default_cache
from hiperlab.samples.iso import initramfs_entries
from hiperlab.samples.model import Initramfs
from waiting import DEADLINE_S, wait_until

POLL_S = 0.25


def stock_kernel() -> Path:
    """The kernel of the samples."""
    return _sources().find(KERNEL)


def write_initrd(path: Path, initramfs: Initramfs) -> Path:
    path.write_bytes(cpio.compressed(initramfs_entries(initramfs, _sources())))
    return path


def _sources() -> Sources:
    default_cache().mkdir(parents=True, exist_ok=True)
    return Sources(cache=package_cache())


@dataclass(frozen=True)
class Seen:
    """A record and the host's time at which it was read."""

    at_s: float
    record: KernelRecord


class Guest:
    """QEMU (TCG) with a kernel; a context manager."""

    def __init__(
        self, folder: Path, *, kernel: Path, initrd: Path | None, arguments: str, ram_mb: int = 1024
    ) -> None:
        self.serial = folder / "serial.log"
        self.fd = os.memfd_create("guest-ram")
        os.ftruncate(self.fd, ram_mb << 20)
        ram = f"memory-backend-file,id=ram,size={ram_mb}M,share=on,mem-path=/proc/self/fd/{self.fd}"
        argv = [
            *(
                "qemu-system-x86_64",
                "-machine",
                "q35,accel=tcg,memory-backend=ram",
                "-cpu",
                "max",
                "-smp",
                "1",
            ),
            *("-m", f"{ram_mb}M", "-object", ram, "-display", "none", "-vga", "std", "-nic", "none"),
            *(
                "-serial",
                f"file:{self.serial}",
                "-monitor",
                "none",
                "-kernel",
                str(kernel),
                "-append",
                arguments,
            ),
            *(("-initrd", str(initrd)) if initrd else ()),
        ]
        self.process = subprocess.Popen(argv, pass_fds=[self.fd], stdin=subprocess.DEVNULL)
        self.ram = GuestRam(self.fd)
        self.watcher = KernelLogWatcher(self.ram)
        self.seen: list[Seen] = []
        self.polls_s: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self.ram.close()
        os.close(self.fd)

    @property
    def serial_bytes(self) -> bytes:
        return self.serial.read_bytes() if self.serial.exists() else b""

    @property
    def records(self) -> list[KernelRecord]:
        return [seen.record for seen in self.seen]

    def poll(self, *, last: bool = False) -> None:
        now_s = time.monotonic()
        cpu_s = time.thread_time()
        new = self.watcher.poll(now_s, last=last)
        self.polls_s.append(time.thread_time() - cpu_s)
        self.seen += [Seen(now_s, record) for record in new]

    def run_until(self, reached: Callable[[], bool], *, timeout_s: float = DEADLINE_S) -> None:
        """Poll at the default rate until it is so."""

        def polled() -> bool:
            if reached():
                return True
            assert self.process.poll() is None, "QEMU ended"
            self.poll()
            return False

        wait_until(
            polled, lambda: f"not reached: {self.serial_bytes[-2000:]!r}", deadline_s=timeout_s, poll_s=POLL_S
        )

    def stop(self) -> None:
        """Stop the machine and read what is left."""
        self.process.kill()
        self.process.wait()
        self.poll(last=True)
