"""Settings of hiperiso.json that need a part which the payload does not have, so that their boots are refused. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from hiperiso.config.rules import Rule
from hiperiso.contract.settings import ROWS

SWTPM: Final = "swtpm"
SECURE_BOOT: Final = "secure boot"
"""Parts of a payload as its manifest names them among its versions."""

_NEEDS: Final = {"tpm": (SWTPM, "--swtpm"), "secure_boot": (SECURE_BOOT, "--secure-boot")}
"""Setting -> the part that it needs, and the option of ``payload build`` that adds it."""


def unmet(rules: Iterable[Rule], versions: Mapping[str, str]) -> list[str]:
    """One line for each of these settings whose part is missing, with the ISOs that it is set for.

    Args:
        rules: the settings by ISO.
        versions: of the parts of the payload; empty where they are not known, which counts as complete.
    """
    wanted: dict[str, list[str]] = {}
    for rule in rules:
        for name in _NEEDS.keys() & rule.values.keys():
            row = ROWS[name]
            try:
                is_on = row.kind.parse(rule.values[name]) != row.default
            except ValueError:
                continue  # `hiperiso.config.check` reports it
            if is_on:
                wanted.setdefault(name, []).append(rule.pattern)
    return [
        f"{name} is set for {', '.join(patterns)}, and the payload has no {part}: their boots are refused; "
        f"hiperiso payload build {option} and hiperiso stick update add it"
        for name, patterns in sorted(wanted.items())
        for part, option in [_NEEDS[name]]
        if versions and part not in versions
    ]
