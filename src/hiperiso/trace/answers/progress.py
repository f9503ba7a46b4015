"""Whether the guest still does something new, what it does otherwise, and which device it waits for.

What the guest does is a sequence of states: a register with the value that was read or written. Output for people,
interrupt controllers and delays are left out, clocks have no values. Since the last state that had never been seen
before, the guest repeats itself (or is quiet): what it uses then, and uses still at the end, is what it waits for.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from hiperiso.contract.tracereport import LastAccess, Suspect, SuspectKind
from hiperiso.trace.answers.loops import Polled, State, register_of
from hiperiso.trace.answers.registers import Register, Role

MIN_STUCK_S: Final = 1.5
"""A guest that has done nothing new for less is not stuck."""
_MIN_REPEATS: Final = 12
_STILL_SHARE: Final = 0.25
_STILL_S: Final = 1.0
_MAX_SEEN: Final = 400_000
_CONSOLE_SHARE: Final = 100
_ACKNOWLEDGED: Final = (" PxIS", " PxSERR", "USBSTS", "ISR status", "interrupt status")
"""A write to one of these takes note of what has come."""
_COMMANDED: Final = re.compile(
    r"(?:submission tail doorbell|^doorbell \d+|\bnotify|CI \(command issue\)|^command|TDT)$"
)
"""The names of registers to which a write asks a device to do something."""
_RING: Final = 256
_POLLED_PER_S: Final = 300
"""Clocks and interrupt controllers are read less often by a guest that does not wait for them."""
_AT_ONCE_S: Final = 1.0
"""What a guest did last belongs to a device that it used so long before, or later."""
_LATER_S: Final = 0.3
_NS: Final = 1e9
_ONES: Final = (0xFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Medium:
    """What the CD-ROM drive did: when the command was begun that has not ended (0: none), and times of errors."""

    pending_ns: int
    errors_ns: Sequence[int]


class Progress:
    """Takes states in order."""

    def __init__(self) -> None:
        self.new_ns = 0
        self._seen: set[State] = set()
        self._since: Counter[State] = Counter()
        self._last: dict[State, int] = {}
        self._asked: Counter[Register] = Counter()
        self._ring: deque[tuple[int, Register, int]] = deque(maxlen=_RING)
        self._plain_last: tuple[int, Register] | None = None

    def feed(self, states: Sequence[State], times_ns: Sequence[int]) -> None:
        """Take the next states."""
        distinct = dict.fromkeys(states)  # in the order of their first times
        new = [
            state
            for state in distinct
            if state not in self._seen and register_of(state).role is not Role.CONSOLE
        ]
        begin = 0
        if new:
            at = states.index(new[-1])
            self.new_ns = times_ns[at]
            begin = at + 1
            self._since.clear()
            self._asked.clear()
            self._last.clear()
            if len(self._seen) < _MAX_SEEN:
                self._seen.update(distinct)
        self._since.update(states[begin:])
        self._last.update(zip(states[begin:], times_ns[begin:], strict=True))
        self._note_plain(states, times_ns, distinct)
        for state, t_ns in zip(states[-_RING:], times_ns[-_RING:], strict=True):
            value = state[1] if isinstance(state, tuple) else 0
            self._ring.append((t_ns, register_of(state), value))

    def _note_plain(
        self, states: Sequence[State], times_ns: Sequence[int], distinct: Collection[State]
    ) -> None:
        """The last access to a device that neither counts by itself nor prints."""
        registers = {state: register_of(state) for state in distinct}
        printed = {one.device for one in registers.values() if one.role is Role.CONSOLE}
        plain = {
            state: one
            for state, one in registers.items()
            if one.role is Role.PLAIN and one.device not in printed
        }
        if plain:
            at = next(at for at in range(len(states) - 1, -1, -1) if states[at] in plain)
            self._plain_last = times_ns[at], plain[states[at]]

    def asked(self, registers: Sequence[Register]) -> None:
        """Take reads of interrupt controllers, which count only where nothing else does."""
        self._asked.update(registers)

    def last_accesses(self, zero_ns: int, count: int = 20) -> list[LastAccess]:
        """The last ones, the latest first; repeated ones once."""
        rows: dict[tuple[str, str, bool, int], LastAccess] = {}
        for t_ns, register, value in reversed(self._ring):
            rows.setdefault(
                (register.device, register.name, register.write, value),
                LastAccess(
                    t=round((t_ns - zero_ns) / _NS, 6),
                    device=register.device,
                    register=register.name,
                    write=register.write,
                    value=f"0x{value:x}",
                ),
            )
        return list(rows.values())[:count]

    def talking_to(self) -> Register | None:
        """The register of the last access that was no output for people, nor of a clock if there is another."""
        rows = self._plain()
        last = rows[-1][1] if rows else None
        if self._plain_last and (
            last is None or last.role is Role.CLOCK
        ):  # the ring is full of what is left out
            return self._plain_last[1]
        return last

    def suspect(self, end_ns: int, zero_ns: int, medium: Medium, loops: Sequence[Polled]) -> Suspect | None:
        """What the guest waits for at the end of the recording; None while it does something new."""
        if medium.pending_ns and end_ns - medium.pending_ns > MIN_STUCK_S * _NS:
            return self._of_medium(medium.pending_ns, zero_ns, "a read command has not ended")
        if not self._ring or end_ns - self.new_ns < MIN_STUCK_S * _NS:
            return None
        still_ns = end_ns - max(_STILL_S * _NS, _STILL_SHARE * (end_ns - self.new_ns))
        used = self._used_since(still_ns)
        failed = [t_ns for t_ns in medium.errors_ns if t_ns > self.new_ns]
        if sum(used.values()) < _MIN_REPEATS:
            return self._asks(end_ns, zero_ns) or self._waits(end_ns, zero_ns)
        register, count = _most_used(used)
        if register.role is Role.CLOCK:
            if count < _POLLED_PER_S * (end_ns - self.new_ns) / _NS:
                return self._waits(end_ns, zero_ns)  # an idle guest reads its clock now and then
            if commanded := self._commanded(end_ns, zero_ns):
                return commanded
        polled = next(
            (one for one in loops if register in one.registers and one.last_end_ns > self.new_ns), None
        )
        since_ns = self.new_ns
        if polled and polled.last_end_ns > still_ns and polled.last_begin_ns - since_ns > _LATER_S * _NS:
            since_ns = polled.last_begin_ns  # it had done something that was not new
        kind, why = self._kind(register, count, polled)
        if len(failed) >= 2 and register.device in ("AHCI", "IDE", "CD-ROM"):
            kind, why = SuspectKind.MEDIUM, f"{len(failed)} commands of the drive ended with errors"
        return _suspect(register, kind, since_ns - zero_ns, why)

    def _used_since(self, still_ns: float) -> Counter[State]:
        """The states that still occur, without those of consoles that print."""
        used = Counter(
            {state: count for state, count in self._since.items() if self._last[state] >= still_ns}
        )
        printed: Counter[str] = Counter()
        asked: Counter[str] = Counter()
        for state, count in used.items():
            register = register_of(state)
            (printed if register.role is Role.CONSOLE else asked)[register.device] += count
        consoles = {device for device, count in printed.items() if asked[device] <= _CONSOLE_SHARE * count}
        return Counter(
            {
                state: count
                for state, count in used.items()
                if register_of(state).device not in consoles and register_of(state).role is not Role.CONSOLE
            }
        )

    @staticmethod
    def _kind(register: Register, count: int, polled: Polled | None) -> tuple[SuspectKind, str]:
        if register.role is Role.ABSENT:
            return SuspectKind.NO_DEVICE, f"nothing is there; it was accessed {count} times"
        if polled:
            return SuspectKind.POLLS, f"read in a loop, {polled.rounds} times, always with the same answer"
        return SuspectKind.REPEATS, f"the same accesses again and again, {count} of them to this register"

    def _asks(self, end_ns: int, zero_ns: int) -> Suspect | None:
        """A guest that polls an interrupt controller: far more often than interrupts come."""
        register, count = next(iter(self._asked.most_common(1)), (None, 0))
        if register is None or count < _POLLED_PER_S * (end_ns - self.new_ns) / _NS:
            return None
        since_ns = max(self.new_ns, self._plain_last[0] if self._plain_last else 0)
        return _suspect(
            register,
            SuspectKind.POLLS,
            since_ns - zero_ns,
            f"read {count} times, and nothing else was done",
        )

    def _commanded(self, end_ns: int, zero_ns: int) -> Suspect | None:
        """A guest that asked a device to do something, and has read nothing but a clock since."""
        if self._plain_last is None:
            return None
        t_ns, register = self._plain_last
        if not register.write or end_ns - t_ns < MIN_STUCK_S * _NS or not _COMMANDED.search(register.name):
            return None
        if register.device.startswith("PCI "):  # configuration space has a register of that name
            return None
        return _suspect(
            register,
            SuspectKind.WAITS,
            t_ns - zero_ns,
            "a command without an answer: nothing but a clock was read since",
        )

    def _waits(self, end_ns: int, zero_ns: int) -> Suspect | None:
        plain = [row for row in self._plain() if row[1].role is not Role.DRIVE]
        if not plain:
            return None
        t_ns, register = plain[-1]
        if not register.write or register.name.endswith(_ACKNOWLEDGED):
            return None  # it had an answer, and went on
        active_ns = max(t for t, one, _ in self._ring if one.role is not Role.CLOCK or t == t_ns)
        if end_ns - t_ns < MIN_STUCK_S * _NS or active_ns - t_ns > _AT_ONCE_S * _NS:
            return None  # active still, or it went on without that device
        quiet_s = (end_ns - t_ns) / _NS
        why = f"the last device that was used; nothing came from it in {quiet_s:.1f} s, such as an interrupt"
        return _suspect(register, SuspectKind.WAITS, t_ns - zero_ns, why)

    def _plain(self) -> list[tuple[int, Register]]:
        """The last accesses without output for people and what comes with it; clocks only where there is no other."""
        printed_ns = {
            register.device: t_ns for t_ns, register, _ in self._ring if register.role is Role.CONSOLE
        }
        rows = [
            (t_ns, register)
            for t_ns, register, _ in self._ring
            if register.device not in printed_ns or (register.write and t_ns > printed_ns[register.device])
        ]
        return [row for row in rows if row[1].role not in (Role.CLOCK, Role.ABSENT)] or rows

    @staticmethod
    def _of_medium(since_ns: int, zero_ns: int, why: str) -> Suspect:
        return Suspect(
            device="CD-ROM",
            register="read command",
            address="",
            kind=SuspectKind.MEDIUM,
            since_s=round((since_ns - zero_ns) / _NS, 3),
            why=why,
        )


def _suspect(register: Register, kind: SuspectKind, since_ns: float, why: str) -> Suspect:
    """What the guest waits for, `since_ns` after the start of the trace."""
    return Suspect(
        device=register.device,
        register=register.name,
        address=register.place,
        kind=kind,
        since_s=round(since_ns / _NS, 3),
        why=why,
    )


def _most_used(used: Counter[State]) -> tuple[Register, int]:
    """The register that is read most, of the device that is used most; clocks only where there is nothing else."""
    states = {state: count for state, count in used.items() if register_of(state).role is not Role.CLOCK}
    counted = states or dict(used)
    devices: Counter[str] = Counter()
    registers: Counter[Register] = Counter()
    for state, count in counted.items():
        register = register_of(state)
        devices[register.device] += count
        registers[register] += count
    (device, _), *_ = devices.most_common(1)
    own = {register: count for register, count in registers.items() if register.device == device}
    reads = {register: count for register, count in own.items() if not register.write}
    return max((reads or own).items(), key=lambda item: item[1])
