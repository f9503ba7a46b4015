"""Merges layers of raw values into the settings of one boot.

Layers, later ones win: defaults, the user's config.toml, ``iso_overrides`` of hiperiso.json, environment, command
line. The same code is used on workstation and stick. Every bad value of every layer is reported at once, each with
where it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bootchain.nearest import nearest
from hiperiso.cache import expanded
from hiperiso.contract.row import PLACES, Row, Where
from hiperiso.contract.settings import ROWS, Settings
from hiperiso.contract.values import Locate
from hiperiso.errors import UsageError
from hiperiso.text import printable


def absolute_path(text: str) -> Path:
    """A path as used on a workstation: ``~`` is the home directory, a relative path starts at the working directory."""
    return expanded(text).absolute()


def beside(file: str | Path, text: str) -> Path:
    """The path that `text` means in a configuration file: relative ones begin in its directory."""
    return absolute_path(str(file)).parent / expanded(text)


class Source(StrEnum):
    """The kinds of places that a value comes from, in the order in which later ones win."""

    DEFAULT = "default"
    USER = "user's config"
    FILE = "file"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"
    KERNEL = "kernel command line"


@dataclass(frozen=True)
class Layer:
    """Raw values by setting name.

    Attributes:
        values: setting name -> raw value; None counts as not set.
        origin: setting name -> the description of its source, as shown to users.
        locate: resolves a path in this layer.
        source: what kind of place it is.
        line: setting name -> its line in a file; 0 if there is none.
    """

    values: Mapping[str, Any]
    origin: Callable[[str], str]
    locate: Locate = absolute_path
    source: Source = Source.COMMAND_LINE
    line: Callable[[str], int] = lambda _: 0


@dataclass(frozen=True)
class Given:
    """A value of a setting, and its origin.

    Attributes:
        value: as an environment variable would contain it.
        origin: where it came from, as shown to users; empty for a default.
        source: what kind of place that is.
        line: in a file; 0 elsewhere.
    """

    value: str
    origin: str = ""
    source: Source = Source.DEFAULT
    line: int = 0


@dataclass(frozen=True)
class Explained:
    """One setting with its effective value.

    Attributes:
        row: its row in the table of settings.
        given: the effective value.
        instead_of: the values that it takes precedence of, the strongest first, without the default.
    """

    row: Row
    given: Given
    instead_of: tuple[Given, ...] = ()


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The variables of settings that are set and not empty."""
    values = {row.name: environ[row.variable] for row in ROWS.values() if environ.get(row.variable)}
    return Layer(values, lambda name: ROWS[name].variable, source=Source.ENVIRONMENT)


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


def explain(layers: list[Layer], where: Where = Where.WORKSTATION) -> list[Explained]:
    """Every setting with its value and origin, in the order of the table.

    Raises:
        UsageError: as for `resolve_settings`.
    """
    resolve_settings(layers, where)
    found: dict[str, list[Given]] = {
        name: [Given(row.kind.text(row.default))] for name, row in ROWS.items() if row.attribute
    }
    for layer in layers:
        for name, raw in layer.values.items():
            if raw is not None and name in found:
                kind = ROWS[name].kind
                text = kind.text(kind.located(kind.parse(raw), layer.locate))
                found[name].append(Given(text, layer.origin(name), layer.source, layer.line(name)))
    return [
        Explained(ROWS[name], values[-1], tuple(reversed(values[1:-1]))) for name, values in found.items()
    ]


_HINT = "see docs/configuration.md or `hiperiso boot --help` for the values each setting takes"


def _known(name: str) -> Row:
    row = ROWS.get(name)
    if row is not None:
        return row
    raise ValueError(unknown_setting(name)[0])


def unknown_setting(name: str) -> tuple[str, str]:
    """What is wrong about a setting that is not in the table, and the one that is nearest."""
    for place in PLACES:
        if place.name == name:
            return f"{name} cannot be set here: {place.why or 'it is not how an ISO is booted'}", ""
    near = nearest(name[:64], ROWS)
    meant = f"; did you mean {near!r}?" if near else f"; known: {', '.join(sorted(ROWS))}"
    return f"unknown setting {printable(name)!r}{meant}", near


def _value(row: Row, raw: Any, where: Where) -> Any:
    value = row.kind.parse(raw)
    if not row.applies(where) and value != row.default:
        raise ValueError(f"{row.name} does not apply on a {where}: {row.why}")
    return value
