"""Which sessions are meant by an age, a size, a limit: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hiperiso.errors import UsageError
from hiperlab.sessions.remove import Kept, PruneLimits, too_many
from hiperlab.sessions.select import age, since_text, size_bytes

NOW = datetime(2026, 7, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2d", "2026-07-08T12:00:00Z"),
        ("90 m", "2026-07-10T10:30:00Z"),
        ("2026-07-02", "2026-07-02T00:00:00Z"),
        ("2026-07-02T14:30", "2026-07-02T14:30:00Z"),
        ("2026-07-02T14:30+02:00", "2026-07-02T12:30:00Z"),
    ],
)
def test_times(text: str, meant: str) -> None:
    assert since_text(text, NOW) == meant


@pytest.mark.parametrize(
    ("text", "meant"), [("500M", 500 << 20), ("1.5G", 3 << 29), ("7", 7), ("2 KiB", 2048)]
)
def test_sizes(text: str, meant: int) -> None:
    assert size_bytes(text, option="--max-size") == meant


@pytest.mark.parametrize("text", ["", "-1", "1e9", "G", "1X", "9" * 40])
def test_what_is_not_a_size_or_age(text: str) -> None:
    with pytest.raises(UsageError, match="--x"):
        size_bytes(text, option="--x")
    with pytest.raises(UsageError, match="--x"):
        age(text, option="--x")


def kept(*sizes: int, running: int = -1) -> list[Kept]:
    return [
        Kept(Path(f"{n}"), NOW + timedelta(days=n), size, running=n == running)
        for n, size in enumerate(sizes)
    ]


def names(gone: list[Kept]) -> str:
    return "".join(session.path.name for session in gone)


def test_the_oldest_go_first_until_all_limits_are_kept() -> None:
    sessions = kept(5, 5, 5, 5)
    assert names(too_many(sessions, PruneLimits(keep=3))) == "0"
    assert names(too_many(sessions, PruneLimits(max_bytes=10))) == "01"
    assert names(too_many(sessions, PruneLimits(max_bytes=9))) == "012"
    assert names(too_many(sessions, PruneLimits(before=NOW + timedelta(days=2)))) == "01"
    assert names(too_many(sessions, PruneLimits(keep=3, max_bytes=10))) == "01"
    assert names(too_many(sessions, PruneLimits())) == ""
    assert names(too_many(kept(5, 5, 5, running=0), PruneLimits(keep=0))) == "12"
    assert too_many([], PruneLimits(keep=0)) == []
