"""Recording one boot: from the first file of the session to SESSION_COMPLETE, whatever happens in between.

From the moment at which the session directory stands, every way out goes through `hiperiso.session.closing`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from hiperiso.analysis.judge import Expectation, Judge
from hiperiso.contract import files
from hiperiso.contract.words import LifecycleStage, SessionStatus, Source
from hiperiso.errors import HarnessFault, HiperisoError
from hiperiso.session.closing import Ending
from hiperiso.session.guest import GuestEnd, GuestRun
from hiperiso.session.process import QemuProcess
from hiperiso.session.request import BootObserver, BootOutcome, BootRequest
from hiperiso.session.start import LOST_HINT, RunningGuest, StartedBoot, start_boot
from hiperiso.text import plain

_MAX_STDERR_CHARS = 2000


async def record_boot(request: BootRequest, observer: BootObserver | None = None) -> BootOutcome:
    """Boot the ISO of `request` and record it.

    Returns:
        The outcome, also where the guest failed, the user interrupted or our side failed after the session directory
        was made.

    Raises:
        HarnessFault: no session directory could be made, or it could not be finalized.
    """
    with _signals() as interrupted:
        return await _finish(start_boot(request, observer), interrupted)


async def finish_boot(started: StartedBoot) -> BootOutcome:
    """Record a boot that has been started, to its end.

    Returns:
        The outcome, as `record_boot` does.

    Raises:
        HarnessFault: it could not be finalized.
    """
    with _signals() as interrupted:
        return await _finish(started, interrupted)


async def _finish(started: StartedBoot, interrupted: asyncio.Event) -> BootOutcome:
    try:
        outcome = await _record(started, interrupted)
    except OSError as error:
        raise started.directory.lost(error, hint=LOST_HINT) from None
    finally:
        started.stack.close()
    started.directory.release()
    return outcome


async def _record(started: StartedBoot, interrupted: asyncio.Event) -> BootOutcome:
    session, directory = started.session, started.directory
    error: HiperisoError | None = None
    try:
        if isinstance(started.guest, HiperisoError):
            raise started.guest
        ending = _ending(await _observe(started, started.guest, interrupted))
    except HiperisoError as raised:
        error = raised
        ending = session.fault(raised)
    except OSError as raised:
        error = directory.lost(raised)
        ending = session.fault(error)
    except BaseException as bug:  # finalized like any other fault, then shown as what it is
        session.finalize(session.fault(HarnessFault(f"internal error: {bug!r}")))
        raise
    manifest = await asyncio.to_thread(session.finalize, ending)
    if error is None and ending.fault:
        error = HarnessFault(ending.fault)
    return BootOutcome(path=directory.path, manifest=manifest, error=error)


async def _observe(started: StartedBoot, guest: RunningGuest, interrupted: asyncio.Event) -> GuestEnd:
    settings, directory = started.request.settings, started.directory
    log = started.session.log

    def hear(line: str) -> None:
        log.emit(Source.HARNESS, "stderr", plain(line, _MAX_STDERR_CHARS))

    process = QemuProcess(guest.launched.process, log=directory.path / files.QEMU_STDERR, on_line=hear)
    try:
        judge = Judge(Expectation(stage=settings.expect, text=settings.expect_text))
        started.observer.running(judge, guest.timeout_s)
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
            on_running=started.session.qemu_answers,
        )
        end = await run.run()
    finally:
        process.close()
        await asyncio.to_thread(guest.iso.close)  # waits for a walk of its directories
    started.session.qemu_exited(end.exit_code)
    return end


def _ending(end: GuestEnd) -> Ending:
    if end.fault:
        status, stage = SessionStatus.FAILED, LifecycleStage.FATAL_ERROR
    else:
        status, stage = SessionStatus.COMPLETE, LifecycleStage.SESSION_COMPLETE
    return Ending(
        status=status, stage=stage, reason=end.reason, qemu_exit_code=end.exit_code, fault=end.fault
    )


@contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """Ctrl-C and a polite kill end the guest, not the recording."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield interrupted
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
