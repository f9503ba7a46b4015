"""Merges layers of raw values into the settings of one boot.

Layers, later ones win: defaults, the user's config.toml, ``iso_overrides`` of hiperiso.json, environment, command
line. The same code is used on workstation and stick. Every bad value of every layer is reported at once, each with
where it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiperiso.contract.row import PLACES, Row, Where
from hiperiso.contract.settings import BY_ATTRIBUTE, ROWS, Settings
from hiperiso.contract.values import Locate
from hiperiso.errors import UsageError


def absolute_path(text: str) -> Path:
    """A path as used on a workstation: ``~`` is the home directory, a relative path starts at the working directory."""
    return Path(text).expanduser().absolute()


@dataclass(frozen=True)
class Layer:
    """Raw values by setting name.

    Attributes:
        values: setting name -> raw value; None counts as not set.
        origin: setting name -> the description of its source, as shown to users.
        locate: resolves a path in this layer.
    """

    values: Mapping[str, Any]
    origin: Callable[[str], str]
    locate: Locate = absolute_path


@dataclass(frozen=True)
class Explained:
    """One setting with its effective value.

    Attributes:
        name: of the setting.
        value: as an environment variable would contain it.
        origin: where it came from; empty for a default.
        row: its row in the table of settings.
    """

    name: str
    value: str
    origin: str
    row: Row


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The variables of settings that are set and not empty."""
    values = {row.name: environ[row.variable] for row in ROWS.values() if environ.get(row.variable)}
    return Layer(values, lambda name: ROWS[name].variable)


def resolve_settings(
    layers: list[Layer], where: Where = Where.WORKSTATION
) -> tuple[Settings, dict[str, str]]:
    """Merge `layers`, later ones win, for a boot that is recorded at `where`.

    Returns:
        The settings and the origin of each one that is not a default.

    Raises:
        UsageError: naming every value that cannot be used: unknown, not understood, or without a meaning at `where`
            (unless it is the default).
    """
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    errors: list[str] = []
    for layer in layers:
        for name, raw in layer.values.items():
            if raw is None:
                continue
            origin = layer.origin(name)
            try:
                row = _known(name)
                chosen[row.attribute] = row.kind.located(_value(row, raw, where), layer.locate)
                origins[row.attribute] = origin
            except ValueError as error:
                errors.append(f"{origin}: {error}")
    if errors:
        raise UsageError("; ".join(errors), hint=_HINT)
    return Settings(**chosen), origins


def explain(settings: Settings, origins: Mapping[str, str]) -> list[Explained]:
    """Every setting with its value and origin, in the order of the table."""
    return [
        Explained(row.name, row.kind.text(getattr(settings, attribute)), origins.get(attribute, ""), row)
        for attribute, row in BY_ATTRIBUTE.items()
    ]


_HINT = "see docs/configuration.md or `hiperiso boot --help` for the values each setting takes"


def _known(name: str) -> Row:
    row = ROWS.get(name)
    if row is not None:
        return row
    for place in PLACES:
        if place.name == name:
            raise ValueError(f"{name} cannot be set here: {place.why or 'it is not how an ISO is booted'}")
    from difflib import get_close_matches

    known = sorted(row.name for row in BY_ATTRIBUTE.values())
    nearest = get_close_matches(name[:64], known, n=1)
    meant = f"; did you mean {nearest[0]!r}?" if nearest else ";"
    raise ValueError(f"unknown setting {name!r}{meant} known: {', '.join(known)}")


def _value(row: Row, raw: Any, where: Where) -> Any:
    value = row.kind.parse(raw)
    if not row.applies(where) and value != row.default:
        raise ValueError(f"{row.name} does not apply on a {where}: {row.why}")
    return value
