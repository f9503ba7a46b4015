"""What a boot shall reach, and when a recording may end."""

from __future__ import annotations

from dataclasses import dataclass

from hiperiso.contract.words import BootStage, EndReason


@dataclass(frozen=True)
class Expectation:
    """What the boot shall reach. Without a stage or a text: the first of login, installer or graphical login.

    ``text`` is a regular expression, searched in each line of every text channel. With both, both must be met.
    """

    stage: BootStage | None = None
    text: str | None = None

    @property
    def explicit(self) -> bool:
        """True when the user asked for something."""
        return self.stage is not None or self.text is not None

    def describe(self) -> str:
        """In words, for a person."""
        parts = [f"the stage {self.stage.value}"] if self.stage else []
        parts += [f"the text /{self.text}/"] if self.text else []
        return " and ".join(parts) or "a login, an installer or a graphical login"


@dataclass(frozen=True)
class Decision:
    """The recording may end at ``at_s`` (seconds since QEMU started), unless something changes before."""

    reason: EndReason
    at_s: float
    detail: str
