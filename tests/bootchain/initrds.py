"""An initramfs in a directory: bootchain where initramfs.py puts it, and nothing of this machine but its programs.

The daemon runs there with all of its defaults: ``/dev/bootchain``, ``/.initrd/initenv``, ``/lib/bootchain``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bootchain.initramfs import LIB, files

from .daemons import Ended

PACKAGE = "/srv/bootchain"
"""In place of LIB: /usr is that of this machine."""
LABEL = f"M{os.getpid()}"
"""The label of this process's medium: every process of the machine sees every loop device."""

_ENTER = r"""
set -e
cd "$TOP"
for place in usr "${PYTHON#/}"; do
	mkdir -p "$place"
	mount --rbind "/$place" "$place"
done
mount -t ramfs dev dev
for node in null:1:3 zero:1:5 full:1:7 urandom:1:9 tty:5:0 loop-control:10:237; do
	mknod "dev/${node%%:*}" c $(echo "${node#*:}" | tr : ' ')
done
for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do mknod "dev/loop$n" b 7 "$n"; done
mount -t proc proc proc
mount --rbind /sys sys
export PATH=/sbin:/usr/sbin:/bin:/usr/bin
code=0
chroot . "$@" || code=$?
[ -z "$THEN" ] || chroot . /bin/sh -c "$THEN"
exit "$code"
"""


@dataclass
class Initrd:
    """One initramfs. ``python`` is the installation that has the interpreter."""

    top: Path
    python: Path = field(default_factory=lambda: Path(sys.base_prefix))

    def __post_init__(self) -> None:
        for place in (
            "bin",
            "sbin",
            "dev",
            "proc",
            "sys",
            "tmp",
            "etc/sysconfig",
            "lib/bootchain",
            "lib/pipeline",
        ):
            (self.top / place).mkdir(parents=True)
        for link in ("x86_64-linux-gnu", "aarch64-linux-gnu"):
            if Path("/usr/lib", link).is_dir():
                (self.top / "lib" / link).symlink_to(f"/usr/lib/{link}")
        (self.top / "lib64").symlink_to("usr/lib64")
        for shell in ("sh", "bash"):
            (self.top / "bin" / shell).symlink_to(f"/usr/bin/{shell}")
        (self.top / "bin" / "ash").symlink_to("/usr/bin/busybox")
        for target, source, mode in files():
            copy = self.top / target.replace(LIB, PACKAGE).lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            copy.chmod(mode)

    def step(self, name: str, script: str, *, where: str = "lib/bootchain", shell: str = "/bin/bash") -> None:
        """Write a step-script: the text as it is, below a line ``#!SHELL -efu``."""
        path = self.top / where / name
        path.write_text(f"#!{shell} -efu\n{script}\n")
        path.chmod(0o755)

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run(self, cmdline: str, *, then: str = "", timeout_s: float = 60) -> Ended:
        """Run the daemon to its end, and then a command; ``Ended.stderr`` is the output of that."""
        python = f"{self.python}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        daemon = [python, "-I", "-S", f"{PACKAGE}/bootchain/daemon/__main__.py", "--cmdline", cmdline]
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh", *daemon],
            env={"PATH": os.environ["PATH"], "TOP": str(self.top), "THEN": then, "PYTHON": str(self.python)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        logs = self.top / "var/log"
        records = (logs / "chain.jsonl").read_text().splitlines() if (logs / "chain.jsonl").exists() else []
        text = "".join(path.read_text() for path in sorted(logs.glob("*.log")))
        return Ended(done.returncode, text, done.stdout, [json.loads(line) for line in records])
