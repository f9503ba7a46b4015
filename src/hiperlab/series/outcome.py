"""The outcome of one boot of a series, and of all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hiperiso.api import Session
from hiperiso.contract.words import EndReason
from hiperiso.errors import ExitCode, HiperisoError, UsageError
from hiperlab.matrix import Job

NOT_RUN: Final = "not run"
REFUSED: Final = "refused"
NOT_JUDGED: Final = "not judged"
LISTED: Final = "listed"

_WORST_FIRST: Final = (
    ExitCode.GUEST_FAILED,
    ExitCode.HARNESS_FAULT,
    ExitCode.INCOMPLETE,
    ExitCode.USAGE,
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One row of the table.

    Attributes:
        name: of the job.
        at: column -> cell: the distinguishing values of this boot.
        result: the word of the verdict, or one of the words above.
        exit_code: its contribution to the exit code.
        stage: the stage that the guest reached; empty if nothing was booted.
        seconds: after which the verdict was certain.
        cause: the cause in one line.
        session: the session directory; None where nothing was recorded.
    """

    name: str
    at: Mapping[str, str] = field(default_factory=dict)
    result: str
    exit_code: ExitCode
    stage: str = ""
    seconds: float = 0.0
    cause: str = ""
    session: Path | None = None


def outcome_of(job: Job, session: Session) -> Outcome:
    """The outcome of a recorded boot."""
    return Outcome(
        name=job.name,
        at=job.at,
        result=_result(session),
        exit_code=session.exit_code,
        stage=str(session.stage),
        seconds=session.boot_duration_ms / 1000,
        cause=session.cause,
        session=session.path,
    )


def _result(session: Session) -> str:
    if isinstance(session.error, UsageError):
        return REFUSED
    return LISTED if session.manifest.end_reason is EndReason.MENU_LISTED else str(session.result)


def refused(job: Job, error: HiperisoError) -> Outcome:
    """A boot that could not be started, without a session."""
    result = REFUSED if error.exit_code is ExitCode.USAGE else "harness fault"
    return Outcome(name=job.name, at=job.at, result=result, exit_code=error.exit_code, cause=error.message)


def not_run(job: Job, why: str) -> Outcome:
    """A boot that was not started."""
    return Outcome(name=job.name, at=job.at, result=NOT_RUN, exit_code=ExitCode.INCOMPLETE, cause=why)


def exit_code_of(outcomes: Iterable[Outcome]) -> ExitCode:
    """1 if a guest failed, else 4 if our side did, 3 if a boot is incomplete, 2 if one was refused; 0 if none."""
    codes = {outcome.exit_code for outcome in outcomes}
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.SUCCESS)
