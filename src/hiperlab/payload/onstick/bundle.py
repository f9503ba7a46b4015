"""The modules needed at start-up in one file, ``bundle.bin``: searching each takes longer than loading it.

Imported first, by PID 1: the steps that it forks have it, too. Other modules are found as usual.
"""

# ruff: noqa: PTH123, S302
# (pathlib costs more CPU at the start than all of this; the file lies in the same image as this one.)

from __future__ import annotations

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_modules: dict[str, tuple[str, bool, bytes | None]]
"""Name of a module -> path of its compiled file, whether it is a package, its code.

Modules without code are imported by others, but only used in rare functions: they are loaded from
their own files on first attribute access.
"""
_PYC_HEADER_BYTES = 16

with open(f"{__file__.rpartition('/')[0]}/bundle.bin", "rb") as _file:
    _modules = marshal.load(_file)


class Bundle:
    """Finder and loader."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG004
        """The spec of a module in the bundle, else None."""
        if name not in _modules:
            return None
        place, package, code = _modules[name]
        spec: ModuleSpec = _Spec(name, _bundle, origin=place, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [place.rpartition("/")[0]]
        if code is None:
            from importlib.util import LazyLoader

            spec.loader = LazyLoader(_bundle)
        return spec

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """As usual."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Run the module's code, and drop it."""
        place, _, code = _modules.pop(module.__name__)
        if code is None:
            with open(place, "rb") as file:
                code = file.read()[_PYC_HEADER_BYTES:]
        exec(marshal.loads(code), vars(module))  # noqa: S102


_Spec = type(__spec__)
_bundle: Any = Bundle
sys.meta_path.insert(0, _bundle)
