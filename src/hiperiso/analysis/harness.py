"""The harness events: faults, QEMU's standard error and exit, the reason for the end."""

from __future__ import annotations

from collections import deque

from hiperiso.contract.eventdata import FaultData
from hiperiso.contract.events import (
    FaultReported,
    HandedOver,
    HarnessEvent,
    MachinePlanned,
    QemuExited,
    QemuStderr,
    RecordingEnded,
)
from hiperiso.contract.words import AccelChoice, EndReason

_KEPT_LINES = 20
_LATE_TIMER = "Kernel panic - not syncing: IO-APIC + timer doesn't work"


class HarnessState:
    """Collects the harness events; ``faults`` is not empty after a harness fault; ``about`` is more on the first."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.about = FaultData()
        self.exit_code: int | None = None
        self.exited_by_itself = False
        self.ended_by_host = False
        self.end_reason: EndReason | None = None
        self.handed_over = ""
        self.late_timer = False
        self._emulated = False
        self._stderr: deque[str] = deque(maxlen=_KEPT_LINES)

    def on_event(self, event: HarnessEvent, *, guest_ended: bool) -> None:
        """Take a harness event. ``guest_ended``: the guest had switched the machine off before."""
        match event:
            case MachinePlanned():
                self._emulated = event.data.accel == AccelChoice.TCG
            case QemuStderr():
                self._stderr.append(event.text[:400])
            case QemuExited():
                self._on_exit(event, guest_ended)
            case FaultReported():
                self.blame(event.text or "an unnamed fault of the recorder", event.data)
            case HandedOver():
                self.handed_over = event.text[:400] or "another system"
            case RecordingEnded():
                self.end_reason = event.reason

    def on_guest_line(self, text: str) -> None:
        """Process a line of the guest about a harness fault: Linux gives up if no timer tick arrives in time.

        On real hardware that is a fault of the machine or of its kernel; an emulator that gets no time from its host
        looks the same to the guest. Source: arch/x86/kernel/apic/io_apic.c, ``check_timer``.
        """
        if self._emulated and text.startswith(_LATE_TIMER) and not self.late_timer:
            self.late_timer = True
            self.blame("the emulated timer of the guest came too late: this machine is overloaded, try again")

    def blame(self, fault: str, about: FaultData = FaultData()) -> None:  # noqa: B008 - it is frozen
        """Record a harness fault."""
        if not self.faults:
            self.about = about
        if len(self.faults) < _KEPT_LINES:
            self.faults.append(fault)

    def _on_exit(self, event: QemuExited, guest_ended: bool) -> None:
        self.exit_code = event.data.code if isinstance(event.data.code, int) else None
        ours = bool(event.data.ended_by_us) or self.ended_by_host or guest_ended
        self.exited_by_itself = not ours
        if self.exited_by_itself and self.exit_code:
            said = f": {self._stderr[-1]}" if self._stderr else ""
            how = "was killed by signal" if self.exit_code < 0 else "failed with exit code"
            self.blame(f"QEMU {how} {abs(self.exit_code)}{said}")


def end_reason(word: str) -> EndReason | None:
    """The EndReason of a word, None when there is none."""
    return EndReason(word) if word in set(EndReason) else None
