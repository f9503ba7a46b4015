"""Compact images of guests' memory: the few pages that reading it touches.

::

    image.gz:  one line of JSON {"ram_bytes", "below_4g_bytes", "pages": [physical address, ...]}, then the pages

``python tests/guest_memory/images.py RAM_FILE SERIAL_LOG NAME`` writes the three files of a fixture from the
RAM file of a guest that has booted to its prompt with ``console=ttyS0``: ``NAME.image.gz``, ``NAME.log`` (the kernel's
lines as its serial console printed them) and ``NAME.json`` (index and tasks, as read from the whole memory).
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hiperiso.observe.memory import GuestRam, KernelLogWatcher
from hiperiso.observe.memory.console import read_console
from hiperiso.observe.memory.index import KernelIndex, index_kernel
from hiperiso.observe.memory.ram import PAGE, Unreadable
from hiperiso.observe.memory.tasks import TaskReader

FIXTURES = Path(__file__).parent / "fixtures"
CONSOLE_LINE = re.compile(rb"\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? .*")


class RecordingRam(GuestRam):
    """Remembers the pages that were read."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.touched: set[int] = set()

    def read(self, address: int, size: int) -> bytes:
        data = super().read(address, size)
        self.touched.update(range(address & ~(PAGE - 1), address + size, PAGE))
        return data


def sparse_file(pages: dict[int, bytes], ram_bytes: int, below_4g_bytes: int) -> int:
    """A descriptor of a RAM file with these pages, by physical address; all else is holes."""
    fd = os.memfd_create("guest-ram")
    os.ftruncate(fd, ram_bytes)
    for address, data in pages.items():
        offset = address if address < below_4g_bytes else address - (1 << 32) + below_4g_bytes
        os.pwrite(fd, data, offset)
    return fd


def load_image(path: Path) -> tuple[dict[int, bytes], int, int]:
    """(pages, ram_bytes, below_4g_bytes) of an image."""
    with gzip.open(path) as file:
        head = json.loads(file.readline())
        pages = {address: file.read(PAGE) for address in head["pages"]}
    return pages, head["ram_bytes"], head["below_4g_bytes"]


def console_lines_of(serial: bytes) -> list[bytes]:
    """The kernel's lines in what came from a serial console, also where another program had not ended its line."""
    found = (CONSOLE_LINE.search(line) for line in serial.replace(b"\r", b"").split(b"\n"))
    return [match[0] for match in found if match]


def index_from(data: dict[str, Any]) -> KernelIndex:
    """An index as the JSON of a fixture has it."""
    return KernelIndex(data["build"], data["symbols"], data["offsets"], data["sizes"], tuple(data["missing"]))


def fixture_names() -> list[str]:
    return sorted(path.name.removesuffix(".image.gz") for path in FIXTURES.glob("*.image.gz"))


def _main(ram_file: str, serial_log: str, name: str) -> None:
    fd = os.open(ram_file, os.O_RDONLY)
    ram = RecordingRam(fd)
    watcher = KernelLogWatcher(ram)
    watcher.poll(0.0)
    found = watcher.kernel
    if found is None:
        raise SystemExit("no kernel in this memory")
    touched = set(ram.touched)
    index = index_kernel(found.memory)  # too many pages to keep: its result is kept instead
    ram.touched = touched
    found.memory.forget_translations()
    watcher.poll(0.1)
    kept = {name: getattr(index, name) for name in ("build", "symbols", "offsets", "sizes", "missing")}
    facts: dict[str, Any] = {"release": found.release, "index": kept, "tasks": None}
    try:
        facts["tasks"] = [dataclasses.asdict(task) for task in TaskReader(found.memory, index).read()]
        read_console(found.memory, index)
    except Unreadable as error:
        facts["why"] = str(error)
    lines = console_lines_of(Path(serial_log).read_bytes())
    pages = sorted(_backed(ram, ram.touched))
    head = json.dumps({"ram_bytes": ram.size_bytes, "below_4g_bytes": ram.below_bytes, "pages": pages})
    body = b"".join(GuestRam.read(ram, page, PAGE) for page in pages)
    FIXTURES.mkdir(exist_ok=True)
    image = gzip.compress(head.encode() + b"\n" + body, 9, mtime=0)
    (FIXTURES / f"{name}.image.gz").write_bytes(image)
    (FIXTURES / f"{name}.log").write_bytes(b"".join(line + b"\n" for line in lines))
    (FIXTURES / f"{name}.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    os.close(fd)


def _backed(ram: GuestRam, pages: set[int]) -> Iterator[int]:
    """Those pages that are not all zero: the others need not be kept."""
    return (page for page in pages if GuestRam.read(ram, page, PAGE).strip(b"\0"))


if __name__ == "__main__":
    _main(*sys.argv[1:])
