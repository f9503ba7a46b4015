from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from guest_memory.synthetic import BufferKernel, Memory, RingKernel
from hiperiso.observe.memory import KernelLogWatcher
from hiperiso.observe.memory.ram import GuestRam


class CountingRam(GuestRam):
    searches = 0
    searches_of_parts = 0
    readings = 0

    def pages_starting(self, magic: bytes) -> Iterator[int]:
        self.searches += 1
        return super().pages_starting(magic)

    def pages_starting_in(self, parts: Iterable[tuple[int, int]], magic: bytes) -> Iterator[int]:
        self.searches_of_parts += 1
        return super().pages_starting_in(parts, magic)

    def find(self, pattern: bytes, *, until_s: float | None = None) -> Iterator[int]:
        self.readings += 1
        return super().find(pattern, until_s=until_s)


@pytest.fixture
def counting(memory: Memory) -> CountingRam:
    return CountingRam(memory.fd)


def polls(watcher: KernelLogWatcher, start_s: float, end_s: float) -> list[tuple[int, str]]:
    """(boot, text) of all records, polling every quarter of a second."""
    found = []
    for quarter in range(round(start_s * 4), round(end_s * 4)):
        found += [(record.boot, record.text) for record in watcher.poll(quarter / 4)]
    return found


def test_a_kernel_is_found_within_a_second(memory: Memory) -> None:
    watcher = KernelLogWatcher(memory.ram)
    assert polls(watcher, 0, 10) == []
    assert not any(watcher.found)
    kernel = RingKernel(memory).boot()
    kernel.log("here")
    assert polls(watcher, 10, 11) == [(0, "here")]
    found = watcher.found[-1]
    assert (found.release, found.boot, found.readable) == ("6.1.0-test", 0, True)
    assert watcher.kernel is found


def test_searches_are_spaced(counting: CountingRam) -> None:
    watcher = KernelLogWatcher(counting)
    polls(watcher, 0, 100)
    assert counting.searches <= 201


def test_all_memory_is_read_when_the_guest_has_come_to_rest_and_seldom_again(
    memory: Memory, counting: CountingRam
) -> None:
    watcher = KernelLogWatcher(counting)
    memory.write(0, b"x")
    polls(watcher, 0, 25)
    assert counting.readings == 1
    polls(watcher, 25, 100)
    assert counting.readings <= 4
    counting.readings = 0
    for second in range(100, 200):  # a guest that works
        memory.write(second * 8192, b"x")
        polls(watcher, second, second + 1)
    assert counting.readings == 0
    polls(watcher, 200, 220)
    assert counting.readings == 1


def test_searches_slow_down_once_a_kernel_is_followed(memory: Memory, counting: CountingRam) -> None:
    RingKernel(memory).boot()
    watcher = KernelLogWatcher(counting)
    polls(watcher, 0, 100)
    assert counting.searches <= 8
    assert counting.searches_of_parts <= 51


def test_another_kernel_in_used_memory_comes_in_the_end(memory: Memory) -> None:
    """Without a word before, and with nothing new in its pages: such as after an old kexec."""
    RingKernel(memory).boot()
    memory.write(0x7000, b"something")
    watcher = KernelLogWatcher(memory.ram)
    polls(watcher, 0, 4)
    BufferKernel(memory, at=32 << 20, release="5.4.0-other", note_at=0x7000).boot().log("two")
    assert polls(watcher, 4, 20) == [(1, "two")]


def test_another_kernel_elsewhere_is_another_boot(memory: Memory) -> None:
    """kexec, or a reboot with KASLR: the first kernel may stay in memory, silent."""
    first = RingKernel(memory).boot()
    first.log("one")
    watcher = KernelLogWatcher(memory.ram)
    assert polls(watcher, 0, 1) == [(0, "one")]
    second = BufferKernel(memory, at=32 << 20, release="5.4.0-other", note_at=0x7000).boot()
    second.log("two")
    assert polls(watcher, 1, 4) == [(1, "two")]
    assert [kernel.release for kernel in watcher.found] == ["6.1.0-test", "5.4.0-other"]
    assert watcher.kernel is watcher.found[1]


@pytest.mark.parametrize("hint", ["kexec", "panic", "reset"])
def test_a_hint_makes_the_next_kernel_come_within_a_second(memory: Memory, hint: str) -> None:
    first = RingKernel(memory).boot()
    words = {"kexec": "kexec_core: Starting new kernel", "panic": "Kernel panic - not syncing: no init"}
    first.log(words.get(hint, "reboot: Restarting system"))
    memory.write(0x7000, b"something")
    watcher = KernelLogWatcher(memory.ram)
    polls(watcher, 0, 1)
    if hint == "reset":
        watcher.expect_another()
    RingKernel(memory, at=32 << 20, note_at=0x7000).boot().log("two")
    assert polls(watcher, 1, 2) == [(1, "two")]


def test_a_kernel_that_is_overwritten_is_gone_and_the_next_one_comes(memory: Memory) -> None:
    RingKernel(memory).boot().log("one")
    watcher = KernelLogWatcher(memory.ram)
    polls(watcher, 0, 1)
    memory.write(16 << 20, b"\xcc" * 0x100000)
    assert polls(watcher, 1, 2) == []
    assert watcher.kernel is None
    RingKernel(memory, release="6.12.0-next").boot().log("two")
    assert polls(watcher, 2, 3) == [(1, "two")]


def test_the_same_kernel_again_counts_up(memory: Memory) -> None:
    kernel = RingKernel(memory).boot()
    kernel.log("one")
    kernel.log("two")
    watcher = KernelLogWatcher(memory.ram)
    polls(watcher, 0, 1)
    kernel.boot()
    kernel.log("again")
    assert polls(watcher, 1, 2) == [(1, "again")]
    RingKernel(memory, at=32 << 20, note_at=0x7000).boot().log("third")
    assert polls(watcher, 2, 5) == [(2, "third")]


def test_a_copy_of_the_note_is_not_another_kernel(memory: Memory) -> None:
    kernel = RingKernel(memory).boot()
    kernel.log("one")
    memory.write(0x300000, memory.read(kernel.note_at, 4096))
    assert polls(KernelLogWatcher(memory.ram), 0, 10) == [(0, "one")]


def test_a_kernel_with_an_unknown_log_is_found_and_not_read(memory: Memory) -> None:
    kernel = RingKernel(memory).boot()
    kernel.log("one")
    page = memory.read(kernel.note_at, 4096).replace(b"SIZE(prb_desc)", b"SIZE(prb_dexx)")
    memory.write(kernel.note_at, page)
    watcher = KernelLogWatcher(memory.ram)
    assert polls(watcher, 0, 1) == []
    assert watcher.kernel is not None
    assert not watcher.kernel.readable


def test_the_last_poll_takes_everything(memory: Memory) -> None:
    watcher = KernelLogWatcher(memory.ram)
    assert watcher.poll(0.0) == []
    kernel = RingKernel(memory).boot(count_bits=12, size_bits=16)
    for number in range(3000):
        kernel.log(f"{number}")
    assert [record.text for record in watcher.poll(0.001, last=True)] == [str(n) for n in range(3000)]
