"""The measured boot of a guest with a TPM: its event log is read from memory, replayed, and compared at the end."""

# ruff: noqa: ARG002 - the methods of an Observer have parameters that only some use
from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hiperiso.contract.eventdata import TpmData
from hiperiso.contract.events import TpmCompared
from hiperiso.contract.store import atomic_write_json
from hiperiso.contract.words import EndReason
from hiperiso.machine.parts.tpm import Tpm
from hiperiso.observe.memory import GuestRam
from hiperiso.observe.tpm import Comparison, MeasuredEvent, compare, find_log
from hiperiso.session.eventlog import EventLog
from hiperiso.session.observer import Work

TPM_JSON = "tpm.json"
_PCRS_S = 15.0


class TpmFeed:
    """Reads the log while the memory is there, the registers when QEMU has ended."""

    def __init__(self, tpm: Tpm, ram: GuestRam | None, log: EventLog, directory: Path) -> None:
        self._tpm, self._ram, self._log, self._directory = tpm, ram, log, directory
        self._events: list[MeasuredEvent] = []
        self._closed = False

    def start(self) -> Sequence[Work]:
        """Nothing while the guest runs."""
        return ()

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """Find the log in the guest's memory."""
        if self._ram is not None:
            self._events = await asyncio.to_thread(find_log, self._ram)

    async def close(self) -> None:
        """Compare it with the registers, which are written when QEMU lets go of its TPM."""
        if self._closed:
            return
        self._closed = True
        registers = await asyncio.to_thread(self._registers)
        if registers is None:
            return
        found = compare(self._events, registers)
        document = {
            "registers": registers,
            "comparison": msgspec.to_builtins(found),
            "events": [
                {
                    "pcr": event.pcr,
                    "type": event.type,
                    "digests": {bank: digest.hex() for bank, digest in event.digests.items()},
                    "text": event.data[:200].decode("ascii", "replace").replace("\0", ""),
                }
                for event in self._events
            ],
        }
        atomic_write_json(self._directory / TPM_JSON, document)
        data = TpmData(
            events=found.events,
            banks=list(found.banks),
            equal=list(found.equal),
            different=list(found.different),
            later=list(found.extended_later),
        )
        self._log.emit(TpmCompared(text=_in_words(found, read=bool(registers)), data=data))

    def _registers(self) -> dict[str, dict[str, str]] | None:
        """The registers that the relay has written; None where it never did."""
        until = time.monotonic() + _PCRS_S
        while time.monotonic() < until:
            try:
                value = json.loads(self._tpm.pcrs.read_bytes())
            except (OSError, ValueError):
                time.sleep(0.05)  # QEMU has just ended: its control channel closes at any moment
                continue
            return value if isinstance(value, dict) else None
        return None


def _in_words(found: Comparison, *, read: bool) -> str:
    if found.events and not read:
        return f"{found.events} events of the log: the TPM's registers could not be read"
    if not found.banks and not found.different:
        return "nothing was measured: no event log, and no register was extended"
    what = f"{found.events} events of the log, banks {', '.join(found.banks) or 'none'}: "
    equal = f"PCR {', '.join(map(str, found.equal))} as replayed" if found.equal else "no PCR as replayed"
    if not found.different:
        return what + equal
    return f"{what}{equal}; PCR {', '.join(map(str, found.different))} differ from the TPM's"
