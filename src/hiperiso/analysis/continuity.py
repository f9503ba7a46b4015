"""State over several lines: an interrupted statement, a machine that restarts."""

from __future__ import annotations

import re
from typing import Final

from hiperiso.analysis.ledger import Attempt
from hiperiso.analysis.lines import Piece
from hiperiso.contract.words import BootStage

_MAX_JOINED: Final = 400
_STARTS_ANEW: Final = re.compile(
    r"SeaBIOS \(version|Welcome to GRUB!|BdsDxe: loading |U-Boot (?:SPL |TPL )?\d{4}\.\d|OpenSBI v\d"
    r"|coreboot-\S{1,80} .{0,60}bootblock starting|iPXE initialising devices"
    r"|(?P<kernel>Linux version \d\S{0,60}(?P<builder> \()?)"
)


class Interrupted:
    """Remembers text that a kernel message interrupted: it continues at the beginning of the next line."""

    def __init__(self) -> None:
        self._begun: dict[str, str] = {}

    @property
    def waits(self) -> bool:
        """Whether the next line may continue something."""
        return bool(self._begun)

    def joined(self, source: str, piece: Piece, *, alone: bool) -> str:
        """Process the next statement of a program; returns it joined with the interrupted text, empty for nothing.

        ``alone``: it has no meaning by itself.
        """
        begun = self._begun.pop(source, "")
        if piece.cut:
            self._begun[source] = (begun + piece.text if alone else piece.text)[-_MAX_JOINED:]
        return begun + piece.text if begun and alone else ""


class Restarts:
    """Without events of the machine, a firmware, boot loader or kernel that restarts shows a reset.

    A kernel may print its log twice when it changes consoles; so one that had not come to an init or a panic is not
    taken to have restarted. And a shell can print the kernel's version: without a stamp it is a kernel's only where
    kernels print none.
    """

    def __init__(self) -> None:
        self.stamped = False  # the kernel of this attempt stamps its messages
        self._asked = False  # the kernel's version was requested in a shell

    def seen(self, piece: Piece, attempt: Attempt) -> bool:
        """Whether the machine was reset before this was printed."""
        anew = _STARTS_ANEW.match(piece.text)
        reset = anew is not None and not piece.kernel_s and self._is_reset(anew, piece, attempt)
        if reset:
            self.stamped = self._asked = False
        self.stamped |= piece.strict
        self._asked |= "/proc/version" in piece.text
        return reset

    def _is_reset(self, anew: re.Match[str], piece: Piece, attempt: Attempt) -> bool:
        by_kernel = anew["kernel"] is not None
        if by_kernel and piece.kernel_s is None and (self.stamped or self._asked or not anew["builder"]):
            return False
        before = BootStage.KERNEL if by_kernel else BootStage.BOOTLOADER
        return attempt.stage.rank > before.rank or attempt.fatal is not None
