"""What the hands at the boot menu decide: keys to press, a menu to report, an end."""

from __future__ import annotations

from dataclasses import dataclass

from hiperiso.contract.menupolicy import MenuOutcome
from hiperiso.drive.keys import Chord
from hiperiso.drive.recognise import Menu


@dataclass(frozen=True)
class Press:
    """Keys to press one after the other, and why.

    Attributes:
        answers: they start an entry, rather than move to one.
        serial: they are typed on the serial port: the loader has no other input, or did not react to the keyboard.
    """

    chords: tuple[Chord, ...]
    why: str
    menu: Menu
    answers: bool = True
    serial: bool = False


@dataclass(frozen=True)
class Stands:
    """A menu is shown and waits; reported once each time."""

    menu: Menu


@dataclass(frozen=True)
class Stop:
    """No further action: the verdict is due."""

    outcome: MenuOutcome
    detail: str
    menu: Menu | None = None


Instruction = Press | Stands | Stop
