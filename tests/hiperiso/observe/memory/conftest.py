from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from guest_memory.images import FIXTURES, load_image, sparse_file
from guest_memory.synthetic import Memory
from hiperiso.observe.memory import GuestRam


@pytest.fixture
def memory() -> Iterator[Memory]:
    made = Memory()
    yield made
    made.close()


@pytest.fixture
def open_image() -> Iterator[Callable[[str], GuestRam]]:
    """Opens the image of a fixture as a guest's memory."""
    opened: list[tuple[GuestRam, int]] = []

    def open_one(name: str) -> GuestRam:
        pages, ram_bytes, below = load_image(FIXTURES / f"{name}.image.gz")
        fd = sparse_file(pages, ram_bytes, below)
        opened.append((GuestRam(fd, below_4g_bytes=below), fd))
        return opened[-1][0]

    yield open_one
    for ram, fd in opened:
        ram.close()
        os.close(fd)
