"""Fetches a file over HTTP into the cache: resumed by ranges, and asked for again only where the server's has changed.

::

    <cache>/images/<hash of the URL>/
      source.json     the validators of what is here (ETag, Last-Modified)
      NAME.part       what has arrived so far
      NAME            the whole file
      lock            held by who downloads

Source: RFC 9110 (sections 13 and 14: conditional and range requests).
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import unquote, urlsplit

import msgspec

from hiperiso.contract.store import atomic_write, file_lock
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.version import __version__

Progress = Callable[[int, int | None], None]
"""Takes the bytes that have arrived, and how many there will be, where that is known."""

_CHUNK_BYTES: Final = 1 << 20
_TIMEOUT_S: Final = 60.0
_TRIES: Final = 5  # in a row without a new byte
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._+-]+")
_PARTIAL, _NOT_MODIFIED, _UNSATISFIABLE = 206, 304, 416


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """source.json."""

    url: str
    etag: str = ""
    last_modified: str = ""

    @property
    def validator(self) -> str:
        """What a range must match; a weak ETag cannot be used for that."""
        return self.last_modified if self.etag.startswith("W/") or not self.etag else self.etag


@dataclass(frozen=True)
class Fetched:
    """A file of the cache; ``note`` says what could not be checked, if anything."""

    path: Path
    note: str = ""


def fetch(url: str, cache: Path, progress: Progress = lambda *_: None) -> Fetched:
    """The file at `url`, from the cache where it is still the server's.

    Raises:
        UsageError: there is no such file, or the URL is invalid.
        HarnessFault: the server cannot be reached, the connection breaks again and again, or the disk is full.
    """
    try:
        place = cached_path(url, cache)
        place.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(place.parent / "lock"):
            return _Download(url, place, progress).run()
    except urllib.error.HTTPError as error:
        raise UsageError(
            f"{url}: the server answered {error.code} {error.reason}", hint="check the address in a browser"
        ) from None
    except (http.client.InvalidURL, ValueError) as error:
        raise UsageError(f"{url} is not a valid URL: {error}") from None
    except urllib.error.URLError as error:
        raise HarnessFault(
            f"{url} cannot be reached: {error.reason}", hint="check the network; what has arrived is kept"
        ) from None
    except OSError as error:
        where = error.filename or cache
        raise HarnessFault(
            f"cannot write {where}: {error.strerror or error}", hint="free some space, or set XDG_CACHE_HOME"
        ) from None


def cached_path(url: str, cache: Path) -> Path:
    """Where the file of a URL is kept."""
    name = _UNSAFE.sub("-", unquote(urlsplit(url).path.rpartition("/")[2]))[-100:].strip("-.")
    return cache / "images" / hashlib.sha256(url.encode()).hexdigest()[:16] / (name or "image.iso")


class _Broken(Exception):
    """The connection ended before the file did."""


class _Download:
    def __init__(self, url: str, place: Path, progress: Progress) -> None:
        self._url = url
        self._place = place
        self._part = place.with_name(f"{place.name}.part")
        self._source_file = place.parent / "source.json"
        self._progress = progress
        self._opener = urllib.request.build_opener(_NoDowngrade)

    def run(self) -> Fetched:
        source = self._source()
        if self._place.exists() and not self._part.exists():
            try:
                with self._request(_conditions(source)) as answer:
                    return self._whole(answer)
            except urllib.error.HTTPError as error:
                if error.code == _NOT_MODIFIED:
                    return Fetched(self._place)
                raise
            except (urllib.error.URLError, _Broken) as error:
                reason = getattr(error, "reason", error)
                return Fetched(self._place, f"{self._url} was not checked for a newer version: {reason}")
        idle = 0
        while True:
            before = self._have()
            try:
                return self._go_on()
            except _Broken as error:
                idle = 0 if self._have() > before else idle + 1
                if idle >= _TRIES:
                    raise urllib.error.URLError(str(error)) from None

    def _go_on(self) -> Fetched:
        """Ask for what is missing; or for all of it, where the server's file has changed or cannot be resumed."""
        have, source = self._have(), self._source()
        if not have or not source.validator:
            with self._request({}) as answer:
                return self._whole(answer)
        try:
            with self._request({"Range": f"bytes={have}-", "If-Range": source.validator}) as answer:
                if answer.status != _PARTIAL:
                    return self._whole(answer)
                return self._take(answer, have)
        except urllib.error.HTTPError as error:
            if error.code != _UNSATISFIABLE:
                raise
        with self._request({}) as answer:  # more is here than there
            return self._whole(answer)

    def _whole(self, answer: Any) -> Fetched:
        headers = answer.headers
        source = Source(
            url=self._url, etag=headers.get("ETag", ""), last_modified=headers.get("Last-Modified", "")
        )
        self._part.unlink(missing_ok=True)
        atomic_write(self._source_file, msgspec.json.encode(source))
        return self._take(answer, 0)

    def _take(self, answer: Any, have: int) -> Fetched:
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdecimal() else None
        with self._part.open("ab") as file:
            file.truncate(have)
            have = self._copy(answer, file, have, total)
            file.flush()
            os.fsync(file.fileno())
        if total is not None and have < total:
            raise _Broken(f"the connection ended after {have} of {total} bytes")
        self._part.rename(self._place)
        return Fetched(self._place)

    def _copy(self, answer: Any, file: BinaryIO, have: int, total: int | None) -> int:
        while True:
            self._progress(have, total)
            try:
                data = answer.read(_CHUNK_BYTES)
            except (http.client.HTTPException, OSError) as error:
                file.flush()
                raise _Broken(f"the connection ended after {have} bytes: {error}") from None
            if not data:
                return have
            file.write(data)
            have += len(data)

    def _request(self, headers: Mapping[str, str]) -> Any:
        agent = {"User-Agent": f"hiperiso/{__version__}", "Accept-Encoding": "identity"}
        request = urllib.request.Request(self._url, headers={**agent, **headers})  # noqa: S310 - checked by is_url
        try:
            return self._opener.open(request, timeout=_TIMEOUT_S)
        except http.client.HTTPException as error:
            if isinstance(error, http.client.InvalidURL):
                raise
            raise _Broken(f"no answer: {error!r}") from None
        except (ConnectionError, TimeoutError) as error:
            raise _Broken(f"no answer: {error}") from None

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _source(self) -> Source:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._source_file.read_bytes(), type=Source)
        return Source(url=self._url)


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from an encrypted connection to one that is not."""

    def redirect_request(  # noqa: PLR0917
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        if req.full_url.lower().startswith("https:") and not newurl.lower().startswith("https:"):
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _conditions(source: Source) -> dict[str, str]:
    found = {"If-None-Match": source.etag, "If-Modified-Since": source.last_modified}
    return {name: value for name, value in found.items() if value}
