"""Symbols, types, and kernels that are found by nothing else."""

from __future__ import annotations

import contextlib
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest_memory.symbols import Table, btf
from guest_memory.synthetic import Memory, RingKernel
from hiperiso.observe.memory import KernelLogWatcher, Unreadable, index_kernel
from hiperiso.observe.memory.btf import Btf
from hiperiso.observe.memory.kernel import IMAGE, KernelMemory, attach
from hiperiso.observe.memory.tables import find_table
from hiperiso.observe.memory.vmcoreinfo import find_notes
from property_tests import examples

AT = 16 << 20
TABLE, TYPES = 0x200000, 0x300000
ENCODINGS = ["signed", "unsigned", "place"]
STRUCTURES = {
    "task_struct": (256, [("__state", 8, ""), ("<anonymous>", 16, "<task>"), ("comm", 64, "")]),
    "<task>": (32, [("pid", 0, ""), ("tgid", 4, ""), ("inner", 8, "list_head")]),
    "list_head": (16, [("next", 0, ""), ("prev", 8, "")]),
    "printk_ringbuffer": (96, [("desc_ring", 0, ""), ("text_data_ring", 48, "")]),
    "prb_desc_ring": (
        48,
        [
            ("count_bits", 0, ""),
            ("descs", 8, ""),
            ("infos", 16, ""),
            ("head_id", 24, ""),
            ("tail_id", 32, ""),
        ],
    ),
    "prb_desc": (24, [("state_var", 0, ""), ("text_blk_lpos", 8, "prb_data_blk_lpos")]),
    "prb_data_blk_lpos": (16, [("begin", 0, ""), ("next", 8, "")]),
    "printk_info": (88, [("seq", 0, ""), ("ts_nsec", 8, ""), ("text_len", 16, ""), ("caller_id", 20, "")]),
    "prb_data_ring": (40, [("size_bits", 0, ""), ("data", 8, "")]),
    "vc": (1216, [("d", 0, "")]),
}


def kernel_with_symbols(memory: Memory, encoding: str) -> RingKernel:
    kernel = RingKernel(memory, at=AT).boot()
    types = btf(STRUCTURES)
    symbols = {
        "_stext": IMAGE,
        "init_uts_ns": IMAGE,
        "init_top_pgt": IMAGE + 0x400000,
        "prb": IMAGE + 0x200,
        "printk_rb_static": IMAGE + 0x280,
        "__start_BTF": IMAGE + TYPES,
        "__stop_BTF": IMAGE + TYPES + len(types),
        "init_task": IMAGE + 0x500000,
    }
    memory.write(AT + TABLE, Table(symbols, encoding, IMAGE + TABLE).build())
    memory.write(AT + TYPES, types)
    return kernel


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_is_found_without_the_note_telling_where(memory: Memory, encoding: str) -> None:
    kernel_with_symbols(memory, encoding)
    (note,) = find_notes(memory.ram)
    found = attach(memory.ram, note)
    assert found is not None
    assert find_table(found) is not None
    index = index_kernel(found)
    assert index.missing == ()
    assert index.address(found, "init_task") == IMAGE + 0x500000
    assert (index.offset("task_struct.pid"), index.offset("task_struct.tgid")) == (16, 20)
    assert index.sizes == {"vc": 1216}
    with pytest.raises(Unreadable):
        index.address(found, "fg_console")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_kernel_without_a_note_is_found_once_the_guest_rests(memory: Memory, encoding: str) -> None:
    kernel = kernel_with_symbols(memory, encoding)
    memory.write(kernel.note_at, bytes(4096))
    kernel.log("early")
    watcher = KernelLogWatcher(memory.ram)
    assert watcher.poll(0.0) == []
    assert [record.text for record in watcher.poll(3.0)] == ["early"]
    kernel.log("later")
    assert [record.text for record in watcher.poll(4.0)] == ["later"]
    kernel.boot()  # it has its note now
    kernel.log("again")
    assert [(record.boot, record.text) for record in watcher.poll(9.0)] == [(1, "again")]
    assert len(watcher.found) == 1
    assert watcher.kernel is not None
    assert watcher.kernel.memory.note.address == kernel.note_at


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_image_that_has_not_started_is_not_a_kernel_yet(memory: Memory, encoding: str) -> None:
    """Its addresses are those of the build: the kernel is about to move itself."""
    kernel = kernel_with_symbols(memory, encoding)
    memory.write(kernel.note_at, bytes(4096))
    watcher = KernelLogWatcher(memory.ram)
    for now_s in (0.0, 3.0, 6.0):
        assert watcher.poll(now_s) == []
    assert watcher.found == ()
    kernel.log("early")
    assert [record.text for record in watcher.poll(40.0)] == ["early"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_end_looks_for_a_kernel_without_a_note_at_once(memory: Memory, encoding: str) -> None:
    kernel = kernel_with_symbols(memory, encoding)
    memory.write(kernel.note_at, bytes(4096))
    kernel.log("early")
    assert [record.text for record in KernelLogWatcher(memory.ram).poll(0.0, last=True)] == ["early"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_damaged_tables_do_no_harm(memory: Memory, encoding: str) -> None:
    kernel = kernel_with_symbols(memory, encoding)
    memory.write(kernel.note_at, bytes(4096))
    kernel.log("early")
    rng = random.Random(5)
    table, types = memory.read(AT + TABLE, 0x40000), memory.read(AT + TYPES, 0x1000)
    ends = len(table.rstrip(b"\0")), len(types.rstrip(b"\0"))
    for _ in range(examples(25)):
        for base, size in ((TABLE, ends[0]), (TYPES, ends[1])):
            for _ in range(rng.randint(0, 3)):
                memory.write(AT + base + rng.randrange(size), rng.randbytes(rng.choice((1, 4, 64))))
        records = KernelLogWatcher(memory.ram).poll(0.0, last=True)
        assert [record.text for record in records] in ([], ["early"])
        memory.write(AT + TABLE, table)
        memory.write(AT + TYPES, types)


def test_types() -> None:
    types = Btf(btf(STRUCTURES))
    assert types.offset("task_struct", "comm") == 64
    assert types.offset("task_struct", "tgid") == 20
    assert types.offset("task_struct", "inner", "prev") == 32
    assert types.offset("prb_desc", "text_blk_lpos", "next") == 16
    assert types.offset("task_struct", "none") is None
    assert types.offset("none", "none") is None
    assert types.size("vc") == 1216
    assert types.size("none") is None


def test_types_that_contain_themselves_end() -> None:
    many: list[tuple[str, int, str]] = [("<anonymous>", 0, "task")] * 200
    with pytest.raises(Unreadable, match="circular"):
        Btf(btf({"task": (8, many)})).offset("task", "pid")


@given(st.data())
def test_damaged_types_do_no_harm(data: st.DataObject) -> None:
    blob = bytearray(btf(STRUCTURES))
    for _ in range(data.draw(st.integers(0, 6))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(blob[: data.draw(st.integers(0, len(blob)))])
    for damaged in (bytes(blob), cut):
        try:
            types = Btf(damaged)
        except Unreadable:
            continue
        for structure in STRUCTURES:
            types.size(structure)
            for member in ("pid", "prev", "none"):
                with contextlib.suppress(Unreadable):
                    types.offset(structure, "inner", member)
                    types.offset(structure, member)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_function_at_an_address(memory: Memory, encoding: str) -> None:
    """Of the symbols of code only; user space, modules and data have none."""
    kernel = RingKernel(memory, at=AT).boot()
    code = {"_stext": IMAGE, "init_idle": IMAGE + 0x100040, "panic": IMAGE + 0x100100}
    types = {"panic": "T", "init_idle": "t"}
    table = Table(code, encoding, IMAGE + TABLE, letters=types)
    memory.write(AT + TABLE, table.build())
    (note,) = find_notes(memory.ram)
    found = attach(memory.ram, note)
    assert kernel is not None
    assert found is not None
    index = index_kernel(found)
    assert index.missing  # types, which no name needs
    assert index.function_at(found, IMAGE + 0x100040) == "init_idle"
    assert index.function_at(found, IMAGE + 0x1000FF) == "init_idle"
    assert index.function_at(found, IMAGE + 0x100123) == "panic"
    assert index.function_at(found, IMAGE + 16 * 100 + 3) == ""  # data
    for elsewhere in (0, 0x7F0000001000, IMAGE - 1, IMAGE + (1 << 30), (1 << 64) - 1):
        assert index.function_at(found, elsewhere) == ""


def test_functions_of_the_same_kernel_in_another_place(memory: Memory) -> None:
    """The index of one boot serves the next one, which the kernel put elsewhere."""
    code = {"_stext": IMAGE, "panic": IMAGE + 0x100100}
    RingKernel(memory, at=AT).boot()
    memory.write(AT + TABLE, Table(code, "signed", IMAGE + TABLE, letters={"panic": "T"}).build())
    (note,) = find_notes(memory.ram)
    found = attach(memory.ram, note)
    assert found is not None
    index = index_kernel(found)
    moved = replace(note, symbols={name: at + (64 << 20) for name, at in note.symbols.items()})
    again = KernelMemory(memory.ram, moved, found.phys_base - (64 << 20))
    assert index.function_at(again, IMAGE + (64 << 20) + 0x100100) == "panic"
    assert index.function_at(again, IMAGE + (1 << 30) + 0x100100) == ""  # a module


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_damaged_symbols_do_no_harm(memory: Memory, encoding: str) -> None:
    kernel_with_symbols(memory, encoding)
    (note,) = find_notes(memory.ram)
    found = attach(memory.ram, note)
    assert found is not None
    whole = memory.read(AT + TABLE, 0x20000)
    chance = random.Random(encoding)
    for _ in range(examples(30) // 5):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 20, 2000))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        memory.write(AT + TABLE, bytes(damaged))
        with contextlib.suppress(Unreadable):
            index = index_kernel(found)
            names = [index.function_at(found, IMAGE + chance.randrange(1 << 24)) for _ in range(50)]
            assert all(name.isascii() and name.isprintable() for name in names)
