"""Recording one boot: from the first file of the session to SESSION_COMPLETE, whatever happens in between.

The artifacts that the contract guarantees stand before anything that can fail is tried; from then on every way out
goes through `finalize_session`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hiperiso.contract.words import LifecycleStage, SessionStatus, Source
from hiperiso.errors import HarnessFault, HiperisoError
from hiperiso.machine.iso import inspect_iso
from hiperiso.session.bare import BareSession
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.finalize import Ending
from hiperiso.session.launch import Launched, launch_qemu
from hiperiso.session.plan import Accelerator, MachinePlan, choose_accelerator, plan_machine
from hiperiso.session.recovery import recover_orphans
from hiperiso.session.request import BootObserver, BootOutcome, BootRequest, SilentObserver
from hiperiso.session.runtime import RuntimeFiles

if TYPE_CHECKING:
    from hiperiso.session.guest import GuestEnd


async def record_boot(request: BootRequest, observer: BootObserver | None = None) -> BootOutcome:
    """Boot the ISO of `request` and record it.

    Returns:
        The outcome, also where the guest failed, the user interrupted or our side failed after the session directory
        was made.

    Raises:
        HarnessFault: no session directory could be made, or it could not be finalized.
    """
    recover_orphans(request.log_root)
    with ExitStack() as stack:
        runtime = RuntimeFiles.create()
        stack.callback(runtime.remove)
        accelerator = choose_accelerator(request.settings)
        directory = SessionDirectory.create(request.log_root, request.iso.name, runtime_token=runtime.token)
        try:
            outcome = await _Recording(
                request, observer or SilentObserver(), runtime, directory, accelerator
            ).run()
        except OSError as error:
            raise HarnessFault(
                f"cannot write to {directory.path}: {error.strerror}",
                hint="free some space; the session is finalized by the next command that reads the log root",
            ) from None
        directory.release()
        return outcome


class _Recording:
    """The state of one recording."""

    def __init__(
        self,
        request: BootRequest,
        observer: BootObserver,
        runtime: RuntimeFiles,
        directory: SessionDirectory,
        accelerator: Accelerator,
    ) -> None:
        self._request = request
        self._observer = observer
        self._runtime = runtime
        self._directory = directory
        self._accelerator = accelerator
        self._interrupted = asyncio.Event()
        facts = {
            "detail": accelerator.kvm_detail,
            "accel": accelerator.accel.value,
            "reason": accelerator.reason,
        }
        self._session = BareSession(request, directory, observer, kvm=accelerator.kvm_state, kvm_facts=facts)

    async def run(self) -> BootOutcome:
        with _signals(self._interrupted):
            self._session.begin()
            error: HiperisoError | None = None
            try:
                end = await self._boot()
                ending = _ending(end)
            except HiperisoError as raised:
                error = raised
                ending = self._session.fault(raised)
            except OSError as raised:
                error = HarnessFault(f"cannot write to {self._directory.path}: {raised.strerror}")
                ending = self._session.fault(error)
            except BaseException as bug:  # finalized like any other fault, then shown as what it is
                self._session.finalize(self._session.fault(HarnessFault(f"internal error: {bug!r}")))
                raise
            manifest = await asyncio.to_thread(self._session.finalize, ending)
        if error is None and ending.fault:
            error = HarnessFault(ending.fault)
        return BootOutcome(path=self._directory.path, manifest=manifest, error=error)

    async def _boot(self) -> GuestEnd:
        settings = self._request.settings
        self._accelerator.check()
        iso = await asyncio.to_thread(inspect_iso, self._request.iso)
        spectator = self._request.spectator
        plan = await asyncio.to_thread(
            plan_machine,
            settings,
            self._accelerator,
            iso,
            self._directory.path,
            self._runtime,
            screen_socket=spectator.socket if spectator else None,
        )
        emulated = self._accelerator.emulated
        timeout_s = settings.timeout_in_force_s(emulated=emulated)
        self._note_plan(plan, timeout_s)
        self._session.reach(LifecycleStage.TCG_EMULATION if emulated else LifecycleStage.KVM_OK)
        self._session.reach(LifecycleStage.LAUNCHING_QEMU)
        launched = launch_qemu(plan.spec, self._directory, self._session.log)
        try:
            return await self._observe(plan, launched, timeout_s)
        finally:
            launched.process.close()

    async def _observe(self, plan: MachinePlan, launched: Launched, timeout_s: float) -> GuestEnd:
        # Loaded while QEMU starts.
        from hiperiso.analysis.judge import Expectation, Judge
        from hiperiso.session.guest import GuestRun

        settings, spectator = self._request.settings, self._request.spectator
        judge = Judge(Expectation(stage=settings.expect, text=settings.expect_text))
        self._observer.running(judge, timeout_s)
        run = GuestRun(
            plan.spec,
            self._directory,
            self._runtime,
            self._session.log,
            judge,
            launched=launched,
            timeout_s=timeout_s,
            interrupted=self._interrupted,
            picture_reader=self._request.picture_reader,
            spectator=spectator,
        )
        end = await run.run()
        self._directory.mark("qemu_exit")
        self._directory.write_status(
            SessionStatus.RUNNING, LifecycleStage.QEMU_EXITED, qemu_exit_code=end.exit_code
        )
        self._session.tell(LifecycleStage.QEMU_EXITED)
        return end

    def _note_plan(self, plan: MachinePlan, timeout_s: float) -> None:
        self._session.manifest = replace(
            self._session.manifest,
            accel=self._accelerator.accel.value,
            accel_reason=self._accelerator.reason,
            firmware=plan.firmware.kind,
            firmware_reason=plan.firmware.reason,
            timeout_s=timeout_s,
            qemu_version=plan.qemu_version,
        )
        settings = self._request.settings
        self._session.log.emit(
            Source.HARNESS,
            "plan",
            data={
                "accel": self._accelerator.accel.value,
                "accel_reason": self._accelerator.reason,
                "firmware": plan.firmware.kind,
                "firmware_reason": plan.firmware.reason,
                "timeout_s": timeout_s,
                "expect": settings.expect,
                "expect_text": settings.expect_text,
                "notes": list(plan.notes),
            },
        )


def _ending(end: GuestEnd) -> Ending:
    if end.fault:
        status, stage = SessionStatus.FAILED, LifecycleStage.FATAL_ERROR
    else:
        status, stage = SessionStatus.COMPLETE, LifecycleStage.SESSION_COMPLETE
    return Ending(
        status=status, stage=stage, reason=end.reason, qemu_exit_code=end.exit_code, fault=end.fault
    )


@contextmanager
def _signals(interrupted: asyncio.Event) -> Iterator[None]:
    """Ctrl-C and a polite kill end the guest, not the recording."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
