"""The private files of one boot that others must not see and that must not survive: sockets, guest RAM, screen dumps.

A directory of mode 0700 in memory (``/dev/shm/hiperiso-<uid>``, else ``$XDG_RUNTIME_DIR/hiperiso``, else the
temporary directory); the files of one boot begin with its random token. ``<token>.lock`` is locked (flock) while the
recorder lives: files whose lock is not held were left by a killed recorder, and `sweep_runtime_files` removes them.
The token is also in the session's ``owner.lock``. The directory itself is kept, so that ``qemu.cmdline`` can be
pasted later.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from hiperiso.errors import HarnessFault

_MEMORY = "/dev/shm"  # noqa: S108 - only ever a directory of ours with mode 0700 inside it
_LOCK = ".lock"
_PASTED_S = 60.0  # QEMU makes the file, then maps it
_TOKEN = re.compile(r"[0-9a-f]{12}")


class RuntimeFiles:
    """Paths of one boot's private files."""

    def __init__(self, base: Path, token: str, lock_descriptor: int) -> None:
        self.base = base
        self.token = token
        self._lock = lock_descriptor

    @classmethod
    def create(cls) -> RuntimeFiles:
        """Choose the directory and a random token.

        Raises:
            HarnessFault: no private directory can be made.
        """
        base = _private_directory()
        while True:
            token = draw_token()
            try:
                return cls(base, token, _locked(base / f"{token}{_LOCK}"))
            except BlockingIOError:
                continue  # removed by a concurrent sweep that took it for a dead recorder's
            except OSError as error:
                raise HarnessFault(f"cannot write to {base}: {error.strerror}") from None

    def path(self, suffix: str) -> Path:
        """The path of this boot's file of that suffix, such as ``qmp``; short enough for a Unix socket."""
        return self.base / f"{self.token}.{suffix}"

    def ram_fits(self, ram_mb: int) -> bool:
        """Whether guest RAM fits here as a file with a fifth to spare."""
        info = os.statvfs(self.base)
        return (
            self.base.is_relative_to(_MEMORY) and info.f_bavail * info.f_frsize > ram_mb * 1.2 * 1024 * 1024
        )

    def remove(self) -> None:
        """Remove this boot's files. Idempotent."""
        if self._lock < 0:
            return
        remove_leftovers(self.base, self.token)
        fcntl.flock(self._lock, fcntl.LOCK_UN)  # closing is not enough: a forked process may have it open too
        os.close(self._lock)
        self._lock = -1


def draw_token() -> str:
    """A random token; the module ``secrets`` would load OpenSSL for the same result."""
    return os.urandom(6).hex()


def remove_leftovers(base: Path, token: str) -> None:
    """Remove every file of the boot `token` under `base`; a malformed token removes nothing."""
    if _TOKEN.fullmatch(token):
        for path in base.glob(f"{token}.*"):
            path.unlink(missing_ok=True)


def sweep_runtime_files() -> None:
    """Remove what killed recorders of this user left behind; what cannot be removed is left for the next sweep."""
    for base in runtime_directories():
        with contextlib.suppress(OSError):
            for path in base.glob(f"*{_LOCK}"):
                with contextlib.suppress(OSError):
                    lock = _locked(path, create=False)
                    try:
                        remove_leftovers(base, path.name.removesuffix(_LOCK))
                    finally:
                        os.close(lock)
            sweep_pasted(base)


def sweep_pasted(base: Path, *, older_than_s: float = _PASTED_S) -> None:
    """Remove the RAM of guests that were started by pasting qemu.cmdline, when nothing has it mapped any more."""
    for path in base.glob("*.ram"):
        lock = path.with_suffix(_LOCK)
        if not lock.exists() and time.time() - path.stat().st_mtime > older_than_s and not _is_mapped(path):
            path.unlink(missing_ok=True)


def _is_mapped(path: Path) -> bool:
    """Whether a process that may be examined has the file mapped or open."""
    wanted = path.stat()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(path) in (process / "maps").read_text(errors="replace"):
                return True
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.path.samestat(descriptor.stat(), wanted):
                        return True
    return False


def _locked(path: Path, *, create: bool = True) -> int:
    """A descriptor of the lock file at `path`, locked.

    Raises:
        BlockingIOError: another process holds the lock, or has just removed the file.
        OSError: it cannot be opened.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT | os.O_EXCL if create else 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink == 0:
            raise BlockingIOError(errno.EWOULDBLOCK, "removed meanwhile")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def runtime_directories() -> Iterator[Path]:
    """Yield the places that may hold runtime files of this user, best first."""
    user = os.getuid()
    yield Path(_MEMORY) / f"hiperiso-{user}"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "hiperiso"
    import tempfile  # rarely needed

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
            tried.append(f"{path} belongs to another user")
        except OSError as error:
            tried.append(f"{path}: {error.strerror}")
    raise HarnessFault("no private directory for sockets: " + "; ".join(tried))
