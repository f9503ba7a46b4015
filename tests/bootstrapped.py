"""Systems and images made by the tools of a distribution, each once, below the cache of packages.

They need root, a mirror and minutes, so only slow tests use them. No other part of this machine is touched.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from hiperlab.places import package_cache

SUITE = "bookworm"
BUILD_TIMEOUT_S = 3600


def mirror() -> str:
    """The mirror of the distribution that apt uses on this machine."""
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    for line in run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines():
        address, *suite = line.split()
        if suite == [SUITE, "main"]:
            return address
    raise AssertionError(f"apt has no mirror of {SUITE}")


def enter(root: Path, script: str) -> None:
    """Run a script in a system, in a mount namespace of its own."""
    mounts = "mount -t proc proc /proc; mount -t sysfs sys /sys"
    path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive"
    argv = ["unshare", "--mount", "--propagation", "private", "chroot", root, "sh", "-ec"]
    run(*argv, f"export {path}; {mounts}; {script}")


def run(*argv: object, cwd: Path | None = None) -> str:
    """Run a tool; returns its output."""
    done = subprocess.run(
        list(map(str, argv)),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=BUILD_TIMEOUT_S,
    )
    assert done.returncode == 0, f"{' '.join(map(str, argv))}: {(done.stdout + done.stderr)[-3000:]}"
    return done.stdout


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The file or directory `name` below the cache; `make` writes it to another place first."""
    path = package_cache().parent / "images" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{name}.new")
        if new.is_dir():
            shutil.rmtree(new)
        new.unlink(missing_ok=True)
        make(new)
        new.rename(path)
    return path
