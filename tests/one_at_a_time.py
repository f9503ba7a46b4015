"""What must not run twice at once on one machine, for any caller: workers of one run, or two runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Wait until no other process is in a block of this name. The lock ends with its process, however that ends."""
    path = Path(tempfile.gettempdir()) / f"hiperiso-tests-{os.getuid()}-{name}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def virtualises(cpu: str) -> bool:
    """Whether QEMU's emulated processor of this name has AMD's virtualisation."""
    return cpu.startswith("max")


@contextlib.contextmanager
def emulated_virtualisation(cpu: str) -> Iterator[None]:
    """An emulated processor that virtualises stands still for long where it shares a core with another of its kind."""
    with alone("svm") if virtualises(cpu) else contextlib.nullcontext():
        yield
