"""How a recording ended: what the files at the end of a session say of it."""

from __future__ import annotations

from dataclasses import dataclass

from hiperiso.contract.words import EndReason, LifecycleStage, SessionStatus


@dataclass(frozen=True)
class Ending:
    """How the recording itself ended.

    Attributes:
        status: ``complete``, or ``failed`` where the recording did not run to its regular end.
        stage: the last lifecycle stage: ``session_complete``, ``iso_not_found`` or ``fatal_error``.
        reason: why it ended.
        qemu_exit_code: QEMU's exit code, negative for a signal; None when QEMU was not started or its exit code is
            unknown.
        fault: the harness fault in one line; empty without one.
    """

    status: SessionStatus
    stage: LifecycleStage
    reason: EndReason
    qemu_exit_code: int | None = None
    fault: str = ""
