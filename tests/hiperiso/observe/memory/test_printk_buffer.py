from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guest_memory.synthetic import TEXT, BufferKernel, Memory
from hiperiso.observe.memory import KernelRecord
from hiperiso.observe.memory.kernel import attach
from hiperiso.observe.memory.printk_buffer import RecordBuffer, buffer_layout
from hiperiso.observe.memory.ram import Unreadable
from hiperiso.observe.memory.vmcoreinfo import find_notes


def buffer_of(memory: Memory) -> RecordBuffer:
    (note,) = find_notes(memory.ram)
    kernel, layout = attach(memory.ram, note), buffer_layout(note)
    assert kernel is not None
    assert layout is not None
    return RecordBuffer(kernel, layout)


def texts(records: list[KernelRecord]) -> list[str]:
    return [record.text for record in records]


def test_each_record_is_read_once(memory: Memory) -> None:
    kernel = BufferKernel(memory).boot()
    buffer = buffer_of(memory)
    assert buffer.poll() == []
    kernel.log("one", t_s=0.5, level=3, dictionary=b"SUBSYSTEM=pci\0DEVICE=+pci:0")
    kernel.log("two")
    assert buffer.poll() == [
        KernelRecord(boot=0, seq=0, t_kernel_s=0.5, level=3, facility=0, raw=b"one"),
        KernelRecord(boot=0, seq=1, t_kernel_s=0.5, level=6, facility=0, raw=b"two"),
    ]
    assert buffer.poll() == []
    kernel.log("three")
    assert texts(buffer.poll()) == ["three"]


@given(st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=80))
@settings(deadline=None)
def test_any_wrapping_gives_all_records_in_order(sizes: list[tuple[int, bool]]) -> None:
    memory = Memory()
    kernel = BufferKernel(memory).boot()
    buffer = buffer_of(memory)
    written: list[str] = []
    read: list[KernelRecord] = []
    for number, (size, poll) in enumerate(sizes):
        written.append(f"{number} " + "x" * size)
        kernel.log(written[-1])
        if poll:
            read += buffer.poll()
    read += buffer.poll()
    memory.close()
    numbers = [written.index(record.text) for record in read]
    assert numbers == sorted(set(numbers))
    assert not written or numbers[-1] == len(written) - 1
    for previous, record, number in zip([-1, *numbers], read, numbers, strict=False):
        assert (record.missed > 0) == (number != previous + 1) or previous == -1
    assert {record.boot for record in read} <= {0}


def test_the_same_kernel_in_the_same_place_starts_again(memory: Memory) -> None:
    kernel = BufferKernel(memory).boot()
    buffer = buffer_of(memory)
    for number in range(10):
        kernel.log(f"first boot {number}")
    assert len(buffer.poll()) == 10
    kernel.boot()
    kernel.log("second boot", t_s=0.1)
    (record,) = buffer.poll()
    assert (record.text, record.boot, record.seq) == ("second boot", 1, 0)


@pytest.mark.parametrize("length", [1, 6, 15, 4000, 65535])
def test_a_chain_that_does_not_lead_to_the_end_gives_nothing(memory: Memory, length: int) -> None:
    kernel = BufferKernel(memory).boot()
    for number in range(5):
        kernel.log(f"number {number}")
    memory.write(kernel.at + TEXT + kernel.records[2][0] + 8, length.to_bytes(2, "little"))
    assert buffer_of(memory).poll() == []


def test_bounds_that_make_no_sense_are_not_a_buffer(memory: Memory) -> None:
    kernel = BufferKernel(memory).boot()
    buffer = buffer_of(memory)
    memory.write(kernel.at + 0x300 + 8, b"\xff" * 4)
    with pytest.raises(Unreadable):
        buffer.poll()
