"""The interface of every channel of a running guest: start, finish with a final poll, close.

::

    made      its files are opened; the guest may be running already
    start     QEMU answers: what it does from now on, until the guest has given its answer
    finish    the last look, while the guest still has its machine, or has just lost it
    close     QEMU is gone: what is left is written down, and everything is given back

`GuestRun` has one list of them and always processes it in order.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from hiperiso.contract.words import EndReason

Work = Coroutine[Any, Any, None]


class Observer(Protocol):
    """One channel, or one thing that has to be done beside the channels."""

    def start(self) -> Sequence[Work]:
        """What it does while the guest runs; cancelled at the end."""

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """Poll one last time. `reason`: why the recording ends; `alive`: QEMU still runs.

        Raises:
            OSError: the session directory cannot be written.
        """

    async def close(self) -> None:
        """Write remaining data and release everything, regardless of earlier failures. Idempotent."""
