from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guest_memory.synthetic import COMMITTED, FINALIZED, RESERVED, REUSABLE, Memory, RingKernel
from hiperiso.observe.memory import KernelLogWatcher, KernelRecord, Unreadable, console_lines
from hiperiso.observe.memory.kernel import attach
from hiperiso.observe.memory.printk import LocklessRing, ring_layout
from hiperiso.observe.memory.vmcoreinfo import find_notes


def ring_of(memory: Memory) -> LocklessRing:
    (note,) = find_notes(memory.ram)
    kernel, layout = attach(memory.ram, note), ring_layout(note)
    assert kernel is not None
    assert layout is not None
    return LocklessRing(kernel, layout)


def texts(records: list[KernelRecord]) -> list[str]:
    return [record.text for record in records]


@pytest.mark.parametrize("wide_ids", [False, True], ids=["ids of 32 bits", "ids of 62 bits"])
def test_each_record_is_read_once(memory: Memory, wide_ids: bool) -> None:
    kernel = RingKernel(memory).boot(wide_ids=wide_ids)
    ring = ring_of(memory)
    assert ring.poll() == []
    kernel.log("one", t_s=0.5, level=3, facility=1)
    kernel.log("two\nlines")
    assert ring.poll() == [
        KernelRecord(boot=0, seq=0, t_kernel_s=0.5, level=3, facility=1, raw=b"one", caller=1),
        KernelRecord(boot=0, seq=1, t_kernel_s=0.25, level=6, facility=0, raw=b"two\nlines", caller=1),
    ]
    assert ring.poll() == []
    kernel.log("")
    assert texts(ring.poll()) == [""]


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=80), st.booleans())
@settings(deadline=None)
def test_any_wrapping_gives_all_records_in_order(sizes: list[tuple[int, bool]], wide_ids: bool) -> None:
    memory = Memory()
    kernel = RingKernel(memory).boot(wide_ids=wide_ids)
    ring = ring_of(memory)
    written: list[str] = []
    read: list[KernelRecord] = []
    for number, (size, poll) in enumerate(sizes):
        written.append(f"{number} " + "x" * size)
        kernel.log(written[-1])
        if poll:
            read += ring.poll()
    read += ring.poll()
    memory.close()
    for record in read:  # some may be lost, none is invented, and the gaps are counted
        assert record.text == written[record.seq]
    expected = 0
    for record in read:
        assert record.seq == expected + record.missed
        expected = record.seq + 1
    assert not written or read[-1].seq == len(written) - 1


def test_unfinished_records_wait_and_are_taken_at_the_end(memory: Memory) -> None:
    kernel = RingKernel(memory).boot()
    ring = ring_of(memory)
    kernel.log("done")
    kernel.log("begun", state=COMMITTED)
    assert texts(ring.poll()) == ["done"]
    assert texts(ring.poll(last=True)) == ["begun"]


def test_a_continued_line_comes_once_it_is_whole(memory: Memory) -> None:
    kernel = RingKernel(memory).boot()
    ring = ring_of(memory)
    seq = kernel.log("first part, second part", state=COMMITTED)
    assert ring.poll() == []
    kernel.set_state(seq, FINALIZED)
    assert texts(ring.poll()) == ["first part, second part"]


@pytest.mark.parametrize("state", [RESERVED, COMMITTED])
def test_a_writer_that_died_does_not_block_the_log(memory: Memory, state: int) -> None:
    kernel = RingKernel(memory).boot()
    ring = ring_of(memory)
    kernel.log("never finished", state=state)
    kernel.log("behind it")
    assert ring.poll() == []
    polled = [text for _ in range(20) for text in texts(ring.poll())]
    assert polled[-1:] == ["behind it"]


def test_the_end_does_not_wait_for_a_writer_that_died(memory: Memory) -> None:
    kernel = RingKernel(memory).boot()
    kernel.log("never finished", state=RESERVED)
    kernel.log("behind it")
    assert texts(ring_of(memory).poll(last=True)) == ["behind it"]


@pytest.mark.parametrize("harm", ["state", "block", "no room", "out of bounds"])
def test_records_that_do_not_fit_together_are_left_out(memory: Memory, harm: str) -> None:
    kernel = RingKernel(memory).boot()
    kernel.log("before")
    seq = kernel.log("harmed")
    kernel.log("after")
    if harm == "state":
        kernel.set_state(seq, REUSABLE)
    elif harm == "block":
        kernel.break_block(seq)
    elif harm == "no room":
        kernel.set_positions(seq, 1, 1)
    else:
        kernel.set_positions(seq, 0, 1 << 40)
    before, after = ring_of(memory).poll()
    assert (before.text, after.text, after.missed) == ("before", "after", 1)


def test_an_empty_line_has_no_block(memory: Memory) -> None:
    kernel = RingKernel(memory).boot()
    kernel.set_positions(kernel.log(""), 3, 3)
    assert texts(ring_of(memory).poll()) == [""]


def test_overwritten_records_are_counted(memory: Memory) -> None:
    kernel = RingKernel(memory).boot(count_bits=3)
    ring = ring_of(memory)
    kernel.log("read")
    assert texts(ring.poll()) == ["read"]
    for number in range(20):
        kernel.log(f"number {number}")
    records = ring.poll()
    assert texts(records) == [f"number {number}" for number in range(12, 20)]
    assert [record.missed for record in records] == [12] + [0] * 7


@pytest.mark.parametrize("again", [3, 30], ids=["fewer records than before", "more records than before"])
def test_the_same_kernel_in_the_same_place_starts_again(memory: Memory, again: int) -> None:
    kernel = RingKernel(memory).boot(count_bits=6)
    ring = ring_of(memory)
    for number in range(20):
        kernel.log(f"first boot {number}", t_s=number * 0.01)
    assert len(ring.poll()) == 20
    kernel.boot(count_bits=6)
    for number in range(again):
        kernel.log(f"second boot {number}", t_s=number * 0.02)
    records = ring.poll()
    assert texts(records) == [f"second boot {number}" for number in range(again)]
    assert {record.boot for record in records} == {1}
    assert records[0].missed == 0


def test_many_records_come_in_bounded_pieces(memory: Memory) -> None:
    kernel = RingKernel(memory).boot(count_bits=8, size_bits=16)
    for number in range(256):
        kernel.log(f"{number}")
    ring = ring_of(memory)
    assert len(ring.poll()) == 256
    assert texts(KernelLogWatcher(memory.ram).poll(0.0, last=True)) == [str(number) for number in range(256)]


@pytest.mark.parametrize("field", [0, 48, 24, 32])
def test_a_header_that_makes_no_sense_is_not_a_ring(memory: Memory, field: int) -> None:
    kernel = RingKernel(memory).boot()
    kernel.log("text")
    ring = ring_of(memory)
    memory.write(kernel.at + 0x280 + field, b"\xee" * 8)
    with pytest.raises(Unreadable):
        ring.poll()


def test_console_format() -> None:
    record = KernelRecord(
        boot=0, seq=0, t_kernel_s=12.0000019, level=6, facility=0, raw=b"a\nb\xff", caller=1
    )
    assert console_lines(record) == b"[   12.000001] a\n[   12.000001] b\xff\n"
    assert (
        console_lines(record, with_caller=True) == b"[   12.000001][    T1] a\n[   12.000001][    T1] b\xff\n"
    )
    assert record.text == "a\nb�"
    assert (record.level_name, record.caller_name) == ("info", "T1")


@given(st.integers(0, 10**15))
def test_times_are_cut_to_microseconds_as_the_kernel_does(nanoseconds: int) -> None:
    record = KernelRecord(boot=0, seq=0, t_kernel_s=nanoseconds / 1e9, level=6, facility=0, raw=b"")
    assert console_lines(record) == b"[%5d.%06d] \n" % (nanoseconds // 10**9, nanoseconds % 10**9 // 1000)
