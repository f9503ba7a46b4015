"""New, empty qcow2 images: written without qemu-img, which a stick does not have.

::

    cluster 0  header: magic, version 3, size, where the tables are
    cluster 1  refcount table: one entry, to
    cluster 2  refcount block: the four clusters are in use
    cluster 3  L1 table, empty: nothing is allocated, all reads are zero

Layout: QEMU, docs/interop/qcow2.txt.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

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
