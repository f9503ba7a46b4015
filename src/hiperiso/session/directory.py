"""One session directory: reserved, locked, and written file by file according to the contract.

::

    <log root>/
      index.jsonl                      one line per ended session
      <basename>_<UTC-timestamp>/      this class
        owner.lock                     flock held while the recorder lives; its content is the runtime token
        session.json status.json env.txt ...

A directory whose lock is not held and that has no SESSION_COMPLETE is an orphan: see `hiperiso.session.recovery`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from hiperiso.cache import expanded, home_directory
from hiperiso.contract import files
from hiperiso.contract.naming import session_name, utc_now, utc_text
from hiperiso.contract.row import LOG_ROOT
from hiperiso.contract.store import atomic_write
from hiperiso.errors import HarnessFault, write_fault

BALLAST_BYTES = 192 << 10
"""Disk kept in reserve while the guest runs, so that a session on a full disk can still be finalized."""

_BALLAST = ".ballast"
_NEW_LOCK = f".{files.OWNER_LOCK}.tmp"
_MAX_BOOTS_A_SECOND = 10_000


class SessionDirectory:
    """The directory of a session that this process records. Made by `SessionDirectory.create`."""

    def __init__(self, path: Path, lock_descriptor: int, start: datetime) -> None:
        self.path = path
        self.start = start
        self._lock = lock_descriptor

    @classmethod
    def create(cls, log_root: Path, iso_name: str, *, runtime_token: str) -> SessionDirectory:
        """Reserve a new directory under `log_root` (made when missing) and lock it.

        Raises:
            HarnessFault: the log root cannot be made or written.
        """
        with ExitStack() as undo:
            try:
                log_root.mkdir(parents=True, exist_ok=True)
                start = utc_now()
                path = _reserve(log_root, iso_name, start)
                undo.callback(shutil.rmtree, path, ignore_errors=True)
                unnamed = path / _NEW_LOCK  # a lock that is seen before it is held would be an orphan's
                lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                undo.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.write(lock, runtime_token.encode())
                unnamed.rename(path / files.OWNER_LOCK)
            except OSError as error:
                raise _log_root_fault(log_root, error) from None
            undo.pop_all()
        return cls(path, lock, start)

    @property
    def session_id(self) -> str:
        """The name of the directory."""
        return self.path.name

    def mark(self, phase: str, *, sync: bool = True) -> None:
        """Append a phase to timing.dat: ``phase<TAB>uptime<TAB>iso8601`` (uptime in seconds, as /proc/uptime counts).

        Raises:
            OSError: the disk is full or gone.
        """
        line = f"{phase}\t{os_uptime_s():.2f}\t{utc_text(utc_now())}\n"
        with (self.path / files.TIMING_DAT).open("a") as file:
            file.write(line)
            if sync:
                file.flush()
                os.fsync(file.fileno())

    def lost(self, error: OSError, *, hint: str = "") -> HarnessFault:
        """The harness fault for a failed write."""
        return write_fault(f"cannot write to {self.path}", error, hint=hint)

    def heartbeat(self, *, elapsed_s: float) -> None:
        """Rewrite HEARTBEAT.

        Raises:
            OSError: the disk is full or gone.
        """
        now = utc_text(utc_now())
        atomic_write(
            self.path / files.HEARTBEAT, f"{now} pid={os.getpid()} elapsed_s={elapsed_s:.1f}\n".encode()
        )

    def take_ballast(self) -> None:
        """Reserve disk space for the end of the session; failure is ignored: later writes report a full disk."""
        with contextlib.suppress(OSError):
            (self.path / _BALLAST).write_bytes(bytes(BALLAST_BYTES))

    def drop_ballast(self) -> None:
        """Free the reserved disk space, for finalize or after it."""
        drop_ballast(self.path)

    def release(self) -> None:
        """Release the lock: the directory is now a finished session, or an orphan. Idempotent."""
        if self._lock < 0:
            return
        if (self.path / files.SESSION_COMPLETE).exists():
            (self.path / files.OWNER_LOCK).unlink(missing_ok=True)
        fcntl.flock(self._lock, fcntl.LOCK_UN)  # closing is not enough: a forked process may have it open too
        os.close(self._lock)
        self._lock = -1


def default_log_root() -> Path:
    """``$HIPERISO_LOG_DIR``, else what the user's config.toml names, else ``$XDG_STATE_HOME/hiperiso/logs``, else
    ``~/.local/state/hiperiso/logs``.

    Raises:
        UsageError: config.toml cannot be used, or this user has no home directory.
    """
    if named := os.environ.get(LOG_ROOT.variable):
        return expanded(named).absolute()
    from hiperiso.config.user import user_log_root  # a stick names its log root

    if wanted := user_log_root(os.environ):
        return wanted
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else home_directory() / ".local/state") / "hiperiso" / "logs"


def drop_ballast(path: Path) -> None:
    """Free the disk space that the session directory `path` keeps in reserve."""
    (path / _BALLAST).unlink(missing_ok=True)


def os_uptime_s() -> float:
    """Seconds since the host booted, suspended time included, as /proc/uptime counts."""
    try:
        return float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0


def _reserve(log_root: Path, iso_name: str, start: datetime) -> Path:
    """The first free name; mkdir arbitrates between boots that start in the same second."""
    for attempt in range(1, _MAX_BOOTS_A_SECOND):
        path = log_root / session_name(iso_name, start, attempt=attempt)
        try:
            path.mkdir(mode=0o755)
        except FileExistsError:
            continue
        return path
    raise OSError(errno.EEXIST, "too many sessions in one second")


def _log_root_fault(log_root: Path, error: OSError) -> HarnessFault:
    hints = {
        errno.ENOSPC: "free some space there, or choose another place with --log-root",
        errno.EROFS: "choose a writable place with --log-root",
        errno.EACCES: "choose a place you may write to with --log-root",
    }
    return HarnessFault(
        f"cannot write to the log root {log_root}: {error.strerror}",
        hint=hints.get(error.errno or 0, "choose another place with --log-root"),
    )
