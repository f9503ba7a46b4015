"""Prints the modules loaded after importing the programs of a start, as the bundle imports them.

Input: ``stage``, a directory to import from; ``early``, what is imported; ``lazy``, what is loaded on first use.
"""

import importlib
import importlib.machinery
import importlib.util
import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Run the program."""
    order = json.loads(sys.argv[1])
    modules: dict[str, Any] = sys.modules
    modules["_hashlib"] = None
    sys.path.insert(0, order["stage"])
    finders: list[Any] = sys.meta_path
    finders.insert(0, _Lazy(order["lazy"]))
    for name in order["early"]:
        importlib.import_module(name)
    print(json.dumps([name for name in sys.modules if name != "__main__"]))


class _Lazy:
    """Finds modules of the standard library that are loaded on first attribute access."""

    def __init__(self, names: "list[str]") -> None:
        self._names = frozenset(names)

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":  # noqa: ARG002
        if name not in self._names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


if __name__ == "__main__":
    main()
