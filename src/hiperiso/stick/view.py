"""The stage ladder on the host's console: a line for each relevant event, as it happens."""

# ruff: noqa: D102, ARG002 - the view implements BootObserver, which documents each method
from __future__ import annotations

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
from hiperiso.session.request import BootProgress, GuestAccess
from hiperiso.stick.console import Consoles
from hiperiso.text import printable


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
