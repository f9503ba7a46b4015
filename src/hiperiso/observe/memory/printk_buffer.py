"""The record buffer of printk (Linux 3.5 to 5.9), read while the kernel writes to it.

::

    log_buf[log_buf_len]:  header text dictionary padding | header text ... | header with len 0: continue at the start
    header:                ts_nsec, len (of the whole), text_len, dict_len, facility, flags:5 level:3
    log_first_idx, log_next_idx: offsets of the oldest record and past the newest

Nothing in the buffer distinguishes records from other bytes, so it is read as a chain: from the oldest record it must
lead exactly to the end, every length aligned and in bounds, or nothing is accepted.

Source: kernel/printk/printk.c of those versions; the layout comes from the kernel's own note.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hiperiso.observe.memory.kernel import KernelMemory
from hiperiso.observe.memory.ram import Unreadable
from hiperiso.observe.memory.records import KernelRecord
from hiperiso.observe.memory.vmcoreinfo import Note

MAX_RECORDS_A_POLL = 1024
_MAX_BUFFER_BYTES = 16 << 20
_MAX_TEXT_BYTES = 8 << 10
_TRIES = 3
_MAX_NANOSECONDS = 20 * 366 * 86400 * 10**9
_U16 = struct.Struct("<H")
_U64 = struct.Struct("<Q")
_SYMBOLS = ("log_buf", "log_buf_len", "log_first_idx", "log_next_idx")


@dataclass(frozen=True)
class BufferLayout:
    """Where the members of a header are. Made by `buffer_layout`."""

    header_bytes: int
    ts_nsec: int
    len: int
    text_len: int
    dict_len: int


def buffer_layout(note: Note) -> BufferLayout | None:
    """The layout according to the note; None when this kernel has no such buffer or the note is inconsistent."""
    name = "printk_log" if "printk_log" in note.sizes else "log"  # until 3.10
    try:
        layout = BufferLayout(
            note.sizes[name],
            *(note.offsets[f"{name}.{member}"] for member in ("ts_nsec", "len", "text_len", "dict_len")),
        )
    except KeyError:
        return None
    inside = max(layout.ts_nsec + 8, layout.len + 2, layout.text_len + 2, layout.dict_len + 4)
    first = min(layout.ts_nsec, layout.len, layout.text_len, layout.dict_len)
    if (
        first < 0
        or not inside <= layout.header_bytes <= 64
        or any(key not in note.symbols for key in _SYMBOLS)
    ):
        return None
    return layout


@dataclass(frozen=True)
class _Bounds:
    """The buffer as the kernel's variables currently describe it."""

    address: int
    size: int
    first: int
    behind: int

    def holds(self, offset: int) -> bool:
        """Whether an offset is between the oldest record and the end of the newest."""
        return (offset - self.first) % self.size <= (self.behind - self.first) % self.size


class RecordBuffer:
    """Reads each new record once. Arguments as for `LocklessRing`."""

    def __init__(self, kernel: KernelMemory, layout: BufferLayout, *, boot: int = 0) -> None:
        self.boot = boot
        self._kernel = kernel
        self._layout = layout
        self._symbols = [kernel.note.symbols[key] for key in _SYMBOLS]
        self._address = 0
        self._position = 0  # past the record that was read last
        self._last_at, self._last = 0, b""
        self._seq = 0

    def poll(self, *, last: bool = False) -> list[KernelRecord]:
        """The new records, at most `MAX_RECORDS_A_POLL`, oldest first. ``last`` has no effect: records appear whole.

        Raises:
            Unreadable: there is no buffer at the moment.
        """
        del last
        for _ in range(_TRIES):
            bounds = self._bounds()
            if self._last and self._continues(bounds):
                start, missed = self._position, 0
                fresh = self._chain(bounds, start, most=MAX_RECORDS_A_POLL)
            else:
                start = bounds.first
                fresh, missed = self._unseen(self._chain(bounds, start))
            now = self._bounds()
            if (now.address, now.size) == (bounds.address, bounds.size) and now.holds(start):
                return self._take(bounds, fresh[:MAX_RECORDS_A_POLL], missed)
        return []  # records are overwritten faster than they can be read: retry at the next poll

    def _bounds(self) -> _Bounds:
        pointer, size_at, first_at, next_at = self._symbols
        kernel = self._kernel
        size, first, behind = kernel.u32(size_at), kernel.u32(first_at), kernel.u32(next_at)
        if not 4096 <= size <= _MAX_BUFFER_BYTES or first >= size or behind > size:
            raise Unreadable("not a buffer of records")
        return _Bounds(kernel.u64(pointer), size, first, behind)

    def _continues(self, bounds: _Bounds) -> bool:
        """Whether the record that was read last is still there, so that new ones follow it."""
        if bounds.address != self._address or self._last_at + len(self._last) > bounds.size:
            return False
        same = self._kernel.read(bounds.address + self._last_at, len(self._last)) == self._last
        return same and bounds.holds(self._last_at) and bounds.holds(self._position)

    def _chain(self, bounds: _Bounds, start: int, *, most: int = 1 << 20) -> list[tuple[int, bytes]]:
        """(offset, bytes) of each record from ``start`` to the end; empty when the lengths do not add up."""
        behind = bounds.behind
        pieces = [(start, behind)] if start <= behind else [(start, bounds.size), (0, behind)]
        chain: list[tuple[int, bytes]] = []
        for number, (offset, end) in enumerate(pieces):
            data = self._kernel.read(bounds.address + offset, end - offset)
            at = 0
            while at < len(data):
                length = self._length(data, at)
                if length == 0 and number + 1 < len(pieces):
                    break
                if length <= 0:
                    return []
                chain.append((offset + at, data[at : at + length]))
                at += length
                if len(chain) >= most:
                    return chain
        return chain

    def _length(self, data: bytes, at: int) -> int:
        """Length of the record at ``at``: 0 for the marker to continue at the start, -1 when it is not a record."""
        layout = self._layout
        if at + layout.header_bytes > len(data):
            return -1
        length: int = _U16.unpack_from(data, at + layout.len)[0]
        text: int = _U16.unpack_from(data, at + layout.text_len)[0]
        dictionary: int = _U16.unpack_from(data, at + layout.dict_len)[0]
        if length == 0:
            return 0
        content = layout.header_bytes + text + dictionary
        fits = content <= length < content + 16 and at + length <= len(data) and length % 4 == 0
        sane = text <= _MAX_TEXT_BYTES and self._time(data, at) <= _MAX_NANOSECONDS
        return length if fits and sane else -1

    def _unseen(self, chain: list[tuple[int, bytes]]) -> tuple[list[tuple[int, bytes]], int]:
        """The new records of a whole chain, and the minimum number of missed ones."""
        if not self._last or not chain:
            return chain, 0
        seen = [index for index, (_, data) in enumerate(chain) if data == self._last]
        if seen:
            return chain[seen[-1] + 1 :], 0
        last_time = self._time(self._last, 0)
        if self._time(chain[0][1], 0) >= last_time:
            return chain, 1
        self.boot += 1  # older records than the last, without that one: this kernel started again
        self._seq = 0
        return chain, 0

    def _take(self, bounds: _Bounds, fresh: list[tuple[int, bytes]], missed: int) -> list[KernelRecord]:
        layout = self._layout
        records = []
        for offset, data in fresh:
            text = _U16.unpack_from(data, layout.text_len)[0]
            self._seq += missed
            records.append(
                KernelRecord(
                    boot=self.boot,
                    seq=self._seq,
                    t_kernel_s=self._time(data, 0) / 1e9,
                    level=data[layout.dict_len + 3] >> 5,
                    facility=data[layout.dict_len + 2],
                    raw=data[layout.header_bytes : layout.header_bytes + text],
                    missed=missed,
                )
            )
            self._seq, missed = self._seq + 1, 0
            self._address, self._last_at, self._last = bounds.address, offset, data
            self._position = offset + len(data)
        return records

    def _time(self, data: bytes, at: int) -> int:
        return int(_U64.unpack_from(data, at + self._layout.ts_nsec)[0])
