"""What is found out about the ISO beside its boot: its SHA-256, its distribution, its date.

In a thread of low priority, so that the boot does not wait; the hash is remembered by path, size and time of the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.cache import cache_root
from hiperiso.contract.manifest import IsoFacts
from hiperiso.contract.store import atomic_write
from hiperiso.errors import UsageError
from hiperiso.iso.identity import identify
from hiperiso.iso.image import IsoImage

PATIENCE_S: Final = 5.0
"""So long the end of a boot waits for a hash that is not ready: it is left out then, and made at the next boot."""

_CHUNK_BYTES: Final = 1 << 20
_MAX_KNOWN: Final = 200
_NICE: Final = 10


class KnownHash(msgspec.Struct, frozen=True):
    """The hash of a file as it was: another size or time is another file."""

    path: str
    size_bytes: int
    mtime_ns: int
    sha256: str


class IsoStudy:
    """Studies an open ISO from its making on, in a thread of its own.

    Args:
        iso: stays open until `finish`.
        hashed: whether the whole image is read for its hash.
        cache: where hashes are remembered; None for a file of this user.
    """

    def __init__(self, iso: IsoImage, *, hashed: bool = True, cache: Path | None = None) -> None:
        self._iso = iso
        self._hashed = hashed
        self._cache = cache
        self._stop = threading.Event()
        info = iso.info
        self._facts = IsoFacts(
            size_bytes=info.size_bytes, volume_id=info.volume_id, created_utc=info.created_utc
        )
        self._thread = threading.Thread(target=self._study, name="iso-study", daemon=True)
        self._thread.start()

    def finish(self, patience_s: float = PATIENCE_S) -> IsoFacts:
        """What is known by now, or soon; the thread has ended."""
        self._thread.join(patience_s)
        self._stop.set()
        self._thread.join()
        return self._facts

    def _study(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        with contextlib.suppress(OSError, ValueError):
            found = identify(self._iso.tree())
            self._facts = msgspec.structs.replace(
                self._facts,
                distribution=found.distribution,
                version=found.version,
                named_by=found.source,
            )
        if self._hashed:
            with contextlib.suppress(OSError):
                sha256 = file_sha256(self._iso.path, self._cache or _user_cache(), self._stop)
                self._facts = msgspec.structs.replace(self._facts, sha256=sha256)


def _user_cache() -> Path | None:
    with contextlib.suppress(UsageError):  # without a home nothing is remembered
        return cache_root() / "iso-hashes.json"
    return None


def file_sha256(path: Path, cache: Path | None, stop: threading.Event | None = None) -> str:
    """The SHA-256 of a file in hexadecimal digits, remembered in `cache`; empty for a device or a set `stop`.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return ""
        key = (str(path.absolute()), status.st_size, status.st_mtime_ns)
        for entry in _read_cache(cache):
            if (entry.path, entry.size_bytes, entry.mtime_ns) == key:
                return entry.sha256
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK_BYTES):
            if stop is not None and stop.is_set():
                return ""
            digest.update(chunk)
        after = os.fstat(file.fileno())
    sha256 = digest.hexdigest()
    if cache is not None and (after.st_size, after.st_mtime_ns) == key[1:]:
        others = [entry for entry in _read_cache(cache) if entry.path != key[0]]
        with contextlib.suppress(OSError):  # no home, a full or read-only disk: hashed again next time
            cache.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(cache, msgspec.json.encode([*others, KnownHash(*key, sha256)][-_MAX_KNOWN:]))
    return sha256


def _read_cache(cache: Path | None) -> list[KnownHash]:
    if cache is None:
        return []
    try:
        return msgspec.json.decode(cache.read_bytes(), type=list[KnownHash])
    except (OSError, msgspec.MsgspecError):
        return []
