"""Small real ISOs built from distribution packages, for the tests, the demo and the benchmarks.

The names come when they are first used: the command line imports this package for ``hiperiso --help``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hiperlab.samples.model import Outcome, Sample
    from hiperlab.samples.store import build_sample, default_cache, find_sample, list_samples, list_twins

__all__ = [
    "Outcome",
    "Sample",
    "build_sample",
    "default_cache",
    "find_sample",
    "list_samples",
    "list_twins",
]

_HOMES = {"Outcome": "model", "Sample": "model"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'store')}"), name)
