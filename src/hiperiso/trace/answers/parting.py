"""Where two traces part: what the guest did in one of them only, and what it did last in both.

How often a register is polled differs between any two boots, and so do times. So each trace is taken as its states, in
the order in which they came for the first time; the traces part at the first one that the other never has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from hiperiso.contract.tracereport import LastAccess
from hiperiso.trace.answers.loops import State, register_of
from hiperiso.trace.answers.registers import Role
from hiperiso.trace.answers.states import States
from hiperiso.trace.show import TraceFile

_MAX_STATES: Final = 400_000
_SHOWN: Final = 8
_NS: Final = 1e9

Doing = tuple[str, str, bool, int]
"""Device, register, whether it is a write, the value."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two traces.

    Attributes:
        file: its path.
        records: how many.
        last_common: the last new access that the other trace has as well, before they part; None without one.
        apart: the first accesses that the other trace does not have, by time.
        apart_count: how many different ones there are.
        devices: devices that only this trace has.
    """

    file: str
    records: int
    last_common: LastAccess | None
    apart: list[LastAccess]
    apart_count: int
    devices: list[str]


class Parting(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison. ``common`` counts the different accesses that are in both."""

    common: int
    first: Side
    second: Side


@dataclass
class _Trace:
    file: str
    records: int = 0
    zero_ns: int = 0
    firsts: dict[Doing, int] = field(default_factory=dict)
    devices: dict[str, None] = field(default_factory=dict)


def parting(first: TraceFile, second: TraceFile) -> Parting:
    """Compare two traces.

    Raises:
        UsageError: one of them cannot be read, or is damaged.
    """
    one, other = _read(first), _read(second)
    return Parting(
        common=len(one.firsts.keys() & other.firsts.keys()), first=_side(one, other), second=_side(other, one)
    )


def parting_lines(found: Parting) -> Iterator[str]:
    """The comparison as text."""
    for side, other in ((found.first, "the second"), (found.second, "the first")):
        yield f"{side.file}: {side.records} records"
        if side.last_common:
            yield f"  last in common  {_shown(side.last_common)}"
        if not side.apart:
            yield f"  does nothing that {other} does not"
        for access in side.apart:
            yield f"  only here       {_shown(access)}"
        if side.apart_count > len(side.apart):
            yield f"  and {side.apart_count - len(side.apart)} more accesses that {other} does not have"
        if side.devices:
            yield f"  devices that only this one has: {', '.join(side.devices)}"
    yield f"{found.common} different accesses are in both"


def _shown(access: LastAccess) -> str:
    verb = "wrote" if access.write else "read"
    return f"{access.t:10.6f} s  {access.device} {access.register}: {verb} {access.value}"


def _read(trace: TraceFile) -> _Trace:
    found = _Trace(str(trace.path))
    states: States | None = None
    for batch in trace.batches():
        if states is None:
            found.zero_ns = trace.reader.begin_ns
            states = States(found.zero_ns)
        found.records += batch.count
        seen = states.feed(batch)
        there = {register.device for register in set(seen.registers) if register.role is not Role.ABSENT}
        found.devices.update(dict.fromkeys(sorted(there)))
        times = dict(zip(reversed(seen.states), reversed(seen.state_times_ns), strict=True))
        for state in dict.fromkeys(seen.states):
            register = register_of(state)
            if register.role is not Role.CONSOLE and len(found.firsts) < _MAX_STATES:
                found.firsts.setdefault(_doing(state), times[state])
    return found


def _doing(state: State) -> Doing:
    register = register_of(state)
    return register.device, register.name, register.write, state[1] if isinstance(state, tuple) else 0


def _side(trace: _Trace, other: _Trace) -> Side:
    apart: list[LastAccess] = []
    count = 0
    last: LastAccess | None = None
    for doing, t_ns in trace.firsts.items():
        if doing not in other.firsts:
            count += 1
            if len(apart) < _SHOWN:
                apart.append(_access(doing, t_ns - trace.zero_ns))
        elif not count:
            last = _access(doing, t_ns - trace.zero_ns)
    return Side(
        file=trace.file,
        records=trace.records,
        last_common=last,
        apart=apart,
        apart_count=count,
        devices=[device for device in trace.devices if device not in other.devices],
    )


def _access(doing: Doing, since_ns: int) -> LastAccess:
    device, register, write, value = doing
    return LastAccess(
        t=round(since_ns / _NS, 6), device=device, register=register, write=write, value=f"0x{value:x}"
    )
