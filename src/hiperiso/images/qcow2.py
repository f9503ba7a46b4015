"""New qcow2 images, empty ones and overlays: written without qemu-img, which a stick does not have.

::

    cluster 0  header: magic, version 3, size, where the tables are
    cluster 1  refcount table: one entry, to
    cluster 2  refcount block: the four clusters are in use
    cluster 3  L1 table, empty: nothing is allocated, all reads are zero

Layout: QEMU, docs/interop/qcow2.txt.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hiperiso.iso.reader import SECTOR_BYTES

if TYPE_CHECKING:
    from hiperiso.iso.changes import Changes

MAGIC: Final = b"QFI\xfb"
_CLUSTER_BITS: Final = 16
_CLUSTER_BYTES: Final = 1 << _CLUSTER_BITS
_L2_BYTES: Final = _CLUSTER_BYTES * (_CLUSTER_BYTES // 8)
"""The bytes that one entry of the L1 table covers."""

MAX_BYTES: Final = _L2_BYTES * (_CLUSTER_BYTES // 8)
"""The bytes that an L1 table of one cluster covers: 4 TiB."""

_HEADER: Final = struct.Struct(">4sIQIIQIIQQIIQQQQII")


def write_empty_qcow2(path: Path, size_bytes: int) -> None:
    """Write an image of `size_bytes` (a multiple of 512, at most `MAX_BYTES`) that is all zero.

    Raises:
        OSError: it cannot be written, or `path` exists.
    """
    assert 0 < size_bytes <= MAX_BYTES
    header = _HEADER.pack(
        *(MAGIC, 3, 0, 0, _CLUSTER_BITS, size_bytes, 0, -(-size_bytes // _L2_BYTES), 3 * _CLUSTER_BYTES),
        *(_CLUSTER_BYTES, 1, 0, 0, 0, 0, 0, 4, _HEADER.size),  # refcounts of 16 bits
    )
    with path.open("xb") as file:
        file.write(header)
        file.seek(_CLUSTER_BYTES)
        file.write(struct.pack(">Q", 2 * _CLUSTER_BYTES))
        file.seek(2 * _CLUSTER_BYTES)
        file.write(struct.pack(">4H", 1, 1, 1, 1))
        file.truncate(4 * _CLUSTER_BYTES)


def names_other_files(head: bytes) -> str:
    """The other file that a qcow2 image depends on, from its first 104 bytes; empty without one.

    Returns:
        ``a backing file`` or ``a data file``; such an image could make QEMU open any file of this machine.
    """
    if len(head) < _HEADER.size or not head.startswith(MAGIC):
        return ""
    fields = _HEADER.unpack_from(head)
    if fields[2]:
        return "a backing file"
    return "a data file" if fields[1] >= 3 and fields[13] & 4 else ""


_OVERLAY_BITS: Final = 12
"""Clusters of 4 KiB: a changed sector costs two sectors, and each 2 MiB with a change a table of 4 KiB."""
_BACKING_FORMAT: Final = 0xE2792ACA
MAX_BACKING_NAME_BYTES: Final = 1023


def write_overlay_qcow2(path: Path, backing: Path, changes: Changes, *, name: Path | None = None) -> None:
    """Write an image that is `backing` (raw) with `changes` over it; `name`: where a copy of it will be.

    ::

        header, name of the backing file | refcount table | refcount blocks | L1 | L2 tables | changed clusters

    Raises:
        OSError: it cannot be written, `path` exists, or the backing file cannot be read.
    """
    cluster = 1 << _OVERLAY_BITS
    per_table = cluster // 8
    units = list(changes.changed(cluster // SECTOR_BYTES))
    size_bytes = changes.size_bytes
    tables = sorted({unit // per_table for unit in units})
    l1_entries = -(-size_bytes // (cluster * per_table))
    l1_clusters = -(-l1_entries * 8 // cluster)
    used = 1 + l1_clusters + len(tables) + len(units)
    blocks = 0
    while blocks * (cluster // 2) < used + blocks + -(-blocks * 8 // cluster):
        blocks += 1
    table_clusters = -(-blocks * 8 // cluster)
    total = used + blocks + table_clusters
    first_block = 1 + table_clusters
    first_l1 = first_block + blocks
    first_l2 = first_l1 + l1_clusters
    first_data = first_l2 + len(tables)
    named = os.fsencode(name or backing)
    extension = struct.pack(">II", _BACKING_FORMAT, 3) + b"raw".ljust(8, b"\0") + bytes(8)
    header = _HEADER.pack(
        *(MAGIC, 3, _HEADER.size + len(extension), len(named), _OVERLAY_BITS, size_bytes, 0, l1_entries),
        *(first_l1 * cluster, cluster, table_clusters, 0, 0, 0, 0, 0, 4, _HEADER.size),
    )
    copied = 1 << 63
    place = {unit: (first_data + number) * cluster | copied for number, unit in enumerate(units)}
    l1 = dict.fromkeys(range(l1_entries), 0)
    l1 |= {table: (first_l2 + number) * cluster | copied for number, table in enumerate(tables)}
    with path.open("xb") as file:
        file.write(header + extension + named)
        file.seek(cluster)
        file.write(struct.pack(f">{blocks}Q", *((first_block + n) * cluster for n in range(blocks))))
        file.seek(first_block * cluster)
        file.write(struct.pack(f">{total}H", *[1] * total))
        file.seek(first_l1 * cluster)
        file.write(struct.pack(f">{l1_entries}Q", *l1.values()))
        file.seek(first_l2 * cluster)
        for table in tables:
            first = table * per_table
            file.write(struct.pack(f">{per_table}Q", *(place.get(first + n, 0) for n in range(per_table))))
        descriptor = os.open(backing, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for first, count in _runs(units):
                wanted = count * cluster
                file.write(changes.read(descriptor, first * cluster, wanted).ljust(wanted, b"\0"))
        finally:
            os.close(descriptor)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """First number and length of each run of consecutive numbers, cut at `_RUN`."""
    begin = 0
    for at in range(1, len(numbers) + 1):
        ended = at == len(numbers) or numbers[at] != numbers[at - 1] + 1 or at - begin == _RUN
        if ended:
            yield numbers[begin], at - begin
            begin = at


_RUN: Final = 256
