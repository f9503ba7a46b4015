"""QEMU's binary trace (``trace.bin``), read as it grows.

::

    u64 2^64-1   u64 0xf2b177cb0aa429b4   u64 4                       header: no event, magic, version
    u64 0        u64 id   u32 length   name                           which event an id stands for
    u64 1        u64 id   u64 ns   u32 length   u32 pid   arguments   an event; length counts from the id on
                 id 2^64-2, one argument: so many records were lost   (the buffer was full)

All numbers are little-endian. Arguments are u64, strings u32 length and bytes, without padding. Times are of the
monotonic clock. Source: QEMU, docs/devel/tracing.rst and files written by QEMU 7.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from hiperiso.errors import UsageError
from hiperiso.text import masked

MAGIC: Final = b"\xff" * 8 + struct.pack("<Q", 0xF2B177CB0AA429B4)
_HEADER: Final = struct.Struct("<QQQ")
_KIND: Final = struct.Struct("<Q")
_MAPPING: Final = struct.Struct("<QQI")
_EVENT: Final = struct.Struct("<QQQII")
_COUNTED_BYTES: Final = 24  # id, time, length, pid
_VERSIONS: Final = (4,)
_DROPPED: Final = (1 << 64) - 2
_MAX_NAME_BYTES: Final = 512
_MAX_EVENT_BYTES: Final = 1 << 18
_MAX_EVENTS: Final = 1 << 16


class TraceError(UsageError):
    """The file is not a binary trace of QEMU, or is damaged where it says."""


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One event: its name, when (nanoseconds of the monotonic clock), of which process, and its arguments as bytes."""

    name: str
    t_ns: int
    pid: int
    arguments: bytes


class SimpleTraceReader:
    """Takes a trace in pieces of any size. An incomplete record at the end waits for the rest.

    Attributes:
        dropped: how many records QEMU says it lost.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._rest = b""
        self._names: dict[int, str] = {}
        self._begun = False
        self._error: TraceError | None = None

    @property
    def torn_bytes(self) -> int:
        """How much there is of a record that has not ended."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[TraceRecord]:
        """Take the next bytes; returns the records that they complete.

        Raises:
            TraceError: this is no such trace, or no record can be where one should be; records before that are
                returned first, and the next call raises.
        """
        if self._error:
            raise self._error
        data = self._rest + data
        at = 0
        if not self._begun:
            if not MAGIC.startswith(data[: len(MAGIC)]):
                raise TraceError("not a binary trace of QEMU", hint="a text trace is readable as it is")
            if len(data) < _HEADER.size:
                self._rest = data
                return []
            version = _HEADER.unpack_from(data)[2]
            if version not in _VERSIONS:
                raise TraceError(f"a binary trace of version {version}; known is {_VERSIONS[0]}")
            self._begun, at = True, _HEADER.size
        found: list[TraceRecord] = []
        while at + _KIND.size <= len(data):
            try:
                end = self._record(data, at, found)
            except TraceError as error:
                if not found:
                    raise
                self._error, end = error, -1
            if end < 0:
                break
            at = end
        self._rest = data[at:]
        return found

    def _record(self, data: bytes, at: int, found: list[TraceRecord]) -> int:
        """Read the record at `at`; returns where it ends, -1 when that is not there yet."""
        (kind,) = _KIND.unpack_from(data, at)
        if kind == 1:
            return self._event(data, at, found)
        if kind == 0:
            return self._mapping(data, at)
        raise TraceError(f"the trace is damaged: a record of kind {kind}")

    def _mapping(self, data: bytes, at: int) -> int:
        if at + _MAPPING.size > len(data):
            return -1
        _, number, length = _MAPPING.unpack_from(data, at)
        if not 0 < length <= _MAX_NAME_BYTES or len(self._names) >= _MAX_EVENTS:
            raise TraceError(f"the trace is damaged: the name of an event has {length} bytes")
        start = at + _MAPPING.size
        if start + length > len(data):
            return -1
        name = data[start : start + length].decode("ascii", "replace")
        self._names[number] = masked(name)
        return int(start + length)

    def _event(self, data: bytes, at: int, found: list[TraceRecord]) -> int:
        if at + _EVENT.size > len(data):
            return -1
        _, number, t_ns, length, pid = _EVENT.unpack_from(data, at)
        if not _COUNTED_BYTES <= length <= _MAX_EVENT_BYTES:
            raise TraceError(f"the trace is damaged: an event of {length} bytes")
        end = at + _KIND.size + length
        if end > len(data):
            return -1
        arguments = data[at + _EVENT.size : end]
        if number == _DROPPED:
            self.dropped += int.from_bytes(arguments[:8], "little")
        else:
            name = self._names.get(number) or f"event_{number}"
            found.append(TraceRecord(name, t_ns, pid, arguments))
        return int(end)
