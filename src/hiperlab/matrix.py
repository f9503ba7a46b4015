"""The planner of many boots: axes of settings in, one job for each combination out. Pure.

::

    plan_jobs(parse_axes(["firmware=bios,uefi", "ram=1G,4G"]))
    -> firmware=bios ram=1024, firmware=bios ram=4096, firmware=uefi ram=1024, firmware=uefi ram=4096

Values are read by the rows of the table of settings, so that two spellings of one value make one job.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from hiperiso.config.settings import absolute_path, unknown_setting
from hiperiso.contract.row import Row, Where
from hiperiso.contract.settings import ROWS
from hiperiso.contract.values import Arguments, Choice, File, Flag, Integer, Megabytes, Name, Positive
from hiperiso.errors import UsageError

MAX_JOBS: Final = 1000
"""More combinations than this are considered a mistake."""

_SPLIT_AT_COMMAS: Final = (Choice, Flag, Integer, Megabytes, Name, Positive)
"""Kinds of values without commas; for any other kind an axis is given once per value."""


@dataclass(frozen=True)
class Axis:
    """One setting and its values.

    Attributes:
        name: of the setting.
        values: without duplicates, in order, as JSON values for `hiperiso.boot`.
        texts: the same as texts of an environment variable; used in job names.
    """

    name: str
    values: tuple[Any, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One boot to make.

    Attributes:
        name: the difference from the other jobs; unique.
        values: setting name -> value, for `hiperiso.boot`.
        at: setting name -> its text from the axes.
    """

    name: str
    values: Mapping[str, Any]
    at: Mapping[str, str] = field(default_factory=dict)


def parse_axes(texts: Sequence[str]) -> tuple[Axis, ...]:
    """Read axes: ``NAME=VALUE,VALUE...``; the values of repeated axes are combined.

    Values that may contain a comma (texts, lists, disks, files) are given one at a time.

    Raises:
        UsageError: names every invalid axis and value.
    """
    found: dict[str, dict[str, Any]] = {}
    errors: list[str] = []
    for text in texts:
        name, equals, given = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            errors.append(f"{text!r} is not NAME=VALUE,VALUE...")
            continue
        row = ROWS.get(name)
        if row is None or not row.attribute or not row.applies(Where.WORKSTATION):
            errors.append(_unknown(name, row))
            continue
        values = found.setdefault(name, {})
        for raw in _split(row, given):
            try:
                value = row.kind.located(_parsed(row, raw), absolute_path)
                values.setdefault(row.kind.text(value), row.kind.plain(value))
            except ValueError as error:
                errors.append(f"{name}: {error}")
    if errors:
        raise UsageError(
            "; ".join(errors), hint="such as firmware=bios,uefi; see docs/configuration.md for names"
        )
    return tuple(Axis(name, tuple(values.values()), tuple(values)) for name, values in found.items())


def plan_jobs(axes: Sequence[Axis]) -> tuple[Job, ...]:
    """Every combination of the values of `axes`, the last axis changing fastest; one job without axes.

    Raises:
        UsageError: there are more than `MAX_JOBS`.
    """
    number = math.prod(len(axis.values) for axis in axes)
    if number > MAX_JOBS:
        raise UsageError(
            f"these values have {number} combinations, more than {MAX_JOBS}",
            hint="use fewer values at a time",
        )
    jobs = []
    for chosen in product(*(tuple(zip(axis.values, axis.texts, strict=True)) for axis in axes)):
        values = {axis.name: value for axis, (value, _) in zip(axes, chosen, strict=True)}
        at = {axis.name: text for axis, (_, text) in zip(axes, chosen, strict=True)}
        jobs.append(Job(name=" ".join(f"{name}={text}" for name, text in at.items()), values=values, at=at))
    return tuple(jobs)


def _split(row: Row, given: str) -> list[str]:
    if not isinstance(row.kind, _SPLIT_AT_COMMAS):
        return [given]
    return [value.strip() for value in given.split(",")]


def _parsed(row: Row, raw: str) -> Any:
    if not raw and isinstance(row.kind, (*_SPLIT_AT_COMMAS, File, Arguments)):
        raise ValueError("a value is empty")
    return row.kind.parse(raw)


def _unknown(name: str, row: Row | None) -> str:
    if row is not None:
        return f"{name}: {row.why}"
    return unknown_setting(name)[0]
