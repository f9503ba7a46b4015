"""The lockless ring of printk (Linux 5.10 and later), read while the kernel writes to it.

::

    prb ---> struct printk_ringbuffer
               desc_ring: count_bits, descs[], infos[], head_id, tail_id
               text_data_ring: size_bits, data[]

    descriptor i of 2^count_bits:  state_var = state << 62 | id      (id mod 2^count_bits = i)
                                   text_blk_lpos = begin, next       (logical positions in data[])
    info i:                        seq, ts_nsec, text_len, facility, flags:5 level:3, caller_id
    block at begin mod 2^size_bits: the id again (8 bytes), then the text

A record is accepted only when everything agrees: its state is committed, its id belongs to the slot, the sequence
number follows from the id, the block of text carries the same id, and after copying the state is still the same.
Memory that is not a ring of records cannot pass, so no record is ever invented.

Source: kernel/printk/printk_ringbuffer.c of Linux; the layout comes from the kernel's own note.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hiperiso.observe.memory.kernel import KernelMemory
from hiperiso.observe.memory.ram import Unreadable
from hiperiso.observe.memory.records import KernelRecord
from hiperiso.observe.memory.vmcoreinfo import Note

MAX_RECORDS_A_POLL = 1024
_ID_MASK = (1 << 62) - 1
_RESERVED, _COMMITTED, _FINALIZED, _REUSABLE = range(4)
_EMPTY_LINE = 3  # EMPTY_LINE_LPOS; 1 is FAILED_LPOS
_PATIENCE_POLLS = 8  # for a record that its writer never finished, while newer ones exist
_MAX_COUNT_BITS, _MAX_SIZE_BITS = 26, 31
_MAX_TEXT_BYTES = 32 << 10
_MAX_NANOSECONDS = 20 * 366 * 86400 * 10**9
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


@dataclass(frozen=True)
class RingLayout:
    """The offsets of the members. Made by `ring_layout`."""

    desc_ring: int
    text_ring: int
    count_bits: int
    descs: int
    infos: int
    head_id: int
    tail_id: int
    desc_bytes: int
    state_var: int
    begin: int
    next: int
    info_bytes: int
    seq: int
    ts_nsec: int
    text_len: int
    caller_id: int
    size_bits: int
    data: int


@dataclass(frozen=True)
class _Ring:
    """The ring as its header currently describes it."""

    count: int
    descs: int
    infos: int
    size: int
    data: int
    first_id: int  # of record 0
    newest: int  # sequence number; -1 while it is empty
    oldest: int


def ring_layout(note: Note) -> RingLayout | None:
    """The layout according to the note; None when this kernel has no such ring or the note is inconsistent."""
    offsets, sizes = note.offsets, note.sizes
    blocks = offsets.get("prb_desc.text_blk_lpos", -1)
    try:
        layout = RingLayout(
            desc_ring=offsets["printk_ringbuffer.desc_ring"],
            text_ring=offsets["printk_ringbuffer.text_data_ring"],
            count_bits=offsets["prb_desc_ring.count_bits"],
            descs=offsets["prb_desc_ring.descs"],
            infos=offsets["prb_desc_ring.infos"],
            head_id=offsets["prb_desc_ring.head_id"],
            tail_id=offsets["prb_desc_ring.tail_id"],
            desc_bytes=sizes["prb_desc"],
            state_var=offsets["prb_desc.state_var"],
            begin=blocks + offsets["prb_data_blk_lpos.begin"],
            next=blocks + offsets["prb_data_blk_lpos.next"],
            info_bytes=sizes["printk_info"],
            seq=offsets["printk_info.seq"],
            ts_nsec=offsets["printk_info.ts_nsec"],
            text_len=offsets["printk_info.text_len"],
            caller_id=offsets["printk_info.caller_id"],
            size_bits=offsets["prb_data_ring.size_bits"],
            data=offsets["prb_data_ring.data"],
        )
    except KeyError:
        return None
    in_desc = max(layout.state_var, layout.begin, layout.next) + 8 <= layout.desc_bytes <= 256
    in_info = max(layout.seq + 8, layout.ts_nsec + 8, layout.text_len + 4, layout.caller_id + 4)
    all_small = all(0 <= value <= 4096 for value in vars(layout).values())
    if "prb" not in note.symbols or not (in_desc and in_info <= layout.info_bytes <= 1024 and all_small):
        return None
    return layout


class LocklessRing:
    """Reads each new record once.

    Args:
        kernel: the kernel that owns the ring.
        layout: from `ring_layout`.
        boot: the boot number of the records; incremented when the same kernel starts again at the same address.
    """

    def __init__(self, kernel: KernelMemory, layout: RingLayout, *, boot: int = 0) -> None:
        self.boot = boot
        self._kernel = kernel
        self._layout = layout
        self._pointer = kernel.note.symbols["prb"]
        self._header_bytes = max(
            layout.desc_ring + max(layout.count_bits, layout.descs, layout.infos, layout.head_id, layout.tail_id),
            layout.text_ring + max(layout.size_bits, layout.data),
        ) + 8  # fmt: skip
        self._next_seq = 0
        self._last_ts = 0
        self._waits = 0
        self._restarted = False

    def poll(self, *, last: bool = False) -> list[KernelRecord]:
        """The new records, at most `MAX_RECORDS_A_POLL`, oldest first.

        Args:
            last: nothing more will be written: also take the newest record, which could otherwise still be extended.

        Raises:
            Unreadable: there is no ring at the moment.
        """
        ring = self._header()
        if ring.newest + 1 < self._next_seq or self._is_another_boot(ring):
            # what was read is newer than the newest, or has changed: this kernel started again
            self._next_seq, self._last_ts, self._restarted = 0, 0, True
        first = max(self._next_seq, ring.oldest)
        count = min(ring.newest + 1 - first, MAX_RECORDS_A_POLL)
        records: list[KernelRecord] = []
        while count > 0:
            run = min(count, ring.count - first % ring.count)  # one contiguous range
            if self._take(ring, first, run, records, last=last) < run:
                break
            first, count = first + run, count - run
        return records

    def _header(self) -> _Ring:
        layout = self._layout
        data = self._kernel.read(self._kernel.u64(self._pointer), self._header_bytes)
        ring, text = layout.desc_ring, layout.text_ring
        count_bits = _U32.unpack_from(data, ring + layout.count_bits)[0]
        size_bits = _U32.unpack_from(data, text + layout.size_bits)[0]
        if not (2 <= count_bits <= _MAX_COUNT_BITS and 6 <= size_bits <= _MAX_SIZE_BITS):
            raise Unreadable("not a ring of records")
        count = 1 << count_bits
        # numbers of records follow from ids: the first id is -count, in 32 bits (until 6.12) or in 62
        newest = _signed(_U64.unpack_from(data, ring + layout.head_id)[0] + count)
        oldest = _signed(_U64.unpack_from(data, ring + layout.tail_id)[0] + count)
        first_id = -count if newest < (1 << 32) - 1 else (1 << 32) - count
        newest, oldest = newest - first_id - count, oldest - first_id - count
        if newest < -1 or newest - oldest > count:
            raise Unreadable("not a ring of records")
        return _Ring(
            count,
            _U64.unpack_from(data, ring + layout.descs)[0],
            _U64.unpack_from(data, ring + layout.infos)[0],
            1 << size_bits,
            _U64.unpack_from(data, text + layout.data)[0],
            first_id,
            newest,
            max(0, oldest),
        )

    def _is_another_boot(self, ring: _Ring) -> bool:
        """Whether the record that was read last has another time stamp now, although it was not overwritten."""
        seq = self._next_seq - 1
        if not max(0, ring.oldest) <= seq < ring.newest:
            return False
        layout = self._layout
        info = self._kernel.read(ring.infos + seq % ring.count * layout.info_bytes, layout.info_bytes)
        return bool(
            _U64.unpack_from(info, layout.seq)[0] == seq
            and _U64.unpack_from(info, layout.ts_nsec)[0] != self._last_ts
        )

    def _take(self, ring: _Ring, first: int, run: int, records: list[KernelRecord], *, last: bool) -> int:
        """Decode ``run`` records from sequence number ``first`` on; return how many of them are finished."""
        layout, kernel = self._layout, self._kernel
        slot = first % ring.count
        at = ring.descs + slot * layout.desc_bytes
        descs = kernel.read(at, run * layout.desc_bytes)
        infos = kernel.read(ring.infos + slot * layout.info_bytes, run * layout.info_bytes)
        blocks = [self._block(ring, descs, index, first + index) for index in range(run)]
        again = kernel.read(at, run * layout.desc_bytes)
        for index in range(run):
            seq = first + index
            where = index * layout.desc_bytes + layout.state_var
            state_var = _U64.unpack_from(descs, where)[0]
            same = _U64.unpack_from(again, where)[0] & _ID_MASK == state_var & _ID_MASK
            mine = state_var & _ID_MASK == (seq + ring.first_id) & _ID_MASK
            state = state_var >> 62 if mine and same else _REUSABLE
            if state == _RESERVED or (state == _COMMITTED and not last):
                self._waits += 1
                if not last and (seq == ring.newest or self._waits <= _PATIENCE_POLLS):
                    return index
            self._waits = 0
            if state in (_COMMITTED, _FINALIZED):
                self._record(seq, infos, index * layout.info_bytes, blocks[index], records)
        return run

    def _record(
        self, seq: int, infos: bytes, at: int, block: bytes | None, records: list[KernelRecord]
    ) -> None:
        layout = self._layout
        nanoseconds = _U64.unpack_from(infos, at + layout.ts_nsec)[0]
        length = _U16.unpack_from(infos, at + layout.text_len)[0]
        if block is None or _U64.unpack_from(infos, at + layout.seq)[0] != seq:
            return
        if nanoseconds > _MAX_NANOSECONDS or length > _MAX_TEXT_BYTES:
            return
        if self._restarted:
            self._restarted = False
            self.boot += 1
        records.append(
            KernelRecord(
                boot=self.boot,
                seq=seq,
                t_kernel_s=nanoseconds / 1e9,
                level=infos[at + layout.text_len + 3] >> 5,
                facility=infos[at + layout.text_len + 2],
                raw=block[:length],  # a text that did not fit was truncated
                caller=_U32.unpack_from(infos, at + layout.caller_id)[0],
                missed=seq - self._next_seq,
            )
        )
        self._next_seq, self._last_ts = seq + 1, nanoseconds

    def _block(self, ring: _Ring, descs: bytes, index: int, seq: int) -> bytes | None:
        """The text of a descriptor; None when there is none, or the block belongs to another record."""
        layout = self._layout
        at = index * layout.desc_bytes
        begin: int = _U64.unpack_from(descs, at + layout.begin)[0]
        behind: int = _U64.unpack_from(descs, at + layout.next)[0]
        if begin & behind & 1:  # no block: an empty line, or no space was left
            return b"" if begin == _EMPTY_LINE else None
        start, end = begin % ring.size, behind % ring.size
        if begin // ring.size != behind // ring.size:
            if end == 0:
                end = ring.size
            else:
                start = 0  # what did not fit at the end of the ring is at its start
        if not 8 <= end - start <= _MAX_TEXT_BYTES + 16:
            return None
        try:
            block = self._kernel.read(ring.data + start, end - start)
        except Unreadable:
            return None
        return block[8:] if _U64.unpack_from(block)[0] == (seq + ring.first_id) & _ID_MASK else None


def _signed(number: int) -> int:
    """A 62-bit number, as a signed one."""
    number &= _ID_MASK
    return number - (1 << 62) if number >> 61 else number
