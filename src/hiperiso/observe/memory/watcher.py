"""Watches a guest's memory for Linux kernels and reads their logs, each record once.

Every kernel that is found is followed until its image is overwritten, so a reboot or kexec needs no decision about
which
one is alive: a dead one has no new records.

A search reads 8 bytes of each page that has data. The next one waits 50 times the CPU time that it took, at least half
a
second: under 2 % of one core. Once a kernel is followed, searches for the next one run at a quarter of that rate,
mostly over pages that had no data before; at the full rate again, over all pages, when the kernel vanished,
announced a kexec, panicked, or the caller reports a reset.

A kernel that stopped before it wrote its note is searched for when the guest is idle: no part of its memory that
was empty has data now. That reads all memory, up to 1 GB of data, and is repeated only much later.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from hiperiso.observe.memory.early import find_early_notes
from hiperiso.observe.memory.kernel import KernelMemory, attach
from hiperiso.observe.memory.printk import LocklessRing, RingLayout, ring_layout
from hiperiso.observe.memory.printk_buffer import RecordBuffer, buffer_layout
from hiperiso.observe.memory.ram import GuestRam, Unreadable, parts_beyond
from hiperiso.observe.memory.records import KernelRecord
from hiperiso.observe.memory.vmcoreinfo import Note, find_notes

POLL_INTERVAL_S = 0.25
_SEARCH_EVERY_S = 0.5
_SEARCH_SPACING = 50  # times the cost of a search
_LOCATED_SLOWER = 4
_SEARCH_ALL_EVERY_S = 15.0  # once a kernel is followed
_REST_S = 1.5  # without new data, before all memory is read
_NEW_DATA = (50, 1.0)  # between two readings of all memory: times the cost, at least seconds
_SAME_DATA = (200, 30.0)
_MOST_TO_READ_BYTES = 1 << 30
_MOST_AT_THE_END_S = 0.5  # the same when the guest has stopped: the verdict waits for it
_MOST_POLLS_AT_THE_END = 64
_MAX_KERNELS = 8  # alive at the same time: a crash kernel beside the first, and what reboots left behind
_BEFORE_ANOTHER = b"Starting new kernel", b"Kernel panic"  # kexec, and perhaps a crash kernel


@dataclass(frozen=True)
class FoundKernel:
    """A kernel in memory.

    Attributes:
        boot: the boot number of its first records.
        release: as ``uname -r`` prints it.
        found_s: when it was found, on the caller's clock.
        memory: access to its virtual memory.
        readable: whether its log can be read: False before Linux 3.5 and for layouts unknown here.
    """

    boot: int
    release: str
    found_s: float
    memory: KernelMemory
    readable: bool


@dataclass
class _Followed:
    kernel: FoundKernel
    log: LocklessRing | RecordBuffer | None


class KernelLogWatcher:
    """Finds kernels and reads their logs.

    Not thread-safe, but may be called from any thread, one at a time.

    Args:
        ram: the guest's memory; owned by the caller.
    """

    def __init__(self, ram: GuestRam) -> None:
        self._ram = ram
        self._followed: list[_Followed] = []
        self._boots = 0
        self._found: list[FoundKernel] = []
        self._searched_s = float("-inf")
        self._searched_all_s = float("-inf")
        self._search_took_s = 0.0
        self._hurry = True
        self._data: tuple[tuple[int, int], ...] = ()  # the parts of memory that have data, at the last search
        self._data_before: tuple[tuple[int, int], ...] = ()  # and at the one before
        self._rests_since_s = float("-inf")
        self._read_data: tuple[tuple[int, int], ...] = ()  # and when all of it was read
        self._read_s = float("-inf")
        self._reading_took_s = 0.0

    @property
    def kernel(self) -> FoundKernel | None:
        """The kernel that was found last and is still in memory."""
        return self._followed[-1].kernel if self._followed else None

    @property
    def found(self) -> tuple[FoundKernel, ...]:
        """Every kernel that was found so far, also those that are gone."""
        return tuple(self._found)

    def poll(self, now_s: float, *, last: bool = False) -> list[KernelRecord]:
        """The records since the previous poll, in order per kernel. Never raises.

        Args:
            now_s: seconds on any monotonic clock.
            last: the guest has stopped: search once more regardless of the rate, for half a second at most, and read
                everything to the end, including a line that the kernel had not finished.
        """
        if last or now_s >= self._searched_s + self._pause_s():
            self._search(now_s, last=last)
        records: list[KernelRecord] = []
        for followed in tuple(self._followed):
            records += self._read(followed, last=last)
        return records

    def expect_another(self) -> None:
        """The guest was reset: search at the full rate."""
        self._hurry = True

    def _search(self, now_s: float, *, last: bool) -> None:
        started = time.thread_time()
        settled = self._has_notes() and not self._hurry and not last
        known, before, self._data = self._data_before, self._data, tuple(self._ram.extents())
        self._data_before = before
        if self._data != before:
            self._rests_since_s = now_s
        new = None
        if settled and now_s < self._searched_all_s + _SEARCH_ALL_EVERY_S:
            new = list(parts_beyond(self._data, known))  # each twice: a note may have been half written
        else:
            self._searched_all_s = now_s
        for note in find_notes(self._ram, within=new):
            self._take(note, now_s)
        self._search_took_s = time.thread_time() - started
        self._searched_s = now_s
        if not self._followed and self._is_worth_reading(now_s, last=last):
            started = time.thread_time()
            until_s = time.monotonic() + _MOST_AT_THE_END_S if last else None
            for note in find_early_notes(self._ram, until_s=until_s):
                self._take(note, now_s)
            self._read_s, self._reading_took_s = now_s, time.thread_time() - started

    def _has_notes(self) -> bool:
        """Whether a kernel with a note is followed. One without may write its note to a page that already had data."""
        return bool(self._followed) and all(one.kernel.memory.note.address for one in self._followed)

    def _is_worth_reading(self, now_s: float, *, last: bool) -> bool:
        """Whether all memory should be read for a kernel without a note: the guest is idle, or has stopped."""
        data = self._data
        if sum(end - start for start, end in data) > _MOST_TO_READ_BYTES:
            return False
        spacing, least_s = _SAME_DATA if data == self._read_data else _NEW_DATA
        rested = now_s >= self._rests_since_s + _REST_S
        due = now_s >= self._read_s + max(least_s, spacing * self._reading_took_s)
        if not (last or (rested and due)):
            return False
        self._read_data = data
        return True

    def _pause_s(self) -> float:
        pause_s = max(_SEARCH_EVERY_S, _SEARCH_SPACING * self._search_took_s)
        return pause_s if self._hurry or not self._followed else pause_s * _LOCATED_SLOWER

    def _take(self, note: Note, now_s: float) -> None:
        """Follow the kernel of this note, if it is one and not followed yet."""
        if len(self._followed) >= _MAX_KERNELS:
            return
        memory = attach(self._ram, note)
        if memory is None:
            return
        for followed in self._followed:
            if followed.kernel.memory.page_table == memory.page_table:
                # a copy of the note, for a crash kernel; or the note of a kernel found without one
                if followed.kernel.memory.note.address == 0:  # the log continues
                    followed.kernel = replace(followed.kernel, memory=memory)
                return
        log: LocklessRing | RecordBuffer | None = None
        if (ring := ring_layout(note)) is not None:
            log = LocklessRing(memory, ring, boot=self._boots)
            if note.address == 0 and not _has_records(memory, ring):
                return  # its image is loaded, but not relocated yet: all addresses will change
        elif (buffer := buffer_layout(note)) is not None:
            log = RecordBuffer(memory, buffer, boot=self._boots)
        kernel = FoundKernel(self._boots, note.release, now_s, memory, log is not None)
        self._boots += 1
        self._followed.append(_Followed(kernel, log))
        self._found.append(kernel)
        self._hurry = False

    def _read(self, followed: _Followed, *, last: bool) -> list[KernelRecord]:
        if not followed.kernel.memory.is_alive():
            self._followed.remove(followed)
            self.expect_another()
            return []
        if followed.log is None:
            return []
        records: list[KernelRecord] = []
        boot = followed.log.boot
        try:
            for _ in range(_MOST_POLLS_AT_THE_END if last else 1):
                new = followed.log.poll(last=last)
                records += new
                if not new:
                    break
        except Unreadable:  # changing, or being overwritten: the next poll decides
            pass
        self._boots = max(self._boots, followed.log.boot + 1)
        if followed.log.boot != boot:  # the expected kernel
            self._hurry = False
        if any(words in record.raw for record in records for words in _BEFORE_ANOTHER):
            self._hurry = True
        return records


def _has_records(memory: KernelMemory, ring: RingLayout) -> bool:
    try:
        return bool(LocklessRing(memory, ring).poll(last=True))
    except Unreadable:
        return False
