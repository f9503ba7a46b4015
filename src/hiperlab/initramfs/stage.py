"""Writes the entries of an archive as files, for tools that read directories."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from hiperiso.images import cpio


def stage(entries: Iterable[cpio.Entry], folder: Path) -> list[cpio.Entry]:
    """Write entries below `folder`; returns the device nodes, which need special handling.

    Raises:
        OSError: the folder cannot be written.
    """
    nodes = []
    for entry in entries:
        path = folder / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISCHR(entry.mode):
            nodes.append(entry)
        elif stat.S_ISLNK(entry.mode):
            path.symlink_to(entry.data.decode())
        elif stat.S_ISDIR(entry.mode):
            path.mkdir(exist_ok=True)
            path.chmod(stat.S_IMODE(entry.mode))
        else:
            path.write_bytes(entry.data)
            path.chmod(stat.S_IMODE(entry.mode))
    return nodes
