"""The private place of one boot for what must not be seen by others or survive: sockets, guest RAM, screen dumps.

A directory of mode 0700 in memory (``/dev/shm/hiperiso-<uid>``, else ``$XDG_RUNTIME_DIR/hiperiso``, else the
temporary directory); the files of one boot begin with its random token, which stands in the session's ``owner.lock``,
so that what a killed recorder left can be removed. The directory itself stays, so that ``qemu.cmdline`` can be pasted
after the end.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from hiperiso.errors import HarnessFault

_MEMORY = "/dev/shm"  # noqa: S108 - only ever a directory of ours with mode 0700 inside it
_TOKEN = re.compile(r"[0-9a-f]{12}")


class RuntimeFiles:
    """Paths of one boot's private files."""

    def __init__(self, base: Path, token: str) -> None:
        self.base = base
        self.token = token

    @classmethod
    def create(cls) -> RuntimeFiles:
        """Choose the directory and draw a token.

        Raises:
            HarnessFault: no private directory can be made.
        """
        return cls(_private_directory(), draw_token())

    def path(self, suffix: str) -> Path:
        """The path of this boot's file of that suffix, such as ``qmp``; short enough for a Unix socket."""
        return self.base / f"{self.token}.{suffix}"

    def ram_fits(self, ram_mb: int) -> bool:
        """Whether guest RAM can be a file here with a fifth to spare."""
        info = os.statvfs(self.base)
        return (
            self.base.is_relative_to(_MEMORY) and info.f_bavail * info.f_frsize > ram_mb * 1.2 * 1024 * 1024
        )

    def remove(self) -> None:
        """Remove this boot's files."""
        remove_leftovers(self.base, self.token)


def draw_token() -> str:
    """A random token; the module ``secrets`` would load OpenSSL to the same end."""
    return os.urandom(6).hex()


def remove_leftovers(base: Path, token: str) -> None:
    """Remove every file of the boot `token` under `base`; a token of another form removes nothing."""
    if _TOKEN.fullmatch(token):
        for path in base.glob(f"{token}.*"):
            path.unlink(missing_ok=True)


def runtime_directories() -> Iterator[Path]:
    """Yield the places that may hold runtime files of this user, best first."""
    user = os.getuid()
    yield Path(_MEMORY) / f"hiperiso-{user}"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "hiperiso"
    import tempfile  # rarely comes to it

    yield Path(tempfile.gettempdir()) / f"hiperiso-{user}"


def _private_directory() -> Path:
    tried: list[str] = []
    for path in runtime_directories():
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            info = path.lstat()
            if stat.S_ISDIR(info.st_mode) and info.st_uid == os.getuid():
                path.chmod(0o700)
                return path
            tried.append(f"{path} belongs to somebody else")
        except OSError as error:
            tried.append(f"{path}: {error.strerror}")
    raise HarnessFault("no private directory for sockets: " + "; ".join(tried))
