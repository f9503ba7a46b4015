"""The request for a boot, its outcome, and the observer protocol."""

# ruff: noqa: D102 - the observer protocol documents each method
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hiperiso.contract.events import Event
from hiperiso.contract.manifest import Manifest
from hiperiso.contract.outcome import exit_code_for
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootStage
from hiperiso.errors import ExitCode, HiperisoError
from hiperiso.observe.screen.reading import PictureReader
from hiperiso.session.spectator import Spectator


@dataclass(frozen=True, kw_only=True)
class BootRequest:
    """One boot to record.

    Attributes:
        iso: the image; never written.
        log_root: where session directories are made.
        settings: how to boot.
        origins: where each setting that is not a default came from, for env.txt.
        picture_reader: reads text in pictures that no font matches.
        spectator: the person to whom the guest's screen is shown, instead of the display in the settings.
        notes: where the image comes from, and why it is booted again, for the report.
        hashed: the SHA-256 of the ISO is computed beside the boot; a stick has better use for its reads.
    """

    iso: Path
    log_root: Path
    settings: Settings
    origins: dict[str, str] = field(default_factory=dict)
    picture_reader: PictureReader | None = None
    spectator: Spectator | None = None
    hashed: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BootOutcome:
    """A recorded boot.

    Attributes:
        path: the session directory.
        manifest: its final session.json.
        error: the error that stopped it on our side, or None.
    """

    path: Path
    manifest: Manifest
    error: HiperisoError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0 success, 1 the guest failed, 2 usage, 3 incomplete, 4 harness fault."""
        if self.error is not None:
            return self.error.exit_code
        return exit_code_for(self.manifest.result, self.manifest.fault, self.manifest.end_reason)


@dataclass(frozen=True)
class StageSeen:
    """A stage that the guest has reached: when (seconds since QEMU started, None where unknown), and its first sign."""

    stage: BootStage
    seconds: float | None
    sign: str


@dataclass(frozen=True, kw_only=True)
class BootProgress:
    """How far the guest is. An immutable snapshot.

    Attributes:
        boots: how often the machine was started, 1 before it was ever reset.
        stages: of the last start, in the order in which they were reached.
        waiting_for: a description of what would end the recording.
        troubles: the problems found so far, as texts: failed units, crashes, missing firmware.
    """

    boots: int
    stages: tuple[StageSeen, ...]
    waiting_for: str
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GuestAccess:
    """How a person reaches a guest that is left running.

    Attributes:
        vnc: where its screen is served, as ``HOST:PORT``; empty if it is not.
        serial: a Unix socket that is its first serial port; None if there is none.
        monitor: QEMU's human monitor.
    """

    vnc: str = ""
    serial: Path | None = None
    monitor: Path


class BootObserver(Protocol):
    """Observes a running boot. Called by one thread at a time; must not block."""

    def opened(self, path: Path, manifest: Manifest) -> None:
        """The session directory exists."""

    def preparing(self, text: str) -> None:
        """Something takes a while before QEMU can start: what, and how far it is."""

    def running(self, timeout_s: float) -> None:
        """QEMU has started, and gets `timeout_s`."""

    def progress(self, progress: BootProgress) -> None:
        """The guest made progress, or something else is awaited; called before the event that shows it."""

    def event(self, event: Event) -> None:
        """An event was emitted."""

    def served(self, vnc: str) -> None:
        """The guest's screen is served by VNC at that ``HOST:PORT``."""

    def finishing(self) -> None:
        """The recording has ended; the report is being written."""

    def kept(self, path: Path, manifest: Manifest, access: GuestAccess) -> None:
        """The verdict is written, and the guest is left running."""


class SilentObserver:
    """Ignores everything."""

    def opened(self, path: Path, manifest: Manifest) -> None: ...

    def preparing(self, text: str) -> None: ...

    def running(self, timeout_s: float) -> None: ...

    def progress(self, progress: BootProgress) -> None: ...

    def event(self, event: Event) -> None: ...

    def served(self, vnc: str) -> None: ...

    def finishing(self) -> None: ...

    def kept(self, path: Path, manifest: Manifest, access: GuestAccess) -> None: ...
