from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hiperiso.contract.naming import sanitized_basename, session_name, time_of_session, utc_text

START = datetime(2026, 7, 2, 1, 14, 52, tzinfo=UTC)


def test_the_name_is_basename_and_stamp() -> None:
    assert session_name("ubuntu.iso", START) == "ubuntu_20260702T011452Z"
    assert session_name("ubuntu.ISO", START, attempt=3) == "ubuntu-3_20260702T011452Z"
    assert time_of_session("ubuntu-3_20260702T011452Z") == START
    assert utc_text(START) == "2026-07-02T01:14:52Z"


def test_names_that_are_not_sessions_have_no_time() -> None:
    for name in ("index.jsonl", "ubuntu", "a_b", "_", "x_20261399T000000Z"):
        assert time_of_session(name) is None


@given(st.text(max_size=300))
def test_any_name_becomes_a_safe_one(name: str) -> None:
    safe = sanitized_basename(name)
    assert re.fullmatch(r"[A-Za-z0-9+][A-Za-z0-9.+-]*", safe)
    assert len(safe) <= 80
    assert time_of_session(session_name(name, START)) == START
