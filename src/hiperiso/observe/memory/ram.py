"""The RAM of a guest, read through the file that backs it.

QEMU's x86 machines lay the file out in physical order with one gap, the PCI hole below 4 GB::

    file      0 ............. below | below ............ ram_bytes
    physical  0 ............. below | 4 GB ............. 4 GB + ram_bytes - below

Two access paths. Reads at an address use ``pread``: a wild pointer into a hole costs nothing. Scans use a
strided mapping over the parts of the file that have data (SEEK_DATA): touching a hole through a mapping allocates
it, and on a full file system that ends the process with SIGBUS.

Source: QEMU's hw/i386/pc_q35.c and pc_piix.c (memory layout), lseek(2).
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Iterable, Iterator, Sequence

PAGE = 4096
_FOUR_GB = 1 << 32
_CHUNK_BYTES = (
    64 << 20
)  # of the file, per step of a scan: about a millisecond without yielding to other threads
_FIND_CHUNK_BYTES = 8 << 20
_MAX_READ_BYTES = 16 << 20
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class Unreadable(Exception):  # an outcome: the address is not RAM, or not mapped
    """The guest's memory cannot be read at this address."""


def q35_below_4g_bytes(ram_bytes: int) -> int:
    """How much RAM a q35 machine has below 4 GB."""
    return ram_bytes if ram_bytes < 0xB0000000 else 0x80000000


def i440fx_below_4g_bytes(ram_bytes: int) -> int:
    """How much RAM a ``pc`` machine has below 4 GB."""
    return ram_bytes if ram_bytes < 0xE0000000 else 0xC0000000


class GuestRam:
    """The physical memory of one running guest, read-only.

    Args:
        fd: a descriptor of the RAM file, open for reading. Owned by the caller: keep it open as long as this object
            is in use. The file may be unlinked, and must not shrink.
        ram_bytes: size of the guest's RAM; without it, the size of the file.
        below_4g_bytes: RAM below the PCI hole; without it, as a q35 machine has it.

    Raises:
        OSError: the descriptor cannot be mapped.
        ValueError: the file is empty or smaller than ``ram_bytes``.
    """

    def __init__(self, fd: int, *, ram_bytes: int | None = None, below_4g_bytes: int | None = None) -> None:
        size = os.fstat(fd).st_size
        self.size_bytes = size if ram_bytes is None else ram_bytes
        if not 0 < self.size_bytes <= size:
            raise ValueError(f"the RAM file holds {size} bytes, not {self.size_bytes}")
        below = q35_below_4g_bytes(self.size_bytes) if below_4g_bytes is None else below_4g_bytes
        self.below_bytes = min(below, self.size_bytes, _FOUR_GB)
        self._fd = fd
        self._map = mmap.mmap(fd, self.size_bytes, mmap.MAP_SHARED, mmap.PROT_READ)

    def close(self) -> None:
        """Release the mapping. The descriptor stays open."""
        self._map.close()

    def offset_of(self, address: int) -> int:
        """The offset in the file of a physical address.

        Raises:
            Unreadable: there is no RAM at this address.
        """
        if 0 <= address < self.below_bytes:
            return address
        offset = address - _FOUR_GB + self.below_bytes
        if address >= _FOUR_GB and offset < self.size_bytes:
            return offset
        raise Unreadable(f"no RAM at {address:#x}")

    def address_of(self, offset: int) -> int:
        """The physical address of an offset in the file."""
        return offset if offset < self.below_bytes else offset - self.below_bytes + _FOUR_GB

    def read(self, address: int, size: int) -> bytes:
        """Exactly ``size`` bytes at a physical address.

        Raises:
            Unreadable: not all of it is RAM, or larger than any kernel structure.
        """
        offset = self.offset_of(address)
        end = self.below_bytes if offset < self.below_bytes else self.size_bytes
        if not 0 <= size <= min(_MAX_READ_BYTES, end - offset):
            raise Unreadable(f"fewer than {size} bytes of RAM at {address:#x}")
        data = os.pread(self._fd, size, offset)
        if len(data) != size:
            raise Unreadable(f"the RAM file ends at {offset + len(data):#x}")
        return data

    def u32(self, address: int) -> int:
        """The 32-bit number at a physical address. Raises `Unreadable`."""
        return int(_U32.unpack(self.read(address, 4))[0])

    def u64(self, address: int) -> int:
        """The 64-bit number at a physical address. Raises `Unreadable`."""
        return int(_U64.unpack(self.read(address, 8))[0])

    def extents(self) -> Iterator[tuple[int, int]]:
        """The parts of the file that have data: (first offset, end offset), whole pages, in order."""
        position = 0
        while position < self.size_bytes:
            try:
                start = os.lseek(self._fd, position, os.SEEK_DATA)
                end = os.lseek(self._fd, start, os.SEEK_HOLE)
            except OSError:  # ENXIO: holes up to the end
                return
            first, behind = start & ~(PAGE - 1), min((end + PAGE - 1) & ~(PAGE - 1), self.size_bytes)
            if behind <= position:
                return
            if first < behind:
                yield max(first, position), behind
            position = behind

    def pages_starting(self, magic: bytes) -> Iterator[int]:
        """Physical addresses of the pages whose first 8 bytes are ``magic``, ascending.

        Costs one cache line per page with data; other threads run between the steps of 64 MB.
        """
        return self.pages_starting_in(self.extents(), magic)

    def pages_starting_in(self, parts: Iterable[tuple[int, int]], magic: bytes) -> Iterator[int]:
        """The same for the given parts only: parts of `extents`, because holes must not be read."""
        if len(magic) != 8:
            raise ValueError("the magic must have 8 bytes")
        with memoryview(self._map) as view, view[: self.size_bytes & ~7].cast("Q") as words:
            for start, end in _chunks(list(parts)):
                with words[start // 8 : end // 8 : PAGE // 8] as strided:
                    heads = strided.tobytes()
                at = heads.find(magic)
                while at >= 0:
                    if at % 8 == 0:
                        yield self.address_of(start + at // 8 * PAGE)
                    at = heads.find(magic, at + 1)

    def find(self, pattern: bytes, *, until_s: float | None = None) -> Iterator[int]:
        """Physical addresses of every occurrence of ``pattern``, ascending, also across pages.

        Reads all data: a second or less for 1 GB. Other threads run between the steps of 8 MB; it also stops between
        them at ``until_s`` of the monotonic clock.
        """
        with memoryview(self._map) as view:
            for start, end in list(self.extents()):  # never a byte past the end: it would become data
                for first in range(start, end, _FIND_CHUNK_BYTES):
                    if until_s is not None and time.monotonic() >= until_s:
                        return
                    with view[first : min(first + _FIND_CHUNK_BYTES + len(pattern) - 1, end)] as part:
                        data = part.tobytes()
                    at = data.find(pattern)
                    while at >= 0:
                        yield self.address_of(first + at)
                        at = data.find(pattern, at + 1)


def parts_beyond(
    parts: Iterable[tuple[int, int]], known: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """The parts of ``parts`` that ``known`` does not cover; both are sorted, as from `GuestRam.extents`."""
    at = 0
    for first, end in parts:
        while at < len(known) and known[at][1] <= first:
            at += 1
        start, inside = first, at
        while inside < len(known) and known[inside][0] < end:
            if start < known[inside][0]:
                yield start, known[inside][0]
            start = known[inside][1]
            inside += 1
        if start < end:
            yield start, end


def _chunks(parts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in parts:
        for first in range(start, end, _CHUNK_BYTES):
            yield first, min(first + _CHUNK_BYTES, end)
