"""Where the workstation keeps things: one root for logs, one for everything that can be made again."""

from __future__ import annotations

from pathlib import Path

from hiperiso.cache import cache_root
from hiperiso.session.directory import default_log_root

__all__ = ["default_log_root", "package_cache"]


def package_cache() -> Path:
    """Packages that were downloaded because they are not installed, unpacked; for samples, payloads and sticks."""
    return cache_root() / "packages"
