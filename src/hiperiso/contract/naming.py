"""Names of session directories and the contract's two forms of UTC time."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")
_MAX_BASENAME = 80  # keeps the whole name far below the 255 bytes of every file system


def sanitized_basename(iso_name: str) -> str:
    """The ISO's file name without ``.iso``, reduced to ``[A-Za-z0-9.+-]`` (runs of others become one ``-``).

    ``_`` separates the time stamp, so it never remains in the name; a leading dot or dash is dropped.

    >>> sanitized_basename("Ubuntu 24.04 (LTS)_x64.iso")
    'Ubuntu-24.04-LTS-x64'
    """
    stem = iso_name[:-4] if iso_name.lower().endswith(".iso") else iso_name
    return _UNSAFE.sub("-", stem)[:_MAX_BASENAME].strip("-.") or "iso"


def session_name(iso_name: str, start: datetime, *, attempt: int = 1) -> str:
    """``<sanitized-iso-basename>_<UTC-timestamp>``; the stamp has no colon, which exFAT and FAT do not allow.

    `attempt` from 2 on marks further boots of the same ISO in the same second, before the stamp, so that the
    name always ends with the stamp.
    """
    mark = "" if attempt == 1 else f"-{attempt}"
    return f"{sanitized_basename(iso_name)}{mark}_{start.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def utc_text(moment: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SSZ``."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def time_of_session(session_id: str) -> datetime | None:
    """The start time in a session's name, or None without one."""
    _, _, stamp = session_id.rpartition("_")
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
