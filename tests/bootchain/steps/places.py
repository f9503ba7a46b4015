"""Real images, and chains of the built-in steps on them in a mount namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from waiting import DEADLINE_S

from ..daemons import ROOM, Daemon, Ended

Attach = Callable[[Path], str]
SHELLS = ("dash", "bash", "ash")


@dataclass
class Chain(Daemon):
    """A daemon whose built-in steps run in one shell, with a look at stage 2 before the namespace goes."""

    shell: str = ""
    after: str = ""
    own_network: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shell:
            self.take_over_shell_steps()

    def argv(self, cmdline: str, *arguments: str) -> list[str]:
        self.root.mkdir(exist_ok=True)
        self.stage2 = not any(step in cmdline for step in ("rootfs", "altboot"))
        look = f'code=0; "$@" || code=$?; cd {self.root}; {self.after or ":"}; exit $code'
        network = ("unshare", "--net") if self.own_network else ()
        self.prefix = (*network, "sh", "-c", look, "sh")
        return super().argv(cmdline, *arguments)

    def run(self, cmdline: str, *arguments: str, timeout_s: float = DEADLINE_S) -> Ended:
        """Run the daemon to its end, as after a fresh boot."""
        for leftover in (self.mnt, self.log.parent, self.root):
            shutil.rmtree(leftover, ignore_errors=True)
        return super().run(cmdline, *arguments, timeout_s=timeout_s)

    def take_over_shell_steps(self) -> None:
        """Run the shipped scripts, unchanged but for the interpreter, which the kernel of the file names."""
        for script in (ROOM.parent / "steps").glob("*.sh"):
            copy = self.steps / script.stem
            first, _, rest = script.read_text().partition("\n")
            copy.write_text(first.replace("/bin/sh", self.interpreter(self.shell)) + "\n" + rest)
            copy.chmod(0o755)

    def out(self) -> str:
        """What ``after`` wrote to ``../out``."""
        return self.place.joinpath("out").read_text()


def run(*argv: str | Path, stdin: bytes = b"") -> str:
    done = subprocess.run(
        [str(word) for word in argv],
        check=True,
        input=stdin,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return done.stdout.decode(errors="surrogateescape")


def tree(directory: Path, files: dict[str, str]) -> Path:
    """Write files; returns the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def squashfs(path: Path, files: dict[str, str]) -> Path:
    """Make a squashfs image of these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tree(path.with_name(path.name + ".tree"), files)
    run("mksquashfs", source, path, "-noappend", "-quiet", "-no-progress", "-all-root")
    return path


def ext4(
    path: Path, source: Path | None = None, *, size_kib: int = 1024, options: tuple[str, ...] = ()
) -> Path:
    """Make an ext4 image, with the files of a directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    filled = ("-d", str(source)) if source else ()
    run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", *options, *filled, path, f"{size_kib}k")
    return path
