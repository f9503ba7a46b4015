"""The definition of a row of the table of settings; the rows are in `hiperiso.contract.settings`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hiperiso.contract.values import File, Kind

PREFIX: Final = "HIPERISO_"


class Where(StrEnum):
    """Where a boot is recorded: on a workstation (or in CI), or on a machine that was started from a stick."""

    WORKSTATION = "workstation"
    STICK = "stick"


class Carried(StrEnum):
    """How the boot menu of a stick passes a setting of ``iso_overrides`` to the recorder.

    The recorder also reads hiperiso.json on the stick, so values that do not fit a kernel command line are not lost.
    """

    PARAMETER = "parameter"
    """As a kernel parameter."""
    UNLESS_TRACE = "unless_trace"
    """As a kernel parameter, unless a trace tier was chosen in the menu."""
    UNLESS_WAY = "unless_way"
    """As a kernel parameter, unless a way to boot was chosen in the menu: directly, or emulated."""
    FILE = "file"
    """By hiperiso.json only."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One setting. Everything about it is derived from its row, by loops.

    Attributes:
        name: its name in iso_overrides and origins; ``--name`` is its option. Derived: the attribute's name.
        kind: how its values are read, written and described.
        help: its effect: a clause that names the unit, without the default.
        example: a value; empty for flags and choices.
        variable: its environment variable. Derived: ``HIPERISO_`` and the name.
        parameter: its kernel parameter. Derived: the variable in lower case.
        aliases: further kernel parameters that mean the same.
        where: the only place where it applies; None: everywhere.
        why: why it does not apply elsewhere.
        automatic: what happens if it is not set, for a default that is not a value.
        carried: how the stick's menu passes it on.
        attribute: the name in `Settings`. Derived; empty if it is not a setting of one boot.
        default: the value if it is not set. Derived.
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
    attribute: str = ""
    default: Any = None

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def default_text(self) -> str:
        """The default in words; empty if nothing happens without a value."""
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
        """Whether it applies there."""
        return self.where is None or self.where is where


def filled(row: Row, attribute: str = "", default: Any = None) -> Row:
    """`row` with all attributes derived from its name."""
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


def rows_of(table: Any) -> tuple[Row, ...]:
    """The rows that stand in the annotations of a struct."""
    defaults = dict(zip(table.__struct_fields__, table.__struct_defaults__, strict=True))
    return tuple(
        filled(annotation.__metadata__[0], attribute, defaults[attribute])
        for attribute, annotation in table.__annotations__.items()
    )


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
        help="Where sessions are stored",
        example="~/boots",
        variable="HIPERISO_LOG_DIR",
        automatic="that of config.toml, else ~/.local/state/hiperiso/logs; on a stick /hiperiso/logs",
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
"""Input and output paths. They do not affect the boot: not part of `Settings`, and not allowed in iso_overrides."""
