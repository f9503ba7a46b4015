"""Extra arguments for QEMU from the user: passed on unchanged, last, and recorded in the session."""

from __future__ import annotations

import shlex

from hiperiso.contract.settings import Settings
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part


class Extra(Part, frozen=True):
    """Further arguments of the command line."""

    words: tuple[str, ...]

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return list(self.words)

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        return (f"QEMU got further arguments: {shlex.join(self.words)}",)


def plan_extra(settings: Settings, facts: Facts) -> Extra | None:
    """The arguments of ``qemu_arg``; None if nothing was given."""
    words = tuple(word for text in settings.qemu_arg for word in shlex.split(text))
    return Extra(words) if words else None
