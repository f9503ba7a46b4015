"""How much of the host a guest got."""

from __future__ import annotations

from pathlib import Path

from hiperiso.contract.events import HostLoad
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.hostload import Counters, HostLoadFeed, share_of_host


def test_the_thread_that_wanted_most_stands_for_the_guest() -> None:
    before = Counters(10.0, 1000, 10, {1: (1.0, 0.0), 2: (5.0, 2.0)})
    now = Counters(20.0, 3000, 210, {1: (2.0, 0.5), 2: (9.0, 7.0), 3: (9.0, 9.0)})
    data = share_of_host(before, now, load=4.25, cpus=2)
    assert (data.used_share, data.waited_share, data.stolen_share) == (0.4, 0.5, 0.1)
    assert (data.load, data.cpus) == (4.25, 2)


def test_it_is_read_from_proc(tmp_path: Path) -> None:
    threads = tmp_path / "proc/77/task"
    for name, times in (("77", "1000000000 2000000000 5"), ("78", "torn")):
        (threads / name).mkdir(parents=True)
        (threads / name / "schedstat").write_text(times)
    (tmp_path / "proc/stat").write_text("cpu  10 0 10 70 0 0 0 10 5 0\ncpu0 1 2 3\n")
    log = EventLog(tmp_path)
    seen: list[object] = []
    log.subscribe(seen.append, Rank.WATCHER)
    feed = HostLoadFeed(log, 77, tmp_path / "proc")
    (threads / "77/schedstat").write_text("1000000001 900000000000 6")
    (tmp_path / "proc/stat").write_text("cpu  20 0 20 140 0 0 0 20 5 0\n")
    feed.sample()
    log.close()
    (event,) = seen
    assert isinstance(event, HostLoad)
    assert (event.data.waited_share, event.data.stolen_share) == (1.0, 0.1)


def test_a_process_that_is_gone_has_no_threads(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    HostLoadFeed(log, 1 << 22, tmp_path / "nothing").sample()
    log.close()
    assert log.failure is not None  # closed, and nothing before
