# ruff: noqa: D102 - the base class documents each method
"""The setting ``secure_boot``: whether the firmware checks signatures, and whose it trusts."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from hiperiso.contract.values import Kind

_ON: Final = ("1", "true", "yes", "on")
_OFF: Final = ("", "0", "false", "no", "off")


class Trust(StrEnum):
    """What the firmware trusts. Microsoft signs with two pairs of certificates: those of 2011 expire in 2026."""

    OFF = "off"
    """Signatures are not checked."""
    VENDOR = "1"
    """The variable store that the distribution installs, with its vendor's keys."""
    ONLY_2011 = "2011"
    BOTH = "2011+2023"
    ONLY_2023 = "2023"
    REVOKED = "revoked"
    """Both are trusted, and what the certificates of 2011 signed is revoked (dbx)."""

    @property
    def built(self) -> bool:
        """Whether its variable store is built by us."""
        return self not in (Trust.OFF, Trust.VENDOR)


class TrustKind(Kind):
    """A trust state; or on and off, as a flag has them."""

    choices = tuple(trust for trust in Trust if trust is not Trust.OFF)
    metavar = "1|0|2011|2011+2023|2023|revoked"

    def parse(self, raw: Any) -> Trust:
        text = str(raw).strip().lower()
        if text in _OFF:
            return Trust.OFF
        if text in _ON:
            return Trust.VENDOR
        if text not in tuple(Trust):
            raise ValueError(f"{raw!r} is not one of 0, {', '.join(self.choices)}")
        return Trust(text)

    def text(self, value: Trust | None) -> str:
        return "0" if value in (None, Trust.OFF) else str(value)

    def plain(self, value: Trust | None) -> str | None:
        return None if value is None else self.text(value)

    def schema(self) -> dict[str, Any]:
        return {
            "enum": [True, False, 1, 0, 2011, 2023, *_ON, *_OFF, *(trust for trust in Trust if trust.built)]
        }
