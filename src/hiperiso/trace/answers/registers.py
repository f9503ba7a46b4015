"""What an access goes to: the register of a device, and what an access to it says about the guest's progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

PORTS_END: Final = 0x10000


class Role(IntEnum):
    """What an access says about the guest's progress."""

    PLAIN = 0
    CLOCK = 1
    """Of a timer that counts by itself: its value changes, and says nothing."""
    BACKGROUND = 2
    """Comes with every interrupt or call of the BIOS, or is a delay."""
    CONSOLE = 3
    """Output for people."""
    SELECT = 4
    """Chooses which register the next port shows."""
    ABSENT = 5
    """Nothing is there."""
    CONFIG = 7
    """An access to PCI configuration space by ports: its own events show it, unless there is nothing."""
    DRIVE = 6
    """A request to a drive, of which it is known whether it has ended."""


@dataclass(frozen=True, slots=True, eq=False)
class Register:
    """What an access goes to.

    Attributes:
        device: its name.
        name: the register's.
        address: the port, or the address in memory or in PCI configuration space.
        role: what an access means.
        write: whether it is a write.
        selects: whether the value chooses which register `selected` names at the next port.
        selected: names by that choice.
    """

    device: str
    name: str
    address: int
    role: Role = Role.PLAIN
    write: bool = False
    selected: Mapping[int, str] | None = None

    @property
    def place(self) -> str:
        """The address as text."""
        return f"0x{self.address:x}"


@dataclass(frozen=True, slots=True)
class Block:
    """The registers of one device, from `first` to `last`.

    Attributes:
        device: its name.
        names: by offset.
        written: names that differ for writes.
        role: of all that are not in `roles`, by offset and whether it is a write.
        selected: names of what a pair of index and data ports shows.
    """

    first: int
    last: int
    device: str
    names: Mapping[int, str]
    written: Mapping[int, str]
    role: Role
    roles: Mapping[tuple[int, bool], Role]
    selected: Mapping[int, str] | None = None

    def register(self, address: int, *, write: bool, base: int | None = None) -> Register:
        """The register at an address, whose block is at `base`."""
        offset = address - (self.first if base is None else base)
        name = (
            (self.written.get(offset) if write else None) or self.names.get(offset) or f"offset 0x{offset:x}"
        )
        role = self.roles.get((offset, write), self.role)
        return Register(self.device, name, address, role, write, self.selected)


def block(
    first: int,
    last: int,
    device: str,
    names: Mapping[int, str],
    written: Mapping[int, str] | None = None,
    *,
    role: Role = Role.PLAIN,
    roles: Mapping[tuple[int, bool], Role] | None = None,
    selected: Mapping[int, str] | None = None,
) -> Block:
    """A block, with nothing where nothing is given."""
    return Block(first, last, device, names, written or {}, role, roles or {}, selected)
