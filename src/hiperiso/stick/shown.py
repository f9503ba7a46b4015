"""Shows the guest of a recording, if requested; the viewer is imported only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import Display
from hiperiso.session.spectator import Spectator


@dataclass(frozen=True)
class Shown:
    """For a recording: the adapted settings, and the spectator."""

    settings: Settings
    spectator: Spectator | None


@contextmanager
def shown_guest(
    settings: Settings, say: Callable[[str], None], *, grace_s: float, framebuffer: Path | None = None
) -> Iterator[Shown]:
    """Context manager: shows the guest of one recording if the settings require it (``display=gtk``).

    If that is impossible, a message has the reason, and the recording continues without.

    Args:
        settings: how to boot.
        say: prints a message, from any thread.
        grace_s: see `Spectator`.
        framebuffer: the framebuffer; None for the machine's own.
    """
    if settings.display is not Display.GTK:
        yield Shown(settings, None)
        return
    from hiperiso.stick.screen.framebuffer import FRAMEBUFFER
    from hiperiso.stick.screen.show import shown_on_framebuffer

    with shown_on_framebuffer(
        settings, say, grace_s=grace_s, framebuffer=framebuffer or FRAMEBUFFER
    ) as spectator:
        yield Shown(settings if spectator else replace(settings, display=Display.NONE), spectator)
