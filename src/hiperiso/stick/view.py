"""The stage ladder on the host's console: a line for each relevant event, as it happens."""

# ruff: noqa: D102, ARG002 - the view implements BootObserver, which documents each method
from __future__ import annotations

import re
from pathlib import Path

from hiperiso.contract.events import (
    Event,
    FaultReported,
    HandedOver,
    MachinePlanned,
    QemuStderr,
    RecordingEnded,
    StageReported,
)
from hiperiso.contract.manifest import Manifest
from hiperiso.contract.words import Severity
from hiperiso.session.request import BootProgress, GuestAccess
from hiperiso.stick.console import Consoles
from hiperiso.text import printable

_EVIDENCE = re.compile(r" {12}\S")
_QUOTES = re.compile(r"\n\n(?=Last lines|Lines around the failure)")
_FINDING = re.compile(r"  (info|warning|error|fatal) ")
_RED, _GREEN, _YELLOW = "1;31", "1;32", "33"
_STYLES = (
    (re.compile(r"(Failure at |Nothing was seen|  (fatal|error) |hiperiso: )"), _RED),
    (re.compile(r"Success: "), _GREEN),
    (re.compile(r"(Incomplete at |  warning |note: )"), _YELLOW),
)


def short_summary(report: str) -> str:
    """report.txt as far as it fits a console: findings without their evidence, one channel's end, no files.

    The findings follow the headline: the fatal ones, then the others as the report ranks them.
    """
    shown, *quotes = _QUOTES.split(report.partition("\n\nFiles\n")[0])
    headline, *parts = shown.split("\n\n")
    kept = [part for part in parts if not part.startswith("Observations\n")]
    kept.sort(key=lambda part: not part.startswith("Findings\n"))
    shown = "\n\n".join(_fatal_first(part) if part.startswith("Findings\n") else part for part in kept)
    lines = [line for line in f"{headline}\n\n{shown}".rstrip("\n").split("\n") if not _EVIDENCE.match(line)]
    return "\n\n".join(["\n".join(lines), *quotes[:1]])


def _fatal_first(findings: str) -> str:
    heading, *lines = findings.split("\n")
    groups: list[list[str]] = []
    for line in lines:
        if _FINDING.match(line) or not groups:
            groups.append([])
        groups[-1].append(line)

    return "\n".join([heading, *(line for group in sorted(groups, key=_is_not_fatal) for line in group)])


def _is_not_fatal(finding: list[str]) -> bool:
    return not finding[0].startswith(f"  {Severity.FATAL} ")


def style_of(line: str) -> str:
    """The attributes in which a terminal shows a line of a summary, as in its control sequence SGR; ``""`` for none."""
    return next((style for pattern, style in _STYLES if pattern.match(line)), "")


class ConsoleView:
    """Prints the progress of a boot on the consoles."""

    def __init__(self, consoles: Consoles) -> None:
        self._consoles = consoles
        self._boots = 0
        self._shown = 0

    def opened(self, path: Path, manifest: Manifest) -> None:
        self._consoles.say(f"recording {printable(manifest.iso_path)}\nsession   {printable(str(path))}")

    def preparing(self, text: str) -> None:
        self._consoles.say(text)

    def running(self, timeout_s: float) -> None:
        self._consoles.say(f"the guest starts, with a time limit of {timeout_s:g} s")

    def event(self, event: Event) -> None:
        if isinstance(event, MachinePlanned):
            self._consoles.say(f"{event.data.accel}: {event.data.accel_reason}")
            self._consoles.say(f"{event.data.firmware}: {event.data.firmware_reason}")
            for note in event.data.notes or ():
                self._consoles.say(f"note: {note}")
        elif isinstance(event, StageReported):
            self._consoles.say(f"status {event.text}")
        elif isinstance(event, QemuStderr | FaultReported):
            self._consoles.say(f"{event.t:8.1f}s  {event.kind}: {event.text}")
        elif isinstance(event, HandedOver):
            for note in event.data.notes or ():
                self._consoles.say(f"note: {note}")
        elif isinstance(event, RecordingEnded):
            self._consoles.say(f"{event.t:8.1f}s  ended: {event.data.detail or event.text}")

    def served(self, vnc: str) -> None:
        self._consoles.say(f"the guest's screen is served by VNC at {vnc}")

    def kept(self, path: Path, manifest: Manifest, access: GuestAccess) -> None:
        self._consoles.say("the guest runs on")

    def finishing(self) -> None:
        self._consoles.say("writing the report")

    def progress(self, progress: BootProgress) -> None:
        if progress.boots != self._boots:  # the guest was restarted
            self._boots, self._shown = progress.boots, 0
        for seen in progress.stages[self._shown :]:
            when = "         " if seen.seconds is None else f"{seen.seconds:8.1f}s"
            self._consoles.say(f"{when}  {seen.stage:<10}  {seen.sign[:100]}", cut=True)
        self._shown = len(progress.stages)
