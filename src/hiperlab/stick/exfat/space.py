"""The allocation bitmap of exFAT: which clusters are free, found by runs. Pure except for its bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hiperlab.stick.exfat.records import FIRST_CLUSTER

_NOT_FULL = re.compile(rb"[^\xff]")
_NOT_FREE = re.compile(rb"[^\0]")


@dataclass(frozen=True)
class Run:
    """Consecutive clusters."""

    first: int
    count: int


class Bitmap:
    """One bit a cluster, set where it is used; bit 0 of byte 0 is cluster 2."""

    def __init__(self, data: bytes, cluster_count: int) -> None:
        self.data = bytearray(data)
        self.cluster_count = cluster_count

    def used_count(self) -> int:
        """How many clusters are used."""
        extra = len(self.data) * 8 - self.cluster_count
        whole = int.from_bytes(self.data, "little")
        return (whole & ((1 << (len(self.data) * 8 - extra)) - 1)).bit_count()

    def find(self, count: int) -> list[Run]:
        """Free clusters for `count`: one run if possible, else fragments in order; empty if there are too few."""
        pieces: list[Run] = []
        missing = count
        for run in self.free_runs():
            if run.count >= count:
                return [Run(run.first, count)]
            if missing > 0:
                pieces.append(Run(run.first, min(run.count, missing)))
                missing -= pieces[-1].count
        return [] if missing > 0 else pieces

    def mark(self, runs: list[Run]) -> tuple[int, int]:
        """Set the clusters of `runs` as used. Returns the changed bytes as first and one past the last."""
        return self._change(runs, lambda old, bits: old | bits)

    def clear(self, runs: list[Run]) -> tuple[int, int]:
        """Set the clusters of `runs` as free; returns like `mark`."""
        return self._change(runs, lambda old, bits: old & ~bits)

    def _change(self, runs: list[Run], change: Callable[[int, int], int]) -> tuple[int, int]:
        low, high = len(self.data), 0
        for run in runs:
            first, end = run.first - FIRST_CLUSTER, run.first - FIRST_CLUSTER + run.count
            low, high = min(low, first // 8), max(high, -(-end // 8))
            bits = ((1 << run.count) - 1) << (first % 8)
            span = slice(first // 8, -(-end // 8))
            changed = change(int.from_bytes(self.data[span], "little"), bits)
            self.data[span] = changed.to_bytes(span.stop - span.start, "little")
        return low, high

    def free_runs(self) -> Iterator[Run]:
        """Every run of free clusters, in order."""
        start: int | None = None
        position = 0
        while position < self.cluster_count:
            byte = self.data[position // 8]
            if position % 8 == 0 and byte in (0x00, 0xFF):
                pattern = _NOT_FREE if byte == 0 else _NOT_FULL
                match = pattern.search(self.data, position // 8)
                end = min((match.start() if match else len(self.data)) * 8, self.cluster_count)
                free = byte == 0
            else:
                end = position + 1
                free = not byte >> (position % 8) & 1
            if free and start is None:
                start = position
            elif not free and start is not None:
                yield Run(start + FIRST_CLUSTER, position - start)
                start = None
            position = end
        if start is not None:
            yield Run(start + FIRST_CLUSTER, self.cluster_count - start)
