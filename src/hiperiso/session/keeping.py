"""A guest that is left running after the verdict on it, for a person (``--keep``).

::

    verdict is made      channels are closed, RecordingEnded is emitted
    announce             report, session.json with the verdict; status.json and session.json stay ``running``
    the guest runs on    its serial port is a socket, and still writes serial.log; the heartbeat goes on
    the guest ends       it is switched off, QEMU is ended, or the user ends it: SESSION_COMPLETE

What happens after the verdict is not part of it: a person may do anything to the guest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from hiperiso.contract.words import EndReason
from hiperiso.machine.qmp import Qmp, QmpFault
from hiperiso.session.interrupt import Interrupt
from hiperiso.session.process import QemuProcess

NOT_KEPT: Final = frozenset(
    {EndReason.HARNESS_FAULT, EndReason.INTERRUPTED, EndReason.QEMU_EXITED, EndReason.POWERED_OFF}
)
"""After these there is no guest to keep, or it is not wanted."""

_PORT: Final = "serial0"


class KeptGuest:
    """A guest whose verdict is known and whose channels are closed.

    Attributes:
        vnc: where its screen is served, empty if it is not.
    """

    def __init__(self, qmp: Qmp, process: QemuProcess, vnc: str) -> None:
        self._qmp = qmp
        self._process = process
        self.vnc = vnc

    async def open_serial(self, log: Path, socket: Path) -> Path | None:
        """Make the first serial port a Unix socket that takes one client at a time; None if QEMU refuses that.

        Source: QEMU, qapi/char.json (``chardev-change``, ``ChardevSocket``).
        """
        address = {"type": "unix", "data": {"path": str(socket)}}
        data = {"addr": address, "server": True, "wait": False, "logfile": str(log), "logappend": True}
        try:
            await self._qmp.execute(
                "chardev-change", {"id": _PORT, "backend": {"type": "socket", "data": data}}
            )
        except QmpFault:
            return None
        return socket

    async def until_the_end(self, interrupted: Interrupt, beat: Awaitable[None]) -> None:
        """Return when the guest is switched off, QEMU has ended, or `interrupted` is set; `beat` runs meanwhile."""
        with contextlib.suppress(
            QmpFault
        ):  # refused: a guest that is switched off stays until the user ends it
            await self._qmp.execute("set-action", {"shutdown": "poweroff"})
        heart = asyncio.ensure_future(beat)
        ends = [
            asyncio.ensure_future(self._process.exited.wait()),
            asyncio.ensure_future(interrupted.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*ends, heart):
                task.cancel()
            await asyncio.gather(*ends, heart, return_exceptions=True)


async def vnc_address(qmp: Qmp) -> str:
    """Where QEMU serves the guest's screen, as ``HOST:PORT``; empty if it does not."""
    try:
        answer = await qmp.execute("query-vnc")
    except QmpFault:
        return ""
    if not isinstance(answer, dict) or not answer.get("enabled") or answer.get("family") == "unix":
        return ""
    return f"{answer.get('host', '')}:{answer.get('service', '')}"


Keep = Callable[[KeptGuest, EndReason, str], Awaitable[None]]
"""Takes the guest, why its recording ended, and the detail; returns when the guest has ended, or is to end."""
