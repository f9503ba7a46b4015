"""Programs of this system with the libraries they are linked with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from hiperiso.images import cpio
from hiperlab.elf import is_dynamic_elf
from hiperlab.run import run_text

_LINE = re.compile(r"(?:=>\s+)?(/\S+)\s+\(0x[0-9a-f]+\)$")


def program_entries(programs: Iterable[tuple[str, Path]]) -> list[cpio.Entry]:
    """Return the programs (archive name, file) and, once each, the libraries that ``ldd`` names for them.

    Raises:
        HarnessFault: ldd fails on one of them.
    """
    entries = []
    libraries: dict[str, Path] = {}
    for name, path in programs:
        entries.append(cpio.regular(name, path.read_bytes(), 0o755))
        libraries.update(needed_libraries(path))
    return entries + [
        cpio.regular(name, path.read_bytes(), 0o755) for name, path in sorted(libraries.items())
    ]


def needed_libraries(path: Path) -> dict[str, Path]:
    """Return the libraries of a program or library: the path where the loader looks for each, and the file."""
    if not is_dynamic_elf(path):
        return {}
    text = run_text(["ldd", str(path)], package="libc-bin")
    found = (match[1] for line in text.splitlines() if (match := _LINE.search(line.strip())))
    return {name.lstrip("/"): Path(name).resolve() for name in found}
