"""Random and damaged memory: nothing raises, nothing is invented, and it takes no time."""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guest_memory.images import FIXTURES, fixture_names, index_from, load_image, sparse_file
from hiperiso.observe.memory import GuestRam, KernelLogWatcher, TaskReader, Unreadable, read_console
from hiperiso.observe.memory.records import KernelRecord
from machine_speed import assert_cheap
from property_tests import examples

PAGE = 4096
LONGEST_S = 2.0


class Damage:
    """One guest's image, damaged by writes that are undone again."""

    def __init__(self, name: str) -> None:
        self.pages, ram_bytes, below = load_image(FIXTURES / f"{name}.image.gz")
        self.fd = sparse_file(self.pages, ram_bytes, below)
        self.ram = GuestRam(self.fd, below_4g_bytes=below)
        self.addresses = sorted(self.pages)
        self.index = index_from(json.loads((FIXTURES / f"{name}.json").read_text())["index"])
        self.whole = {record.seq: record for record in KernelLogWatcher(self.ram).poll(0.0)}

    def look(self, rng: random.Random, cases: int, *, most: int) -> None:
        """Damage up to ``most`` places, read everything, check, repair."""
        for _ in range(cases):
            touched = [self._harm(rng) for _ in range(rng.randint(1, most))]
            started = time.process_time()
            watcher = KernelLogWatcher(self.ram)
            records = watcher.poll(0.0, last=rng.random() < 0.5)
            if watcher.kernel is not None:
                for read in (TaskReader(watcher.kernel.memory, self.index).read, self._console(watcher)):
                    with contextlib.suppress(Unreadable):
                        read()
            assert_cheap(time.process_time() - started, LONGEST_S)
            self.check(records)
            for address in touched:
                os.pwrite(self.fd, self.pages[address], self.ram.offset_of(address))

    def check(self, records: list[KernelRecord]) -> None:
        assert [(record.boot, record.seq) for record in records] == sorted(
            {(record.boot, record.seq) for record in records}
        )
        for record in records:
            assert 0 <= record.level <= 7
            assert len(record.raw) <= 32 << 10
            assert 0 <= record.t_kernel_s < 10**9

    def _console(self, watcher: KernelLogWatcher) -> Callable[[], object]:
        found = watcher.kernel
        assert found is not None
        return lambda: read_console(found.memory, self.index)

    def _harm(self, rng: random.Random) -> int:
        address = rng.choice(self.addresses)
        data = bytearray(self.pages[address])
        kind = rng.randrange(5)
        at = rng.randrange(PAGE)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            at &= ~7
            data[at : at + 8] = rng.choice(
                (b"\0" * 8, b"\xff" * 8, rng.randbytes(8), rng.choice(self.addresses).to_bytes(8, "little"))
            )
        elif kind == 3:
            data[at:] = rng.randbytes(PAGE - at)
        else:
            data[:] = self.pages[rng.choice(self.addresses)]
        os.pwrite(self.fd, data, self.ram.offset_of(address))
        return address

    def close(self) -> None:
        self.ram.close()
        os.close(self.fd)


@pytest.mark.parametrize("name", fixture_names())
@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(15), deadline=None)
def test_damaged_guests(name: str, seed: int) -> None:
    damage = Damage(name)
    damage.look(random.Random(seed), 4, most=6)
    damage.close()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", fixture_names())
def test_damaged_guests_many_times(name: str) -> None:
    damage = Damage(name)
    for seed in range(200):
        damage.look(random.Random(seed), 100, most=1 + seed % 12)
    damage.close()


@pytest.mark.parametrize("name", [name for name in fixture_names() if "ubuntu" not in name])
def test_a_flipped_bit_in_the_log_changes_no_other_record(name: str) -> None:
    """With the lockless ring a damaged record is lost or has a damaged text; all others stay as they are."""
    damage = Damage(name)
    rng = random.Random(1)
    for _ in range(150):
        address = rng.choice(damage.addresses)
        data = bytearray(damage.pages[address])
        data[rng.randrange(PAGE)] ^= 1 << rng.randrange(8)
        os.pwrite(damage.fd, data, damage.ram.offset_of(address))
        records = KernelLogWatcher(damage.ram).poll(0.0)
        os.pwrite(damage.fd, damage.pages[address], damage.ram.offset_of(address))
        different = [
            record for record in records if (r := damage.whole.get(record.seq)) is None or r.raw != record.raw
        ]
        assert len(different) <= 1
    damage.close()


@given(st.binary(max_size=3 * PAGE), st.integers(0, 255))
@example(b"", 0)
@settings(max_examples=examples(50), deadline=None)
def test_random_memory_has_no_kernel(data: bytes, page: int) -> None:
    fd = os.memfd_create("noise")
    os.ftruncate(fd, 1 << 20)
    os.pwrite(fd, b"OSRELEASE=6.1.0\n" + data, min(page * PAGE, (1 << 20) - len(data) - 16))
    ram = GuestRam(fd)
    watcher = KernelLogWatcher(ram)
    assert watcher.poll(0.0) == []
    assert watcher.kernel is None
    ram.close()
    os.close(fd)
