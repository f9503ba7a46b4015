"""A QEMU that the test itself started, by its QMP socket: what it shows, and keys for it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from hiperiso.observe.screen.ppm import Picture, parse_ppm


class Wire:
    """One QMP connection, waiting for each answer."""

    def __init__(self, connection: socket.socket, folder: Path) -> None:
        """Greet over `connection`; pictures pass through `folder`."""
        self._connection, self._lines = connection, connection.makefile("rb")
        self._dump = folder / "wire.ppm"
        self._lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """The answer to a command."""
        self._connection.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while "event" in (answer := json.loads(self._lines.readline())):
            pass
        return answer["return"]

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._connection.close()

    def picture(self) -> Picture:
        """The screen as it is now."""
        self.ask("screendump", filename=str(self._dump))
        return parse_ppm(self._dump.read_bytes())

    def press(self, *keys: str) -> None:
        """Press keys together, by QEMU's names, and let go of them."""
        self.ask("send-key", keys=[{"type": "qcode", "data": key} for key in keys])
