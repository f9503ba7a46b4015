"""The event lists of the tiers, against the QEMU that is installed."""

from itertools import pairwise
from pathlib import Path

import pytest

from hiperiso.contract.words import TraceLevel
from hiperiso.machine.qemu import find_qemu, trace_events
from hiperiso.trace import select_events, tier_events, write_event_list

TIERS = (TraceLevel.NONE, TraceLevel.STANDARD, TraceLevel.DETAILED, TraceLevel.FULL)


def test_each_tier_holds_the_one_before() -> None:
    for smaller, larger in pairwise(TIERS):
        assert set(tier_events(smaller)) < set(tier_events(larger))


def test_what_the_contract_says_of_the_tiers() -> None:
    assert tier_events(TraceLevel.NONE) == ()
    assert {"ide_atapi_cmd_read", "blk_co_preadv"} <= set(tier_events(TraceLevel.STANDARD))
    assert {"pci_cfg_read", "pci_cfg_write", "cpu_in", "cpu_out"} <= set(tier_events(TraceLevel.DETAILED))
    assert "memory_region_ops_read" not in tier_events(TraceLevel.DETAILED)
    assert {"memory_region_ops_read", "memory_region_ops_write"} <= set(tier_events(TraceLevel.FULL))


@pytest.mark.parametrize("level", TIERS)
def test_no_event_twice(level: TraceLevel) -> None:
    events = tier_events(level)
    assert len(events) == len(set(events))


@pytest.mark.parametrize("level", TIERS)
def test_installed_qemu_has_every_event(level: TraceLevel) -> None:
    assert select_events(level, trace_events(find_qemu())) == (tier_events(level), ())


def test_unknown_events_are_left_out_and_named(tmp_path: Path) -> None:
    known = set(tier_events(TraceLevel.STANDARD)) - {"ide_atapi_cmd_read"}
    missing = write_event_list(tmp_path / "trace.events", TraceLevel.STANDARD, known)
    assert missing == ("ide_atapi_cmd_read",)
    assert set((tmp_path / "trace.events").read_text().splitlines()) == known
