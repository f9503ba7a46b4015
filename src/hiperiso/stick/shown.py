"""Who sees the guest of a recording; what shows it is loaded only where it is to be shown."""

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
    """What a recording needs to know: the settings as they are now, and who looks on."""

    settings: Settings
    spectator: Spectator | None


@contextmanager
def shown_guest(
    settings: Settings, say: Callable[[str], None], *, grace_s: float, framebuffer: Path | None = None
) -> Iterator[Shown]:
    """While it lasts, the guest of one recording is shown where the settings want it (``display=gtk``).

    Where that cannot be, a line says why, and the recording goes on without.

    Args:
        settings: how to boot.
        say: tells a person something, from any thread.
        grace_s: see `Spectator`.
        framebuffer: what to paint on; None is the machine's own.
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
