"""What a row of the table of settings says; the rows themselves are in `hiperiso.contract.settings`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hiperiso.contract.values import File, Kind

PREFIX: Final = "HIPERISO_"
ASKS_FOR_NOTHING: Final[tuple[Any, ...]] = (None, False, 0, "", "0", "false", "no", "off", [], {})
"""Raw values with which a setting that is not built can be given all the same."""


class Where(StrEnum):
    """Where a boot is recorded: on a workstation (or in CI), or on a machine that was started from a stick."""

    WORKSTATION = "workstation"
    STICK = "stick"


class Carried(StrEnum):
    """How the boot menu of a stick hands a setting of ``iso_overrides`` to the recorder.

    The recorder reads hiperiso.json on the stick too; so a value that no kernel command line can carry arrives.
    """

    PARAMETER = "parameter"
    """As a kernel parameter."""
    UNLESS_TRACE = "unless_trace"
    """As a kernel parameter, unless a trace tier was chosen in the menu."""
    UNLESS_WAY = "unless_way"
    """As a kernel parameter, unless a way to boot was chosen in the menu: directly, or emulated."""
    FILE = "file"
    """By hiperiso.json alone."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One setting. Everything about it is derived from its row, by loops.

    Attributes:
        name: as iso_overrides and origins name it; ``--name`` is its option. Filled in: the attribute's name.
        kind: how its values are read, written and described.
        help: what it decides: a clause that names the unit, without the default.
        example: a value; empty for flags and choices.
        variable: its environment variable. Filled in: ``HIPERISO_`` and the name.
        parameter: its kernel parameter. Filled in: the variable in lower case.
        aliases: further kernel parameters that mean the same.
        where: the one place where it means something; None: everywhere.
        why: for a setting that means nothing elsewhere, the reason; for one that is not built, the words that say so.
        automatic: what happens where it is not set, for a default that is no value.
        carried: how the stick's menu hands it on.
        built: whether this version has it; one of the contract that it does not have is refused, never ignored.
        attribute: the name in `Settings`. Filled in; empty for what is not a setting of one boot.
        default: the value where nothing is said. Filled in.
    """

    kind: Kind
    help: str
    name: str = ""
    example: str = ""
    variable: str = ""
    parameter: str = ""
    aliases: tuple[str, ...] = ()
    where: Where | None = None
    why: str = ""
    automatic: str = ""
    carried: Carried = Carried.PARAMETER
    built: bool = True
    attribute: str = ""
    default: Any = None

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def default_text(self) -> str:
        """The default in words; empty where nothing is done without a value."""
        if self.automatic:
            return self.automatic
        if self.kind.flag:
            return "on" if self.default else "off"
        return self.kind.text(self.default)

    @property
    def explained(self) -> str:
        """The help with an example and the default: one sentence."""
        notes = [f"such as {self.example}" if self.example else "", f"default: {self.default_text}"]
        known = [note for note in notes if note and not note.endswith(": ")]
        return f"{self.help} ({'; '.join(known)})." if known else f"{self.help}."

    def applies(self, where: Where) -> bool:
        """Whether it means something there."""
        return self.where is None or self.where is where


def filled(row: Row, attribute: str = "", default: Any = None) -> Row:
    """`row` with all that follows from its name."""
    name = row.name or attribute
    variable = row.variable or PREFIX + name.upper()
    values = vars(row) | {
        "name": name,
        "variable": variable,
        "parameter": row.parameter or variable.lower(),
        "attribute": attribute,
        "default": default,
    }
    return Row(**values)


ISO: Final = filled(
    Row(
        name="iso",
        kind=File(),
        help="The ISO to boot; never modified",
        example="debian.iso",
        variable="HIPERISO_ISO_PATH",
        parameter="hiperiso_iso",  # the contract's "Build Architecture" names it so
        aliases=("hiperiso_iso_path",),
    )
)
LOG_ROOT: Final = filled(
    Row(
        name="log_root",
        kind=File("DIR"),
        help="Where sessions are kept",
        example="~/boots",
        variable="HIPERISO_LOG_DIR",
        automatic="~/.local/state/hiperiso/logs; on a stick /hiperiso/logs",
    )
)
CONFIG: Final = filled(
    Row(
        name="config",
        kind=File(),
        help="The hiperiso.json whose iso_overrides apply",
        example="hiperiso.json",
        where=Where.WORKSTATION,
        why="a stick has its own: /hiperiso/hiperiso.json on the data partition",
    )
)
PLACES: Final = (ISO, LOG_ROOT, CONFIG)
"""Where to read and write. Not how to boot: they are no part of `Settings`, and iso_overrides cannot hold them."""
