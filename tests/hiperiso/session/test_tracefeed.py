"""When which tier of the trace is in force."""

from __future__ import annotations

from hiperiso.contract.events import KernelLine, SerialLine
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootStage, TraceLevel
from hiperiso.session.tracefeed import Window

FULL = TraceLevel.FULL


def test_the_tier_is_in_force_between_two_stages() -> None:
    window = Window(Settings(trace=FULL, trace_from=BootStage.KERNEL, trace_until="userspace"))
    assert window.due(BootStage.FIRMWARE) is None
    assert window.due(BootStage.INITRAMFS) is FULL
    assert window.due(BootStage.INITRAMFS) is None
    assert window.due(BootStage.USERSPACE) is TraceLevel.STANDARD
    assert window.due(BootStage.LOGIN) is None


def test_a_text_ends_the_window_wherever_the_guest_prints_it() -> None:
    window = Window(Settings(trace=FULL, trace_until="Run /init"))
    assert window.due(BootStage.KERNEL) is None
    window.on_event(SerialLine(text="nothing of interest"))
    assert window.due(BootStage.KERNEL) is None
    window.on_event(KernelLine(text="[    1.0] Run /init as init process"))
    assert window.due(BootStage.KERNEL) is TraceLevel.STANDARD
    assert window.due(BootStage.KERNEL) is None


def test_a_text_before_the_window_does_not_end_it() -> None:
    window = Window(Settings(trace=FULL, trace_from=BootStage.KERNEL, trace_until="login:"))
    window.on_event(SerialLine(text="login:"))
    assert window.due(BootStage.KERNEL) is FULL
    assert window.due(BootStage.KERNEL) is None
    window.on_event(SerialLine(text="demo login:"))
    assert window.due(BootStage.LOGIN) is TraceLevel.STANDARD


def test_without_a_window_nothing_changes() -> None:
    window = Window(Settings(trace=FULL))
    assert [window.due(stage) for stage in BootStage] == [None] * len(BootStage)
