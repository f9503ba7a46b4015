"""How a series is shown: progress on standard error while it runs; one table, JSON or JUnit in the end."""

# ruff: noqa: D102, ARG002 - the views implement SeriesView, which documents each method
from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hiperiso.contract.events import Event, KernelLine, ScreenText, SerialLine
from hiperiso.contract.junit import CaseResult, JunitCase, junit_xml
from hiperiso.contract.words import BootResult
from hiperiso.errors import ExitCode, HarnessFault, UsageError
from hiperlab.matrix import Job
from hiperlab.series.outcome import LISTED, NOT_JUDGED, NOT_RUN, Outcome, exit_code_of
from hiperlab.series.run import Ended
from hiperlab.sessions.table import RESULT_STYLE

_PIPE_WIDTH = 240
_REFRESH_PER_S = 2
_STYLES = RESULT_STYLE | {
    NOT_JUDGED: "dim",
    NOT_RUN: "dim",
    "refused": "bold yellow",
    "harness fault": "bold red",
}


class QuietView:
    """Shows nothing; the base of the other two."""

    def __init__(self, total: int | None = None) -> None:
        self._total = total
        self._count = 0
        self._lock = Lock()

    def shown(self) -> AbstractContextManager[object]:
        """While this is open, progress is shown."""
        return nullcontext()

    def started(self, job: Job) -> None:
        """A boot begins."""

    def event(self, job: Job, event: Event) -> None:
        """An event was emitted."""

    def ended(self, ended: Ended) -> None:
        with self._lock:
            self._count += 1

    def _counted(self) -> str:
        return f"[{self._count}/{self._total}]" if self._total else f"[{self._count}]"


class PlainView(QuietView):
    """A line when a boot begins and one when it has ended."""

    def started(self, job: Job) -> None:
        with self._lock:
            print(f"booting  {_named(job)}", file=sys.stderr, flush=True)

    def ended(self, ended: Ended) -> None:
        super().ended(ended)
        with self._lock:
            print(f"{self._counted()} {_summary(ended.outcome)}", file=sys.stderr, flush=True)


class LiveView(QuietView):
    """The running boots, with their last lines; ended ones scroll up, one line each."""

    def __init__(self, console: Console, total: int | None = None) -> None:
        super().__init__(total)
        self._running: dict[str, tuple[Job, float]] = {}
        self._said: dict[str, str] = {}
        self._live = Live(
            console=console, refresh_per_second=_REFRESH_PER_S, get_renderable=self._render, transient=True
        )

    def shown(self) -> AbstractContextManager[object]:
        return self._live

    def started(self, job: Job) -> None:
        with self._lock:
            self._running[job.name] = job, time.monotonic()

    def event(self, job: Job, event: Event) -> None:
        if isinstance(event, SerialLine | KernelLine | ScreenText):
            lines = [line for line in event.text.splitlines() if line.strip()]
            if lines:
                self._said[job.name] = lines[-1].strip()

    def ended(self, ended: Ended) -> None:
        super().ended(ended)
        with self._lock:
            self._running.pop(ended.job.name, None)
        style = _STYLES.get(ended.outcome.result, "")
        self._live.console.print(
            Text.assemble(f"{self._counted()} ", (_summary(ended.outcome), style)), soft_wrap=True
        )

    def _render(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            running = list(self._running.values())
        for job, since in running:
            elapsed = f"{time.monotonic() - since:6.1f} s"
            said = Text(self._said.get(job.name, "")[:200], style="dim", no_wrap=True, overflow="ellipsis")
            table.add_row(Text(elapsed), Text(_named(job), style="bold"), said)
        return table


def make_view(total: int | None, *, quiet: bool) -> QuietView:
    """The view for the type of standard error."""
    if quiet:
        return QuietView(total)
    console = Console(stderr=True)
    return LiveView(console, total) if console.is_terminal else PlainView(total)


def print_table(title: str, outcomes: Sequence[Outcome], notes: Sequence[str] = ()) -> None:
    """One table of all boots: with colours in a terminal, plain in a pipe; `notes` stand below it."""
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    console.print(table_of(title, outcomes))
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.result] = counts.get(outcome.result, 0) + 1
    console.print(Text(", ".join(f"{count} {result}" for result, count in counts.items())))
    for note in notes:
        console.print(Text(note), soft_wrap=True)


def table_of(title: str, outcomes: Sequence[Outcome]) -> Table:
    """The table itself: the differing settings, then the verdicts."""
    table = Table(box=None, pad_edge=False, title=Text(title), title_justify="left")
    columns = list(dict.fromkeys(name for outcome in outcomes for name in outcome.at))
    for name in columns:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for name in ("result", "stage", "time", "session"):
        table.add_column(name, no_wrap=True, justify="right" if name == "time" else "left")
    table.add_column("cause", no_wrap=True, overflow="ellipsis")
    for outcome in outcomes:
        table.add_row(
            *(Text(outcome.at.get(name, "")) for name in columns),
            Text(outcome.result, style=_STYLES.get(outcome.result, "")),
            Text(outcome.stage),
            f"{outcome.seconds:.1f} s" if outcome.session else "",
            Text(outcome.session.name if outcome.session else ""),
            Text(outcome.cause),
        )
    return table


def print_json(iso: Path, outcomes: Sequence[Outcome], extra: Mapping[str, Any] | None = None) -> None:
    """One JSON object: ``iso``, ``exit_code``, ``boots``, and what else there is to say."""
    document = {"iso": str(iso), "exit_code": int(exit_code_of(outcomes)), **(extra or {})}
    document["boots"] = [as_json(outcome) for outcome in outcomes]
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def as_json(outcome: Outcome) -> dict[str, Any]:
    """One boot as an object."""
    return {
        "name": outcome.name,
        "at": dict(outcome.at),
        "result": outcome.result,
        "exit_code": int(outcome.exit_code),
        "stage": outcome.stage,
        "seconds": outcome.seconds,
        "cause": outcome.cause,
        "session": None if outcome.session is None else str(outcome.session),
    }


def check_junit(path: Path) -> None:
    """Whether the file can be written, asked before hours of boots.

    Raises:
        UsageError: it cannot.
    """
    if problem := _problem_with(path):
        raise UsageError(f"--junit: {path} cannot be written: {problem}", hint="name another file")


def _problem_with(path: Path) -> str:
    folder = path.absolute().parent
    try:
        if path.is_dir():
            return "it is a directory"
        if not folder.is_dir():
            return f"no such directory: {folder}"
        return "" if os.access(path if path.exists() else folder, os.W_OK) else "permission denied"
    except OSError as error:
        return error.strerror or str(error)


def write_junit(path: Path, iso: Path, outcomes: Sequence[Outcome]) -> None:
    """One case for each boot.

    Raises:
        HarnessFault: the file cannot be written.
    """
    text = junit_xml("hiperiso boot", [_case(iso, outcome) for outcome in outcomes])
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessFault(f"cannot write {path}: {error.strerror}", hint="name another file") from error


def _case(iso: Path, outcome: Outcome) -> JunitCase:
    results = {
        ExitCode.SUCCESS: CaseResult.PASSED,
        ExitCode.GUEST_FAILED: CaseResult.FAILED,
        ExitCode.HARNESS_FAULT: CaseResult.ERROR,
    }
    skipped = outcome.result in (NOT_JUDGED, NOT_RUN) or outcome.exit_code is ExitCode.USAGE
    known = CaseResult.SKIPPED if skipped else results.get(outcome.exit_code, CaseResult.ERROR)
    session = f"session: {outcome.session}" if outcome.session else ""
    return JunitCase(
        name=outcome.name or iso.name,
        group=iso.name,
        result=known,
        seconds=outcome.seconds,
        message=f"{outcome.result}: {outcome.cause}",
        details=session,
        properties={
            **outcome.at,
            "stage": outcome.stage,
            **({"session": str(outcome.session)} if session else {}),
        },
    )


def _summary(outcome: Outcome) -> str:
    where = f", {outcome.stage} after {outcome.seconds:.1f} s" if outcome.session else ""
    why = "" if outcome.result in (BootResult.SUCCESS, LISTED) else f": {outcome.cause}"
    return f"{outcome.result}  {outcome.name or 'the boot'}{where}{why}"


def _named(job: Job) -> str:
    return job.name or "the boot"
