"""Types on the guest's first serial port, for boot loaders that take no keys from the keyboard.

The port writes its log as a file, and has no input. It gets one when the first key is typed: QEMU exchanges its back
end for the same file with a FIFO to read from, so that no other boot depends on it. Source: QEMU, qapi/char.json
(``chardev-change``, ``ChardevFile``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from hiperiso.machine.qmp import Qmp, QmpFault

_PORT: Final = "serial0"


class SerialKeys:
    """The input of the first serial port.

    Args:
        log: the file that the port writes.
        fifo: where the input is made; in a private directory.
    """

    def __init__(self, qmp: Qmp, log: Path, fifo: Path) -> None:
        self._qmp = qmp
        self._log = log
        self._fifo = fifo
        self._descriptor = -1

    async def send(self, text: str) -> None:
        """Type `text`.

        Raises:
            QmpFault: QEMU refused to open the input, or it cannot be made.
        """
        try:
            if self._descriptor < 0:
                await self._open()
            os.write(self._descriptor, text.encode())
        except OSError as error:
            raise QmpFault(f"cannot type on the serial port: {error.strerror}") from error

    def close(self) -> None:
        """Remove the input."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._fifo.unlink(missing_ok=True)

    async def _open(self) -> None:
        os.mkfifo(self._fifo, 0o600)
        # for both directions: opening it does not block, and QEMU never sees its end
        self._descriptor = os.open(self._fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        data = {"in": str(self._fifo), "out": str(self._log), "append": True}
        backend = {"type": "file", "data": data}
        await self._qmp.execute("chardev-change", {"id": _PORT, "backend": backend})
