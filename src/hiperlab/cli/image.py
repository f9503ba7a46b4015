"""The image that is named on the command line by a URL, or is to be verified before it is booted."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hiperiso.cache import cache_root, expanded
from hiperiso.errors import UsageError
from hiperiso.text import printable
from hiperlab.download.fetch import Progress, cached_path, fetch
from hiperlab.download.url import is_url
from hiperlab.download.verify import (
    Digest,
    NotTheFile,
    check_digest,
    check_signature,
    digest_in_list,
    parse_digest,
    read_list,
)

CHECKSUM: Final = "--checksum"
SIGNATURE: Final = "--signature"
_LINE_EVERY_S: Final = 10.0
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Image:
    """An image on the disk, and what is known of its origin."""

    path: Path
    notes: tuple[str, ...]


def obtain_image(named: str, checksum: str | None, signature: str | None, *, quiet: bool) -> Image:
    """Fetch an image that is named by a URL, and verify it.

    A signature belongs to the list of checksums, where one is named, else to the image.

    Raises:
        UsageError: it is not what its checksum or signature is for; or nothing protects it.
        HarnessFault: it cannot be fetched.
    """
    for option, value in ((CHECKSUM, checksum), (SIGNATURE, signature)):
        if (
            value is not None and not value.strip()
        ):  # a variable that is not set must not switch off the check
            raise UsageError(f"{option} is empty", hint=f"leave {option} out to verify nothing")
    if is_url(named) and not (checksum or signature) and not _is_protected(named):
        raise UsageError(
            f"{named} is not protected on its way, and nothing verifies it",
            hint="give --checksum sha256:..., or --signature, or use https",
        )
    cache = cache_root()
    notes: list[str] = []
    wanted = parse_digest(checksum) if checksum else None
    if checksum and wanted is None:
        name = urlsplit(named).path.rpartition("/")[2] if is_url(named) else Path(named).name
        wanted, signer = _from_list(checksum, signature, name, cache)
        notes += [signer] if signer else []
        signature = ""
    signed = _file_of(SIGNATURE, signature, cache) if signature else None  # before a long download
    path = _fetched(named, cache, wanted, notes, quiet=quiet)
    try:
        if wanted:
            check_digest(path, wanted)
            notes.append(f"its {wanted.algorithm} is the one that was given: {wanted.digits}")
        if signed:
            notes.append(check_signature(path, signed))
    except NotTheFile:
        if is_url(named):
            path.unlink(missing_ok=True)  # the next try fetches it anew
        raise
    return Image(path, tuple(notes))


def _is_protected(url: str) -> bool:
    return url.lower().startswith("https:") or urlsplit(url).hostname in _LOOPBACK


def _from_list(checksum: str, signature: str | None, name: str, cache: Path) -> tuple[Digest, str]:
    """The digest of an image in a list of checksums, and who signed the list."""
    listed = _file_of(CHECKSUM, checksum, cache)
    signer = check_signature(listed, _file_of(SIGNATURE, signature, cache)) if signature else ""
    return digest_in_list(read_list(listed), name, where=checksum), signer


def _file_of(option: str, named: str, cache: Path) -> Path:
    if is_url(named):
        return fetch(named, cache).path
    path = expanded(named).absolute()
    try:
        there = path.exists()
    except OSError as error:
        raise UsageError(f"{option}: {path} cannot be read: {error.strerror}") from None
    if not path.is_file():
        digest = "; a digest is such as sha256: and 64 digits" if option == CHECKSUM else ""
        problem = "is not a file" if there else "is not there"
        raise UsageError(f"{option}: {path} {problem}", hint=f"{option} takes a file or a URL{digest}")
    return path


def _fetched(named: str, cache: Path, wanted: Digest | None, notes: list[str], *, quiet: bool) -> Path:
    if not is_url(named):
        return expanded(named).absolute()
    notes.append(f"fetched from {printable(named, 1000)}")
    known = cached_path(named, cache)
    if wanted and known.is_file():
        try:
            check_digest(known, wanted)
        except UsageError:
            known.unlink(missing_ok=True)  # the server may have another one by now
        else:
            return known  # the network could not say more
    with _progress(known.name, quiet=quiet) as progress:
        fetched = fetch(named, cache, progress)
    notes += [fetched.note] if fetched.note else []
    return fetched.path


@contextmanager
def _progress(name: str, *, quiet: bool) -> Iterator[Progress]:
    """A bar on a terminal, a line now and then elsewhere."""
    if quiet:
        yield lambda *_: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bars

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
        more = (TransferSpeedColumn(), TimeRemainingColumn())
        with Bars(*columns, *more, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(f"fetching {name}", total=None)
            yield lambda have, total: bars.update(task, completed=have, total=total)
    else:
        yield _Lines(name)


class _Lines:
    def __init__(self, name: str) -> None:
        self._name = name
        self._next_s = time.monotonic()

    def __call__(self, have: int, total: int | None) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _LINE_EVERY_S
            of = f" of {total / 1e6:.0f}" if total else ""
            print(f"fetching {self._name}: {have / 1e6:.0f}{of} MB", file=sys.stderr, flush=True)
