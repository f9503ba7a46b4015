"""Polling loops: the same accesses in a cycle, answered alike.

A cycle of at most `_MAX_PERIOD` accesses is looked for in pieces of `_PIECE`; pieces of the same cycle that follow each
other are one loop. Values count, so that a transfer or a printed text is not a loop; those of clocks do not.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from hiperiso.contract.tracereport import Loop
from hiperiso.trace.answers.registers import Register, Role

State = Hashable
"""A register with a value; of a clock the register alone."""
_PIECE: Final = 96
_MAX_PERIOD: Final = 32
_MIN_PIECES: Final = 2
_MAX_LOOPS: Final = 1000
_SHOWN: Final = 8
_NS: Final = 1e9


@dataclass
class _Running:
    states: frozenset[State]
    period: int
    begin_ns: int
    end_ns: int
    accesses: int


@dataclass
class Polled:
    """One loop, all its runs together; times of the longest run and of the last one, in ns."""

    registers: tuple[Register, ...]
    rounds: int
    begin_ns: int
    end_ns: int
    last_begin_ns: int
    last_end_ns: int


class LoopFinder:
    """Takes the states of a trace in order."""

    def __init__(self) -> None:
        self._states: list[State] = []
        self._times: list[int] = []
        self._running: _Running | None = None
        self._found: dict[tuple[Register, ...], Polled] = {}

    def feed(self, states: Sequence[State], times_ns: Sequence[int]) -> None:
        """Take the next states."""
        self._states += states
        self._times += times_ns
        at = 0
        while at + _PIECE <= len(self._states):
            piece = self._states[at : at + _PIECE]
            period = _period(piece)
            if period:
                self._go_on(frozenset(piece[:period]), period, self._times[at], self._times[at + _PIECE - 1])
            else:
                self._end()
            at += _PIECE
        del self._states[:at], self._times[:at]

    def finish(self) -> list[Polled]:
        """All loops, the longest first."""
        running = self._running
        if running and set(self._states) <= running.states and self._times:
            running.end_ns = self._times[-1]
            running.accesses += len(self._states)
        self._end()
        return sorted(self._found.values(), key=lambda loop: loop.begin_ns - loop.end_ns)

    def _go_on(self, states: frozenset[State], period: int, begin_ns: int, end_ns: int) -> None:
        running = self._running
        if running and running.states == states:
            running.end_ns = end_ns
            running.accesses += _PIECE
            return
        self._end()
        self._running = _Running(states, period, begin_ns, end_ns, _PIECE)

    def _end(self) -> None:
        running, self._running = self._running, None
        if running is None or running.accesses < _MIN_PIECES * _PIECE:
            return
        registers = tuple(
            sorted({register_of(state) for state in running.states}, key=lambda one: (one.address, one.write))
        )
        rounds = running.accesses // running.period
        known = self._found.get(registers)
        if known is None:
            if len(self._found) < _MAX_LOOPS:
                times = running.begin_ns, running.end_ns
                self._found[registers] = Polled(registers, rounds, *times, *times)
            return
        known.rounds += rounds
        known.last_begin_ns, known.last_end_ns = running.begin_ns, running.end_ns
        if running.end_ns - running.begin_ns > known.end_ns - known.begin_ns:
            known.begin_ns, known.end_ns = running.begin_ns, running.end_ns


def shown_loops(loops: Sequence[Polled], zero_ns: int) -> list[Loop]:
    """The longest ones, as the report has them. A loop that only writes does not poll."""
    rows = []
    for loop in loops:
        reads = [register for register in loop.registers if not register.write]
        if not reads:
            continue
        main = next((register for register in reads if register.role is not Role.CLOCK), reads[0])
        rows.append(
            Loop(
                device=main.device,
                registers=list(dict.fromkeys(f"{one.device} {one.name}" for one in (main, *loop.registers))),
                rounds=loop.rounds,
                start_s=round((loop.begin_ns - zero_ns) / _NS, 6),
                duration_s=round((loop.end_ns - loop.begin_ns) / _NS, 6),
            )
        )
        if len(rows) == _SHOWN:
            break
    return rows


def register_of(state: State) -> Register:
    """The register of a state."""
    register = state[0] if isinstance(state, tuple) else state
    assert isinstance(register, Register)
    return register


def _period(piece: list[State]) -> int:
    """The length of the cycle that a piece consists of; 0 without one."""
    first, second = piece[0], piece[1]
    for period in range(1, _MAX_PERIOD + 1):
        if piece[period] == first and piece[period + 1] == second and piece[period:] == piece[:-period]:
            return period
    return 0
