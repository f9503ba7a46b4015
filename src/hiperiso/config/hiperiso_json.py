"""hiperiso.json: which of its settings apply to an ISO, and how ISOs are listed.

Source: the interface contract, "Config File Format"::

    {"iso_overrides": {"*./windows11*.iso": {"ram": 4096, "tpm": true, "cpu_features": ["vmx"]}}}
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hiperiso.config.check import ANYWHERE, Checked, Place, check_config
from hiperiso.config.faults import Fault
from hiperiso.config.menu import MenuList, parse_menu_list
from hiperiso.config.rules import Rule, rules_of
from hiperiso.config.settings import Layer, Source, beside
from hiperiso.contract.values import Locate
from hiperiso.errors import UsageError

_MAX_SIZE_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class HiperisoConfig:
    """What a configuration file says.

    Attributes:
        shown_as: its name in messages: its path.
        rules: the settings by ISO, in the order of the file.
        menu: how ISOs are listed.
    """

    shown_as: str
    rules: tuple[Rule, ...] = ()
    menu: MenuList = field(default_factory=MenuList)

    def layer_for(self, iso_path: str, locate: Locate | None = None) -> Layer:
        """The settings of every rule that applies to `iso_path`, in the order of the file, later ones winning.

        Relative paths are resolved from the directory of the file, or by `locate`.
        """
        values: dict[str, Any] = {}
        last: dict[str, Rule] = {}
        for rule in self.rules:
            if rule.applies(iso_path):
                for name, value in rule.values.items():
                    values[name] = rule.added(name, value, values.get(name), last.get(name))
                    last[name] = rule
        return Layer(
            values,
            lambda name: f"{self.shown_as}: {last[name].origins[name]}",
            locate or (lambda text: beside(self.shown_as, text)),
            source=Source.FILE,
            line=lambda name: last[name].lines.get(name, 0),
        )


def read_config(path: Path) -> HiperisoConfig:
    """Read the file at `path`.

    Raises:
        UsageError: it cannot be read, or as for `parse_config`.
    """
    return parse_config(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The content of a configuration file; of one that is too large, just enough to detect that.

    A pipe is read to its end; one without a writer is empty.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            first = file.read(1)  # None: a writer is there, and has written nothing yet
            os.set_blocking(file.fileno(), True)
            return b"" if first == b"" else (first or b"") + file.read(_MAX_SIZE_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from None


def parse_config(raw: bytes, shown_as: str) -> HiperisoConfig:
    """Read the content of a hiperiso.json; messages name it `shown_as`.

    Raises:
        UsageError: it is not JSON, or not a configuration; all errors are reported at once.
    """
    checked = check_file(raw, shown_as)
    if errors := checked.errors:
        raise config_error(shown_as, errors)
    return _made(checked, shown_as)


def usable_config(raw: bytes, shown_as: str, place: Place = ANYWHERE) -> tuple[HiperisoConfig, list[Fault]]:
    """The valid part of a hiperiso.json, and everything that is wrong with it.

    An invalid setting of an ISO is kept: it is refused when that ISO is booted. Of a file that is not JSON nothing is
    used.

    Raises:
        UsageError: it is too large.
    """
    checked = check_file(raw, shown_as, place)
    if not checked.is_json:
        return HiperisoConfig(shown_as), checked.errors
    return _made(checked, shown_as), checked.errors


def check_file(raw: bytes, shown_as: str, place: Place = ANYWHERE) -> Checked:
    """Check the content of a file.

    Raises:
        UsageError: it is too large.
    """
    if len(raw) > _MAX_SIZE_BYTES:
        raise UsageError(f"{shown_as}: larger than {_MAX_SIZE_BYTES >> 20} MB, so not a configuration file")
    return check_config(raw, place)


def config_error(shown_as: str, errors: list[Fault]) -> UsageError:
    """One error for all of a file."""
    lines = [error.in_file(shown_as) for error in errors]
    hint = "`hiperiso config check FILE` checks a file; docs/configuration.md has all keys"
    if len(lines) == 1:
        return UsageError(lines[0], hint=hint)
    return UsageError("\n  ".join([f"{shown_as} has {len(lines)} errors:", *lines]), hint=hint)


def _made(checked: Checked, shown_as: str) -> HiperisoConfig:
    document = checked.document
    return HiperisoConfig(shown_as, rules_of(document, checked.line_of), parse_menu_list(document))
