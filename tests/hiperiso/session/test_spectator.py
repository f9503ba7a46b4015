"""When a recording with a spectator ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperiso.analysis.expectation import Decision
from hiperiso.contract.words import EndReason
from hiperiso.session.spectator import Spectator

WAITING = (EndReason.EXPECTED_STAGE, EndReason.EXPECTED_TEXT, EndReason.BOOT_FAILED, EndReason.STUCK)


@pytest.fixture
def person() -> Spectator:
    return Spectator(socket=Path("/run/x"), grace_s=30)


@pytest.mark.parametrize("reason", EndReason)
def test_only_a_guest_that_still_runs_waits(person: Spectator, reason: EndReason) -> None:
    decision = Decision(reason, 10.0, "")
    waits = reason in WAITING
    assert person.due_s(decision, off=False) == (40.0 if waits else 10.0)
    assert person.due_s(decision, off=True) == 10.0
    person.active = True
    assert person.due_s(decision, off=False) == (
        float("inf") if waits or reason is EndReason.TIMEOUT else 10.0
    )
    assert person.due_s(decision, off=True) == 10.0
