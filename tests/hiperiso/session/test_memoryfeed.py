"""The memory channel: the content of a guest's memory becomes events and files, even if hostile."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guest_memory.images import FIXTURES, load_image, sparse_file
from guest_memory.processes import KERNEL_THREAD, Process, ProcessKernel, process_kernel
from guest_memory.synthetic import Memory, RingKernel
from hiperiso.contract.events import Event, ProcessChange, ProcessEnded, QemuEvent
from hiperiso.contract.words import Source
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.memoryfeed import MemoryFeed

INIT = Process(1, ["/sbin/init"], ppid=0, start_s=0.4)
THREAD = Process(2, comm=b"kthreadd", ppid=0, start_s=0.4, flags=KERNEL_THREAD)

RESET = QemuEvent(text="RESET", data={"guest": True, "reason": "guest-reset"})


class Session:
    """A feed on memory that a test writes, and its events."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self.log = EventLog(folder)
        self.events: list[Event] = []
        self.log.subscribe(self.events.append, Rank.WATCHER)
        self.feed = MemoryFeed(os.dup(descriptor), self.log, folder)

    def poll(self, *, last: bool = True) -> list[str]:
        """Poll at once, ignoring the schedule; returns the events of processes."""
        before = len(self.events)
        asyncio.run(self.feed.poll(last=last))
        return [event.text for event in self.events[before:] if event.source is Source.PROCESS]

    def tasks(self) -> list[dict[str, Any]]:
        self.feed.write_tasks()
        loaded: list[dict[str, Any]] = json.loads((self.folder / "tasks.json").read_bytes())
        return loaded

    def close(self) -> None:
        asyncio.run(self.feed.close())
        self.log.close()


@pytest.fixture
def kernel() -> Iterator[ProcessKernel]:
    memory = Memory()
    yield process_kernel(memory)
    memory.close()


@pytest.fixture
def session(tmp_path: Path, kernel: ProcessKernel) -> Iterator[Session]:
    made = Session(tmp_path, kernel.memory.fd)
    yield made
    made.close()


def test_processes_are_reported_as_they_come_and_go(session: Session, kernel: ProcessKernel) -> None:
    kernel.run([INIT, THREAD], root="rootfs")
    assert session.poll() == ["init (1) started: /sbin/init"]
    assert session.events[-1].values["root"] == "rootfs"
    shell = Process(77, ["/bin/sh", "-c", "true"], start_s=3)
    kernel.run([INIT, THREAD, shell])
    assert session.poll() == ["init (1) became: /sbin/init", "sh (77) started: /bin/sh -c true"]
    kernel.run([INIT, THREAD, Process(77, ["/sbin/agetty", "tty1"], start_s=3)])
    assert session.poll() == ["agetty (77) became: /sbin/agetty tty1"]
    assert session.poll() == []
    assert [(task["pid"], task["comm"], task["kernel_thread"]) for task in session.tasks()] == [
        (1, "init", False),
        (2, "kthreadd", True),
        (77, "agetty", False),
    ]
    kernel.run(
        [INIT, THREAD, Process(77, ["/sbin/agetty", "tty1"], start_s=9)]
    )  # the number again, another process
    assert session.poll() == ["agetty (77) ended", "agetty (77) started: /sbin/agetty tty1"]


def test_a_line_of_the_log_ends_where_the_kernel_ends_it(tmp_path: Path) -> None:
    memory = Memory()
    kernel = RingKernel(memory).boot()
    kernel.log("one\x0bKernel panic - not syncing: two\x85three\u2028four\x1dfive")
    kernel.log(b"six\xff\n\nseven\n")
    session = Session(tmp_path, memory.fd)
    session.poll()
    session.close()
    memory.close()
    lines = [event.text for event in session.events if event.source is Source.KERNEL]
    assert [line[:15] for line in lines] == ["[    0.000000] "] + 4 * ["[    0.250000] "]
    assert "one" in lines[0]
    assert "five" in lines[0]
    assert [line[15:] for line in lines[1:]] == ["six\ufffd", "", "seven", ""]


def test_a_task_without_a_program_is_none_yet(session: Session, kernel: ProcessKernel) -> None:
    kernel.run([Process(1, comm=b"swapper/0", ppid=0), Process(50, comm=b"kworker/u4:1")])
    assert session.poll() == []
    kernel.run([INIT, Process(50, comm=b"kworker/u4:1")])
    assert session.poll() == ["init (1) started: /sbin/init"]


def test_names_are_harmless(session: Session, kernel: ProcessKernel) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    kernel.run([INIT, Process(9, [f"/tmp/{evil}", "\x9b31m", "x" * 3000], comm=evil.encode()[:15])])
    session.poll()
    written = (session.folder / "events.jsonl").read_text() + json.dumps(session.tasks(), ensure_ascii=False)
    assert json.loads(written.splitlines()[-1])
    for bad in ("\x1b", "\\u001b", "\x07", "\x9b", "\u202e", "x" * 1100):
        assert bad not in written


def test_a_storm_of_processes_does_not_fill_the_disk(session: Session, kernel: ProcessKernel) -> None:
    emitted = 0
    for turn in range(150):
        crowd = [Process(1000 + turn * 300 + n, ["/bin/bomb"], start_s=turn + 2) for n in range(250)]
        kernel.run([INIT, *crowd, Process(60000 + turn, ["/sbin/agetty", "tty1"], start_s=turn + 3)])
        texts = session.poll()
        assert len(texts) <= 61
        assert emitted > 5900 or any("more changes of processes" in text for text in texts)
        assert any(text.startswith(f"agetty ({60000 + turn}) started") for text in texts)
        emitted += len(texts)
    assert emitted < 7500
    assert len(session.tasks()) == 252


def test_the_end_of_a_sign_is_reported_however_many_there_are(
    session: Session, kernel: ProcessKernel
) -> None:
    """A getty that was emitted and has ended must not seem to have stayed."""
    for turn in range(150):
        crowd = [Process(1000 + n, ["/sbin/agetty", "tty1"], start_s=turn + 2) for n in range(100)]
        kernel.run([INIT, *crowd])
        session.poll()
    kernel.run([INIT])
    session.poll()
    alive: set[int] = set()
    for event in session.events:
        if isinstance(event, ProcessChange):
            assert event.data.pid is not None
            (alive.discard if isinstance(event, ProcessEnded) else alive.add)(event.data.pid)
    assert alive == {1}
    assert len(session.events) < 14500


def test_a_list_that_changes_under_the_reader_makes_nothing_up(
    session: Session, kernel: ProcessKernel
) -> None:
    kernel.run([INIT, Process(5, ["/bin/a"])])
    session.poll()
    whole = kernel.memory.read(kernel.at + 0x510000, 256 * 3)
    for at in range(0, 96, 4):  # each word of a task torn in turn
        for value in (b"\0" * 4, b"\xff" * 4, b"\x41\x42\x43\x44"):
            kernel.memory.write(kernel.at + 0x510000 + 256 + at, value)
            for text in session.poll():
                assert "(5)" in text
            kernel.memory.write(kernel.at + 0x510000, whole)
    session.poll()
    assert [task["pid"] for task in session.tasks()] == [1, 5]


def test_what_a_reset_left_in_memory_is_not_news(session: Session, kernel: ProcessKernel) -> None:
    kernel.run([INIT])
    session.poll()
    session.log.emit(RESET)
    kernel.run([INIT, Process(5, ["/sbin/agetty", "tty1"])])
    assert session.poll() == []
    kernel.run([Process(1, ["/init"], ppid=0, start_s=0.41)], root="rootfs")
    assert session.poll() == ["init (1) started: /init"]


def test_a_reset_while_the_memory_is_read(session: Session, kernel: ProcessKernel) -> None:
    """What a thread has read, and not emitted yet, is of the kernel that is gone."""
    kernel.run([INIT])
    session.poll()
    kernel.run([INIT, Process(5, ["/sbin/agetty", "tty1"])])
    session.feed._read_log(last=True)
    session.feed._read_processes(last=True)
    session.log.emit(RESET)
    assert session.poll() == []
    kernel.run([Process(1, ["/init"], ppid=0, start_s=0.41), Process(5, ["/bin/sh"], start_s=0.9)])
    assert session.poll() == ["init (1) started: /init", "sh (5) started: /bin/sh"]


def test_numbers_that_are_used_again_at_once(session: Session, kernel: ProcessKernel) -> None:
    """The same kernel in the same place, without a reported reset: first all that ended, then the present ones."""
    kernel.run([INIT, Process(5, ["/bin/sh"], start_s=2)])
    session.poll()
    kernel.run([Process(1, ["/init"], ppid=0, start_s=0.41), Process(5, ["/sbin/agetty", "tty1"], start_s=3)])
    texts = session.poll()
    assert texts.index("sh (5) ended") < texts.index("agetty (5) started: /sbin/agetty tty1")


def test_another_kernel_is_indexed_anew(session: Session, kernel: ProcessKernel) -> None:
    kernel.run([INIT, Process(5, ["/bin/kexec", "-e"])])
    assert len(session.poll()) == 2
    crash = ProcessKernel(kernel.memory, at=40 << 20, release="6.9.0-other", note_at=0x7000).boot_with_types()
    crash.run([Process(1, ["/init"], ppid=0)], root="rootfs")
    assert session.poll() == ["init (1) started: /init"]
    assert (session.events[-1].values["boot"], session.events[-1].values["root"]) == (1, "rootfs")
    assert [task["pid"] for task in session.tasks()] == [1]


def test_a_kernel_without_types_says_so_once(tmp_path: Path) -> None:
    memory = Memory()
    ProcessKernel(memory, at=16 << 20).boot_with_types(types=False)
    session = Session(tmp_path, memory.fd)
    texts = session.poll(last=False)  # its image may not be there to the end yet
    texts += session.poll() + session.poll() + session.poll()
    session.feed.write_tasks()
    session.close()
    memory.close()
    (text,) = texts
    assert "CONFIG_DEBUG_INFO_BTF" in text
    assert not (tmp_path / "tasks.json").exists()


@pytest.mark.parametrize("name", ["ubuntu-5.4", "debian-6.1-cloud"])
def test_a_real_kernel_whose_tables_are_gone_goes_on_with_its_log(tmp_path: Path, name: str) -> None:
    pages, ram_bytes, below = load_image(FIXTURES / f"{name}.image.gz")
    descriptor = sparse_file(pages, ram_bytes, below)
    session = Session(tmp_path, descriptor)
    session.poll()
    lines = [event for event in session.events if event.source is Source.KERNEL]
    session.feed.write_tasks()
    session.close()
    os.close(descriptor)
    assert len(lines) > 200
    assert not (tmp_path / "tasks.json").exists()
