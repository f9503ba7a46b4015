"""How a file is compressed, by its first bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hiperiso.errors import IsoError
from hiperiso.iso.inspect import open_image

Progress = Callable[[str], None]
"""Called periodically with the current action in one line; raises to cancel the work."""

SUFFIXES: Final = {b"\xfd7zXZ\x00": ".xz", b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"BZh": ".bz2"}
"""The first bytes of a compressed file, and the suffix of its name."""


def compression(path: Path) -> str:
    """``.xz``, ``.gz``, ``.zst``, ``.bz2``, or empty for a file that is not compressed.

    Raises:
        IsoError: it cannot be read.
    """
    descriptor = open_image(path)
    try:
        head = os.pread(descriptor, 8, 0)
    except OSError as error:
        raise IsoError(f"the file cannot be read: {path} ({error.strerror})") from None
    finally:
        os.close(descriptor)
    return next((suffix for magic, suffix in SUFFIXES.items() if head.startswith(magic)), "")
