"""Kernels made of nothing but what is read of them: a note, a name, and a log that tests write as a kernel would."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from hiperiso.observe.memory import GuestRam
from hiperiso.observe.memory.kernel import IMAGE

RESERVED, COMMITTED, FINALIZED, REUSABLE = range(4)
_ID_MASK = (1 << 62) - 1
_UTS, _PRB, _RING, _DESCS, _INFOS, TEXT = 0x0, 0x200, 0x280, 0x1000, 0x20000, 0x80000
_LOG = 0x300
_INFO_BYTES, _DESC_BYTES = 88, 24
RING_LINES = """\
OFFSET(printk_ringbuffer.desc_ring)=0
OFFSET(printk_ringbuffer.text_data_ring)=48
OFFSET(prb_desc_ring.count_bits)=0
OFFSET(prb_desc_ring.descs)=8
OFFSET(prb_desc_ring.infos)=16
OFFSET(prb_desc_ring.head_id)=24
OFFSET(prb_desc_ring.tail_id)=32
SIZE(prb_desc)=24
OFFSET(prb_desc.state_var)=0
OFFSET(prb_desc.text_blk_lpos)=8
OFFSET(prb_data_blk_lpos.begin)=0
OFFSET(prb_data_blk_lpos.next)=8
SIZE(printk_info)=88
OFFSET(printk_info.seq)=0
OFFSET(printk_info.ts_nsec)=8
OFFSET(printk_info.text_len)=16
OFFSET(printk_info.caller_id)=20
OFFSET(prb_data_ring.size_bits)=0
OFFSET(prb_data_ring.data)=8
"""
BUFFER_LINES = """\
SIZE(printk_log)=16
OFFSET(printk_log.ts_nsec)=0
OFFSET(printk_log.len)=8
OFFSET(printk_log.text_len)=10
OFFSET(printk_log.dict_len)=12
"""


class Memory:
    """A RAM file that a test writes and the code under test reads."""

    def __init__(self, ram_bytes: int = 64 << 20, below_4g_bytes: int | None = None) -> None:
        self.fd = os.memfd_create("guest-ram")
        os.ftruncate(self.fd, ram_bytes)
        self.ram = GuestRam(self.fd, below_4g_bytes=below_4g_bytes)

    def write(self, address: int, data: bytes) -> None:
        os.pwrite(self.fd, data, self.ram.offset_of(address))

    def read(self, address: int, size: int) -> bytes:
        return os.pread(self.fd, size, self.ram.offset_of(address))

    def close(self) -> None:
        self.ram.close()
        os.close(self.fd)


@dataclass
class Kernel:
    """The note and the name of a kernel at a physical address (of 2 MB)."""

    memory: Memory
    at: int = 16 << 20
    release: str = "6.1.0-test"
    note_at: int = 0x5000

    def virtual(self, offset: int) -> int:
        return IMAGE + offset

    def note_text(self, lines: str) -> bytes:
        return (
            f"OSRELEASE={self.release}\nPAGESIZE=4096\n"
            f"SYMBOL(init_uts_ns)={self.virtual(_UTS):x}\nSYMBOL(swapper_pg_dir)={self.virtual(0x400000):x}\n"
            f"SYMBOL(_stext)={self.virtual(0):x}\n{lines}NUMBER(phys_base)={self.at}\n"
        ).encode()

    def write(self, lines: str) -> None:
        name = b"".join(text.encode().ljust(65, b"\0") for text in ("Linux", "guest", self.release))
        self.memory.write(self.at + _UTS, struct.pack("<I", 2) + name)
        self.memory.write(self.note_at, self.note_text(lines).ljust(4096, b"\0"))


class RingKernel(Kernel):
    """A kernel with a lockless ring of 2^count_bits descriptors and 2^size_bits bytes of text."""

    def boot(self, *, count_bits: int = 4, size_bits: int = 12, wide_ids: bool = False) -> RingKernel:
        self.count, self.size = 1 << count_bits, 1 << size_bits
        self.first_id = (-self.count if wide_ids else (1 << 32) - self.count) & _ID_MASK
        self.seq, self.oldest, self.position = 0, 0, (-self.size) & ((1 << 64) - 1)
        self.memory.write(self.at + _DESCS, bytes(0x100000))
        self.memory.write(self.at + _PRB, struct.pack("<Q", self.virtual(_RING)))
        self._put_header(count_bits, size_bits)
        self.write(f"SYMBOL(prb)={self.virtual(_PRB):x}\n" + RING_LINES)
        return self

    def _put_header(self, count_bits: int, size_bits: int) -> None:
        header = struct.pack(
            "<QQQQQQQQ",
            count_bits,
            self.virtual(_DESCS),
            self.virtual(_INFOS),
            (self.first_id + self.seq - 1) & _ID_MASK,
            (self.first_id + (self.oldest or -1)) & _ID_MASK,
            0,
            size_bits,
            self.virtual(TEXT),
        )
        self.memory.write(self.at + _RING, header)
        self._bits = count_bits, size_bits

    def log(
        self,
        text: str | bytes,
        *,
        t_s: float | None = None,
        level: int = 6,
        facility: int = 0,
        state: int = FINALIZED,
    ) -> int:
        """Append one record; returns its sequence number."""
        raw = text.encode() if isinstance(text, str) else text
        seq, ident = self.seq, (self.first_id + self.seq) & _ID_MASK
        self.seq += 1
        self.oldest = max(self.oldest, self.seq - self.count)
        begin = self.position
        size = (8 + len(raw) + 7) & ~7
        start = begin % self.size
        if start + size > self.size:
            after = (begin // self.size + 1) * self.size + size
            start = 0
        else:
            after = begin + size
        self.position = after & ((1 << 64) - 1)
        self.memory.write(self.at + TEXT + start, struct.pack("<Q", ident) + raw)
        nanoseconds = round((seq * 0.25 if t_s is None else t_s) * 1e9)
        info = struct.pack("<QQHBBI", seq, nanoseconds, len(raw), facility, level << 5, 1)
        slot = seq % self.count
        self.memory.write(self.at + _INFOS + slot * _INFO_BYTES, info)
        desc = struct.pack("<QQQ", state << 62 | ident, begin, self.position)
        self.memory.write(self.at + _DESCS + slot * _DESC_BYTES, desc)
        self._put_header(*self._bits)
        return seq

    def set_state(self, seq: int, state: int) -> None:
        ident = (self.first_id + seq) & _ID_MASK
        self.memory.write(
            self.at + _DESCS + seq % self.count * _DESC_BYTES, struct.pack("<Q", state << 62 | ident)
        )

    def set_positions(self, seq: int, begin: int, behind: int) -> None:
        self.memory.write(
            self.at + _DESCS + seq % self.count * _DESC_BYTES + 8, struct.pack("<QQ", begin, behind)
        )

    def break_block(self, seq: int) -> None:
        """Let the text of a record carry another's id, as when it was overwritten."""
        at = self.at + _DESCS + seq % self.count * _DESC_BYTES + 8
        begin = struct.unpack("<Q", self.memory.read(at, 8))[0]
        self.memory.write(self.at + TEXT + begin % self.size, b"\x55" * 8)


class BufferKernel(Kernel):
    """A kernel with a record buffer."""

    def boot(self, *, size: int = 4096) -> BufferKernel:
        self.size, self.first, self.behind, self.time = size, 0, 0, 0
        self.records: list[tuple[int, int]] = []  # offset, length
        self.memory.write(self.at + TEXT, bytes(size))
        self._put()
        names = ("log_buf", "log_buf_len", "log_first_idx", "log_next_idx")
        symbols = "".join(
            f"SYMBOL({name})={self.virtual(_LOG + 8 * number):x}\n" for number, name in enumerate(names)
        )
        self.write(symbols + BUFFER_LINES)
        return self

    def _put(self) -> None:
        data = struct.pack("<QIIII", self.virtual(TEXT), self.size, 0, self.first, 0) + struct.pack(
            "<I", self.behind
        )
        self.memory.write(self.at + _LOG, data)

    def log(self, text: str, *, dictionary: bytes = b"", t_s: float | None = None, level: int = 6) -> None:
        raw = text.encode()
        length = (16 + len(raw) + len(dictionary) + 3) & ~3
        while self.records and not self._fits(length):
            self.records.pop(0)
            self.first = self.records[0][0] if self.records else self.behind
        if self.behind + length + 16 > self.size:
            self.memory.write(self.at + TEXT + self.behind, bytes(16))
            self.behind = 0
            if not self.records:
                self.first = 0
        self.time += 250_000_000
        stamp = self.time if t_s is None else round(t_s * 1e9)
        head = struct.pack("<QHHHBB", stamp, length, len(raw), len(dictionary), 0, level << 5)
        self.memory.write(self.at + TEXT + self.behind, (head + raw + dictionary).ljust(length, b"\0"))
        self.records.append((self.behind, length))
        self.behind += length
        self._put()

    def _fits(self, length: int) -> bool:
        wrapped = self.behind < self.first
        room = self.first - self.behind if wrapped else max(self.size - self.behind, self.first)
        return room >= length + 16
