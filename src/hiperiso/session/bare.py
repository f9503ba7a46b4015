"""The part of a session that does not need QEMU: its first files, its stages, its end.

The recorder builds on it. On its own it records boots without QEMU: a request that is refused, and a direct
boot, whose recording ends when the machine is handed over.

::

    with open_bare_session(request, kvm=KvmState.UNKNOWN) as session:      mounted
        session.reach(LifecycleStage.FALLBACK_NO_KVM)                      fallback_no_kvm
        session.hand_over("the live system of the ISO")                    session_complete
        session.refuse(IsoError(...))                                  or  iso_not_found, fatal_error
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hiperiso.contract import files
from hiperiso.contract.eventdata import EndData, HandoverData, fault_data
from hiperiso.contract.events import FaultReported, HandedOver, RecordingEnded, StageReported
from hiperiso.contract.manifest import Manifest
from hiperiso.contract.naming import utc_text
from hiperiso.contract.store import atomic_write
from hiperiso.contract.words import EndReason, KvmState, LifecycleStage, SessionStatus
from hiperiso.errors import HarnessFault, HiperisoError, IsoError
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.ending import Ending
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.host import environment_text
from hiperiso.session.record import SessionRecord
from hiperiso.session.request import BootObserver, BootOutcome, BootRequest, SilentObserver
from hiperiso.session.runtime import draw_token
from hiperiso.version import __version__


@contextmanager
def open_bare_session(
    request: BootRequest,
    *,
    kvm: KvmState,
    kvm_facts: Mapping[str, str] | None = None,
    observer: BootObserver | None = None,
) -> Iterator[BareSession]:
    """Open a session in which no QEMU will run; the block ends it by `BareSession.hand_over` or `refuse`.

    A block left without either, by an exception, ends the session as a harness fault.

    Args:
        request: the requested boot.
        kvm: the state of KVM.
        kvm_facts: details, for env.txt.
        observer: receives progress and events.

    Raises:
        HarnessFault: no session directory can be made, or it cannot be written.
    """
    directory = SessionDirectory.create(request.log_root, request.iso.name, runtime_token=draw_token())
    session = BareSession(request, directory, observer or SilentObserver(), kvm=kvm, kvm_facts=kvm_facts)
    try:
        session.begin()
        try:
            yield session
        except HiperisoError as error:
            session.refuse(error)
            raise
        except Exception as bug:
            session.refuse(HarnessFault(f"internal error: {bug!r}"))
            raise
    except OSError as error:
        raise directory.lost(error) from None
    finally:
        directory.release()


def record_refusal(
    request: BootRequest, error: HiperisoError, observer: BootObserver | None = None
) -> BootOutcome:
    """Record a request that is refused before anything is started.

    Raises:
        HarnessFault: no session directory can be made, or it cannot be written.
    """
    with open_bare_session(request, kvm=KvmState.UNKNOWN, observer=observer) as session:
        return session.refuse(error)


class BareSession:
    """A session from its first files to its end.

    Attributes:
        outcome: how it ended; None until then.
    """

    def __init__(
        self,
        request: BootRequest,
        directory: SessionDirectory,
        observer: BootObserver,
        *,
        kvm: KvmState,
        kvm_facts: Mapping[str, str] | None = None,
    ) -> None:
        self._request = request
        self._directory = directory
        self._observer = observer
        self._kvm_facts = {"state": kvm.value, **(kvm_facts or {})}
        self._log: EventLog | None = None
        self.outcome: BootOutcome | None = None
        settings = request.settings
        manifest = Manifest(
            session_id=directory.session_id,
            status=SessionStatus.STARTED,
            iso_path=str(request.iso),
            iso_basename=request.iso.name,
            log_dir=str(directory.path),
            start_time_utc=utc_text(directory.start),
            kvm=kvm,
            trace_level=settings.trace,
            guest_ram_mb=settings.ram_mb,
            guest_cpus=settings.cpus,
            hiperiso_version=__version__,
        )
        self._record = SessionRecord(directory.path, manifest)

    @property
    def log(self) -> EventLog:
        """The event log; available from `begin` on."""
        assert self._log is not None
        return self._log

    def begin(self) -> None:
        """Write the files that the contract guarantees, and others known from the start.

        Raises:
            OSError: the disk is full or gone.
        """
        self._record.begin()
        atomic_write(
            self._directory.path / files.ENV_TXT, self._environment().encode(errors="backslashreplace")
        )
        self._directory.mark("session_start")
        self._directory.take_ballast()
        self._log = EventLog(self._directory.path)
        self._log.subscribe(self._observer.event, Rank.WATCHER)
        self._observer.opened(self._directory.path, self._record.manifest)
        self._emit(LifecycleStage.MOUNTED)

    def note(self, **facts: Any) -> None:
        """Set fields of the manifest."""
        self._record.note(**facts)

    def write(self) -> None:
        """Store the noted fields now: who reads a running or a killed session finds them.

        Raises:
            OSError: the disk is full or gone.
        """
        self._record.write()

    def reach(self, stage: LifecycleStage) -> None:
        """Record a lifecycle stage: status.json, and an event.

        Raises:
            OSError: the disk is full or gone.
        """
        self._record.reach(stage)
        self._emit(stage)

    def qemu_answers(self) -> None:
        """Set the status to ``running``.

        Raises:
            OSError: the disk is full or gone.
        """
        self._record.run()

    def served(self, vnc: str) -> None:
        """The guest's screen is served by VNC at that ``HOST:PORT``: session.json says so from now on.

        Raises:
            OSError: the disk is full or gone.
        """
        self._record.note(vnc=vnc)
        self._record.write()
        self._observer.served(vnc)

    def qemu_exited(self, exit_code: int | None) -> None:
        """Record the end of QEMU: a phase in timing.dat, status.json, an event.

        Raises:
            OSError: the disk is full or gone.
        """
        self.mark("qemu_exit")
        stage = LifecycleStage.QEMU_EXITED
        self._record.reach(stage, status=SessionStatus.RUNNING, qemu_exit_code=exit_code)
        self._emit(stage)

    def _emit(self, stage: LifecycleStage) -> None:
        if self._log is not None:
            self._log.emit(StageReported(text=stage))

    def mark(self, phase: str) -> None:
        """Append a phase to timing.dat.

        Raises:
            OSError: the disk is full or gone.
        """
        self._directory.mark(phase)

    def take_host_inventory(self) -> None:
        """Write the facts of this machine into ``hw/``: a system without a hypervisor runs directly on it.

        Raises:
            OSError: the disk is full or gone.
        """
        from hiperiso.machine.inventory import host_inventory  # imports QMP

        folder = self._directory.path / files.HW_DIR
        folder.mkdir(exist_ok=True)
        for name, content in host_inventory().items():
            atomic_write(folder / name, content.encode())

    def hand_over(self, receiver: str, data: HandoverData | None = None) -> BootOutcome:
        """End the session successfully: everything is ready, and `receiver` takes over the machine when this returns.

        Raises:
            OSError: the disk is full or gone.
        """
        self.log.emit(HandedOver(text=receiver, data=data or HandoverData()))
        self.mark("hand_over")
        self.log.emit(RecordingEnded(text=EndReason.HANDED_OVER))
        ending = Ending(
            status=SessionStatus.COMPLETE,
            stage=LifecycleStage.SESSION_COMPLETE,
            reason=EndReason.HANDED_OVER,
        )
        return self._end(self.finalize(ending))

    def refuse(self, error: HiperisoError) -> BootOutcome:
        """End the session as failed; has no effect on an ended session.

        Raises:
            OSError: the disk is full or gone.
        """
        if self.outcome is None:
            self._end(self.finalize(self.fault(error)), error)
        assert self.outcome is not None
        return self.outcome

    def fault(self, error: HiperisoError) -> Ending:
        """Emit a harness fault; returns the matching ending."""
        if self._log is not None:
            self._log.emit(FaultReported(text=error.message, data=fault_data(error)))
            self._log.emit(RecordingEnded(text=EndReason.HARNESS_FAULT))
        missing = isinstance(error, IsoError) and error.missing
        return Ending(
            status=SessionStatus.FAILED,
            stage=LifecycleStage.ISO_NOT_FOUND if missing else LifecycleStage.FATAL_ERROR,
            reason=EndReason.HARNESS_FAULT,
            fault=error.message,
        )

    def cancelled(self, detail: str = "the boot was cancelled") -> Ending:
        """Record that the boot was cancelled, or ended by the user; returns its ending."""
        reason = EndReason.INTERRUPTED
        self.log.emit(RecordingEnded(text=reason, data=EndData(detail=detail)))
        return Ending(status=SessionStatus.COMPLETE, stage=LifecycleStage.SESSION_COMPLETE, reason=reason)

    def announce(self, ending: Ending) -> Manifest:
        """Write the verdict on a guest that is left running; `finalize` follows when it has ended.

        Raises:
            OSError: the disk is full or gone.
        """
        from hiperiso.session.closing import announce_session  # not before QEMU runs

        self._observer.finishing()
        return announce_session(self._record, ending)

    def finalize(self, ending: Ending) -> Manifest:
        """Close the log and write everything that the contract requires at the end.

        Raises:
            OSError: the disk is full or gone.
        """
        from hiperiso.session.closing import finalize_session

        self._observer.finishing()
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.close()
        with contextlib.suppress(OSError):
            self._directory.drop_ballast()
            self._directory.mark("session_end")
        return finalize_session(self._record, ending)

    def _end(self, manifest: Manifest, error: HiperisoError | None = None) -> BootOutcome:
        self.outcome = BootOutcome(path=self._directory.path, manifest=manifest, error=error)
        return self.outcome

    def _environment(self) -> str:
        settings = self._request.settings
        values = {name: str(getattr(settings, name)) for name in settings.__struct_fields__}
        return environment_text(
            {
                "hiperiso": {"version": __version__},
                "kvm": self._kvm_facts,
                "config": values,
                "config origins": self._request.origins,
            }
        )
