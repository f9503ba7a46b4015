"""Where this user keeps what can be made again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """``$XDG_CACHE_HOME/hiperiso``, else ``~/.cache/hiperiso``; a relative path there counts as none.

    Source: XDG Base Directory Specification.
    """
    named = os.environ.get("XDG_CACHE_HOME") or ""
    return (Path(named) if named.startswith("/") else Path("~/.cache").expanduser()) / "hiperiso"
