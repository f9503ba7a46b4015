from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest_memory.synthetic import Memory
from hiperiso.observe.memory import GuestRam, Unreadable, i440fx_below_4g_bytes, q35_below_4g_bytes
from hiperiso.observe.memory.ram import parts_beyond

GB = 1 << 30
MAGIC = b"OSRELEAS"


@pytest.fixture
def large() -> Memory:
    return Memory(5 * GB)


def test_ram_above_4g_follows_what_is_below(large: Memory) -> None:
    assert large.ram.below_bytes == 2 * GB
    assert large.ram.offset_of(2 * GB - 1) == 2 * GB - 1
    assert large.ram.offset_of(4 * GB) == 2 * GB
    assert large.ram.address_of(2 * GB) == 4 * GB
    assert large.ram.offset_of(7 * GB - 1) == 5 * GB - 1


@pytest.mark.parametrize("address", [-1, 2 * GB, 4 * GB - 1, 7 * GB, 1 << 64])
def test_what_is_not_ram_cannot_be_read(large: Memory, address: int) -> None:
    with pytest.raises(Unreadable):
        large.ram.read(address, 1)


def test_reads_do_not_cross_the_hole_or_the_end(large: Memory) -> None:
    for last in (2 * GB - 8, 7 * GB - 8):
        assert large.ram.u64(last) == 0
        with pytest.raises(Unreadable):
            large.ram.read(last, 9)
    with pytest.raises(Unreadable):
        large.ram.read(0, -1)
    with pytest.raises(Unreadable):
        large.ram.read(0, 1 * GB)


@pytest.mark.parametrize(
    ("ram_bytes", "q35", "i440fx"),
    [
        (1 * GB, 1 * GB, 1 * GB),
        (0xB0000000 - 4096, 0xB0000000 - 4096, 0xB0000000 - 4096),
        (0xB0000000, 0x80000000, 0xB0000000),
        (0xE0000000, 0x80000000, 0xC0000000),
        (5 * GB, 0x80000000, 0xC0000000),
    ],
)
def test_layouts_of_machines(ram_bytes: int, q35: int, i440fx: int) -> None:
    assert q35_below_4g_bytes(ram_bytes) == q35
    assert i440fx_below_4g_bytes(ram_bytes) == i440fx


def test_pages_are_found_by_their_first_bytes_and_nowhere_else(large: Memory) -> None:
    for address in (0x5000, 64 << 20, 2 * GB - 4096, 4 * GB, 7 * GB - 4096):
        large.write(address, MAGIC)
    large.write(0x9008, MAGIC)  # not at the start of a page
    large.write(0xA004, MAGIC)
    large.write(0xB000, MAGIC[:7])
    assert list(large.ram.pages_starting(MAGIC)) == [0x5000, 64 << 20, 2 * GB - 4096, 4 * GB, 7 * GB - 4096]


def test_a_search_allocates_nothing(large: Memory) -> None:
    large.write(3 << 20, MAGIC)
    large.write(1 * GB, b"x" * 8192)
    before = os.fstat(large.fd).st_blocks
    assert list(large.ram.pages_starting(MAGIC)) == [3 << 20]
    assert list(large.ram.find(MAGIC)) == [3 << 20]
    large.ram.read(2 * GB - 4096, 4096)
    assert os.fstat(large.fd).st_blocks == before


def test_patterns_are_found_across_pages(memory: Memory) -> None:
    memory.write(0x1FFC, b"pattern!" + bytes(4096))
    memory.write((64 << 20) - 8, b"pattern!")
    assert list(memory.ram.find(b"pattern!")) == [0x1FFC, (64 << 20) - 8]


def test_a_file_smaller_than_the_ram_is_refused() -> None:
    fd = os.memfd_create("small")
    os.ftruncate(fd, 4096)
    for size in (0, 8192):
        with pytest.raises(ValueError, match="bytes"):
            GuestRam(fd, ram_bytes=size)
    os.close(fd)


def test_a_search_ends_in_time(memory: Memory) -> None:
    memory.write(0x1000, b"needle")
    assert list(memory.ram.find(b"needle")) == [0x1000]
    assert list(memory.ram.find(b"needle", until_s=time.monotonic() + 60)) == [0x1000]
    assert list(memory.ram.find(b"needle", until_s=time.monotonic() - 1)) == []


PARTS = st.lists(st.integers(0, 60), unique=True, max_size=12).map(
    lambda ends: list(zip(sorted(ends)[0::2], sorted(ends)[1::2], strict=False))
)


@given(PARTS, PARTS)
def test_parts_beyond_those_known(parts: list[tuple[int, int]], known: list[tuple[int, int]]) -> None:
    covered = {k for start, end in known for k in range(start, end)}
    beyond = list(parts_beyond(parts, known))
    assert [k for start, end in beyond for k in range(start, end)] == [
        k for start, end in parts for k in range(start, end) if k not in covered
    ]
    assert all(start < end for start, end in beyond)
