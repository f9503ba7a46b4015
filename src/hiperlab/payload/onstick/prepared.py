"""Precompiles what the standard library compiles when modules are imported: methods of dataclasses, patterns.

Each is found by its text (methods: by its hash); others are compiled as usual. Imported before anything
that defines classes.
"""

# mypy: ignore-errors
# ruff: noqa: PTH123, S302
# (pathlib costs more CPU at the start than all of this; the files lie in the same image. The replaced objects are
# internals of the library, which have no types.)

from __future__ import annotations

import _sha1
import _sre
import dataclasses
import marshal
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

with open(f"{__file__.rpartition('/')[0]}/prepared.bin", "rb") as _file:
    _methods, _patterns = marshal.load(_file)
_compile = re._compiler.compile


def _run(text: str, variables: Any, names: Any) -> None:
    found = _methods.get(_sha1.sha1(text.encode()).digest())
    exec(marshal.loads(found) if found else text, variables, names)  # noqa: S102


def _pattern(pattern: Any, flags: Any = 0) -> Any:
    try:
        found = _patterns.get((pattern, int(flags)))
    except TypeError:
        found = None
    return _sre.compile(pattern, *marshal.loads(found)) if found else _compile(pattern, flags)


dataclasses.exec = _run
re._compiler.compile = _pattern
