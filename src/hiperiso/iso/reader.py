"""Reading an image that may be broken or malicious, within limits of time and memory: the only access to its bytes."""

from __future__ import annotations

import os
import time
from typing import Final, Protocol

SECTOR_BYTES: Final = 2048
DEADLINE_S: Final = 5.0
_MAX_READ_BYTES: Final = 256 << 20
_MAX_SINGLE_BYTES: Final = 8 << 20


class LimitReached(Exception):
    """The image exceeds its limits of time or memory; what was found so far remains valid."""


class Overlay(Protocol):
    """Changes over an image file: see `hiperiso.iso.changes`."""

    @property
    def size_bytes(self) -> int:
        """The size of the changed image."""

    def read(self, image: int, offset_bytes: int, size_bytes: int) -> bytes:
        """Bytes of the changed image; `image` is a descriptor of the file."""


class ImageReader:
    """Bounded reading of one open file or block device. Raises `LimitReached` when the limits are spent.

    Args:
        descriptor: of the image.
        deadline_s: of all reads together.
        changes: changes over the file, which are read in its place.

    Attributes:
        size_bytes: of the image.
        error: the first read that failed; such reads give less or nothing.
    """

    def __init__(
        self, descriptor: int, *, deadline_s: float = DEADLINE_S, changes: Overlay | None = None
    ) -> None:
        self.size_bytes = changes.size_bytes if changes else os.lseek(descriptor, 0, os.SEEK_END)
        self._changes = changes
        self.error: OSError | None = None
        self._descriptor = descriptor
        self._until = time.monotonic() + deadline_s
        self._left_bytes = _MAX_READ_BYTES

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        """Up to `size_bytes`; less or nothing at and past the end, and where the file cannot be read."""
        size_bytes = min(size_bytes, _MAX_SINGLE_BYTES, self.size_bytes - offset_bytes)
        if offset_bytes < 0 or size_bytes <= 0:
            self.spend(1)
            return b""
        self.spend(size_bytes)
        try:
            if self._changes is not None:
                return self._changes.read(self._descriptor, offset_bytes, size_bytes)
            return os.pread(self._descriptor, size_bytes, offset_bytes)
        except OSError as error:
            self.error = self.error or error
            return b""

    def sector(self, number: int) -> bytes:
        """One sector of 2048 bytes, or less at the end."""
        return self.read(number * SECTOR_BYTES, SECTOR_BYTES)

    def spend(self, size_bytes: int) -> None:
        """Charge work against the limits."""
        self._left_bytes -= size_bytes
        if self._left_bytes < 0 or time.monotonic() > self._until:
            raise LimitReached
