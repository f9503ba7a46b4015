"""The guest's boot chain, from its serial line: marked lines of the kernel log become ``chain.jsonl`` again.

An initramfs with bootchain copies every record of its ``chain.jsonl`` to the kernel log (``bootchain.init.report``)::

    [    7.717529] bootchain: {"n": 0, "t": 7.688468, "event": "start", ...}
    [    8.102203] bootchain+ {"n": 1, "t": 8.100113, "event": "step", ...     all parts of a long record but the last
    [    8.102417] bootchain: "remaining": ["mountfs"]}                         the last part

Guests are hostile: anything else is skipped, memory is bounded, and only the form of a record is validated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from hiperiso.contract.events import Event, KernelLine, SerialLine

MAX_RECORD_CHARS: Final = 65536
MAX_RECORDS: Final = 10_000
MAX_KEYS: Final = 40
MAX_NUMBER: Final = 10**12

EVENTS: Final = frozenset({"start", "resume", "step", "chain", "reboot", "finish"})
"""Values of ``event`` in a record of bootchained."""

_LINE: Final = re.compile(
    r"^(?:<\d{1,3}>)?(?:\[ {0,8}\d{1,8}\.\d{1,9}\](?:\[[^\]]{1,20}\])? )?bootchain(?P<more>[:+]) (?P<text>.*)$"
)


class ChainLines:
    """Takes the lines of one channel, in order, and returns the records in them."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._chars = 0
        self._records = 0

    def feed(self, line: str) -> dict[str, Any] | None:
        """Return the record that ends with this line; None for any other line."""
        if "bootchain" not in line:
            return None
        match = _LINE.match(line)
        if match is None:
            return None
        text = match["text"]
        if text.startswith("{"):  # a new record: the previous one was never finished
            self._forget()
        self._chars += len(text)
        if self._chars > MAX_RECORD_CHARS:
            self._forget()
            return None
        self._parts.append(text)
        if match["more"] == "+":
            return None
        record = self._decode("".join(self._parts))
        self._forget()
        return record

    def _decode(self, text: str) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = msgspec.json.decode(text)
            msgspec.json.encode(record)  # what cannot be encoded again (integers beyond 64 bits) is not ours
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            return None
        if not is_record(record) or self._records >= MAX_RECORDS:
            return None
        self._records += 1
        return record

    def _forget(self) -> None:
        self._parts.clear()
        self._chars = 0


class ChainListener:
    """Finds the records in the events of all channels and emits each once.

    The kernel log arrives on the serial line and through the guest's memory: the first copy of a record counts.

    Args:
        emit: called with each record, in the order of arrival.
    """

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        self._emit = emit
        self._channels = {SerialLine: ChainLines(), KernelLine: ChainLines()}
        self._emitted: set[tuple[int, float]] = set()

    def on_event(self, event: Event) -> None:
        """Process the next event of any channel."""
        if not isinstance(event, SerialLine | KernelLine) or event.partial:
            return
        record = self._channels[type(event)].feed(event.text)
        if record is None or (identity := (record["n"], record["t"])) in self._emitted:
            return
        self._emitted.add(identity)
        self._emit(record)


def is_record(value: Any) -> bool:
    """Whether a decoded value has the form of a record of ``chain.jsonl``."""
    return (
        isinstance(value, dict)
        and len(value) <= MAX_KEYS
        and value.get("event") in EVENTS
        and isinstance(value.get("n"), int)
        and isinstance(value.get("t"), (int, float))
        and 0 <= value["n"] < MAX_NUMBER
        and 0 <= value["t"] < MAX_NUMBER
    )


def summary(record: dict[str, Any]) -> str:
    """Return a record as one readable line; its values are guest data, so clean it before display."""
    kind = record["event"]
    if kind == "step":
        return _step_summary(record)
    if kind == "start":
        return f"chain: {_names(record.get('chain'))} ({record.get('mode')} mode)"
    if kind == "chain":
        return f"step {record.get('step')} requests the chain: {_names(record.get('remaining'))}"
    if kind == "finish":
        return f"chain {record.get('outcome')}: {record.get('message')}"
    return f"chain {kind}"


def _step_summary(record: dict[str, Any]) -> str:
    label = f"step {record.get('number')} ({record.get('step')})"
    attempt = record.get("try")
    again = f" try {attempt}" if isinstance(attempt, int) and attempt > 1 else ""
    code = record.get("code")
    if code is None:
        return f"{label}{again} was not run"
    return f"{label}{again} ended with {code} after {record.get('duration_ms')} ms"


def _names(value: Any) -> str:
    names = [str(name) for name in value] if isinstance(value, list) else []
    return ",".join(names) or "(empty)"
