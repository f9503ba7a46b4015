"""QMP, the machine protocol of QEMU: one connection with deadlines, and every event delivered.

A thin layer over the ``qemu.qmp`` library, which does the framing and the pairing of replies.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from qemu.qmp import ConnectError, ExecuteError, Message, QMPClient, QMPError, Runstate

from hiperiso.errors import HarnessFault

_RETRY_S = 0.02
_CLOSE_TIMEOUT_S = 2.0
DEFAULT_TIMEOUT_S = 10.0
KEY_HOLD_S = 0.06
"""How long a key is held down: firmware polls its keyboard every few milliseconds."""


class QmpFault(HarnessFault):
    """A QMP command failed."""


class QmpRefused(QmpFault):
    """QEMU answered the command with an error."""


class QmpTimeout(QmpFault):
    """QEMU did not answer in time."""


class QmpClosed(QmpFault):
    """The connection is gone: QEMU ended, or never listened."""


@dataclass(frozen=True)
class QmpEvent:
    """One asynchronous event.

    Attributes:
        name: for instance ``RESET``, ``SHUTDOWN``, ``STOP``, ``GUEST_PANICKED``.
        data: the event's own data; empty where it has none.
        timestamp_s: QEMU's wall clock, seconds since the epoch.
    """

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    timestamp_s: float = 0.0


class Qmp:
    """A connection in command mode. Make one with :meth:`connect`; use it as an async context manager."""

    def __init__(self, client: QMPClient) -> None:
        self._client = client

    @classmethod
    async def connect(
        cls,
        socket: Path,
        *,
        on_event: Callable[[QmpEvent], None],
        alive: Callable[[], bool],
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Self:
        """Connect to QEMU's QMP socket, waiting until it listens.

        Args:
            socket: the unix socket that QEMU makes.
            on_event: called on the event loop with each event, in order; it must neither block nor raise.
            alive: whether the QEMU process still runs.
            timeout_s: the time limit for socket, greeting and negotiation together.

        Raises:
            QmpClosed: the process ended before it listened.
            QmpTimeout: it did not listen or answer in time.
        """
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        while True:
            client = _new_client(on_event)
            try:
                async with asyncio.timeout_at(deadline_s):
                    await client.connect(str(socket))
                return cls(client)
            except ConnectError as error:
                cause = error
            except AssertionError as error:  # how the library reports a peer that disconnects at once
                await _disconnect(client)
                raise QmpClosed("QEMU closed its monitor as soon as it answered") from error
            except TimeoutError as error:
                await _disconnect(client)
                missing = "answer on" if socket.exists() else "open"
                raise QmpTimeout(f"QEMU did not {missing} {socket} within {timeout_s:g} s") from error
            if not alive():
                raise QmpClosed("QEMU ended before its monitor answered") from cause
            if asyncio.get_running_loop().time() + _RETRY_S >= deadline_s:
                raise QmpTimeout(f"QEMU did not open {socket} within {timeout_s:g} s") from cause
            await asyncio.sleep(_RETRY_S)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended (QEMU is gone, or `close` was called)."""
        return self._client.runstate is not Runstate.RUNNING

    async def wait_closed(self) -> None:
        """Return when the connection has ended; every event before that has been delivered."""
        while not self.closed:
            await self._client.runstate_changed()

    async def execute(
        self,
        command: str,
        arguments: Mapping[str, object] | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Any:
        """Run a QMP command; returns its decoded JSON value.

        Raises:
            QmpRefused: QEMU answered with an error.
            QmpTimeout: no answer in `timeout_s`; a later answer is dropped.
            QmpClosed: the connection ended.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._client.execute(command, arguments)
        except TimeoutError as error:
            raise QmpTimeout(f"QEMU did not answer {command} within {timeout_s:g} s") from error
        except ExecuteError as error:
            raise QmpRefused(f"QEMU refused {command}: {error}") from error
        except (QMPError, EOFError, OSError) as error:
            raise QmpClosed(f"QEMU ended before it answered {command}") from error

    async def hmp(self, command_line: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> str:
        """Run a command of the human monitor; returns its text with plain newlines. Raises the same as `execute`."""
        text = await self.execute(
            "human-monitor-command", {"command-line": command_line}, timeout_s=timeout_s
        )
        return str(text).replace("\r\n", "\n")

    async def screendump(self, path: Path, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Have QEMU write the guest's screen to `path` as binary PPM. Raises the same as `execute`."""
        await self.execute("screendump", {"filename": str(path)}, timeout_s=timeout_s)

    async def pmemsave(
        self, address: int, size_bytes: int, path: Path, *, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> None:
        """Have QEMU write `size_bytes` of guest-physical memory from `address` to `path`. Raises as `execute`."""
        arguments = {"val": address, "size": size_bytes, "filename": str(path)}
        await self.execute("pmemsave", arguments, timeout_s=timeout_s)

    async def press(self, chords: Sequence[Sequence[str]]) -> None:
        """Press keys one after the other on the guest's keyboard; each is held down briefly.

        Args:
            chords: keys that are held down together, by QEMU's names (qapi/ui.json, QKeyCode).

        Raises the same as `execute`.
        """
        for chord in chords:
            keys = [{"type": "qcode", "data": key} for key in chord]
            await self.execute("send-key", {"keys": keys, "hold-time": round(KEY_HOLD_S * 1000)})
            await asyncio.sleep(2 * KEY_HOLD_S)

    async def quit(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Ask QEMU to end. Returns when it has accepted or is gone; the process may live a moment longer."""
        with suppress(QmpClosed):
            await self.execute("quit", timeout_s=timeout_s)

    async def close(self) -> None:
        """Close the connection; QEMU keeps running. Safe to call twice and after QEMU has ended."""
        await _disconnect(self._client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _new_client(on_event: Callable[[QmpEvent], None]) -> QMPClient:
    client = QMPClient()
    # A logger outside the hierarchy: the library prints warnings to stderr that are raised here as exceptions.
    client.logger = logging.Logger("qmp")
    client.logger.addHandler(logging.NullHandler())

    def deliver(message: Message) -> bool:
        on_event(_event(message))
        return False  # handled: the library would keep every event for as long as the connection lives

    client.events.event_filter = deliver
    return client


def _event(message: Message) -> QmpEvent:
    stamp = message.get("timestamp")
    seconds = stamp.get("seconds", 0) + stamp.get("microseconds", 0) / 1e6 if isinstance(stamp, dict) else 0.0
    data = message.get("data")
    return QmpEvent(str(message["event"]), dict(data) if isinstance(data, dict) else {}, seconds)


async def _disconnect(client: QMPClient) -> None:
    """End the connection; its errors are ignored."""
    with suppress(QMPError, EOFError, OSError, TimeoutError):
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await client.disconnect()
