"""``hiperiso boot --menu list`` and ``--menu all``: the entries of an ISO's menu, and a boot of each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hiperiso.api import Session
from hiperiso.contract.events import IsoRead, MenuLeft, MenuStands
from hiperiso.contract.manifest import Manifest
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootResult, EndReason, FindingKind, FirmwareKind
from hiperiso.drive.configs import configs_of_image
from hiperiso.errors import ExitCode
from hiperiso.iso.image import IsoImage
from hiperiso.session.interrupt import Interrupt
from hiperlab.matrix import Job
from hiperlab.series.entries import Entry, entries_of
from hiperlab.series.outcome import NOT_JUDGED, Outcome
from hiperlab.series.purpose import Judgement, judge
from hiperlab.series.run import Ended, SeriesView, Target, run_job, run_jobs

_LISTING: Final = Job(name="the menu", values={"menu": "list"})


@dataclass(frozen=True, kw_only=True)
class MenuListed:
    """The menu of an ISO.

    Attributes:
        entries: all that are known.
        firmware: under which it was seen.
        stood: it was shown on the screen.
        ended: the boot that showed it.
    """

    entries: tuple[Entry, ...]
    firmware: str
    stood: bool
    ended: Ended

    @property
    def exit_code(self) -> ExitCode:
        """0 where there is something to list, else that of the boot."""
        return ExitCode.SUCCESS if self.entries else self.ended.outcome.exit_code


async def list_menu(target: Target, *, interrupted: Interrupt, view: SeriesView) -> MenuListed:
    """Boot until the menu is shown, and return its entries."""
    ended = await asyncio.to_thread(run_job, target, _LISTING, interrupted, view)
    session = ended.session
    if session is None:
        return MenuListed(entries=(), firmware="", stood=False, ended=ended)
    firmware = session.manifest.firmware if isinstance(session.manifest.firmware, str) else ""
    entries = await asyncio.to_thread(_entries, target.iso, session, firmware)
    stood = session.manifest.end_reason is EndReason.MENU_LISTED
    return MenuListed(entries=entries, firmware=firmware, stood=stood, ended=ended)


def _entries(iso: Path, session: Session, firmware: str) -> tuple[Entry, ...]:
    read: set[str] = set()
    shown: list[str] = []
    for event in session.events():
        if isinstance(event, IsoRead):
            read.add(event.text)
        elif isinstance(event, MenuStands | MenuLeft) and event.data.entries:
            shown = list(event.data.entries)
    with IsoImage(iso) as image:
        configs = configs_of_image(image, efi=firmware == FirmwareKind.UEFI)
    return entries_of(configs, read=read, shown=shown)


async def boot_every_entry(
    target: Target,
    listed: MenuListed,
    settings: Settings,
    *,
    at_once: int,
    interrupted: Interrupt,
    view: SeriesView,
) -> list[Outcome]:
    """Boot every entry of the menu, those of its submenus too, and evaluate each by its purpose."""
    entries = {job_of(entry).name: entry for entry in listed.entries if not entry.row.submenu}
    jobs = [job_of(entry) for entry in entries.values()]
    all_ended = await run_jobs(target, jobs, at_once=at_once, interrupted=interrupted, view=view)
    has_disk = any(drive.file is not None for drive in settings.disk)
    return [judged(ended, entries[ended.job.name], has_disk=has_disk) for ended in all_ended]


def job_of(entry: Entry) -> Job:
    """The boot of one entry."""
    at = {"entry": entry.title, "purpose": str(entry.purpose)}
    return Job(name=entry.choose, values={"menu": entry.choose}, at=at)


def judged(ended: Ended, entry: Entry, *, has_disk: bool) -> Outcome:
    """The row of one entry: the recorder's verdict unless the purpose overrides it."""
    session = ended.session
    if session is None or session.exit_code is ExitCode.HARNESS_FAULT or _interrupted(session.manifest):
        return ended.outcome
    judgement, remark = judge(
        entry.purpose,
        session.result,
        session.manifest.end_reason if isinstance(session.manifest.end_reason, EndReason) else None,
        _found(session),
        starts_linux=entry.row.entry is not None,
        has_disk=has_disk,
    )
    words = _WORDS.get(judgement)
    outcome = ended.outcome
    cause = f"{remark}; seen: {outcome.cause}" if remark else outcome.cause
    if words is None:
        return replace(outcome, cause=cause)
    return replace(outcome, result=words[0], exit_code=words[1], cause=cause)


_WORDS: Final = {
    Judgement.PASSED: (str(BootResult.SUCCESS), ExitCode.SUCCESS),
    Judgement.FAILED: (str(BootResult.FAILURE), ExitCode.GUEST_FAILED),
    Judgement.UNDECIDED: (str(BootResult.INCOMPLETE), ExitCode.INCOMPLETE),
    Judgement.NOT_JUDGED: (NOT_JUDGED, ExitCode.SUCCESS),
}
"""Entries that cannot be evaluated are listed, but do not affect the exit code."""


def entry_json(entry: Entry) -> dict[str, Any]:
    """One entry as an object."""
    linux = entry.row.entry
    return {
        "choose": entry.choose,
        "path": list(entry.row.path),
        "purpose": str(entry.purpose),
        "submenu": entry.row.submenu,
        "kernel": linux.kernel if linux else None,
        "arguments": linux.arguments if linux else None,
        "runs": entry.row.runs,
        "in_configuration": entry.configured,
        "on_screen": entry.shown,
    }


def _interrupted(manifest: Manifest) -> bool:
    return manifest.end_reason is EndReason.INTERRUPTED


def _found(session: Session) -> frozenset[FindingKind]:
    report = session.stored.report
    return frozenset(finding.kind for finding in report.findings) if report else frozenset()
