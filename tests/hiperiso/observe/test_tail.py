from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from hiperiso.observe.lines import PARTIAL_QUIET_S, LineChannel
from hiperiso.observe.tail import COLLECT_S, FileTail
from virtual_clock import VirtualLoop, run


def test_new_data_arrives_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before")
    pieces: list[bytes] = []

    async def follow() -> None:
        tail = FileTail(path, pieces.append)
        with path.open("ab", buffering=0) as writer:
            writer.write(b" now")
            await asyncio.sleep(0.05)
            assert b"".join(pieces) == b"before now"
            for number in range(200):
                writer.write(b"%d," % number * 1000)
            await asyncio.sleep(0.05)
            writer.write(b"end")
        tail.close()
        tail.close()

    run(follow())
    assert b"".join(pieces) == path.read_bytes()


def test_what_was_written_before_is_reported_though_nothing_follows(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"Kernel panic\n" * 10_000)  # more than is read at a time
    pieces: list[bytes] = []

    async def follow() -> None:
        tail = FileTail(path, pieces.append)
        assert pieces == []  # who made it can still say who else is to on_event
        await asyncio.sleep(0.05)
        assert b"".join(pieces) == path.read_bytes()
        tail.close()

    run(follow())
    assert b"".join(pieces) == path.read_bytes()


def test_a_listener_that_raises_hears_what_comes_after(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    pieces: list[bytes] = []
    raised: list[str] = []

    def on_event(data: bytes) -> None:
        pieces.append(data)
        raise ValueError("not this one")

    async def follow() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: raised.append(str(context.get("exception"))))
        tail = FileTail(path, on_event)
        with path.open("ab", buffering=0) as writer:
            for word in (b"one", b"two", b"three"):
                writer.write(word)
                await asyncio.sleep(2 * COLLECT_S)
        with contextlib.suppress(ValueError):
            tail.close()

    run(follow())
    assert pieces == [b"one", b"two", b"three"]
    assert raised == 3 * ["not this one"]


def test_a_stream_of_characters_is_collected(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    pieces: list[bytes] = []

    async def follow() -> None:
        tail = FileTail(path, pieces.append)
        with path.open("ab", buffering=0) as writer:
            for _ in range(300):
                writer.write(b"x")
                await asyncio.sleep(0.001)
        await asyncio.sleep(2 * COLLECT_S)
        assert sum(map(len, pieces)) == 300
        with path.open("ab", buffering=0) as writer:
            writer.write(b"y")
        await asyncio.sleep(0.01)  # nothing came before: it is read at once
        assert pieces[-1] == b"y"
        tail.close()

    run(follow())
    assert len(pieces) <= 60


def test_waiting_costs_no_processor_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()

    async def idle() -> int:
        tail = FileTail(path, lambda data: None)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        before = loop.looks
        await asyncio.sleep(100_000)
        tail.close()
        return loop.looks - before

    assert run(idle()) < 10


def test_a_prompt_is_reported_when_it_falls_quiet(tmp_path: Path) -> None:
    reported: list[tuple[str, str]] = []

    async def talk() -> None:
        channel = LineChannel(lambda kind, text, offset: reported.append((kind, text)))
        channel.feed(b"\x1b[2Jbooting\r\nhost log")
        await asyncio.sleep(PARTIAL_QUIET_S / 3)
        channel.feed(b"in: ")
        assert reported == [("line", "booting")]
        await asyncio.sleep(PARTIAL_QUIET_S * 2)
        assert reported == [("line", "booting"), ("partial", "host login: ")]
        channel.feed(b"root\r\n")
        channel.flush()

    run(talk())
    assert reported[-1] == ("line", "host login: root")


def test_a_line_that_never_falls_quiet_is_reported_now_and_then() -> None:
    reported: list[str] = []

    async def talk() -> None:
        channel = LineChannel(lambda kind, text, offset: reported.append(text))
        for number in range(30):
            channel.feed(b"\r%d%%" % number)
            await asyncio.sleep(PARTIAL_QUIET_S / 3)

    run(talk())
    assert 1 <= len(reported) <= 4
