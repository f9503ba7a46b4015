"""QMP against a scripted server on a real socket, and against QEMU."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hiperiso.machine.qemu import find_qemu
from hiperiso.machine.qmp import Qmp, QmpClosed, QmpEvent, QmpRefused, QmpTimeout
from waiting import DEADLINE_S, await_until

GREETING = {
    "QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}
}


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._text = ""

    async def send(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self.writer.write(json.dumps(message).encode() + b"\r\n")
        await self.writer.drain()

    async def receive(self) -> dict[str, Any]:
        """The next request; QMP clients need not end it with a newline."""
        while True:
            try:
                request, end = json.JSONDecoder().raw_decode(self._text)
            except ValueError:
                chunk = await self._reader.read(4096)
                if not chunk:
                    raise EOFError from None
                self._text += chunk.decode()
            else:
                self._text = self._text[end:].lstrip()
                return dict(request)

    async def greet(self) -> None:
        await self.send(GREETING)
        await self.answer({})

    async def answer(self, value: Any) -> dict[str, Any]:
        request = await self.receive()
        await self.send({"return": value, "id": request["id"]} if "id" in request else {"return": value})
        return request


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def server(path: Path, script: Script) -> AsyncIterator[None]:
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await script(Peer(reader, writer))
        finally:
            writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def run(
    tmp_path: Path,
    script: Script,
    body: Callable[[Qmp, list[QmpEvent]], Awaitable[None]],
    *,
    timeout_s: float = DEADLINE_S,
) -> None:
    async def main() -> None:
        events: list[QmpEvent] = []
        socket = tmp_path / "q"
        async with (
            server(socket, script),
            await Qmp.connect(socket, on_event=events.append, alive=lambda: True, timeout_s=timeout_s) as qmp,
        ):
            await body(qmp, events)

    asyncio.run(main())


def event(name: str, number: int) -> dict[str, Any]:
    return {"event": name, "data": {"n": number}, "timestamp": {"seconds": 10, "microseconds": 500000}}


def test_events_around_a_reply_all_arrive_in_order(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        request = await peer.receive()
        await peer.send(*(event("BEFORE", n) for n in range(100)))
        await peer.send({"return": {"status": "running"}, "id": request["id"]})
        await peer.send(*(event("AFTER", n) for n in range(500)))

    async def body(qmp: Qmp, events: list[QmpEvent]) -> None:
        assert await qmp.execute("query-status") == {"status": "running"}
        await qmp.wait_closed()
        names = [(e.name, e.data["n"]) for e in events]
        assert names == [("BEFORE", n) for n in range(100)] + [("AFTER", n) for n in range(500)]
        assert events[0].timestamp_s == 10.5
        assert qmp.closed

    run(tmp_path, script, body)


def test_event_without_data(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.receive()
        await peer.send({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}})

    async def body(qmp: Qmp, events: list[QmpEvent]) -> None:
        await qmp.quit()
        await qmp.wait_closed()
        assert events == [QmpEvent("STOP", {}, 1.0)]

    run(tmp_path, script, body)


def test_refusal_names_command_and_reason(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        request = await peer.receive()
        await peer.send({"error": {"class": "GenericError", "desc": "no such screen"}, "id": request["id"]})
        await peer.answer("fine")

    async def body(qmp: Qmp, events: list[QmpEvent]) -> None:
        with pytest.raises(QmpRefused, match=r"screendump.*no such screen"):
            await qmp.screendump(tmp_path / "s.ppm")
        assert await qmp.execute("query-name") == "fine"

    run(tmp_path, script, body)


def test_late_answer_is_dropped_and_the_connection_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        slow = await peer.receive()
        second = await peer.receive()
        await peer.send({"return": "late", "id": slow["id"]}, {"return": "second", "id": second["id"]})

    async def body(qmp: Qmp, events: list[QmpEvent]) -> None:
        with pytest.raises(QmpTimeout, match="query-slow"):
            await qmp.execute("query-slow", timeout_s=0.05)
        assert await qmp.execute("query-second") == "second"

    run(tmp_path, script, body)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "farewell", [b"", b'{"return": \r\n', b"\xff\xfe\r\n"], ids=["eof", "torn", "garbage"]
)
def test_server_gone_in_the_middle_of_a_command(tmp_path: Path, farewell: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.receive()
        peer.writer.write(farewell)

    async def body(qmp: Qmp, events: list[QmpEvent]) -> None:
        with pytest.raises(QmpClosed):
            await qmp.execute("query-status")
        with pytest.raises(QmpClosed):
            await qmp.execute("query-status")
        await qmp.quit()
        await qmp.close()
        await qmp.close()

    run(tmp_path, script, body)


def test_waits_for_a_socket_that_appears_later(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.answer("ok\r\nlines\r\n")

    async def main() -> None:
        socket = tmp_path / "q"
        tries: list[bool] = []

        def alive() -> bool:
            tries.append(True)
            return True

        connecting = asyncio.create_task(
            Qmp.connect(socket, on_event=lambda _: None, alive=alive, timeout_s=DEADLINE_S)
        )
        await await_until(lambda: len(tries) > 1, "it is not tried again")
        assert not connecting.done()
        async with server(socket, script), await connecting as qmp:
            assert await qmp.hmp("info status") == "ok\nlines\n"

    asyncio.run(main())


def test_process_that_ended_is_distinguished_from_a_slow_one(tmp_path: Path) -> None:
    async def connect(*, alive: bool, timeout_s: float) -> None:
        await Qmp.connect(tmp_path / "q", on_event=lambda _: None, alive=lambda: alive, timeout_s=timeout_s)

    with pytest.raises(QmpClosed, match="ended before"):
        asyncio.run(connect(alive=False, timeout_s=DEADLINE_S))
    with pytest.raises(QmpTimeout, match="did not open"):
        asyncio.run(connect(alive=True, timeout_s=0.1))


def test_server_that_hangs_up_at_once(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send({"event": "SHUTDOWN", "timestamp": {"seconds": 1, "microseconds": 0}})

    async def main() -> list[QmpEvent]:
        events: list[QmpEvent] = []
        async with server(tmp_path / "q", script):
            try:
                qmp = await Qmp.connect(tmp_path / "q", on_event=events.append, alive=lambda: False)
            except QmpClosed:
                return events
            async with qmp:
                await qmp.wait_closed()
        return events

    for _ in range(20):  # whether connecting succeeds depends on who is faster; the event arrives in any case
        assert [e.name for e in asyncio.run(main())] == ["SHUTDOWN"]
        (tmp_path / "q").unlink(missing_ok=True)


def test_server_that_never_greets(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await asyncio.Event().wait()

    async def body(qmp: Qmp, events: list[QmpEvent]) -> None:
        raise AssertionError("connected")

    with pytest.raises(QmpTimeout, match="did not answer"):
        run(tmp_path, script, body, timeout_s=0.2)


def test_with_qemu(tmp_path: Path) -> None:
    """An empty PC: events, memory, the screen, and an orderly end."""
    socket = tmp_path / "q"
    command = [
        *(str(find_qemu()), "-nodefaults", "-machine", "q35,accel=tcg", "-m", "64", "-vga", "std"),
        *("-display", "none", "-S", "-qmp", f"unix:{socket},server=on,wait=off"),
    ]

    async def main(process: "subprocess.Popen[bytes]") -> list[QmpEvent]:
        events: list[QmpEvent] = []
        alive = lambda: process.poll() is None  # noqa: E731
        async with await Qmp.connect(socket, on_event=events.append, alive=alive) as qmp:
            assert "paused" in await qmp.hmp("info status")
            await qmp.execute("cont")
            await qmp.pmemsave(0xFFFFFFF0, 16, tmp_path / "reset-vector")
            await qmp.screendump(tmp_path / "screen.ppm")
            await qmp.execute("system_reset")
            await qmp.quit()
            await qmp.wait_closed()
        return events

    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            events = asyncio.run(main(process))
            assert process.wait(DEADLINE_S) == 0
        finally:
            process.kill()
    assert [e.name for e in events if e.name in {"RESUME", "RESET", "SHUTDOWN"}] == [
        "RESUME",
        "RESET",
        "SHUTDOWN",
    ]
    assert (tmp_path / "reset-vector").read_bytes()[0] == 0xEA  # a far jump
    assert (tmp_path / "screen.ppm").read_bytes().startswith(b"P6\n")
