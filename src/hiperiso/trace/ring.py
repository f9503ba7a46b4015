"""A trace of which only the last part is kept: two files of half the limit, joined when the recording has ended."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from hiperiso.trace.reader import HEADER_BYTES

_BINARY: Final = b"\xff"
_BUFFER_BYTES: Final = 1 << 20


def older_part(trace: Path) -> Path:
    """Where the records before those of `trace` are."""
    return trace.with_name(f"{trace.name}.older")


def join_ring(trace: Path) -> bool:
    """Put the older part of a trace before the newer one; returns whether there was one.

    What a recorder killed at any point left behind is completed: nothing is joined twice.

    Raises:
        OSError: the disk is full or gone.
    """
    older = older_part(trace)
    following = trace.with_name(f"{trace.name}.next")
    if not trace.exists() and following.exists():  # killed between the two renames
        following.replace(trace)
    if not older.is_file():
        return False
    if trace.is_file():
        joined = trace.with_name(f".{trace.name}.joined")
        with joined.open("wb") as out:
            with older.open("rb") as file:
                head = file.read(1)
                file.seek(0)
                shutil.copyfileobj(file, out, _BUFFER_BYTES)
            with trace.open("rb") as file:
                if head == _BINARY:
                    file.seek(HEADER_BYTES)
                shutil.copyfileobj(file, out, _BUFFER_BYTES)
        joined.replace(trace)
        older.unlink()
    else:
        older.replace(trace)
    return True
