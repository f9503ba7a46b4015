"""What the hypervisor reports about the machine: resets, shutdowns, panics, samples of quiet vCPUs."""

from __future__ import annotations

from hiperiso.analysis.harness import HarnessState
from hiperiso.analysis.ledger import EndCause, FindingBook, Moment, evidence_of
from hiperiso.analysis.progress import Progress
from hiperiso.analysis.stall import StallBook
from hiperiso.contract.eventdata import FaultData
from hiperiso.contract.events import CpuSample, QemuEvent
from hiperiso.contract.faults import FaultKind
from hiperiso.contract.words import EndReason, FailureDomain, FindingKind, MachineEvent, Severity


class MachineEvents:
    """Turns events of QMP into progress, endings and findings."""

    def __init__(
        self, progress: Progress, book: FindingBook, harness: HarnessState, stalls: StallBook
    ) -> None:
        self._progress = progress
        self._book = book
        self._harness = harness
        self._stalls = stalls

    def take(self, event: QemuEvent) -> bool:
        """Take an event of QMP; returns whether it was a reset of the machine."""
        reason = str(event.data.get("reason", ""))
        if event.text == MachineEvent.RESET and (event.data.get("guest") or reason.startswith("guest")):
            if self._progress.reset(event.t, event.t):
                self._note(FindingKind.RESET, "the machine was reset", event)
                self._stalls.reset()
                return True
        elif event.text == MachineEvent.SHUTDOWN:
            self._on_shutdown(event, reason)
        elif event.text == MachineEvent.GUEST_PANICKED:
            self._on_guest_panic(event)
        elif event.text == MachineEvent.BLOCK_IO_ERROR:
            device = str(event.data.get("device") or event.data.get("node-name") or "a device")[:80]
            full = bool(event.data.get("nospace"))
            why = ": the host's disk is full" if full else ""
            about = FaultData(kind=FaultKind.STORAGE_FULL if full else None)
            self._harness.blame(f"the host could not serve the guest's disk {device}{why}", about)
        return False

    def sample(self, event: CpuSample) -> None:
        """Take a sample of a quiet guest."""
        self._stalls.on_event(event)
        if (stall := self._stalls.halted_for_good()) and self._progress.attempt.halted is None:
            self._note(stall.kind, stall.summary, event)
            self._progress.attempt.halted = EndCause(
                EndReason.STUCK, event.t, event.t, stall.summary, kind=stall.kind, seconds=event.t
            )

    def _on_guest_panic(self, event: QemuEvent) -> None:
        """The guest's panic device reported; the console may have details."""
        if self._progress.attempt.fatal:
            return
        detail = "the guest reported a panic to the hypervisor"
        self._note(FindingKind.KERNEL_PANIC, detail, event, Severity.FATAL, FailureDomain.KERNEL)
        self._progress.attempt.fatal = EndCause(
            EndReason.PANIC,
            event.t,
            event.t + 1.0,
            detail,
            kind=FindingKind.KERNEL_PANIC,
            domain=FailureDomain.KERNEL,
            seconds=event.t,
        )

    def _on_shutdown(self, event: QemuEvent, reason: str) -> None:
        if reason.startswith("host") or not event.data.get("guest", True):
            self._harness.ended_by_host = True
            return
        if reason == "guest-panic":
            self._on_guest_panic(event)
            return
        restarted = reason == "guest-reset"
        detail = "the guest restarted the machine" if restarted else "the guest switched the machine off"
        kind = FindingKind.RESTART if restarted else FindingKind.POWER_OFF
        moment = Moment(event.t, event.t, evidence_of(event, event.text))
        self._progress.switched_off(moment, detail, kind)
        self._note(kind, detail, event)

    def _note(
        self,
        kind: FindingKind,
        summary: str,
        event: QemuEvent | CpuSample,
        severity: Severity = Severity.INFO,
        domain: FailureDomain = FailureDomain.NONE,
    ) -> None:
        words = event.text
        if isinstance(event, QemuEvent):
            words = f"QMP {event.text} {event.data.get('reason', '')}"
        evidence = evidence_of(event, words)
        self._book.add(kind, severity, summary, domain, channel="qmp", evidence=evidence)
