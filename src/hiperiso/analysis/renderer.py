"""Mesa's software renderer on an emulated CPU: a crash that is the emulation's doing, and comes again each time.

QEMU 7.2 emulates AVX with faults. llvmpipe, which draws where there is no GPU, uses it as soon as the CPU has it; a
desktop that crashes so is started again by its session, for minutes each time. The same desktop runs without AVX.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.guestclock import GuestClock
from hiperiso.contract.events import Event, KernelLine

_HAS_AVX: Final = "'AVX registers'"
"""Linux prints it where it uses them: ``x86/fpu: Supporting XSAVE feature 0x004: 'AVX registers'``."""

_THREADS: Final = "llvmpipe-"
"""What its threads are called, which draw."""


class Renderer:
    """What is known of the software renderer in the current attempt to boot."""

    def __init__(self, clock: GuestClock) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """The machine was reset."""
        self._has_avx = False
        self._crash: Event | None = None

    def line(self, event: KernelLine) -> None:
        """Take a line of the kernel's log."""
        self._has_avx |= _HAS_AVX in event.text

    def crashed(self, program: str, event: Event) -> None:
        """Take the crash of a program, or of a thread of one."""
        if program.startswith(_THREADS) and self._has_avx and self._clock.is_emulated:
            self._crash = event

    def crash_after(self, t: float) -> Event | None:
        """Its last crash, if that was later than a time in seconds: what was drawn before is gone with it."""
        return self._crash if self._crash and self._crash.t > t else None
