"""``trace.bin`` made of a ``trace.log``: a reader of the contract, and QEMU's own script, can read every session."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hiperiso.contract import files
from hiperiso.trace.declared import Declared
from hiperiso.trace.textlog import TextLog, pieces_of_log

BUDGET_S: Final = 10.0
"""The time limit for it at the end of a recording."""
_SPARE: Final = 2
"""The required free space on the disk, as a multiple of the text."""


def make_binary(
    directory: Path,
    *,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
    compiled: bool = True,
) -> bool:
    """Create the ``trace.bin`` of a session that only has a ``trace.log``.

    Lines that are not of an event as QEMU declares it are left out, and counted in a record of losses at the end.

    Args:
        directory: of the session.
        budget_s: how long that may take.
        clock: seconds that pass.
        compiled: whether the compiled converter may be used.

    Returns:
        Whether it was not created: it would have taken too long, or the disk has too little space.

    Raises:
        OSError: a file cannot be read or written.
    """
    log, target = directory / files.TRACE_LOG, directory / files.TRACE_BIN
    if target.exists() or not log.is_file() or not log.stat().st_size:
        return False
    if shutil.disk_usage(directory).free < _SPARE * log.stat().st_size:
        return True
    formats = Declared(log)
    if not formats.stored:  # recorded with a QEMU without declarations
        return False
    end_s = clock() + budget_s
    partial = directory / f".{files.TRACE_BIN}.partial"
    try:
        with partial.open("wb") as file:
            for piece in pieces_of_log(log, TextLog(formats, raw=False, compiled=compiled)):
                if clock() > end_s:
                    return True
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return False
