"""The cost of reading a guest's memory, against its bounds.

1. A search for kernels in a guest of 1 GB that has 300 MB of data and no Linux.
2. A whole boot under QEMU (TCG), polled at the default rate: share of one core while there is no Linux yet and once
   there is, the longest poll, and how late the first record can have been seen.
3. An empty poll; the index of symbols and types; a list of processes.

``--check`` exits with 1 if a bound is exceeded.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hiperiso.images import cpio
from hiperiso.observe.memory import POLL_INTERVAL_S, GuestRam, KernelLogWatcher, TaskReader, index_kernel
from hiperlab.debian.packages import KERNEL, Sources
from hiperlab.places import package_cache
from hiperlab.samples import guests
from hiperlab.samples.iso import initramfs_entries

RAM_MB = 1024
SETTLE_S = 10.0
LONGEST_BOOT_S = 240.0


@dataclass(frozen=True)
class Result:
    """One line of the report."""

    name: str
    value: float
    unit: str
    bound: float | None = None

    @property
    def held(self) -> bool:
        return self.bound is None or self.value <= self.bound

    def __str__(self) -> str:
        bound = "" if self.bound is None else f"   bound {self.bound:g} {self.unit}"
        return f"{self.name:48} {self.value:9.3f} {self.unit:4}{bound}{'' if self.held else '   NOT HELD'}"


def median_ms(action: Callable[[], object], times: int) -> float:
    """Median processor time of an action in milliseconds, after one that does not count."""
    action()
    took = []
    for _ in range(times):
        start = time.thread_time()
        action()
        took.append(time.thread_time() - start)
    return statistics.median(took) * 1e3


def search_without_linux() -> list[Result]:
    fd = os.memfd_create("guest-ram")
    os.ftruncate(fd, RAM_MB << 20)
    piece = os.urandom(1 << 20)
    for megabyte in range(0, 900, 3):
        os.pwrite(fd, piece, megabyte << 20)
    ram = GuestRam(fd)
    cost = median_ms(lambda: KernelLogWatcher(ram).poll(0.0), 20)
    ram.close()
    os.close(fd)
    return [Result("search, 1 GB guest with 300 MB of data", cost, "ms", 20)]


def whole_boot(folder: Path) -> list[Result]:
    sources = Sources(cache=package_cache())
    initrd = folder / "initrd.gz"
    initrd.write_bytes(cpio.compressed(initramfs_entries(guests.LOGIN, sources)))
    fd = os.memfd_create("guest-ram")
    os.ftruncate(fd, RAM_MB << 20)
    ram = f"memory-backend-file,id=ram,size={RAM_MB}M,share=on,mem-path=/proc/self/fd/{fd}"
    argv = [
        *("qemu-system-x86_64", "-machine", "q35,accel=tcg,memory-backend=ram", "-cpu", "max", "-smp", "1"),
        *("-m", f"{RAM_MB}M", "-object", ram, "-display", "none", "-nic", "none", "-monitor", "none"),
        *("-kernel", str(sources.find(KERNEL)), "-initrd", str(initrd), "-append", "quiet"),
    ]
    with subprocess.Popen(argv, pass_fds=[fd], stdin=subprocess.DEVNULL) as qemu:
        try:
            return observe(GuestRam(fd))
        finally:
            qemu.kill()
            os.close(fd)


def observe(ram: GuestRam) -> list[Result]:
    watcher = KernelLogWatcher(ram)
    before: list[tuple[float, float]] = []  # when, processor time
    since: list[tuple[float, float]] = []
    records = 0
    start_s = time.monotonic()
    settled_s = None
    while settled_s is None or time.monotonic() < settled_s:
        now_s = time.monotonic()
        if now_s > start_s + LONGEST_BOOT_S:
            raise SystemExit("the guest did not boot")
        cpu_s = time.thread_time()
        new = watcher.poll(now_s)
        (since if records else before).append((now_s, time.thread_time() - cpu_s))
        records += len(new)
        if settled_s is None and any("Run /init" in record.text for record in new):
            settled_s = now_s + SETTLE_S
        time.sleep(POLL_INTERVAL_S)
    found = watcher.found[0]
    searches = [when for when, cost in before if cost > 1e-4 and when < found.found_s]
    index_ms = median_ms(lambda: index_kernel(found.memory), 3)
    reader = TaskReader(found.memory, index_kernel(found.memory))
    return [
        Result("first record seen later than possible, at most", found.found_s - searches[-1], "s", 1.0),
        Result("share of one core while there is no Linux", share(before), "%", 2),
        Result("share of one core once there is", share(since), "%", 2),
        Result("longest poll of the boot", max(cost for _, cost in before + since) * 1e3, "ms"),
        Result("median poll once located", statistics.median(cost for _, cost in since) * 1e3, "ms", 5),
        Result("empty poll", median_ms(lambda: watcher.poll(found.found_s), 200), "ms", 1),
        Result(
            f"whole log again ({records} records)",
            median_ms(lambda: KernelLogWatcher(ram).poll(0.0), 10),
            "ms",
        ),
        Result("index of symbols and types, once a kernel", index_ms, "ms", 300),
        Result(f"list of {len(reader.read())} processes", median_ms(reader.read, 20), "ms", 10),
    ]


def share(polls: list[tuple[float, float]]) -> float:
    """Processor time in percent of the time they took."""
    span_s = polls[-1][0] - polls[0][0] + POLL_INTERVAL_S
    return 100 * sum(cost for _, cost in polls) / span_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is exceeded")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = [*search_without_linux(), *whole_boot(Path(folder))]
    for result in results:
        print(result)
    return int(options.check and not all(result.held for result in results))


if __name__ == "__main__":
    sys.exit(main())
