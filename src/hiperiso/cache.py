"""The directory for this user's cached files."""

from __future__ import annotations

import os
from pathlib import Path

from hiperiso.errors import UsageError


def cache_root() -> Path:
    """``$XDG_CACHE_HOME/hiperiso``, else ``~/.cache/hiperiso``; a relative path there is ignored.

    Source: XDG Base Directory Specification.

    Raises:
        UsageError: this user has no home directory.
    """
    named = os.environ.get("XDG_CACHE_HOME") or ""
    return (Path(named) if named.startswith("/") else home_directory() / ".cache") / "hiperiso"


def home_directory() -> Path:
    """``$HOME``, else what the list of users says.

    Raises:
        UsageError: neither does.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise UsageError(
            "this user has no home directory: HOME is not set",
            hint="set HOME, or XDG_CACHE_HOME and XDG_STATE_HOME, to folders that may be written",
        ) from None


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path in which ``~`` is a home directory. That of a user who is not known stays as it is: it names no file."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - that of Path raises RuntimeError
