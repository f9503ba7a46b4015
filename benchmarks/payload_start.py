"""Measures the cost of the host side of a stick before the guest starts.

Two machines are started in turn, in one run, with the same kernel:

1. bare: an initramfs with only busybox, up to the prompt of its shell;
2. payload: the initramfs of ``hiperiso payload build``, with an ISO on a disk, up to the start of its own QEMU.

The time is measured from the hand-over by the firmware (SeaBIOS logs it on its debug port) to the marker on
the serial port. In addition to the wall time, the CPU time of the emulating QEMU is measured: on a busy computer
it varies less.

``--old REVISION`` builds the payload of an old revision too and starts it in turn with the others.

``--check`` ends with 1 when the payload takes more than twice as long as the bare shell, or 5 % more processor time
than the old one.
"""

from __future__ import annotations

import argparse
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from recording import cpu_seconds, show
from revisions import sources_of

from hiperiso.images import cpio
from hiperlab.debian.packages import Sources
from hiperlab.payload.build import PayloadSpec, build_payload
from hiperlab.places import package_cache
from hiperlab.samples.iso import initramfs_entries
from hiperlab.samples.model import Initramfs
from hiperlab.samples.store import build_sample

BOUND = 2.0
OLD_BOUND = 1.05
TIMEOUT_S = 300.0
HANDED_OVER = b"Booting from ROM"
PROMPT = b"/ # "
LAUNCHED = b"status launching_qemu"
KERNEL = "console=ttyS0 loglevel=4 panic=-1 no_timer_check"
CHAIN = (
    "root=bootchain bootchain=waitdev,mountfs,hiperiso waitdev=LABEL=HIPERISO mountfs=DEVNAME "
    "hiperiso_firmware=bios hiperiso_iso=/ISOs/a.iso hiperiso_guest_ram=256 hiperiso_after=poweroff,0"
)


@dataclass(frozen=True)
class Start:
    """From the hand-over of the firmware to the marker."""

    wall_s: float
    cpu_s: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--payload", type=Path, help="measure this one instead of building one")
    parser.add_argument("--old", metavar="REVISION", help="start the payload of this revision as well")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hiperiso-bench-") as scratch:
        folder = Path(scratch)
        sources = Sources(cache=package_cache())
        payload = options.payload or folder / "payload"
        if options.payload is None:
            build_payload(PayloadSpec(), payload, sources=sources)
        bare = bare_initramfs(folder, sources)
        data = data_partition(folder)
        payloads = {"payload": payload}
        if options.old:
            payloads["old payload"] = old_payload(options.old, folder)
        starts: dict[str, list[Start]] = {name: [] for name in ("shell", *payloads)}
        for number in range(options.runs):
            starts["shell"].append(start(payload / "vmlinuz", bare, KERNEL, PROMPT, []))
            disk = ["-drive", f"if=none,id=d,format=raw,snapshot=on,file={data}"]
            disk += ["-device", "virtio-blk-pci,drive=d"]
            for name, path in payloads.items():
                initramfs = path / "initramfs.cpio.gz"
                starts[name].append(start(path / "vmlinuz", initramfs, f"{KERNEL} {CHAIN}", LAUNCHED, disk))
            took = "; ".join(
                f"{name} {runs[-1].wall_s:.2f} s wall, {runs[-1].cpu_s:.2f} s CPU"
                for name, runs in starts.items()
            )
            print(f"  run {number + 1}: {took}", flush=True)
    wall_s = {name: statistics.median(run.wall_s for run in runs) for name, runs in starts.items()}
    cpu_s = {name: statistics.median(run.cpu_s for run in runs) for name, runs in starts.items()}
    held = show("QEMU's start / shell, wall", wall_s["payload"] / wall_s["shell"], BOUND)
    show("QEMU's start / shell, CPU", cpu_s["payload"] / cpu_s["shell"], BOUND)
    if options.old:
        show("this payload / the old one, wall", wall_s["payload"] / wall_s["old payload"], OLD_BOUND)
        held &= show("this payload / the old one, CPU", cpu_s["payload"] / cpu_s["old payload"], OLD_BOUND)
    return 1 if options.check and not held else 0


def old_payload(revision: str, folder: Path) -> Path:
    """The payload that an old revision builds with the libraries of this environment."""
    code = (
        "import sys; from pathlib import Path\n"
        "from hiperlab.payload.build import PayloadSpec, Sources, build_payload\n"
        "build_payload(PayloadSpec(), Path(sys.argv[1]), sources=Sources(cache=Path(sys.argv[2])))"
    )
    path = folder / "old-payload"
    environment = {**os.environ, "PYTHONPATH": str(sources_of(revision, folder / "old"))}
    argv = [sys.executable, "-c", code, str(path), str(package_cache())]
    subprocess.run(argv, env=environment, check=True)
    return path


def bare_initramfs(folder: Path, sources: Sources) -> Path:
    """A busybox and a shell on the console, nothing else."""
    init = "#!/bin/sh\nexec /bin/sh </dev/console >/dev/console 2>&1\n"
    path = folder / "bare.cpio.gz"
    path.write_bytes(cpio.compressed(initramfs_entries(Initramfs(files={"init": init}, links={}), sources)))
    return path


def data_partition(folder: Path) -> Path:
    """A disk with an ISO on it."""
    tree, image = folder / "data", folder / "data.img"
    (tree / "ISOs").mkdir(parents=True)
    (tree / "ISOs/a.iso").write_bytes(build_sample("login-serial").read_bytes())
    with image.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "HIPERISO", "-d", tree, image], check=True)
    return image


def start(kernel: Path, initramfs: Path, cmdline: str, marker: bytes, more: list[str]) -> Start:
    """Start a machine, and end it at the marker."""
    read, write = os.pipe()
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    argv += ["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1", "-m", "1024"]
    argv += ["-kernel", str(kernel), "-initrd", str(initramfs), "-append", cmdline, "-serial", "stdio"]
    argv += [
        "-chardev",
        f"file,id=fw,path=/dev/fd/{write}",
        "-device",
        "isa-debugcon,iobase=0x402,chardev=fw",
    ]
    with subprocess.Popen(
        [*argv, *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=[write]
    ) as machine:
        os.close(write)
        assert machine.stdout is not None
        try:
            began = wait_for(HANDED_OVER, read, machine.pid)
            ended = wait_for(marker, machine.stdout.fileno(), machine.pid)
        finally:
            machine.kill()
            os.close(read)
    return Start(ended.wall_s - began.wall_s, ended.cpu_s - began.cpu_s)


def wait_for(marker: bytes, descriptor: int, pid: int) -> Start:
    """The clocks when the marker has come."""
    deadline_s = time.monotonic() + TIMEOUT_S
    tail = b""
    while (left_s := deadline_s - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left_s)[0]:
            break
        data = os.read(descriptor, 65536)
        if not data:
            break
        tail = (tail + data)[-65536:]
        if marker in tail:
            return Start(time.monotonic(), cpu_seconds(pid))
    raise SystemExit(f"no {marker.decode()!r}; the last output: {tail[-2000:].decode(errors='replace')}")


if __name__ == "__main__":
    sys.exit(main())
