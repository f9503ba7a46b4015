"""The file systems of a data partition that a kernel can read and write."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_DRIVERS: Final = {"exfat": "exfat", "ext4": "ext4", "ntfs": "ntfs3"}
"""The old driver ``ntfs`` is excluded: it cannot write."""


def data_filesystems(modules: Path) -> list[str]:
    """The file systems of a data partition that the kernel of ``/lib/modules/RELEASE`` supports."""
    try:
        builtin = (modules / "modules.builtin").read_text(errors="replace").splitlines()
    except OSError:
        builtin = []
    inside = {Path(line).name.partition(".")[0] for line in builtin}
    return [
        name
        for name, driver in _DRIVERS.items()
        if driver in inside or any((modules / "kernel").rglob(f"{driver}.ko*"))
    ]
