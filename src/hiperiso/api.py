"""A boot as a library call: `hiperiso.boot`, and `hiperiso.boot_async` for programs with an event loop.

::

    import hiperiso

    session = hiperiso.boot("debian.iso", ram="4G", expect="installer", timeout=600)
    print(session.result, session.stage, session.cause)

Both work from any thread, in the workers of a pool, and many at once in one process: no state is kept between boots.
Nothing is printed, no signal handler is installed, and no other session is touched; cleaning up after killed
recorders is left to the commands (`hiperiso boot`, `hiperiso list`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hiperiso.cache import expanded
from hiperiso.config.settings import Layer, resolve_settings
from hiperiso.contract.events import Event
from hiperiso.contract.manifest import Analysis, Manifest
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import BootResult, BootStage, OcrChoice
from hiperiso.errors import ExitCode, HiperisoError, Unsupported, UsageError
from hiperiso.observe.screen.reading import PictureReader
from hiperiso.session.directory import default_log_root
from hiperiso.session.interrupt import Interrupt
from hiperiso.session.recorder import finish_boot
from hiperiso.session.request import BootOutcome, BootRequest, SilentObserver
from hiperiso.session.secondtry import better_of, second_try
from hiperiso.session.start import start_boot

Value = str | int | float | bool | Sequence[str] | None
"""A setting, as in ``iso_overrides`` of hiperiso.json."""

OnEvent = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class Session:
    """A recorded boot. It can be pickled, so that a worker process can return it.

    Attributes:
        path: the session directory.
        manifest: its session.json.
        error: what stopped it on our side (no QEMU, no such ISO, a full disk); None if the guest ran.
        blank: the session before, whose desktop failed on the standard display adapter or the emulated CPU; this one
            has a virtio GPU, or a CPU without AVX.
    """

    path: Path
    manifest: Manifest
    error: HiperisoError | None = None
    blank: Path | None = None

    @property
    def result(self) -> BootResult:
        """``success``, ``failure``, ``incomplete`` or ``no_serial``."""
        assert isinstance(self.manifest.result, BootResult)
        return self.manifest.result

    @property
    def stage(self) -> BootStage:
        """The stage that the guest reached."""
        return self._analysis.boot_stage_final

    @property
    def cause(self) -> str:
        """The cause of the failure or the achieved result, in one line."""
        return self.error.message if self.error else self._analysis.cause

    @property
    def boot_duration_ms(self) -> int:
        """The time of the deciding observation in milliseconds."""
        return self._analysis.boot_duration_ms

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that ``hiperiso boot`` would have returned."""
        return BootOutcome(path=self.path, manifest=self.manifest, error=self.error).exit_code

    @property
    def stored(self) -> StoredSession:
        """The content of its directory: report, processes, files that were read."""
        return StoredSession(self.path)

    def events(self) -> Iterator[Event]:
        """Yield all events, in order, streamed from the disk."""
        return self.stored.events()

    @property
    def _analysis(self) -> Analysis:
        assert isinstance(self.manifest.analysis, Analysis)
        return self.manifest.analysis


def boot(
    iso: str | os.PathLike[str],
    *,
    log_root: str | os.PathLike[str] | None = None,
    on_event: OnEvent | None = None,
    interrupted: Interrupt | None = None,
    picture_reader: PictureReader | None = None,
    **settings: Value,
) -> Session:
    """Boot an ISO under QEMU, record it, and evaluate it. Blocks until the session is finalized.

    A desktop that fails is booted once more where that may not be the guest's failure: on a virtio GPU where its screen
    stays blank, on a CPU without AVX where a program crashed under emulation, unless ``vga`` or ``cpu`` was given:
    `Session.blank`.

    Args:
        iso: the image; never written.
        log_root: where the session directory is created; by default the same as for ``hiperiso boot``.
        on_event: called with each event as it is observed, by one thread at a time; must not block. An exception in it
            ends the boot, and is re-raised here.
        interrupted: ends the boot when it is set, from any thread.
        picture_reader: reads text in pictures that no font matches: PNG bytes in, text out.
        settings: as ``iso_overrides`` of hiperiso.json names them: ``ram="4G"``, ``cpus=4``, ``firmware="uefi"``,
            ``timeout=120`` (seconds), ``expect="login"``... (docs/configuration.md). Environment variables are ignored.

    Returns:
        The session, whether the guest succeeded or not; `Session.error` is the error on our side.

    Raises:
        UsageError: a setting is invalid or not implemented, or this thread runs an event loop (use `boot_async`).
        HarnessFault: no session directory could be made, or it could not be finalized.
    """
    request = _request(iso, log_root, picture_reader, settings)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        interrupted = interrupted or Interrupt()

        def record(request: BootRequest) -> BootOutcome:
            started = start_boot(request, _Listener(on_event), interrupted)
            return asyncio.run(finish_boot(started, interrupted))

        outcome = record(request)
        if other := second_try(request, outcome):
            return _session(better_of(outcome, record(other.request)), outcome)
        return _session(outcome)
    raise UsageError("this thread runs an event loop", hint="await hiperiso.boot_async(...) in place of boot")


async def boot_async(
    iso: str | os.PathLike[str],
    *,
    log_root: str | os.PathLike[str] | None = None,
    on_event: OnEvent | None = None,
    interrupted: Interrupt | None = None,
    picture_reader: PictureReader | None = None,
    **settings: Value,
) -> Session:
    """Like `boot`, for programs with an event loop: many can be awaited at once.

    A boot whose task is cancelled ends as interrupted: its session is finalized before the cancellation proceeds.
    """
    request = _request(iso, log_root, picture_reader, settings)
    interrupted = interrupted or Interrupt()
    outcome = await _record(request, on_event, interrupted)
    if other := second_try(request, outcome):
        return _session(better_of(outcome, await _record(other.request, on_event, interrupted)), outcome)
    return _session(outcome)


async def _record(request: BootRequest, on_event: OnEvent | None, interrupted: Interrupt) -> BootOutcome:
    start = asyncio.ensure_future(asyncio.to_thread(start_boot, request, _Listener(on_event), interrupted))
    try:
        started = await asyncio.shield(start)  # it probes KVM and reads the ISO, which would block the loop
    except asyncio.CancelledError:
        interrupted.set()
        await finish_boot(await start, interrupted)
        raise
    finish = asyncio.ensure_future(finish_boot(started, interrupted))
    try:
        return await asyncio.shield(finish)
    except asyncio.CancelledError:
        interrupted.set()
        await finish
        raise


class _Listener(SilentObserver):
    """Passes the events on."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self._on_event = on_event

    def event(self, event: Event) -> None:
        if self._on_event:
            self._on_event(event)


def _request(
    iso: str | os.PathLike[str],
    log_root: str | os.PathLike[str] | None,
    picture_reader: PictureReader | None,
    values: dict[str, Value],
) -> BootRequest:
    settings, origins = resolve_settings([Layer(values, lambda name: f"{name}=")])
    if settings.ocr is OcrChoice.ON and picture_reader is None:
        raise Unsupported("ocr='on' needs a picture_reader", hint="hiperlab.ocr has one, by tesseract")
    return BootRequest(
        iso=expanded(iso).absolute(),
        log_root=expanded(log_root).absolute() if log_root else default_log_root(),
        settings=settings,
        origins=origins,
        picture_reader=picture_reader,
    )


def _session(outcome: BootOutcome, first: BootOutcome | None = None) -> Session:
    blank = first.path if first and first is not outcome else None
    return Session(path=outcome.path, manifest=outcome.manifest, error=outcome.error, blank=blank)
