"""The real init as process 1 of a PID namespace, on a root file system in memory of its own.

/usr comes from this machine, /dev holds a few nodes, /sys is empty, /proc/cmdline is ours: so that nothing reaches
the machine itself. /out of the box is a folder of the test.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
from pathlib import Path
from time import monotonic

import bootchain
from waiting import DEADLINE_S

SOURCE = Path(bootchain.__file__).parent.parent
CONFIG = "mntdir=/run/bootchain\nBC_KMSG=/out/kmsg\nBC_LOG_VT=\nBC_RETRY_DELAY=0.05\nBC_STEPDIR=/steps\n"

_SET_UP = """\
set -e
root=$1 place=$2
mount -t tmpfs -o mode=0755 box "$root"
cp -a "$place/root/." "$root/"
mkdir -p "$root"/usr "$root"/proc "$root"/sys "$root"/dev "$root"/src "$root"/out "$root"/old "$root"/root
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
mount --rbind -o ro /usr "$root/usr"
mount --bind -o ro "$3" "$root/src"
mount --bind "$place/out" "$root/out"
mount -t proc proc "$root/proc"
mount --bind "$place/cmdline" "$root/proc/cmdline"
mount -t tmpfs sys "$root/sys"
mount -t tmpfs dev "$root/dev"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/urandom" c 1 9
touch "$root/dev/console"
mount --bind "$4" "$root/dev/console"
cd "$root"
pivot_root . old
umount -l old
rmdir old
exec chroot . /init word "two words" <dev/console >dev/console 2>&1
"""
_INIT = """\
#!/usr/bin/python3 -IS
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "/src")
from bootchain.init.main import main
sys.exit(main(sys.argv[1:]))
"""
STAGE_2 = """\
mount -t tmpfs stage2 "$destdir"
cd "$destdir"
mkdir -p dev proc sys run bin sbin
cp /usr/bin/busybox bin/busybox
ln -s busybox bin/sh
cat >sbin/init <<'END'
#!/bin/sh
echo "stage 2: pid $$, arguments <$1> <$2>"
/bin/busybox ls /
/bin/busybox cut -d ' ' -f 2 /proc/mounts
[ ! -c /dev/null ] || echo "dev is here"
echo "stage 2: end"
END
chmod +x sbin/init
"""


class Box:
    """One box. Write steps, start it, talk to its console."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.out = place / "out"
        self.root = place / "root"
        for folder in (self.out, self.root / "etc" / "sysconfig", self.root / "steps", place / "mount"):
            folder.mkdir(parents=True)
        (self.out / "kmsg").touch()
        self.file("init", _INIT, 0o755)
        self.file("etc/sysconfig/bootchain", CONFIG)
        for name in ("reboot", "poweroff", "halt"):  # nothing in a box may reach those of the machine
            self.file(f"fake/{name}", f'#!/bin/sh\necho "{name} $*" >>/out/off\n', 0o755)
        self.console = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._master, self._slave = pty.openpty()

    def file(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def step(self, name: str, body: str) -> None:
        self.file(f"steps/{name}", f"#!/bin/sh -efu\n. bootchain-sh-functions\n{body}\n", 0o755)

    def start(self, cmdline: str) -> None:
        (self.place / "cmdline").write_text(f"{cmdline}\n")
        unshare = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        arguments = [str(self.place / "mount"), str(self.place), str(SOURCE), os.ttyname(self._slave)]
        self._process = subprocess.Popen(
            [*unshare, "sh", "-c", _SET_UP, "box", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._slave,
            stderr=self._slave,
            env={"PATH": f"/fake:{os.environ['PATH']}", "HOME": "/"},
        )

    def see(self, text: str, timeout_s: float = DEADLINE_S) -> None:
        """Wait until the console has shown a text."""
        deadline = monotonic() + timeout_s
        while text not in self.console:
            assert monotonic() < deadline, f"{text!r} is not in:\n{self.console}"
            if select.select([self._master], [], [], 0.05)[0]:
                self.console += os.read(self._master, 65536).decode(errors="replace").replace("\r", "")
            elif self._process and self._process.poll() is not None:
                raise AssertionError(
                    f"it ended ({self._process.returncode}) without {text!r}:\n{self.console}"
                )

    def type(self, line: str) -> None:
        os.write(self._master, f"{line}\n".encode())

    def answer(self, command: str) -> str:
        """What a command prints in the rescue shell."""
        begin, end = f"begin{len(self.console)}", f"end{len(self.console)}"
        self.type(f"echo beg''{begin[3:]}; {command}; echo e''{end[1:]}")
        self.see(f"{end}\n")
        return self.console.rpartition(f"{begin}\n")[2].partition(f"{end}\n")[0]

    def signal(self, number: int) -> None:
        """Send a signal to process 1 of the box."""
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        os.kill(int(children.split()[0]), number)

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        os.close(self._master)
        os.close(self._slave)
