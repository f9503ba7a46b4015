"""A machine: its parts, and QEMU's command line from them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from hiperiso.machine.part import Part, Preparation, escape, require_absolute

_Kind = TypeVar("_Kind", bound=Part)


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One virtual machine: everything that determines QEMU's command line.

    Attributes:
        qemu: the QEMU binary.
        image: the booted image; never written.
        parts: in the order of the command line: a bus precedes the parts on it.
        name: shown in the window's title and in the list of processes.

    Raises:
        UsageError: a relative path.
    """

    qemu: Path
    image: Path
    parts: tuple[Part, ...]
    name: str = "hiperiso"

    def __post_init__(self) -> None:
        require_absolute(self.qemu, self.image)

    def prepare(self, preparation: Preparation) -> None:
        """Prepare every part, in order.

        Raises:
            HarnessFault: something that a part needs is missing or fails.
            OSError: the session directory cannot be written.
        """
        for part in self.parts:
            part.prepare(preparation)

    def argv(self) -> list[str]:
        """The command that runs the machine, binary first, as it can be pasted into a shell."""
        return self.argv_with({})

    def argv_with(self, listening: Mapping[Path, int]) -> list[str]:
        """The same with descriptors instead of the sockets that are already bound."""
        # The machine contains only devices that a part names.
        head = [str(self.qemu), "-name", escape(self.name), "-nodefaults", "-no-user-config"]
        return head + [word for part in self.parts for word in part.argv_with(listening)]

    def find(self, kind: type[_Kind]) -> _Kind | None:
        """The part of that kind; None where there is none."""
        return next((part for part in self.parts if isinstance(part, kind)), None)

    def get(self, kind: type[_Kind]) -> _Kind:
        """The part of that kind, which must exist.

        Raises:
            LookupError: the machine has no such part.
        """
        found = self.find(kind)
        if found is None:
            raise LookupError(f"this machine has no {kind.__name__}")
        return found

    def with_part(self, part: Part) -> Machine:
        """The machine with its part of the same kind replaced by `part`."""
        return replace(self, parts=tuple(part if type(p) is type(part) else p for p in self.parts))


def quote_cmdline(argv: Sequence[str]) -> str:
    """`argv` as one line that can be pasted into a shell."""
    return shlex.join(argv)
