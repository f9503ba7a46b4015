"""The series of boots of ``hiperiso boot``: from options to boots, one table and one exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hiperiso.contract.menupolicy import EVERY_ENTRY
from hiperiso.contract.settings import BY_ATTRIBUTE
from hiperiso.errors import ExitCode, UsageError
from hiperiso.session.interrupt import Interrupt, interrupted_by_signals
from hiperiso.session.recovery import recover_orphans
from hiperiso.session.request import BootRequest
from hiperlab.cli.words import one_of
from hiperlab.matrix import Job, parse_axes, plan_jobs
from hiperlab.series import menu
from hiperlab.series.least import Found, Quantity, find_least
from hiperlab.series.outcome import Outcome, exit_code_of
from hiperlab.series.run import Ended, Target, run_jobs
from hiperlab.series.show import QuietView, check_junit, make_view, print_json, print_table, write_junit
from hiperlab.series.showmenu import print_menu, print_menu_json

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The form of the output.

    Attributes:
        as_json: only one JSON object.
        quiet: without progress.
        junit: a file for the result as JUnit XML.
    """

    as_json: bool = False
    quiet: bool = False
    junit: Path | None = None

    def view(self, total: int | None) -> QuietView:
        """The view that shows the progress."""
        return make_view(total, quiet=self.quiet or self.as_json)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The requested boots.

    Attributes:
        axes: of a matrix, as `parse_axes` reads them.
        find_min: the quantity to minimise.
        at_once: the maximum number of parallel boots.
        given: settings given as options; none of them may also be an axis.
    """

    axes: tuple[str, ...] = ()
    find_min: str | None = None
    at_once: int = 1
    given: frozenset[str] = frozenset()


def boot_series(request: BootRequest, asked: Asked, shown: Shown) -> ExitCode:
    """Run several boots of one ISO, and show their results.

    Raises:
        UsageError: the request is invalid.
    """
    _check_ends(request)
    if shown.junit:
        check_junit(shown.junit)
    if request.settings.menu == EVERY_ENTRY and (asked.axes or asked.find_min):
        raise UsageError("--menu all boots every entry by itself", hint="leave out --matrix and --find-min")
    if request.settings.menu == EVERY_ENTRY:
        return boot_menu(request, at_once=asked.at_once, shown=shown)
    if asked.find_min is None:
        planned = parse_axes(asked.axes)
        if twice := [axis.name for axis in planned if axis.name in asked.given]:
            raise UsageError(
                f"given as an option and as an axis of the matrix: {', '.join(twice)}",
                hint="leave one of the two out",
            )
        return boot_jobs(request, plan_jobs(planned), at_once=asked.at_once, shown=shown)
    if asked.axes:
        raise UsageError("--find-min and --matrix exclude each other", hint="use one of the two")
    return boot_least(request, one_of(Quantity, asked.find_min.lower(), option="--find-min"), shown=shown)


def _check_ends(request: BootRequest) -> None:
    if request.settings.keep:
        raise UsageError(
            "a guest is kept (keep) by a single boot alone, not by a series or a list of a menu",
            hint=f"leave it out: --no-keep; it comes from {request.origins.get('keep', '--interactive')}",
        )


def boot_jobs(request: BootRequest, jobs: Sequence[Job], *, at_once: int, shown: Shown) -> ExitCode:
    """Boot every job, and show the results."""
    view = shown.view(len(jobs))

    async def boots(interrupted: Interrupt) -> list[Ended]:
        return await run_jobs(target_of(request), jobs, at_once=at_once, interrupted=interrupted, view=view)

    outcomes = [ended.outcome for ended in run_series(request, boots, view)]
    if shown.as_json:
        print_json(request.iso, outcomes)
    else:
        print_table(str(request.iso), outcomes, [f"sessions are in {request.log_root}"])
    if shown.junit:
        write_junit(shown.junit, request.iso, outcomes)
    return exit_code_of(outcomes)


def boot_least(request: BootRequest, quantity: Quantity, *, shown: Shown) -> ExitCode:
    """Search the minimum of `quantity` with which the ISO boots, and show all tries."""
    view = shown.view(None)

    async def search(interrupted: Interrupt) -> Found:
        target = target_of(request)
        return await find_least(target, quantity, request.settings, interrupted=interrupted, view=view)

    found = run_series(request, search, view)
    if shown.as_json:
        extra = {"least_mb": found.least_mb, "failed_mb": found.failed_mb, "detail": found.detail}
        print_json(request.iso, found.outcomes, {**extra, "exit_code": int(found.exit_code)})
    else:
        print_table(str(request.iso), found.outcomes, [found.detail, f"sessions are in {request.log_root}"])
    if shown.junit:
        write_junit(shown.junit, request.iso, found.outcomes)
    return found.exit_code


def boot_menu(request: BootRequest, *, at_once: int, shown: Shown) -> ExitCode:
    """Boot every entry of the ISO's menu, and show the results."""
    view = shown.view(None)

    async def boots(interrupted: Interrupt) -> tuple[menu.MenuListed, list[Outcome]]:
        target = target_of(request)
        listed = await menu.list_menu(target, interrupted=interrupted, view=view)
        outcomes = await menu.boot_every_entry(
            target, listed, request.settings, at_once=at_once, interrupted=interrupted, view=view
        )
        return listed, outcomes

    listed, outcomes = run_series(request, boots, view)
    rows = outcomes or [listed.ended.outcome]
    notes = (
        []
        if outcomes
        else ["no entry of a boot menu is known, neither from the configuration nor the screen"]
    )
    if shown.as_json:
        entries = [menu.entry_json(entry) for entry in listed.entries]
        print_json(request.iso, rows, {"firmware": listed.firmware, "entries": entries})
    else:
        print_table(str(request.iso), rows, [*notes, f"sessions are in {request.log_root}"])
    if shown.junit:
        write_junit(shown.junit, request.iso, rows)
    return exit_code_of(rows)


def list_menu(request: BootRequest, *, shown: Shown) -> ExitCode:
    """Show the entries of the ISO's menu, without booting further than to it.

    Raises:
        UsageError: the guest is to be kept.
    """
    _check_ends(request)
    view = shown.view(1)

    async def boot(interrupted: Interrupt) -> menu.MenuListed:
        return await menu.list_menu(target_of(request), interrupted=interrupted, view=view)

    listed = run_series(request, boot, view)
    if shown.as_json:
        print_menu_json(request.iso, listed)
    else:
        print_menu(request.iso, listed)
    return listed.exit_code


def target_of(request: BootRequest) -> Target:
    """The arguments of `hiperiso.boot` for a request."""
    values: dict[str, Any] = {}
    for attribute in request.origins:
        row = BY_ATTRIBUTE[attribute]
        values[row.name] = row.kind.plain(getattr(request.settings, attribute))
    return Target(
        iso=request.iso,
        log_root=request.log_root,
        values=values,
        picture_reader=request.picture_reader,
    )


def run_series(
    request: BootRequest, boots: Callable[[Interrupt], Awaitable[Result]], view: QuietView
) -> Result:
    """Run boots until they have ended; SIGINT and SIGTERM end each of them with its report."""

    async def run() -> Result:
        with interrupted_by_signals() as interrupted:
            return await boots(interrupted)

    recover_orphans(request.log_root)
    with view.shown():
        return asyncio.run(run())
