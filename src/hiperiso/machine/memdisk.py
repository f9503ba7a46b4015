"""The program memdisk of the syslinux project, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PLACES: Final = (
    "/usr/lib/syslinux/memdisk",
    "/usr/share/syslinux/memdisk",
    "/usr/lib/syslinux/bios/memdisk",
)


def find_memdisk() -> Path | None:
    """The program memdisk of this machine; None without one, as on a stick."""
    return next((path for path in map(Path, _PLACES) if path.is_file()), None)
