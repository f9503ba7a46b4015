"""Selects and sorts the sessions of a list: pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from hiperiso.contract.manifest import Analysis, Manifest
from hiperiso.contract.naming import utc_text
from hiperiso.contract.words import BootResult, BootStage, FailureDomain, SessionStatus
from hiperiso.errors import UsageError

_AGE: Final = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIZE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?([kmgt]?)i?b?", re.IGNORECASE)


class SortBy(StrEnum):
    """The sort key of a list."""

    TIME = "time"
    ISO = "iso"
    RESULT = "result"
    STAGE = "stage"
    DURATION = "duration"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A selection of sessions; None or empty selects all.

    Attributes:
        failed: only ended ones that were not a success.
        iso: a glob of the ISO's name or path; case is ignored.
        since: started then or later, as the contract writes times.
        last: how many of the latest of the selection.
    """

    failed: bool = False
    iso: str = ""
    since: str = ""
    last: int | None = None
    stage: BootStage | None = None
    domain: FailureDomain | None = None
    sort: SortBy = SortBy.TIME

    def of(self, manifests: Iterable[Manifest]) -> list[Manifest]:
        """The selected sessions, sorted."""
        found = [manifest for manifest in manifests if self._wants(manifest)]
        found.sort(key=_KEYS[SortBy.TIME])
        if self.last is not None:
            found = found[len(found) - self.last :] if self.last < len(found) else found
        return sorted(found, key=_KEYS[self.sort])

    def _wants(self, manifest: Manifest) -> bool:
        if self.failed and not failed(manifest):
            return False
        if self.since and manifest.start_time_utc < self.since:
            return False
        if self.iso:
            names = (manifest.iso_basename.lower(), manifest.iso_path.lower())
            if not any(fnmatchcase(name, self.iso.lower()) for name in names):
                return False
        analysis = manifest.analysis if isinstance(manifest.analysis, Analysis) else None
        if self.stage is not None and (analysis is None or analysis.boot_stage_final is not self.stage):
            return False
        return self.domain is None or (analysis is not None and analysis.failure_domain is self.domain)


def failed(manifest: Manifest) -> bool:
    """Whether it has ended, and not with a success."""
    return manifest.status is SessionStatus.FAILED or manifest.result in (
        BootResult.FAILURE,
        BootResult.INCOMPLETE,
        BootResult.NO_SERIAL,
    )


def duration_s(manifest: Manifest) -> float | None:
    """How long the boot took until its verdict was certain; None where that is not known."""
    analysis = manifest.analysis
    return analysis.boot_duration_ms / 1000 if isinstance(analysis, Analysis) else None


def since_text(text: str, now: datetime) -> str:
    """A day, a moment or an age (``2d``, ``12h``) as the contract writes times, to compare with.

    Raises:
        UsageError: it is none of these.
    """
    if match := _AGE.fullmatch(text.strip().lower()):
        return utc_text(now - _age(match))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"--since: {text!r} is not a time",
            hint="a day (2026-07-02), a moment (2026-07-02T14:30), or an age (2d, 12h)",
        ) from None
    return utc_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def age(text: str, *, option: str) -> timedelta:
    """An age as ``30d``, ``12h``, ``2w``.

    Raises:
        UsageError: it is not one.
    """
    if match := _AGE.fullmatch(text.strip().lower()):
        return _age(match)
    raise UsageError(f"{option}: {text!r} is not an age", hint="a number and a unit: 90s, 30m, 12h, 30d, 2w")


def size_bytes(text: str, *, option: str) -> int:
    """A size as ``500M``, ``20G``; the units are powers of 1024.

    Raises:
        UsageError: it is not one.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"{option}: {text!r} is not a size", hint="a number and a unit: 500M, 20G")
    return int(float(match[1]) * 1024 ** (" kmgt".index(match[2].lower() or " ")))


def _age(match: re.Match[str]) -> timedelta:
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _rank(manifest: Manifest) -> int:
    return manifest.analysis.boot_stage_final.rank if isinstance(manifest.analysis, Analysis) else -1


_KEYS: Final[dict[SortBy, Callable[[Manifest], Any]]] = {
    SortBy.TIME: lambda manifest: (manifest.start_time_utc, manifest.session_id),
    SortBy.ISO: lambda manifest: (manifest.iso_basename.lower(), manifest.start_time_utc),
    SortBy.RESULT: lambda manifest: str(manifest.result),
    SortBy.STAGE: _rank,
    SortBy.DURATION: lambda manifest: duration_s(manifest) or 0.0,
}
