"""Settings in the forms in which a user can give them: options of ``hiperiso boot``, or hiperiso.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

FILE: Final = "file"
OPTIONS: Final = "options"
EITHER: Final = [FILE, pytest.param(OPTIONS, marks=pytest.mark.slow)]
"""For tests whose first form is in the default tier."""


def options(name: str, value: Any) -> list[str]:
    """The options of ``hiperiso boot`` for a value as hiperiso.json has it."""
    flag = "--" + name.replace("_", "-")
    if name == "cpu_features":
        return [f"{flag}={','.join(value)}"]
    items = value if isinstance(value, list) else [value]
    return [flag] if value is True else [f"{flag}={item}" for item in items]


def given(form: str, folder: Path, **settings: Any) -> list[str]:
    """Arguments of ``hiperiso boot`` that give these settings for every ISO; `folder` gets the configuration file."""
    if form == OPTIONS:
        return [word for name, value in settings.items() for word in options(name, value)]
    config = folder / "hiperiso.json"
    config.write_text(json.dumps({"iso_overrides": {"*": settings}}))
    return ["--config", str(config)]
