"""Compiles bootchain and what it needs of the standard library: found by following import statements.

Input: ``source``, the directory of bootchain; ``lib``, its target directory; ``out``, a directory for the
compiled files; ``modules``, ``scripts``, roots to follow; ``never``, what is excluded. Prints the interpreter's real
path and the compiled libraries.
"""

import importlib.util
import json
import marshal
import modulefinder
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Run the program."""
    order = json.loads(sys.argv[1])
    sys.path.insert(0, order["source"])
    finder = modulefinder.ModuleFinder(excludes=order["never"])
    for name in order["modules"]:
        try:
            finder.import_hook(name)
        except ImportError:
            if name.startswith("bootchain"):
                raise
    for script in order["scripts"]:
        finder.run_script(script)
    libraries = []
    own = order["source"] + "/"
    modules: dict[str, Any] = finder.modules
    for name, module in sorted(modules.items()):
        path = module.__file__
        if not path or name == "__main__" or not path.startswith(("/usr/lib/", own)):
            continue
        if path.endswith(".so"):
            libraries.append(path)
        else:
            place = order["lib"] + path.removeprefix(order["source"]) if path.startswith(own) else path
            _compile(path, place, order["out"] + place + "c")
    print(json.dumps({"executable": os.path.realpath(sys.executable), "libraries": libraries}))


def _compile(path: str, place: str, target: str) -> None:
    """`place`: the path of the source, for tracebacks."""
    header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)  # by hash, unchecked
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib would be included, too
        code = compile(file.read(), place, "exec", dont_inherit=True, optimize=0)
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
    with open(target, "wb") as file:  # noqa: PTH123
        file.write(header + marshal.dumps(code))


if __name__ == "__main__":
    main()
