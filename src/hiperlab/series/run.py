"""Boots jobs through `hiperiso.boot`, some at a time, each in its own thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import hiperiso
from hiperiso.api import Session
from hiperiso.contract.events import Event
from hiperiso.errors import HiperisoError
from hiperiso.observe.screen.reading import PictureReader
from hiperiso.session.interrupt import Interrupt
from hiperlab.matrix import Job
from hiperlab.series.outcome import Outcome, not_run, outcome_of, refused


@dataclass(frozen=True, kw_only=True)
class Target:
    """The common settings of all jobs.

    Attributes:
        iso: the image.
        log_root: where sessions are made.
        values: settings by name; those of a job take precedence.
        picture_reader: see `hiperiso.boot`.
    """

    iso: Path
    log_root: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    picture_reader: PictureReader | None = None


@dataclass(frozen=True)
class Ended:
    """A job that has ended: its session where there is one, and its row of the table."""

    job: Job
    outcome: Outcome
    session: Session | None = None


class SeriesView(Protocol):
    """Observes a series. `event` is called by the threads of the boots."""

    def started(self, job: Job) -> None:
        """A boot begins."""

    def event(self, job: Job, event: Event) -> None:
        """An event was emitted."""

    def ended(self, ended: Ended) -> None:
        """A boot has ended, or did not take place."""


async def run_jobs(
    target: Target, jobs: Sequence[Job], *, at_once: int, interrupted: Interrupt, view: SeriesView
) -> list[Ended]:
    """Boot every job, at most `at_once` at a time; returns the results in the order of `jobs`.

    Once `interrupted` is set the boots that run end with their reports, and no further one begins.
    """
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(at_once, "boot") as threads:
        return list(
            await asyncio.gather(
                *(loop.run_in_executor(threads, run_job, target, job, interrupted, view) for job in jobs)
            )
        )


def run_job(target: Target, job: Job, interrupted: Interrupt, view: SeriesView) -> Ended:
    """Boot one job. Blocks; never raises for the job's settings."""
    if interrupted.is_set():
        ended = Ended(job, not_run(job, "interrupted before its turn"))
        view.ended(ended)
        return ended
    view.started(job)
    try:
        session = hiperiso.boot(
            target.iso,
            log_root=target.log_root,
            on_event=lambda event: view.event(job, event),
            interrupted=interrupted,
            picture_reader=target.picture_reader,
            **{**target.values, **job.values},
        )
        ended = Ended(job, outcome_of(job, session), session)
    except HiperisoError as error:
        ended = Ended(job, refused(job, error))
    view.ended(ended)
    return ended
