"""``hiperiso boot --find-min``: the minimum RAM, or the smallest disk, with which an ISO boots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from hiperiso.contract.hardware import Drive, DriveText
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootResult, EndReason
from hiperiso.errors import ExitCode, UsageError
from hiperiso.session.interrupt import Interrupt
from hiperlab.matrix import Job
from hiperlab.series.outcome import Outcome
from hiperlab.series.run import Ended, SeriesView, Target, run_job
from hiperlab.series.search import Search

RAM_STEP_MB: Final = 32
DISK_STEP_MB: Final = 256
_DEFAULT_DISK_MB: Final = 16 << 10
_LEAST_TIMEOUT_S: Final = 30.0
_PATIENCE: Final = 3.0
"""The time limit of a try, as a multiple of the first, successful one."""


class Quantity(StrEnum):
    """The quantity to minimise."""

    RAM = "ram"
    DISK = "disk"


@dataclass(frozen=True, kw_only=True)
class Found:
    """The result of a search.

    Attributes:
        least_mb: the minimum that booted twice; None if none did.
        failed_mb: the maximum that failed below it; None if none failed.
        outcomes: of all tries in their order.
        detail: the result in words.
        exit_code: 0 where it was found, else that of the try that ended the search.
    """

    least_mb: int | None
    failed_mb: int | None
    outcomes: tuple[Outcome, ...]
    detail: str
    exit_code: ExitCode


async def find_least(
    target: Target, quantity: Quantity, settings: Settings, *, interrupted: Interrupt, view: SeriesView
) -> Found:
    """Boot with decreasing amounts until the minimum is known to one step.

    Args:
        target: what is booted; where it names no timeout, tries are given three times what the first one took.
        quantity: what is varied; its greatest amount is the one of `settings`.

    Raises:
        UsageError: the disk of `settings` is a file, whose size is what it is.
    """
    high_mb, step_mb, values = _axis(quantity, settings)
    search = Search(low=1, high=-(-high_mb // step_mb))
    outcomes: list[Outcome] = []
    while (number := search.next) is not None:
        size_mb = min(number * step_mb, high_mb)
        again = any(outcome.at.get(quantity) == f"{size_mb} MB" for outcome in outcomes)
        name = f"{quantity}={size_mb}M" + (f" (try {len(outcomes) + 1})" if again else "")
        job = Job(name=name, values=values(size_mb), at={quantity.value: f"{size_mb} MB"})
        ended = await asyncio.to_thread(run_job, target, job, interrupted, view)
        outcomes.append(ended.outcome)
        if why := _no_answer(ended):
            return _ended(outcomes, f"the search ended: {why}", ended.outcome.exit_code)
        succeeded = ended.outcome.result == BootResult.SUCCESS
        if not succeeded and size_mb == high_mb:
            return _ended(
                outcomes, f"it does not boot with {high_mb} MB: give it more", ended.outcome.exit_code
            )
        if succeeded and len(outcomes) == 1:
            target = _bounded(target, ended.outcome.seconds)
        search = search.after(number, succeeded=succeeded)
    return _found(search, step_mb, high_mb, quantity, outcomes)


def _axis(quantity: Quantity, settings: Settings) -> tuple[int, int, Callable[[int], dict[str, Any]]]:
    if quantity is Quantity.RAM:
        return settings.ram_mb, RAM_STEP_MB, lambda size_mb: {"ram": size_mb}
    first = settings.disk[0] if settings.disk else Drive(size_mb=_DEFAULT_DISK_MB)
    if first.file is not None:
        raise UsageError(
            f"the smallest disk is searched among new ones, and {first.file} is a file",
            hint="give the greatest size: --find-min disk --disk 20G",
        )
    others = [DriveText().plain(drive) for drive in settings.disk[1:]]

    def values(size_mb: int) -> dict[str, Any]:
        drive = Drive(size_mb=size_mb, bus=first.bus)
        return {"disk": [DriveText().plain(drive), *others]}

    return first.size_mb, DISK_STEP_MB, values


def _no_answer(ended: Ended) -> str:
    """Why a try is not conclusive; empty if it is."""
    outcome, session = ended.outcome, ended.session
    if session is None or outcome.exit_code in (ExitCode.HARNESS_FAULT, ExitCode.USAGE):
        return f"{outcome.result}: {outcome.cause}"
    return "interrupted" if session.manifest.end_reason is EndReason.INTERRUPTED else ""


def _bounded(target: Target, seconds: float) -> Target:
    if {"timeout", "timeout_scale"} & target.values.keys():
        return target
    bound = {"timeout": max(_LEAST_TIMEOUT_S, _PATIENCE * seconds), "timeout_scale": 1.0}
    return replace(target, values={**target.values, **bound})


def _ended(outcomes: list[Outcome], detail: str, code: ExitCode) -> Found:
    return Found(least_mb=None, failed_mb=None, outcomes=tuple(outcomes), detail=detail, exit_code=code)


def _found(search: Search, step_mb: int, high_mb: int, quantity: Quantity, outcomes: list[Outcome]) -> Found:
    if search.least is None:
        detail = f"no amount succeeded twice in {search.tries} tries: the results are random"
        return _ended(outcomes, detail, ExitCode.INCOMPLETE)
    least_mb = min(search.least * step_mb, high_mb)
    failed_mb = search.failed * step_mb if search.failed > 0 else None
    below = f"{failed_mb} MB fail" if failed_mb else f"less than one step of {step_mb} MB was not tried"
    what = "RAM" if quantity is Quantity.RAM else "disk"
    return Found(
        least_mb=least_mb,
        failed_mb=failed_mb,
        outcomes=tuple(outcomes),
        detail=f"least {what}: {least_mb} MB ({below}; {least_mb} MB succeeded twice)",
        exit_code=ExitCode.SUCCESS,
    )
