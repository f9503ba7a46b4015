"""What a boot should reach, and when a recording may end."""

from __future__ import annotations

from dataclasses import dataclass

from hiperiso.contract.expected import Expected
from hiperiso.contract.words import EndReason


@dataclass(frozen=True)
class Expectation:
    """What the boot should reach. By default: the purpose of the image.

    That is an installer's first question, or a login; where the system starts something graphical, its desktop.

    Attributes:
        wanted: the first of these; strict: a login is not an installer, nor vice versa.
        text: a regular expression, searched in each line of every text channel. With both, both must be met.
    """

    wanted: tuple[Expected, ...] = ()
    text: str | None = None

    @property
    def explicit(self) -> bool:
        """True when the user requested something."""
        return bool(self.wanted) or self.text is not None

    def describe(self) -> str:
        """A readable description."""
        parts = [" or ".join(map(_in_words, self.wanted))] if self.wanted else []
        parts += [f"the text /{self.text}/"] if self.text else []
        return " and ".join(parts) or "a login, an installer or a graphical login"


def _in_words(wanted: Expected) -> str:
    words = {
        Expected.DESKTOP: "the desktop",
        Expected.RUNNING: "the end of the system's start",
        Expected.POWEROFF: "a clean power-off",
    }
    return words.get(wanted, f"the stage {wanted.value}")


@dataclass(frozen=True)
class Decision:
    """The recording may end at ``at_s`` (seconds since QEMU started), unless something changes before."""

    reason: EndReason
    at_s: float
    detail: str
