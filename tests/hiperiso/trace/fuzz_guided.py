"""Damaged traces, guided by coverage: ``fuzz_guided.py [-runs=N] [-max_len=BYTES] [CORPUS]``.

It needs atheris, which nothing else here does.
"""

from __future__ import annotations

import sys
from importlib import import_module

atheris = import_module("atheris")  # an option, which no list of dependencies has

with atheris.instrument_imports(include=["hiperiso.trace"]):
    one_input = import_module("fuzzing").one_input

atheris.Setup(sys.argv, one_input)
atheris.Fuzz()
