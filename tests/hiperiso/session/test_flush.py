from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

from hiperiso.session.flush import BULK, LOGS, Flush, every
from waiting import DEADLINE_S, await_until


def test_only_what_changed_is_synced(tmp_path: Path) -> None:
    flush = Flush(tmp_path, ("serial.log", "events.jsonl", "kernel.log"))
    assert flush() == []
    (tmp_path / "serial.log").write_text("a")
    (tmp_path / "events.jsonl").write_text("b")
    (tmp_path / "kernel.log").touch()
    assert flush() == ["serial.log", "events.jsonl"]
    assert flush() == []
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write("c")
    assert flush() == ["events.jsonl"]


def test_every_growing_file_has_its_schedule() -> None:
    assert {"serial.log", "events.jsonl", "kernel.log", "timing.dat", "chain.jsonl"} <= set(LOGS)
    assert {"trace.log", "trace.bin", "network.pcap"} == set(BULK)


def test_work_is_repeated_away_from_the_loop_and_a_fault_is_reported() -> None:
    turns: list[threading.Thread] = []
    reported: list[OSError] = []

    def work() -> None:
        turns.append(threading.current_thread())
        if len(turns) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    async def run() -> None:
        task = asyncio.create_task(every(0.01, work, reported.append))
        await await_until(lambda: len(turns) >= 4, "the work is not repeated")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert threading.main_thread() not in turns
    assert [error.errno for error in reported] == [errno.ENOSPC]


def test_what_is_under_way_is_finished_before_the_end() -> None:
    started, done = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        done.wait(DEADLINE_S)

    async def run() -> bool:
        task = asyncio.create_task(every(10, work, lambda error: None))
        await asyncio.to_thread(started.wait, DEADLINE_S)
        task.cancel()
        for _ in range(100):  # turns of the loop, not time
            await asyncio.sleep(0)
        waiting = not task.done()
        done.set()
        await asyncio.gather(task, return_exceptions=True)
        return waiting and task.cancelled()

    assert asyncio.run(run())
