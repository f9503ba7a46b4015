"""Who gets an event when: by rank, not by who came first."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperiso.analysis.judge import Judge
from hiperiso.contract.events import Event, SerialLine, StageReported
from hiperiso.contract.words import BootStage, LifecycleStage
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.progress import progress_of


def test_the_order_of_listeners_is_that_of_their_ranks(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    order: list[str] = []

    def listener(name: str) -> None:
        log.subscribe(lambda _: order.append(name), ranks[name])

    ranks = {
        "watcher": Rank.WATCHER,
        "screen": Rank.CHANNEL,
        "judge": Rank.JUDGE,
        "stalls": Rank.CHANNEL,
    }
    for name in ranks:
        listener(name)
    log.emit(StageReported(text=LifecycleStage.MOUNTED))
    assert order == ["judge", "screen", "stalls", "watcher"]
    log.close()


def test_one_may_leave_while_an_event_is_handed_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    seen: list[str] = []
    leave = [lambda: None]

    def first(event: Event) -> None:
        seen.append(event.text)
        leave[0]()

    leave[0] = log.subscribe(first, Rank.JUDGE)
    log.subscribe(lambda event: seen.append(event.text.upper()), Rank.WATCHER)
    log.emit(SerialLine(text="a"))
    log.emit(SerialLine(text="b"))
    assert seen == ["a", "A", "B"]
    log.close()


def test_progress_is_of_one_moment() -> None:
    judge = Judge()
    before = progress_of(judge)
    judge.feed(SerialLine(n=0, t=0.5, text="[    0.000000] Linux version 6.1.0 (x)"))
    after = progress_of(judge)
    assert before.stages == () and before.waiting_for
    assert [seen.stage for seen in after.stages] == [BootStage.KERNEL]
    assert after.stages[0].sign.startswith("[    0.000000] Linux version")
    with pytest.raises(AttributeError):
        after.boots = 2  # type: ignore[misc]
