"""Batches to accesses with the names of their registers, and to states: a register with the value read or written."""

from __future__ import annotations

from dataclasses import dataclass, field

from hiperiso.trace.answers.accesses import CONFIG_INDEX, accesses, shows_all
from hiperiso.trace.answers.devices import Devices
from hiperiso.trace.answers.drives import Drives
from hiperiso.trace.answers.loops import State
from hiperiso.trace.answers.registers import Register, Role
from hiperiso.trace.reader import Batch


@dataclass(slots=True)
class Seen:
    """What one batch shows, in order; times in ns.

    Attributes:
        registers: of every access.
        times_ns: of every access.
        states: without interrupt controllers, delays and the choice of a register; clocks without values; and the
            requests to drives, with their offsets.
        state_times_ns: of each state.
        asked: interrupt controllers that were read.
        read_ns: when the guest read from a drive last; 0 if it did not.
    """

    registers: list[Register] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    state_times_ns: list[int] = field(default_factory=list)
    asked: list[Register] = field(default_factory=list)
    read_ns: int = 0


class States:
    """Takes the batches of a trace in order.

    Attributes:
        devices: what is known of the machine.
        drives: the requests to them.
    """

    def __init__(self, zero_ns: int) -> None:
        self.devices = Devices()
        self.drives = Drives(zero_ns)
        self._zero_ns = zero_ns
        self._full = False
        self._config = 0
        self._chosen: dict[int, int] = {}
        self._commands: dict[tuple[str, bool], Register] = {}

    def feed(self, batch: Batch) -> Seen:
        """What the next batch shows."""
        self.devices.learn(batch, self._zero_ns)
        seen = Seen()
        rows = self._accesses(batch, seen)
        requests = self.drives.feed(batch)
        for row, t_ns, drive, offset in requests:
            rows.append((row, t_ns, (self._command(drive.name, write=offset < 0), abs(offset))))
            if drive.kind and offset >= 0:
                seen.read_ns = t_ns
        if requests:
            rows.sort(key=lambda one: one[0])
        seen.states = [state for _, _, state in rows]
        seen.state_times_ns = [t_ns for _, t_ns, _ in rows]
        return seen

    def _accesses(self, batch: Batch, seen: Seen) -> list[tuple[int, int, State]]:
        full = shows_all(batch)
        rows: list[tuple[int, int, State]] = []
        cached, known, chosen = self.devices.known, self.devices.register, self._chosen
        clock, select, background = Role.CLOCK, Role.SELECT, Role.BACKGROUND
        for row, t_ns, key, value in accesses(batch, full=full or self._full):
            register = cached.get(key) or known(key)
            role = register.role
            if register.selected is not None:
                if role is Role.CONFIG:
                    if register.name == CONFIG_INDEX:
                        self._config = value if register.write else self._config
                        continue
                    missing = None if register.write else self.devices.missing_function(self._config, value)
                    if missing is None:
                        continue
                    register, role = missing, missing.role
                elif role is select:
                    chosen[register.address] = value & 0x7F
                else:
                    register = self.devices.selected(register, chosen.get(register.address - 1, 0))
                    role = register.role
            seen.registers.append(register)
            seen.times_ns.append(t_ns)
            if role is background and not register.write:
                seen.asked.append(register)
            elif role is clock:
                rows.append((row, t_ns, register))
            elif role is not background and role is not select:
                rows.append((row, t_ns, (register, value)))
        self._full = full  # a new event ends a batch: the next one may have too few records to show it
        return rows

    def _command(self, drive: str, *, write: bool) -> Register:
        found = self._commands.get((drive, write))
        if found is None:
            name = "write command" if write else "read command"
            found = self._commands[drive, write] = Register(drive, name, 0, Role.DRIVE, write)
        return found
