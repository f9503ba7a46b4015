"""What a user wants in all boots: ``~/.config/hiperiso/config.toml``, the lowest layer of settings.

::

    log_root = "~/boots"
    ram = "4G"
    timeout = 600
    cpu_features = ["vmx"]

The names are those of the settings (`hiperiso.contract.settings`), as ``iso_overrides`` of hiperiso.json has them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hiperiso.config.settings import Layer, Source, beside
from hiperiso.contract.row import LOG_ROOT
from hiperiso.errors import UsageError

_MAX_BYTES: Final = 1 << 20


def user_config_path(environ: Mapping[str, str]) -> Path:
    """``hiperiso/config.toml`` in ``$XDG_CONFIG_HOME``, else in ``~/.config``; a relative path counts as none.

    Source: XDG Base Directory Specification.
    """
    named = environ.get("XDG_CONFIG_HOME") or ""
    home = Path(named) if named.startswith("/") else Path(environ.get("HOME") or "/") / ".config"
    return home / "hiperiso" / "config.toml"


def user_layer(environ: Mapping[str, str]) -> Layer | None:
    """The user's defaults; None where there is no such file. Paths in it count from its folder.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    path = user_config_path(environ)
    values = _read(path)
    if values is None:
        return None
    values.pop(LOG_ROOT.name, None)  # a place, not a setting of a boot: `user_log_root`

    return Layer(values, lambda name: f"{path}: {name}", lambda text: beside(path, text), source=Source.USER)


def user_log_root(environ: Mapping[str, str]) -> Path | None:
    """Where the user wants sessions to be stored; None where no file says so.

    Raises:
        UsageError: the file cannot be read, is not TOML, or its ``log_root`` is not a path.
    """
    path = user_config_path(environ)
    named = (_read(path) or {}).get(LOG_ROOT.name)
    if named is None:
        return None
    if not isinstance(named, str) or not named or "\0" in named:
        raise UsageError(
            f"{path}: {LOG_ROOT.name}: not a directory: {named!r}", hint='such as log_root = "~/boots"'
        )
    return beside(path, named)


def _read(path: Path) -> dict[str, Any] | None:
    """The content of a file; None where there is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from None
    if len(raw) > _MAX_BYTES:
        raise UsageError(f"{path}: larger than {_MAX_BYTES >> 20} MB, so not a configuration file")
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", hint='a line is such as: ram = "4G"') from None
