"""Time as the guest had it."""

from __future__ import annotations

import pytest

from hiperiso.analysis.guestclock import LEAST_RATE, GuestClock
from hiperiso.contract.eventdata import LoadData, PlanData
from hiperiso.contract.events import HostLoad, MachinePlanned


def load(t: float, waited: float, stolen: float = 0.0) -> HostLoad:
    return HostLoad(n=0, t=t, data=LoadData(waited_share=waited, stolen_share=stolen))


def test_a_guest_that_gets_all_it_wants_has_the_time_of_the_host() -> None:
    assert GuestClock().after(10, 5) == 15
    assert GuestClock().after(float("-inf"), 5) == 5


def test_an_emulated_guest_needs_longer() -> None:
    clock = GuestClock()
    clock.on_plan(MachinePlanned(data=PlanData(accel="tcg")))
    assert clock.after(10, 5) == 25


def test_what_the_guest_waited_for_a_processor_does_not_count() -> None:
    clock = GuestClock()
    clock.on_event(load(10, 0))
    clock.on_event(load(20, 0.5))
    clock.on_event(load(30, 0, stolen=0.5))
    assert clock.after(5, 5) == pytest.approx(10)  # before
    assert clock.after(5, 10) == pytest.approx(20)  # 5 s, and half of ten
    assert clock.after(30, 5) == pytest.approx(40)  # as busy as it was


def test_every_wait_has_an_end() -> None:
    clock = GuestClock()
    clock.on_event(load(10, 1.0, stolen=1.0))
    assert clock.after(10, 5) == pytest.approx(10 + 5 / LEAST_RATE)


def test_a_time_limit_is_extended_by_what_the_guest_waited_and_not_by_emulation() -> None:
    clock = GuestClock()
    clock.on_plan(MachinePlanned(data=PlanData(accel="tcg")))
    assert clock.limit(900) == 900
    clock.on_event(load(100, 0.5))
    assert clock.limit(50) == pytest.approx(100)
    assert clock.limit(60) == pytest.approx(120)  # as busy as it was
    clock.on_event(load(110, 0))
    assert clock.limit(60) == pytest.approx(110)
