"""How the initramfs of a stick is compressed: a room of its own, for every start of ``hiperiso`` loads it."""

from __future__ import annotations

from enum import StrEnum


class Compression(StrEnum):
    """The compression of the image; the name of the initramfs is fixed by the contract."""

    ZSTD = "zstd"
    XZ = "xz"
    GZIP = "gzip"
