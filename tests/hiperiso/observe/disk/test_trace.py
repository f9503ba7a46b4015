"""Reads found in QEMU's text trace, cut anywhere, among anything."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from hiperiso.observe.disk import DiskRead, TraceReads
from machine_speed import assert_cheap
from property_tests import examples

ATAPI = "ide_atapi_cmd_read IDEState: 0x5585deff76f0; read dma: LBA={} nb_sectors={}"
BLOCK = "blk_co_preadv blk {} bs 0x5585de6376a0 offset {} bytes {} flags 0x0"
OTHER = [
    "ide_reset IDEstate 0x5585deff76f0",
    "runstate_set current_run_state 6 (prelaunch) new_state 9 (running)",
    "ide_atapi_cmd_error IDEState: 0x5585deff76f0; sense=0x2 asc=0x3a",
    "ide_atapi_cmd_read_dma_cb_aio IDEState: 0x55; aio read: lba=4 n=4",
    "garbage :ide_atapi_cmd_read LBA= nb_sectors=",
    "",
    "\0\xff\x1b[2J",
]


def line(t: float, event: str) -> bytes:
    return f"31711@{t:.6f}:{event}\n".encode("latin-1")


def feed_in_pieces(data: bytes, cuts: list[int]) -> list[DiskRead]:
    reader, found, last = TraceReads(), [], 0
    for cut in [*sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]:
        found += reader.feed(data[last:cut])
        last = cut
    return found


times = st.integers(0, 4_000_000_000_000_000).map(lambda us: us / 1_000_000)
reads = st.tuples(times, st.integers(0, 2**31 - 1), st.integers(1, 65535))


@given(
    st.lists(st.one_of(reads, st.sampled_from(OTHER)), max_size=60),
    st.lists(st.integers(0, 10_000), max_size=20),
)
def test_every_read_comes_out_once_however_the_trace_is_cut(rows: list[object], cuts: list[int]) -> None:
    text, wanted = b"", []
    for row in rows:
        if isinstance(row, tuple):
            t, lba, count = row
            text += line(t, ATAPI.format(lba, count)) + line(t, BLOCK.format("0x1", lba * 2048, count * 2048))
            wanted.append((lba, count))
        else:
            text += line(1.0, str(row))
    found = feed_in_pieces(text, cuts)
    assert [(read.lba, read.sectors) for read in found] == wanted


@given(st.binary(max_size=4000), st.lists(st.integers(0, 4000), max_size=10))
@settings(max_examples=examples(200))
def test_any_bytes_raise_nothing(data: bytes, cuts: list[int]) -> None:
    for read in feed_in_pieces(data, cuts):
        assert read.sectors > 0


def test_stamps_are_wall_clock() -> None:
    (read,) = TraceReads().feed(line(1795319000.024132, ATAPI.format(17, 1)))
    assert read == DiskRead(1795319000.024132, 17, 1)
    (read,) = TraceReads().feed(b"1795319000.024132:" + ATAPI.format(17, 1).encode() + b"\n")
    assert read.lba == 17
    assert TraceReads().feed(ATAPI.format(17, 1).encode() + b"\n") == []  # without a time it has no place


def test_on_other_buses_the_medium_is_the_drive_whose_descriptors_are_read() -> None:
    reader = TraceReads()
    text = line(1, BLOCK.format("0xflash", 0, 540672))  # a firmware flash is read as a whole, from 0
    text += line(2, BLOCK.format("0xiso", 0, 512)) + line(3, BLOCK.format("0xdisk", 4096, 512))
    text += line(4, BLOCK.format("0xiso", 32768, 2048)) + line(5, BLOCK.format("0xdisk", 0, 512))
    text += line(6, BLOCK.format("0xiso", 6144 + 512, 2048))
    assert [(read.t_wall_s, read.lba, read.sectors) for read in reader.feed(text)] == [
        (2, 0, 1),
        (4, 16, 1),
        (6, 3, 2),
    ]


def test_an_atapi_drive_is_believed_over_the_block_layer() -> None:
    reader = TraceReads()
    text = line(1, BLOCK.format("0xflash", 32768, 2048)) + line(2, ATAPI.format(16, 1))
    text += line(2, BLOCK.format("0xiso", 32768, 2048))
    assert [read.lba for read in reader.feed(text)] == [16]


def test_an_endless_line_takes_no_memory_and_is_not_read() -> None:
    reader = TraceReads()
    for _ in range(1000):
        assert reader.feed(b"x" * 65536) == []
    assert reader.feed(line(1, ATAPI.format(1, 1))) == []
    assert [read.lba for read in reader.feed(line(2, ATAPI.format(2, 1)))] == [2]


def test_fifty_megabytes_of_a_fuller_tier_in_a_second() -> None:
    noise = b"".join(
        line(n, f"memory_region_ops_read cpu 0 mr 0x55 addr 0x608 value {n:#x} size 4") for n in range(500)
    )
    block = noise + line(7, ATAPI.format(5, 1))
    reader, count = TraceReads(), 0
    started = time.process_time()
    for _ in range(50_000_000 // len(block)):
        count += len(reader.feed(block))
    assert count == 50_000_000 // len(block)
    assert_cheap(time.process_time() - started, 2)


DONE = "ahci_cmd_done ahci(0x5585deff0000)[{}]: cmd done"
RESET = "ahci_reset_port ahci(0x5585deff0000)[0]: reset port"


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**6), st.booleans()), min_size=1, max_size=30),
    st.lists(st.integers(0, 10_000), max_size=20),
)
def test_waiting_is_the_sum_of_all_commands(rows: list[tuple[int, int, bool]], cuts: list[int]) -> None:
    text, at_us, waited_us = line(1, DONE.format(0)), 10**9, []
    for pause_us, wait_us, by_reset in rows:
        at_us += pause_us
        text += line(at_us / 1e6, ATAPI.format(5, 1)) + line(at_us / 1e6, BLOCK.format("0x1", 10240, 2048))
        text += line(at_us / 1e6, DONE.format(1))  # another drive's
        at_us += wait_us
        waited_us.append(wait_us)
        text += line(at_us / 1e6, RESET if by_reset else DONE.format(0)) + line(at_us / 1e6, DONE.format(0))
    reader, last = TraceReads(), 0
    for cut in [*sorted({cut % len(text) for cut in cuts}), len(text)]:
        reader.feed(text[last:cut])
        last = cut
    assert abs(reader.waiting.waited_s - sum(waited_us) / 1e6) < 1e-4
    assert abs(reader.waiting.longest_s - max(waited_us) / 1e6) < 1e-5
    assert (reader.waiting.ended, reader.waiting.is_exact) == (len(rows), True)


def test_waiting_with_ends_that_are_missing_is_not_exact() -> None:
    reader = TraceReads()
    reader.feed(line(1, ATAPI.format(5, 1)) + line(2, ATAPI.format(6, 1)))
    assert not reader.waiting.is_exact
    reader.feed(line(3, DONE.format(0)))
    assert (reader.waiting.ended, reader.waiting.lost, reader.waiting.is_exact) == (1, 1, False)
    assert not TraceReads().waiting.is_exact
