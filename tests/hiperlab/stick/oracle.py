"""What other programs say of an image: the checks that our own code is measured by."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from waiting import DEADLINE_S

ENVIRONMENT = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


def run(*argv: str | Path, accept: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        [str(word) for word in argv], capture_output=True, env=ENVIRONMENT, timeout=DEADLINE_S, check=False
    )
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode in accept, f"{argv}: {done.returncode}: {text}"
    return text


def cut(image: Path, offset_bytes: int, size_bytes: int, to: Path) -> Path:
    """A partition as a file of its own."""
    with image.open("rb") as source, to.open("wb") as target:
        source.seek(offset_bytes)
        while size_bytes > 0:
            chunk = source.read(min(1 << 20, size_bytes))
            assert chunk
            if chunk.count(0) < len(chunk):
                target.write(chunk)
            else:
                target.seek(len(chunk), os.SEEK_CUR)
            size_bytes -= len(chunk)
        target.truncate()
    return to


def fsck_exfat(image: Path) -> str:
    text = run("fsck.exfat", "-n", image)
    assert "clean" in text, text
    return text


def grub_reads(image: Path, path: str) -> bytes:
    """A file of a file system as GRUB's own drivers read it."""
    done = subprocess.run(
        ["grub-fstest", str(image), "cat", f"(loop0){path}"],
        capture_output=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
