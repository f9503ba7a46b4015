"""Records one boot: from the first file of the session to SESSION_COMPLETE, whatever happens in between.

Once the session directory exists, every way out goes through `hiperiso.session.closing`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import hiperiso.session.closing  # noqa: F401 - loaded while the guest runs, not when the disk may be gone
from hiperiso.analysis.judge import Expectation, Judge
from hiperiso.contract import files
from hiperiso.contract.events import MachinePlanned, QemuStderr
from hiperiso.contract.manifest import Manifest
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import EndReason, FirmwareKind, LifecycleStage, SessionStatus
from hiperiso.errors import HarnessFault, HiperisoError
from hiperiso.machine.parts.trace import Trace
from hiperiso.machine.qmp import Qmp
from hiperiso.session.ending import Ending
from hiperiso.session.flush import every
from hiperiso.session.guest import GuestEnd, GuestRun
from hiperiso.session.interrupt import Interrupt
from hiperiso.session.isostudy import IsoStudy
from hiperiso.session.keeping import KeptGuest
from hiperiso.session.menufeed import MenuFeed
from hiperiso.session.process import QemuProcess
from hiperiso.session.request import BootObserver, BootOutcome, BootRequest, GuestAccess
from hiperiso.session.serialkeys import SerialKeys
from hiperiso.session.start import LOST_HINT, Interrupted, RunningGuest, StartedBoot, start_boot
from hiperiso.session.tracefeed import TraceFeed
from hiperiso.session.upkeep import HEARTBEAT_S
from hiperiso.text import plain

_MAX_STDERR_CHARS = 2000


async def record_boot(
    request: BootRequest, observer: BootObserver | None = None, *, interrupted: Interrupt | None = None
) -> BootOutcome:
    """Boot the ISO of `request` and record it.

    Args:
        request: what to boot, and how.
        observer: receives progress and events.
        interrupted: ends the boot when it is set.

    Returns:
        The outcome, also when the guest failed, the user interrupted or a harness fault occurred after the session
        directory was made.

    Raises:
        HarnessFault: no session directory could be made, or it could not be finalized.
    """
    return await finish_boot(start_boot(request, observer, interrupted), interrupted)


async def finish_boot(started: StartedBoot, interrupted: Interrupt | None = None) -> BootOutcome:
    """Record a boot that has been started, to its end.

    Returns:
        The outcome, as `record_boot` does.

    Raises:
        HarnessFault: it could not be finalized.
    """
    directory = started.directory
    try:
        return await _record(started, interrupted or Interrupt())
    except OSError as error:
        raise directory.lost(error, hint=LOST_HINT) from None
    finally:
        directory.release()
        started.stack.close()


async def _record(started: StartedBoot, interrupted: Interrupt) -> BootOutcome:
    session, directory = started.session, started.directory
    error: HiperisoError | None = None
    try:
        if isinstance(started.guest, HiperisoError):
            raise started.guest
        if isinstance(started.guest, Interrupted):
            ending = session.cancelled("interrupted by the user before QEMU started")
        else:
            ending = _ending(await _observe(started, started.guest, interrupted))
    except HiperisoError as raised:
        error = raised
        ending = session.fault(raised)
    except OSError as raised:
        error = directory.lost(raised)
        ending = session.fault(error)
    except asyncio.CancelledError:
        await _to_the_end(session.finalize, session.cancelled())
        raise
    except BaseException as bug:  # finalized like any other fault, then re-raised
        session.finalize(session.fault(HarnessFault(f"internal error: {bug!r}")))
        raise
    manifest = await _to_the_end(session.finalize, ending)
    if error is None and ending.fault:
        error = HarnessFault(ending.fault)
    return BootOutcome(path=directory.path, manifest=manifest, error=error)


def judge_of(settings: Settings, planned: MachinePlanned) -> Judge:
    """The judge of a boot; it knows the plan of the machine, which was emitted before there was a judge."""
    judge = Judge(Expectation(wanted=settings.expect, text=settings.expect_text))
    judge.feed(planned)
    return judge


def _menu_feed(started: StartedBoot, guest: RunningGuest, judge: Judge, qmp: Qmp) -> MenuFeed | None:
    """The hands at the boot menu; None where a person uses the guest's screen and presses the keys."""
    request, session = started.request, started.session
    if request.spectator:
        return None
    return MenuFeed(
        qmp,
        session.log,
        request.settings.menu,
        guest.iso,
        efi=guest.plan.firmware.kind is FirmwareKind.UEFI,
        stage=lambda: judge.stage,
        note=session.note,
        has_disk=any(drive.file is not None for drive in request.settings.disk),
        serial=SerialKeys(
            qmp, started.directory.path / files.SERIAL_LOG, started.runtime.path("serial-input")
        ),
    )


def _trace_feed(started: StartedBoot, guest: RunningGuest, judge: Judge, qmp: Qmp) -> TraceFeed | None:
    trace = guest.plan.machine.find(Trace)
    if trace is None:
        return None
    session, settings = started.session, started.request.settings
    path = started.directory.path
    return TraceFeed(qmp, session.log, path, trace, settings, stage=lambda: judge.stage, note=session.note)


async def _observe(started: StartedBoot, guest: RunningGuest, interrupted: Interrupt) -> GuestEnd:
    settings, directory = started.request.settings, started.directory
    log = started.session.log

    def log_stderr(line: str) -> None:
        log.emit(QemuStderr(text=plain(line, _MAX_STDERR_CHARS)))

    process = QemuProcess(guest.launched.process, log=directory.path / files.QEMU_STDERR, on_line=log_stderr)
    made_here = guest.iso.path.is_relative_to(directory.path)  # the disk of a directory or a program
    study = IsoStudy(guest.iso, hashed=started.request.hashed and not made_here)

    async def keep(kept: KeptGuest, reason: EndReason, detail: str) -> None:
        ending = _ending(GuestEnd(reason, detail, None))
        await _keep(started, kept, study, ending, interrupted)

    try:
        judge = judge_of(settings, guest.planned)
        started.observer.running(guest.timeout_s)
        run = GuestRun(
            guest.plan.machine,
            directory,
            started.runtime,
            log,
            judge,
            process=process,
            launched=guest.launched,
            iso=guest.iso,
            timeout_s=guest.timeout_s,
            interrupted=interrupted,
            picture_reader=started.request.picture_reader,
            spectator=started.request.spectator,
            traces=lambda qmp: _trace_feed(started, guest, judge, qmp),
            menus=lambda qmp: _menu_feed(started, guest, judge, qmp),
            on_running=started.session.qemu_answers,
            on_progress=started.observer.progress,
            on_served=started.session.served,
            keep=keep if settings.keep else None,
        )
        end = await run.run()
    finally:
        process.close()
        started.session.note(iso=await asyncio.to_thread(study.finish))
        await asyncio.to_thread(guest.iso.close)  # waits for a directory walk in progress
    started.session.qemu_exited(end.exit_code)
    return end


async def _keep(
    started: StartedBoot, kept: KeptGuest, study: IsoStudy, ending: Ending, interrupted: Interrupt
) -> None:
    """Write the verdict, then let the guest run until it ends or is to end."""
    directory, session = started.directory, started.session
    serial = await kept.open_serial(directory.path / files.SERIAL_LOG, started.runtime.path("serial"))
    session.note(iso=await asyncio.to_thread(study.finish))
    manifest = await _to_the_end(session.announce, ending)
    access = GuestAccess(vnc=kept.vnc, serial=serial, monitor=directory.path / files.MONITOR_SOCK)
    started.observer.kept(directory.path, manifest, access)

    def beat() -> None:
        directory.heartbeat(elapsed_s=session.log.now())

    def failed(_: OSError) -> None:
        """A full disk shows itself at the end."""

    await kept.until_the_end(interrupted, every(HEARTBEAT_S, beat, failed))


async def _to_the_end(work: Callable[[Ending], Manifest], ending: Ending) -> Manifest:
    """Run it in a thread; a cancellation waits for it."""
    task = asyncio.ensure_future(asyncio.to_thread(work, ending))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _ending(end: GuestEnd) -> Ending:
    if end.fault:
        status, stage = SessionStatus.FAILED, LifecycleStage.FATAL_ERROR
    else:
        status, stage = SessionStatus.COMPLETE, LifecycleStage.SESSION_COMPLETE
    return Ending(
        status=status, stage=stage, reason=end.reason, qemu_exit_code=end.exit_code, fault=end.fault
    )
