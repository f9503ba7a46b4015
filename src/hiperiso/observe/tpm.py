"""The measured boot: the firmware's event log in the guest's memory, replayed, and compared with the TPM's registers.

The log is where the ACPI table TPM2 says (LASA); firmware that keeps it to itself (OVMF gives it to the boot loader by
a protocol) leaves it in memory all the same: it begins with ``Spec ID Event03``.

Sources: TCG, *ACPI Specification* 1.2, 6 (TPM2 table); *PC Client Platform Firmware Profile* 1.05, 10.2 (the log),
10.4.5.2 (StartupLocality), 3.3.4 (PCR usage), Table 21 (Exit Boot Services).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, Protocol

import msgspec

from hiperiso.observe.memory.ram import Unreadable

_NO_ACTION: Final = 3
_ALGORITHMS: Final = {0x04: "sha1", 0x0B: "sha256", 0x0C: "sha384", 0x0D: "sha512"}
_HEAD: Final = b"Spec ID Event03\0"
_HEAD_AT: Final = 32
"""The first event's fields before its data: PCR, type, SHA-1 digest, size."""
_MAX_LOG_BYTES: Final = 1 << 20
_MAX_EVENTS: Final = 10_000
_MAX_PLACES: Final = 64
_PCRS: Final = 24
FIRMWARE_PCRS: Final = 8
"""PCRs 0 to 7 belong to the firmware; the others to what it starts."""
_LEAVING: Final = (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success")
"""Measured into PCR 5 when the kernel takes over: after it has taken its copy of the log."""


class Ram(Protocol):
    """The guest's memory, as `hiperiso.observe.memory.GuestRam` reads it."""

    def read(self, address: int, size: int) -> bytes:
        """Bytes at a physical address. Raises `Unreadable`."""

    def find(self, pattern: bytes) -> Iterator[int]:
        """Physical addresses of every occurrence."""


class MeasuredEvent(msgspec.Struct, frozen=True):
    """One event of the log: its PCR, its type, and the digests by bank."""

    pcr: int
    type: int
    digests: dict[str, bytes]
    data: bytes


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The log against the registers: PCRs by number, in the banks that both have.

    ``different`` are those of the firmware that the log does not lead to; ``extended_later`` those of the system, which
    go on after the log.
    """

    events: int
    banks: tuple[str, ...]
    equal: tuple[int, ...]
    different: tuple[int, ...]
    extended_later: tuple[int, ...]


def table_log_address(table: bytes) -> tuple[int, int] | None:
    """Address and size in bytes of the log, from an ACPI table TPM2; None where it names none, or is damaged."""
    if len(table) < 76 or table[:4] != b"TPM2":
        return None
    (length,) = struct.unpack_from("<I", table, 4)
    if not 76 <= length <= len(table) or sum(table[:length]) & 0xFF:
        return None
    size, address = struct.unpack_from("<IQ", table, 64)
    return (address, min(size, _MAX_LOG_BYTES)) if size and address else None


def parse_log(data: bytes) -> list[MeasuredEvent]:
    """The events of a crypto-agile log, up to its end or to what cannot be one; empty where none begins here."""
    if len(data) < _HEAD_AT + 28 or data[_HEAD_AT : _HEAD_AT + 16] != _HEAD:
        return []
    (size,) = struct.unpack_from("<I", data, 28)
    sizes = _digest_sizes(data[_HEAD_AT : _HEAD_AT + size])
    at = _HEAD_AT + size
    found: list[MeasuredEvent] = []
    while len(found) < _MAX_EVENTS:
        try:
            event, at = _event(data, at, sizes)
        except (struct.error, KeyError, ValueError):
            break
        found.append(event)
    return found


def _digest_sizes(head: bytes) -> dict[int, int]:
    try:
        (count,) = struct.unpack_from("<I", head, 24)
        return dict(struct.unpack_from("<HH", head, 28 + 4 * number) for number in range(min(count, 16)))
    except struct.error:
        return {}


def _event(data: bytes, at: int, sizes: Mapping[int, int]) -> tuple[MeasuredEvent, int]:
    pcr, kind, count = struct.unpack_from("<III", data, at)
    if pcr >= _PCRS or not 0 < count <= len(sizes) or (pcr, kind) == (0, 0):
        raise ValueError
    at += 12
    digests: dict[str, bytes] = {}
    for _ in range(count):
        (algorithm,) = struct.unpack_from("<H", data, at)
        size = sizes[algorithm]
        digests[_ALGORITHMS.get(algorithm, hex(algorithm))] = data[at + 2 : at + 2 + size]
        at += 2 + size
    (length,) = struct.unpack_from("<I", data, at)
    at += 4
    if at + length > len(data):
        raise ValueError
    return MeasuredEvent(pcr, kind, digests, data[at : at + length]), at + length


def replay(events: list[MeasuredEvent]) -> dict[str, dict[int, bytes]]:
    """The registers that the log leads to: bank -> PCR -> digest, of PCRs with events."""
    banks: dict[str, dict[int, bytes]] = {}
    locality = 0
    for event in events:
        if event.type == _NO_ACTION:
            if event.data.startswith(b"StartupLocality\0") and len(event.data) > 16:
                locality = event.data[16]
            continue
        for bank, digest in event.digests.items():
            if bank not in _ALGORITHMS.values():
                continue
            registers = banks.setdefault(bank, {})
            before = registers.get(event.pcr, _initial(bank, locality if event.pcr == 0 else 0))
            registers[event.pcr] = _extended(bank, before, digest)
    return banks


def _initial(bank: str, locality: int) -> bytes:
    return bytes(hashlib.new(bank, usedforsecurity=False).digest_size - 1) + bytes([locality])


def _extended(bank: str, before: bytes, digest: bytes) -> bytes:
    return hashlib.new(bank, before + digest, usedforsecurity=False).digest()


def compare(events: list[MeasuredEvent], registers: Mapping[str, Mapping[str, str]]) -> Comparison:
    """The replayed log against the registers of the TPM (bank -> PCR -> hexadecimal digest)."""
    replayed = replay(events)
    banks = [bank for bank in replayed if bank in registers]
    equal: set[int] = set()
    different: set[int] = set()
    for bank in banks:
        for pcr, digest in replayed[bank].items():
            real = registers[bank].get(str(pcr), "")
            same = real in (digest.hex(), *(_leaving(bank, digest) if pcr == 5 else ()))
            (equal if same else different).add(pcr)
    later = {pcr for pcr in different if pcr >= FIRMWARE_PCRS}
    later |= {
        int(pcr)
        for bank in banks
        for pcr, digest in registers[bank].items()
        if int(pcr) not in replayed[bank] and set(digest) not in ({"0"}, {"f"}) and int(pcr) >= FIRMWARE_PCRS
    }
    unlogged = {
        int(pcr)
        for bank in (banks or registers)
        for pcr, digest in registers[bank].items()
        if int(pcr) not in replayed.get(bank, {}) and set(digest) - {"0"} and int(pcr) < FIRMWARE_PCRS
    }
    return Comparison(
        events=len(events),
        banks=tuple(banks),
        equal=tuple(sorted(equal - different)),
        different=tuple(sorted((different - later) | unlogged)),
        extended_later=tuple(sorted(later)),
    )


def _leaving(bank: str, digest: bytes) -> list[str]:
    """PCR 5 after one or both events of the kernel's taking over."""
    found = []
    for text in _LEAVING:
        digest = _extended(bank, digest, hashlib.new(bank, text, usedforsecurity=False).digest())
        found.append(digest.hex())
    return found


def find_log(ram: Ram) -> list[MeasuredEvent]:
    """The longest event log in the guest's memory; empty without one."""
    found: list[list[MeasuredEvent]] = []
    for address in islice(ram.find(b"TPM2"), _MAX_PLACES):
        place = table_log_address(_read(ram, address, 76))
        if place is not None:
            found.append(parse_log(_read(ram, *place)))
    if not any(found):
        for address in islice(ram.find(_HEAD), _MAX_PLACES):
            found.append(parse_log(_read_most(ram, address - _HEAD_AT)))
    return max(found, key=len, default=[])


def _read(ram: Ram, address: int, size: int) -> bytes:
    try:
        return ram.read(address, size)
    except Unreadable:
        return b""


def _read_most(ram: Ram, address: int) -> bytes:
    """As much of a log as can be read there."""
    size = _MAX_LOG_BYTES
    while size > 4096 and not (data := _read(ram, address, size)):
        size //= 2
    return data if size > 4096 else b""
