"""The workstation's directories: one root for logs, one for caches."""

from __future__ import annotations

from pathlib import Path

from hiperiso.cache import cache_root
from hiperiso.session.directory import default_log_root

__all__ = ["default_log_root", "package_cache"]


def package_cache() -> Path:
    """Downloaded and unpacked packages that are not installed; for samples, payloads and sticks."""
    return cache_root() / "packages"
