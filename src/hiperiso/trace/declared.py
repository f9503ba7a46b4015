"""Where the declarations of a trace's events are: beside it, or with the QEMU of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from hiperiso.contract import files
from hiperiso.packages import QEMU
from hiperiso.trace.formats import DECLARATIONS, EventFormat, declarations_file, read_formats

_FOLDERS: Final = tuple(Path(folder) / "qemu" for folder in ("/usr/share", "/usr/local/share", "/opt/share"))


class Declared(Mapping[str, EventFormat]):
    """The declarations for a trace: those stored with it, and for other events those of this machine's QEMU.

    A session stores what its tiers record; a trace may hold more, such as what ``--qemu-arg '-trace ...'`` names.
    Declarations of the machine, thousands, are read when one of them is asked for.

    Args:
        trace: the file.

    Attributes:
        ahead_s: how far the wall clock is ahead of the trace's.
        stored: what is beside the trace.
    """

    def __init__(self, trace: Path) -> None:
        self.stored, ahead_s = read_formats(trace.with_name(files.TRACE_FORMATS))
        self.ahead_s = ahead_s or 0.0

    def __getitem__(self, name: str) -> EventFormat:
        return self.stored[name] if name in self.stored else self.machine[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.stored
        yield from self.machine.keys() - self.stored.keys()

    def __len__(self) -> int:
        return len(self.machine.keys() | self.stored.keys())

    @cached_property
    def machine(self) -> dict[str, EventFormat]:
        """The declarations of this machine's QEMU, in their order; empty without one."""
        path = machine_declarations()
        return read_formats(path)[0] if path else {}


def machine_declarations() -> Path | None:
    """The file with the declarations of a QEMU of this machine: of the one on PATH, else of any that is installed."""
    found = shutil.which(QEMU)
    beside = declarations_file(Path(found)) if found else None
    others = (folder / DECLARATIONS for folder in _FOLDERS if os.access(folder / DECLARATIONS, os.R_OK))
    return beside or next(others, None)
