from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from guest_memory.synthetic import Memory, RingKernel
from hiperiso.observe.memory.kernel import attach
from hiperiso.observe.memory.vmcoreinfo import find_notes, parse_note


def test_a_note_is_parsed(memory: Memory) -> None:
    RingKernel(memory).boot()
    (note,) = find_notes(memory.ram)
    assert (note.address, note.release, note.build_id) == (0x5000, "6.1.0-test", "")
    assert note.symbols["_stext"] == 0xFFFFFFFF80000000
    assert note.sizes["printk_info"] == 88
    assert note.numbers["phys_base"] == 16 << 20


def test_a_note_that_is_still_being_written_is_none(memory: Memory) -> None:
    text = RingKernel(memory).note_text("SYMBOL(prb)=ffffffff80000200\n")
    complete = [size for size in range(len(text) + 1) if parse_note(text[:size].ljust(4096, b"\0"))]
    assert complete == [len(text)]


@given(st.binary(max_size=200))
def test_any_bytes_after_the_magic_do_no_harm(data: bytes) -> None:
    note = parse_note(b"OSRELEASE=6.1.0\n" + data)
    assert note is None or note.release == "6.1.0"


def test_a_note_is_believed_only_with_its_kernel(memory: Memory) -> None:
    kernel = RingKernel(memory).boot()
    (note,) = find_notes(memory.ram)
    assert attach(memory.ram, note) is not None
    memory.write(kernel.at + 4 + 130, b"6.1.0-other\0")
    assert attach(memory.ram, note) is None


def test_a_note_without_the_value_of_phys_base_is_tried_everywhere(memory: Memory) -> None:
    """Until Linux 4.9 the note has the address of the variable only."""
    kernel = RingKernel(memory, at=24 << 20).boot()
    page = memory.read(kernel.note_at, 4096).replace(b"NUMBER(phys_base)=", b"SYMBOL(phys_base)=")
    memory.write(kernel.note_at, page)
    (note,) = find_notes(memory.ram)
    found = attach(memory.ram, note)
    assert found is not None
    assert found.phys_base == 24 << 20


def test_a_copy_of_a_note_in_a_file_is_not_believed(memory: Memory) -> None:
    page = RingKernel(memory).note_text("").ljust(4096, b"\0")
    memory.write(0x100000, page)
    (note,) = find_notes(memory.ram)
    assert attach(memory.ram, note) is None


def test_random_pages_are_not_notes() -> None:
    for _ in range(200):
        assert parse_note(b"OSRELEAS" + os.urandom(4088)) is None
